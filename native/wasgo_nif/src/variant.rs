//! Godot Variants as terms: how each maps is told in `Wasgo.Godot.Variant`.
//!
//! Terms are written and made as the codec goes, with no tree in between. The plain functions run on a normal scheduler
//! and have a budget: work that turns out to be over it is given up with `:over_budget`, for the caller to start anew with
//! their `_dirty` twins. Nothing here recurses into data: depth costs heap, not the scheduler's small stack.

mod atoms;
mod budget;
mod decode;
mod encode;
mod errors;
mod shapes;

use rustler::{Binary, Encoder, Env, NewBinary, Resource, ResourceArc, Term};
use wasgo_wire::variant::Limits;

use budget::Budget;

/// From this size in bytes on, an encoded value leaves as it is in place of being copied to the BEAM.
const LARGE: usize = 4096;

/// An encoded value that binaries refer to.
struct Encoded(Vec<u8>);

#[rustler::resource_impl]
impl Resource for Encoded {}

/// `{:ok, binary}`, `{:error, {reason, path}}` or `:over_budget`.
#[rustler::nif]
fn variant_encode<'a>(env: Env<'a>, term: Term<'a>, max_depth: u32, max_bytes: usize) -> Term<'a> {
    let mut budget = Budget::of_a_slice();
    let result = encode(env, term, Limits::new(max_depth, max_bytes), &mut budget);
    budget.tell(env);
    result
}

/// The same without a budget: never `:over_budget`.
#[rustler::nif(schedule = "DirtyCpu")]
fn variant_encode_dirty<'a>(env: Env<'a>, term: Term<'a>, max_depth: u32, max_bytes: usize) -> Term<'a> {
    encode(env, term, Limits::new(max_depth, max_bytes), &mut Budget::unlimited())
}

/// `{:ok, term, bytes_used}`, `{:error, {reason, offset, reading}}` or `:over_budget`.
///
/// The budget is of terms: the input itself must be small enough for its texts to be checked in the time there is.
#[rustler::nif]
fn variant_decode<'a>(env: Env<'a>, input: Binary<'a>, max_depth: u32, max_bytes: usize, keep_order: bool) -> Term<'a> {
    let mut budget = Budget::of_a_slice();
    let result = decode(env, input, Limits::new(max_depth, max_bytes), keep_order, &mut budget);
    budget.tell(env);
    result
}

/// The same without a budget: never `:over_budget`.
#[rustler::nif(schedule = "DirtyCpu")]
fn variant_decode_dirty<'a>(
    env: Env<'a>,
    input: Binary<'a>,
    max_depth: u32,
    max_bytes: usize,
    keep_order: bool,
) -> Term<'a> {
    decode(env, input, Limits::new(max_depth, max_bytes), keep_order, &mut Budget::unlimited())
}

fn encode<'a>(env: Env<'a>, term: Term<'a>, limits: Limits, budget: &mut Budget) -> Term<'a> {
    match encode::encode(term, limits, budget) {
        Ok(bytes) => (atoms::ok(), binary(env, bytes)).encode(env),
        Err(failed) => failed.to_term(env),
    }
}

fn decode<'a>(env: Env<'a>, input: Binary<'a>, limits: Limits, keep_order: bool, budget: &mut Budget) -> Term<'a> {
    let mut terms = decode::Terms::new(env, input, keep_order, budget);
    match wasgo_wire::variant::decode(input.as_slice(), &limits, &mut terms) {
        Ok((term, used)) => (atoms::ok(), term, used).encode(env),
        Err(stop) => stop.to_term(env),
    }
}

fn binary<'a>(env: Env<'a>, mut bytes: Vec<u8>) -> Term<'a> {
    if bytes.len() < LARGE {
        return new_binary(env, &bytes);
    }
    bytes.shrink_to_fit();
    ResourceArc::new(Encoded(bytes)).make_binary(env, |encoded| &encoded.0).to_term(env)
}

fn new_binary<'a>(env: Env<'a>, bytes: &[u8]) -> Term<'a> {
    let mut binary = NewBinary::new(env, bytes.len());
    binary.as_mut_slice().copy_from_slice(bytes);
    binary.into()
}
