//! Bytes that Rust made, handed to the BEAM without a copy.

use std::sync::OnceLock;
use std::thread;

use crossbeam_channel::{Sender, unbounded};
use rustler::{Env, Resource, ResourceArc, Term};

/// Smaller binaries are copied: a resource costs more than that.
const COPY_BELOW: usize = 4096;

/// Larger ones are freed on a thread for that: giving many pages back takes longer than a scheduler may be held.
const FREE_ELSEWHERE: usize = 1 << 20;

struct Owned(Vec<u8>);

#[rustler::resource_impl]
impl Resource for Owned {}

impl Drop for Owned {
    fn drop(&mut self) {
        if self.0.len() > FREE_ELSEWHERE {
            reap(std::mem::take(&mut self.0));
        }
    }
}

/// Frees `garbage` on a thread for that. What waits there was in memory before, so that the queue takes no more than it gives
/// back.
pub fn reap(garbage: impl Send + 'static) {
    static REAPER: OnceLock<Sender<Box<dyn Send>>> = OnceLock::new();
    let reaper = REAPER.get_or_init(|| {
        let (send, receive) = unbounded::<Box<dyn Send>>();
        // Without the thread the channel is closed, and what is sent is dropped here.
        let _ =
            thread::Builder::new().name("wasgo-nif-reaper".into()).spawn(move || receive.into_iter().for_each(drop));
        send
    });
    let _ = reaper.send(Box::new(garbage));
}

/// A binary of `bytes`: a resource binary, whose memory is the vector's own.
pub fn binary<'a>(env: Env<'a>, mut bytes: Vec<u8>) -> Term<'a> {
    if bytes.len() < COPY_BELOW {
        return copy(env, &bytes);
    }
    // The BEAM counts the binary's size, not the room that the vector has left.
    bytes.shrink_to_fit();
    ResourceArc::new(Owned(bytes)).make_binary(env, |owned| &owned.0).to_term(env)
}

/// A binary with a copy of `bytes`.
pub fn copy<'a>(env: Env<'a>, bytes: &[u8]) -> Term<'a> {
    let mut binary = rustler::NewBinary::new(env, bytes.len());
    binary.as_mut_slice().copy_from_slice(bytes);
    binary.into()
}
