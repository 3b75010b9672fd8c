//! Godot Variants as terms: how each maps is told in `Wasgo.Godot.Variant`.
//!
//! Terms are written and made as the codec goes, with no tree in between. The plain functions run on a normal scheduler
//! and have a budget: work that turns out to be over it is given up with `:over_budget`, for the caller to start anew with
//! their `_dirty` twins. Nothing here recurses into data: depth costs heap, not the scheduler's small stack.

mod atoms;
mod decode;
mod encode;
mod errors;
mod shapes;

use rustler::{Binary, Encoder, Env, Term};
use wasgo_wire::variant::Limits;

pub(crate) use encode::{atom_text, clash, length};

use decode::{Plain, Terms};

use crate::budget::Budget;
use crate::bytes;

/// `{:ok, binary}`, `{:error, {reason, path}}` or `:over_budget`.
#[rustler::nif]
fn variant_encode<'a>(env: Env<'a>, term: Term<'a>, max_depth: u32, max_bytes: usize) -> Term<'a> {
    let mut budget = Budget::of_a_slice();
    let result = encode(env, term, Limits::new(max_depth, max_bytes), false, &mut budget);
    budget.tell(env);
    result
}

/// The same without a budget: never `:over_budget`.
#[rustler::nif(schedule = "DirtyCpu")]
fn variant_encode_dirty<'a>(env: Env<'a>, term: Term<'a>, max_depth: u32, max_bytes: usize) -> Term<'a> {
    encode(env, term, Limits::new(max_depth, max_bytes), false, &mut Budget::unlimited())
}

/// `{:ok, iodata, size}`, `{:error, {reason, path}}` or `:over_budget`. The data of large packed arrays is not copied: its binaries are parts of
/// the list.
#[rustler::nif]
fn variant_encode_iodata<'a>(env: Env<'a>, term: Term<'a>, max_depth: u32, max_bytes: usize) -> Term<'a> {
    let mut budget = Budget::of_a_slice();
    let result = encode_iodata(env, term, Limits::new(max_depth, max_bytes), &mut budget);
    budget.tell(env);
    result
}

/// The same without a budget: never `:over_budget`.
#[rustler::nif(schedule = "DirtyCpu")]
fn variant_encode_iodata_dirty<'a>(env: Env<'a>, term: Term<'a>, max_depth: u32, max_bytes: usize) -> Term<'a> {
    encode_iodata(env, term, Limits::new(max_depth, max_bytes), &mut Budget::unlimited())
}

/// A frame of the wire between sidecar and engine, from its kind and its other fields: `{:ok, count, pairs, size}`, where `pairs` is iodata of `size` bytes,
/// the Dictionary but for its header, and `count` how many there are; else as `variant_encode_iodata`.
#[rustler::nif]
fn frame_encode<'a>(env: Env<'a>, kind: Term<'a>, fields: Term<'a>, max_depth: u32, max_bytes: usize) -> Term<'a> {
    let mut budget = Budget::of_a_slice();
    let result = encode_frame(env, kind, fields, Limits::new(max_depth, max_bytes), &mut budget);
    budget.tell(env);
    result
}

/// The same without a budget: never `:over_budget`.
#[rustler::nif(schedule = "DirtyCpu")]
fn frame_encode_dirty<'a>(
    env: Env<'a>,
    kind: Term<'a>,
    fields: Term<'a>,
    max_depth: u32,
    max_bytes: usize,
) -> Term<'a> {
    encode_frame(env, kind, fields, Limits::new(max_depth, max_bytes), &mut Budget::unlimited())
}

/// `{:ok, term, bytes_used}`, `{:error, {reason, offset, reading}}` or `:over_budget`.
///
/// The budget is of terms: the input itself must be small enough for its texts to be checked in the time there is.
#[rustler::nif]
fn variant_decode<'a>(env: Env<'a>, input: Binary<'a>, max_depth: u32, max_bytes: usize, keep_order: bool) -> Term<'a> {
    let mut budget = Budget::of_a_slice();
    let mut terms = Terms::new(env, input, keep_order, &mut budget);
    let result = decode(env, input, Limits::new(max_depth, max_bytes), &mut terms);
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
    let mut budget = Budget::unlimited();
    let mut terms = Terms::new(env, input, keep_order, &mut budget);
    decode(env, input, Limits::new(max_depth, max_bytes), &mut terms)
}

/// As `variant_encode`, with `{:blob, binary}` for packed bytes, as all of the wire's formats have it.
#[rustler::nif]
fn wire_variant_encode<'a>(env: Env<'a>, term: Term<'a>, max_depth: u32, max_bytes: usize) -> Term<'a> {
    let mut budget = Budget::of_a_slice();
    let result = encode(env, term, Limits::new(max_depth, max_bytes), true, &mut budget);
    budget.tell(env);
    result
}

/// The same without a budget: never `:over_budget`.
#[rustler::nif(schedule = "DirtyCpu")]
fn wire_variant_encode_dirty<'a>(env: Env<'a>, term: Term<'a>, max_depth: u32, max_bytes: usize) -> Term<'a> {
    encode(env, term, Limits::new(max_depth, max_bytes), true, &mut Budget::unlimited())
}

/// As `variant_decode`, with blobs, and bounds on values and keys as all of the wire's formats have them.
#[rustler::nif]
fn wire_variant_decode<'a>(
    env: Env<'a>,
    input: Binary<'a>,
    max_depth: u32,
    max_bytes: usize,
    max_values: u64,
    last_key: bool,
) -> Term<'a> {
    let mut budget = Budget::of_a_slice();
    let plain = Plain { values: max_values, max_values, last_key };
    let mut terms = Terms::plain(env, input, plain, &mut budget);
    let result = decode(env, input, Limits::new(max_depth, max_bytes), &mut terms);
    budget.tell(env);
    result
}

/// The same without a budget: never `:over_budget`.
#[rustler::nif(schedule = "DirtyCpu")]
fn wire_variant_decode_dirty<'a>(
    env: Env<'a>,
    input: Binary<'a>,
    max_depth: u32,
    max_bytes: usize,
    max_values: u64,
    last_key: bool,
) -> Term<'a> {
    let plain = Plain { values: max_values, max_values, last_key };
    let mut budget = Budget::unlimited();
    let mut terms = Terms::plain(env, input, plain, &mut budget);
    decode(env, input, Limits::new(max_depth, max_bytes), &mut terms)
}

fn encode<'a>(env: Env<'a>, term: Term<'a>, limits: Limits, blobs: bool, budget: &mut Budget) -> Term<'a> {
    match encode::encode(term, limits, blobs, budget) {
        Ok(encoded) => (atoms::ok(), bytes::of_scratch(env, encoded)).encode(env),
        Err(failed) => failed.to_term(env),
    }
}

fn encode_iodata<'a>(env: Env<'a>, term: Term<'a>, limits: Limits, budget: &mut Budget) -> Term<'a> {
    match encode::encode_apart(term, limits, budget) {
        Ok((written, apart, size)) => (atoms::ok(), parts(env, written, &apart), size).encode(env),
        Err(failed) => failed.to_term(env),
    }
}

fn encode_frame<'a>(env: Env<'a>, kind: Term<'a>, fields: Term<'a>, limits: Limits, budget: &mut Budget) -> Term<'a> {
    match encode::encode_frame(kind, fields, limits, budget) {
        Ok(pairs) => (atoms::ok(), pairs.count, parts(env, pairs.written, &pairs.apart), pairs.size).encode(env),
        Err(failed) => failed.to_term(env),
    }
}

/// What is written, with what was kept apart in its places.
fn parts<'a>(env: Env<'a>, written: Vec<u8>, apart: &[(usize, Term<'a>)]) -> Term<'a> {
    if apart.is_empty() {
        return bytes::of_scratch(env, written);
    }
    let mut parts = Vec::with_capacity(2 * apart.len() + 1);
    let mut done = 0;
    for (before, binary) in apart {
        parts.push(bytes::copy(env, &written[done..*before]));
        parts.push(*binary);
        done = *before;
    }
    parts.push(bytes::copy(env, &written[done..]));
    bytes::done_with(written);
    parts.encode(env)
}

fn decode<'a>(env: Env<'a>, input: Binary<'a>, limits: Limits, terms: &mut Terms<'a, '_>) -> Term<'a> {
    match wasgo_wire::variant::decode(input.as_slice(), &limits, terms) {
        Ok((term, used)) => (atoms::ok(), term, used).encode(env),
        Err(stop) => stop.to_term(env),
    }
}
