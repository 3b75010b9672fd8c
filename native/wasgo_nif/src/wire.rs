//! Terms in the serde formats: how each maps is told in `Wasgo.Wire`.
//!
//! Terms go through serde as the codecs go, with no tree in between. How long encoding takes is not known before: the plain function
//! has a budget, and gives up with `:over_budget`, for the caller to start anew with its `_dirty` twin. Decoding takes a time that
//! is bounded by the input's size: the caller chooses by that.

mod atoms;
mod errors;
mod item;
mod terms;

use std::cell::RefCell;

use rustler::{Atom, Binary, Encoder, Env, NifResult, NifTuple, Term};
use wasgo_wire::format::{self, EncodeOptions, Format, Framing, Limits, Scanner, Span, check_etf};

use crate::budget::Budget;
use crate::bytes;
use item::Item;
use terms::Terms;

/// Bounds on one term.
#[derive(NifTuple)]
struct Bounds {
    max_depth: u32,
    max_bytes: usize,
    max_values: u64,
}

impl From<Bounds> for Limits {
    fn from(bounds: Bounds) -> Limits {
        let limits = Limits { max_bytes: bounds.max_bytes, max_values: bounds.max_values, ..Limits::default() };
        limits.with_depth(bounds.max_depth)
    }
}

/// What JSON does with bytes and with floats that are not finite.
#[derive(NifTuple)]
struct JsonOptions {
    base64: bool,
    nan_as_null: bool,
}

fn format_of(name: Atom) -> NifResult<Format> {
    match name {
        _ if name == atoms::json() => Ok(Format::Json),
        _ if name == atoms::msgpack() => Ok(Format::MessagePack),
        _ if name == atoms::cbor() => Ok(Format::Cbor),
        _ if name == atoms::postcard() => Ok(Format::Postcard),
        _ => Err(rustler::Error::BadArg),
    }
}

fn framing_of(name: Atom) -> NifResult<Framing> {
    match name {
        _ if name == atoms::json() => Ok(Framing::Json),
        _ if name == atoms::msgpack() => Ok(Framing::MessagePack),
        _ if name == atoms::cbor() => Ok(Framing::Cbor),
        _ if name == atoms::postcard() => Ok(Framing::Postcard),
        _ if name == atoms::etf() => Ok(Framing::Etf),
        _ if name == atoms::godot_variant() => Ok(Framing::Variant),
        _ => Err(rustler::Error::BadArg),
    }
}

/// `{:ok, binary}`, `{:error, {reason, path}}` or `:over_budget`.
#[rustler::nif]
fn wire_encode<'a>(
    env: Env<'a>,
    term: Term<'a>,
    format: Atom,
    options: JsonOptions,
    bounds: Bounds,
) -> NifResult<Term<'a>> {
    let budget = RefCell::new(Budget::of_a_slice());
    let result = encode(env, term, format, options, bounds, &budget);
    budget.into_inner().tell(env);
    result
}

/// The same without a budget: never `:over_budget`.
#[rustler::nif(schedule = "DirtyCpu")]
fn wire_encode_dirty<'a>(
    env: Env<'a>,
    term: Term<'a>,
    format: Atom,
    options: JsonOptions,
    bounds: Bounds,
) -> NifResult<Term<'a>> {
    encode(env, term, format, options, bounds, &RefCell::new(Budget::unlimited()))
}

fn encode<'a>(
    env: Env<'a>,
    term: Term<'a>,
    name: Atom,
    options: JsonOptions,
    bounds: Bounds,
    budget: &RefCell<Budget>,
) -> NifResult<Term<'a>> {
    let options = EncodeOptions { base64: options.base64, nan_as_null: options.nan_as_null };
    Ok(match format::encode(Item::new(term, budget), format_of(name)?, options, &bounds.into()) {
        Ok(encoded) => (atoms::ok(), bytes::binary(env, encoded)).encode(env),
        Err(error) => errors::encode_error(env, name, &error),
    })
}

/// `{:ok, term, bytes_used}` or `{:error, {reason, offset}}`. For small input only.
#[rustler::nif]
fn wire_decode<'a>(
    env: Env<'a>,
    input: Binary<'a>,
    format: Atom,
    bounds: Bounds,
    last_key: bool,
    existing_atoms: bool,
) -> NifResult<Term<'a>> {
    tell(env, input.len());
    decode(env, input, format, bounds, last_key, existing_atoms)
}

/// The same for input of any size.
#[rustler::nif(schedule = "DirtyCpu")]
fn wire_decode_dirty<'a>(
    env: Env<'a>,
    input: Binary<'a>,
    format: Atom,
    bounds: Bounds,
    last_key: bool,
    existing_atoms: bool,
) -> NifResult<Term<'a>> {
    decode(env, input, format, bounds, last_key, existing_atoms)
}

fn decode<'a>(
    env: Env<'a>,
    input: Binary<'a>,
    format: Atom,
    bounds: Bounds,
    last_key: bool,
    existing_atoms: bool,
) -> NifResult<Term<'a>> {
    let mut terms = Terms::new(env, input, last_key, existing_atoms);
    Ok(match format::decode(input.as_slice(), format_of(format)?, &bounds.into(), &mut terms) {
        Ok((term, used)) => (atoms::ok(), term, used).encode(env),
        Err(error) => errors::decode_error(env, &error, terms.duplicate()),
    })
}

/// `{:ok, bytes_used}` or `{:error, {reason, offset}}`: whether input is a plain term in Erlang's external format. For small input,
/// that is not compressed.
#[rustler::nif]
fn wire_check_etf<'a>(env: Env<'a>, input: Binary<'a>, bounds: Bounds) -> Term<'a> {
    tell(env, input.len());
    check(env, input, bounds)
}

/// The same for any input.
#[rustler::nif(schedule = "DirtyCpu")]
fn wire_check_etf_dirty<'a>(env: Env<'a>, input: Binary<'a>, bounds: Bounds) -> Term<'a> {
    check(env, input, bounds)
}

fn check<'a>(env: Env<'a>, input: Binary<'a>, bounds: Bounds) -> Term<'a> {
    match check_etf(input.as_slice(), &bounds.into()) {
        Ok(used) => (atoms::ok(), used).encode(env),
        Err(error) => errors::decode_error(env, &error, None),
    }
}

/// The state of a scanner before any piece: a binary, which only these functions look into.
#[rustler::nif]
fn wire_scan_new<'a>(env: Env<'a>, framing: Atom, bounds: Bounds) -> NifResult<Term<'a>> {
    state(env, &Scanner::new(framing_of(framing)?, &bounds.into()))
}

/// `{:ok, [{start, size}], begun, may_end, state}`: the values that end in the piece, the place in it where one begins that does not
/// (or nil), and whether that is complete if nothing follows; or `{:error, {reason, offset}, [{start, size}]}`. For small pieces.
#[rustler::nif]
fn wire_scan<'a>(env: Env<'a>, state: Binary<'a>, piece: Binary<'a>) -> NifResult<Term<'a>> {
    tell(env, piece.len());
    scan(env, state, piece)
}

/// The same for pieces of any size.
#[rustler::nif(schedule = "DirtyCpu")]
fn wire_scan_dirty<'a>(env: Env<'a>, state: Binary<'a>, piece: Binary<'a>) -> NifResult<Term<'a>> {
    scan(env, state, piece)
}

fn scan<'a>(env: Env<'a>, before: Binary<'a>, piece: Binary<'a>) -> NifResult<Term<'a>> {
    let mut scanner = Scanner::restore(before.as_slice()).ok_or(rustler::Error::BadArg)?;
    let mut spans = Vec::new();
    Ok(match scanner.scan(piece.as_slice(), &mut spans) {
        Ok(begun) => (atoms::ok(), ended(&spans), begun, scanner.may_end(), state(env, &scanner)?).encode(env),
        Err((offset, reason)) => {
            (atoms::error(), (errors::decode_reason(env, &reason), offset), ended(&spans)).encode(env)
        }
    })
}

fn ended(spans: &[Span]) -> Vec<(usize, usize)> {
    spans.iter().map(|Span { start, end }| (*start, end - start)).collect()
}

fn state<'a>(env: Env<'a>, scanner: &Scanner) -> NifResult<Term<'a>> {
    Ok(bytes::copy(env, &scanner.save().ok_or(rustler::Error::BadArg)?))
}

/// Bytes in one percent of a time slice, which is 10 microseconds: messages take some 15 ns a byte, the costliest input four times that.
const BYTES_PER_PERCENT: usize = 500;

/// Tells the scheduler how much of the caller's time slice so many bytes take.
fn tell(env: Env<'_>, bytes: usize) {
    rustler::schedule::consume_timeslice(env, (bytes / BYTES_PER_PERCENT).clamp(1, 100) as i32);
}

/// An integer of any size that there is here.
fn wide(env: Env<'_>, value: i128) -> Term<'_> {
    match i64::try_from(value) {
        Ok(value) => value.encode(env),
        Err(_) => {
            // The version, SMALL_BIG_EXT, its size and its sign; then the bytes, the lowest first.
            let mut external = [131, 110, 16, u8::from(value < 0), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            external[4..].copy_from_slice(&value.unsigned_abs().to_le_bytes());
            env.binary_to_term(&external).map_or_else(|| atoms::nil().to_term(env), |(term, _)| term)
        }
    }
}
