//! Bytes that Rust made, handed to the BEAM without a copy.

use rustler::{Env, Resource, ResourceArc, Term};

/// Smaller binaries are copied: a resource costs more than that.
const COPY_BELOW: usize = 256;

struct Owned(Vec<u8>);

#[rustler::resource_impl]
impl Resource for Owned {}

/// A binary of `bytes`: a resource binary, whose memory is the vector's own.
pub fn binary<'a>(env: Env<'a>, bytes: Vec<u8>) -> Term<'a> {
    if bytes.len() < COPY_BELOW {
        let mut binary = rustler::NewBinary::new(env, bytes.len());
        binary.as_mut_slice().copy_from_slice(&bytes);
        return binary.into();
    }
    ResourceArc::new(Owned(bytes)).make_binary(env, |owned| &owned.0).to_term(env)
}

/// A binary with a copy of `bytes`.
pub fn copy<'a>(env: Env<'a>, bytes: &[u8]) -> Term<'a> {
    let mut binary = rustler::NewBinary::new(env, bytes.len());
    binary.as_mut_slice().copy_from_slice(bytes);
    binary.into()
}
