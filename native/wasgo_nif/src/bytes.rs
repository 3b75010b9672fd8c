//! Bytes that Rust made, handed to the BEAM without a copy.

use std::cell::Cell;
use std::sync::{Mutex, OnceLock};
use std::thread;

use crossbeam_channel::{Sender, unbounded};
use rustler::{Env, Resource, ResourceArc, Term};

/// Smaller binaries are copied: a resource costs more than that.
const COPY_BELOW: usize = 4096;

/// Larger ones are freed on a thread for that: giving many pages back takes longer than a scheduler may be held.
const FREE_ELSEWHERE: usize = 1 << 20;

/// Room of this size, in bytes, is kept to be used again: memory that comes from the system anew is filled with zeros page by page, which takes
/// ten times as long as what is written to it. Smaller blocks the allocator keeps itself.
const KEPT: std::ops::RangeInclusive<usize> = 64 << 10..=16 << 20;

/// The most bytes that are kept, and the most pieces.
const MOST_KEPT: usize = 32 << 20;
const MOST_PIECES: usize = 64;

struct Owned(Vec<u8>);

#[rustler::resource_impl]
impl Resource for Owned {}

impl Drop for Owned {
    fn drop(&mut self) {
        let Some(bytes) = keep(std::mem::take(&mut self.0)) else { return };
        if bytes.capacity() > FREE_ELSEWHERE {
            reap(bytes);
        }
    }
}

struct Pool {
    pieces: Vec<Vec<u8>>,
    bytes: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { pieces: Vec::new(), bytes: 0 });

/// Keeps a piece, or gives it back. Nobody waits for the lock: who does not get it does without.
fn keep(piece: Vec<u8>) -> Option<Vec<u8>> {
    if !KEPT.contains(&piece.capacity()) {
        return Some(piece);
    }
    let Ok(mut pool) = POOL.try_lock() else { return Some(piece) };
    if pool.pieces.len() == MOST_PIECES || pool.bytes + piece.capacity() > MOST_KEPT {
        return Some(piece);
    }
    pool.bytes += piece.capacity();
    pool.pieces.push(piece);
    None
}

/// An empty vector with room for `bytes` bytes, and for an eighth more at most.
pub fn room(bytes: usize) -> Vec<u8> {
    if !KEPT.contains(&bytes) {
        return Vec::with_capacity(bytes);
    }
    // In steps of an eighth or less, so that what is kept fits again.
    let step = bytes.next_power_of_two() / 16;
    let wanted = bytes.next_multiple_of(step);
    if let Ok(mut pool) = POOL.try_lock()
        && let Some(at) = pool.pieces.iter().rposition(|piece| fits(piece.capacity(), bytes))
    {
        let mut piece = pool.pieces.swap_remove(at);
        pool.bytes -= piece.capacity();
        piece.clear();
        return piece;
    }
    Vec::with_capacity(wanted)
}

fn fits(capacity: usize, bytes: usize) -> bool {
    capacity >= bytes && capacity - bytes <= bytes / 8
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
    // The BEAM counts the binary's size, not the room that the vector has left: an eighth and a little at most.
    if !fits(bytes.capacity(), bytes.len() + bytes.len() / 64) {
        bytes.shrink_to_fit();
    }
    ResourceArc::new(Owned(bytes)).make_binary(env, |owned| &owned.0).to_term(env)
}

thread_local! {
    /// Room for what is small: see [`scratch`].
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What the room for small results has at first, and at most, in bytes.
const SCRATCH_AT_FIRST: usize = 1 << 10;
const SCRATCH_AT_MOST: usize = 16 << 10;

/// An empty vector that was used before on this thread. A small result that is copied to its binary can be made in it, so that nothing is allocated besides
/// that: growing from nothing takes several times as long as to write it. [`done_with`] gives it back.
pub fn scratch() -> Vec<u8> {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    scratch.reserve(SCRATCH_AT_FIRST);
    scratch
}

/// Gives such a vector back, or any other.
pub fn done_with(scratch: Vec<u8>) {
    if scratch.capacity() <= SCRATCH_AT_MOST {
        SCRATCH.set(scratch);
    }
}

/// A binary of `bytes`, which were made in [`scratch`].
pub fn of_scratch<'a>(env: Env<'a>, bytes: Vec<u8>) -> Term<'a> {
    if bytes.len() < COPY_BELOW {
        let term = copy(env, &bytes);
        done_with(bytes);
        term
    } else {
        binary(env, bytes)
    }
}

/// A binary with a copy of `bytes`.
pub fn copy<'a>(env: Env<'a>, bytes: &[u8]) -> Term<'a> {
    let mut binary = rustler::NewBinary::new(env, bytes.len());
    binary.as_mut_slice().copy_from_slice(bytes);
    binary.into()
}
