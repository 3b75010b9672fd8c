//! zstd frames: told in `Wasgo.Wire.Zstd`.
//!
//! How long either way takes is bounded by sizes that the caller knows: it chooses between the plain functions and their `_dirty` twins.

use rustler::{Binary, Encoder, Env, NifResult, Term};
use wasgo_wire::zstd::{self, Error, MAX_WINDOW, Reason};

use crate::bytes;

rustler::atoms! {
    ok,
    error,
    nil,
    blocks,
    content_size,
    corrupt,
    dictionary,
    enomem,
    syntax,
    trailing,
    truncated,
    window,
}

/// Bytes in one percent of a time slice, which is 10 microseconds: the slowest that is done on a normal scheduler takes some 16 ns a byte.
const BYTES_PER_PERCENT: usize = 600;

/// What either way takes for a few bytes, in percent of a time slice.
const PERCENT_AT_LEAST: usize = 2;

/// `{:ok, frame}` or `{:error, {reason, offset}}`. For small input only.
#[rustler::nif]
fn zstd_compress<'a>(env: Env<'a>, input: Binary<'a>, level: i32) -> NifResult<Term<'a>> {
    tell(env, input.len());
    compress(env, input, level)
}

/// The same for input of any size.
#[rustler::nif(schedule = "DirtyCpu")]
fn zstd_compress_dirty<'a>(env: Env<'a>, input: Binary<'a>, level: i32) -> NifResult<Term<'a>> {
    compress(env, input, level)
}

fn compress<'a>(env: Env<'a>, input: Binary<'a>, level: i32) -> NifResult<Term<'a>> {
    match zstd::compress(input.as_slice(), level) {
        Ok(frame) => Ok((ok(), bytes::binary(env, frame)).encode(env)),
        Err(Error { reason: Reason::Level(_), .. }) => Err(rustler::Error::BadArg),
        Err(wrong) => Ok(to_term(env, &wrong)),
    }
}

/// `{:ok, bytes}`, as many as `size`, or `{:error, {reason, offset}}`. For small sizes only, of the input too.
#[rustler::nif]
fn zstd_decompress<'a>(env: Env<'a>, input: Binary<'a>, size: usize) -> Term<'a> {
    tell(env, size);
    decompress(env, input, size)
}

/// The same for any sizes.
#[rustler::nif(schedule = "DirtyCpu")]
fn zstd_decompress_dirty<'a>(env: Env<'a>, input: Binary<'a>, size: usize) -> Term<'a> {
    decompress(env, input, size)
}

fn decompress<'a>(env: Env<'a>, input: Binary<'a>, size: usize) -> Term<'a> {
    match zstd::decompress(input.as_slice(), size) {
        Ok(content) => (ok(), bytes::binary(env, content)).encode(env),
        Err(wrong) => to_term(env, &wrong),
    }
}

fn to_term<'a>(env: Env<'a>, wrong: &Error) -> Term<'a> {
    let reason = match &wrong.reason {
        Reason::Syntax(expected) => (syntax(), *expected).encode(env),
        Reason::Truncated { needed, left } => (truncated(), needed, left).encode(env),
        Reason::Trailing(left) => (trailing(), left).encode(env),
        Reason::Size { found: Some(found), size } => (content_size(), found, size).encode(env),
        Reason::Size { found: None, size } => (content_size(), nil(), size).encode(env),
        Reason::Window { bytes } => (window(), bytes, MAX_WINDOW).encode(env),
        Reason::Blocks(limit) => (blocks(), limit).encode(env),
        Reason::Dictionary(id) => (dictionary(), id).encode(env),
        Reason::Corrupt(words) => (corrupt(), *words).encode(env),
        Reason::Level(_) | Reason::Memory => enomem().encode(env),
    };
    (error(), (reason, wrong.offset)).encode(env)
}

/// Tells the scheduler how much of the caller's time slice so many bytes take.
fn tell(env: Env<'_>, bytes: usize) {
    let percent = PERCENT_AT_LEAST + bytes / BYTES_PER_PERCENT;
    rustler::schedule::consume_timeslice(env, percent.min(100) as i32);
}
