//! The serde formats: JSON, MessagePack, CBOR and postcard, with one model of values and the same bounds for each; and whether
//! bytes in Erlang's external term format are a plain term.
//!
//! - Terms are a [`Source`], and go through serde into the formats' own crates ([`encode`]); no tree is made of them.
//! - Bytes are read by decoders that are made here, since they are not trusted: they check every declared length before memory is
//!   taken, bound depth and values, lose no digits, and say where an error is. They are serde `Deserializer`s, which drive a
//!   [`Build`] ([`decode`]) or fill any type of Rust ([`from_slice`]).
//! - A [`Scanner`] says where values end in bytes that come in pieces.
//! - [`Data`] is a tree, for tests and for Rust code that wants one.
//!
//! Nesting is by recursion, as serde has it, and bounded by [`MAX_DEPTH`].
//!
//! ```
//! use wasgo_wire::format::{Data, DataBuilder, EncodeOptions, Format, Limits, decode, encode};
//!
//! let limits = Limits::default();
//! let bytes = encode(&Data::List(vec![Data::Int(7), Data::Nil]), Format::Json, EncodeOptions::default(), &limits).unwrap();
//! assert_eq!(bytes, b"[7,null]");
//! let (data, used) = decode(&bytes, Format::Json, &limits, &mut DataBuilder)?;
//! assert_eq!((data, used), (Data::List(vec![Data::Int(7), Data::Nil]), 8));
//! # Ok::<(), wasgo_wire::format::DecodeError>(())
//! ```

mod base64;
mod binary;
mod bounded;
mod build;
mod cbor;
mod data;
mod error;
mod etf;
mod head;
mod json;
mod json_text;
mod limits;
mod msgpack;
mod postcard;
mod rules;
mod scan;
mod scan_json;
mod ser;
mod source;

use serde::Deserialize;

pub use build::Build;
pub use data::{Data, DataBuilder, Pairs};
pub use error::{DecodeError, DecodeReason, EncodeError, EncodeReason, Lacking, Step};
pub use etf::check_etf;
pub use limits::{DEFAULT_MAX_BYTES, DEFAULT_MAX_DEPTH, DEFAULT_MAX_VALUES, Limits, MAX_DEPTH};
pub use scan::{Framing, Scanner, Span};
pub use ser::encode;
pub use source::{Source, View};

use binary::Binary;
use json::Json;

/// A format that terms are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Texts as keys, no raw bytes, floats that are finite; integers of 128 bits.
    Json,
    /// Integers of 64 bits with or without sign.
    MessagePack,
    /// Integers of 128 bits.
    Cbor,
    /// Values that say their own type, as variants of an enumeration; integers of 128 bits.
    Postcard,
}

/// What to do where JSON cannot hold a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Raw bytes are written as base64.
    pub base64: bool,
    /// NaN and the infinities are written as null.
    pub nan_as_null: bool,
}

/// Reads one value from the start of `bytes`, and tells how many bytes it took, with white space after it in JSON.
///
/// # Errors
/// If the bytes are no value or over a limit.
pub fn decode<'de, B: Build<'de>>(
    bytes: &'de [u8],
    format: Format,
    limits: &Limits,
    builder: &mut B,
) -> Result<(B::Value, usize), DecodeError> {
    match format {
        Format::Json => {
            check_size(bytes, limits)?;
            let mut json = Json::new(bytes, limits)?;
            let value = build::build(builder, &mut json).map_err(|error| reason(error, json.used()))?;
            Ok((value, json.used()))
        }
        Format::MessagePack => binary::<msgpack::MessagePack, B>(bytes, limits, builder),
        Format::Cbor => binary::<cbor::Cbor, B>(bytes, limits, builder),
        Format::Postcard => binary::<postcard::Postcard, B>(bytes, limits, builder),
    }
}

fn binary<'de, F: head::Heads, B: Build<'de>>(
    bytes: &'de [u8],
    limits: &Limits,
    builder: &mut B,
) -> Result<(B::Value, usize), DecodeError> {
    check_size(bytes, limits)?;
    let mut binary = Binary::<F>::new(bytes, limits);
    let value = build::build(builder, &mut binary).map_err(|error| reason(error, binary.at()))?;
    Ok((value, binary.at()))
}

/// Fills a type of Rust from one value, after which nothing may follow. In postcard the bytes are still those of tagged values.
///
/// # Errors
/// If the bytes are no such value or over a limit.
pub fn from_slice<'de, T: Deserialize<'de>>(
    bytes: &'de [u8],
    format: Format,
    limits: &Limits,
) -> Result<T, DecodeError> {
    fn of<'de, F: head::Heads, T: Deserialize<'de>>(
        bytes: &'de [u8],
        limits: &Limits,
    ) -> Result<(T, usize), DecodeError> {
        let mut binary = Binary::<F>::new(bytes, limits);
        T::deserialize(&mut binary).map(|value| (value, binary.at()))
    }
    check_size(bytes, limits)?;
    let (value, used) = match format {
        Format::Json => {
            let mut json = Json::new(bytes, limits)?;
            let value = T::deserialize(&mut json)?;
            (value, json.used())
        }
        Format::MessagePack => of::<msgpack::MessagePack, T>(bytes, limits)?,
        Format::Cbor => of::<cbor::Cbor, T>(bytes, limits)?,
        Format::Postcard => of::<postcard::Postcard, T>(bytes, limits)?,
    };
    if used == bytes.len() { Ok(value) } else { Err(DecodeReason::Syntax("the end of the input").at(used)) }
}

fn check_size(bytes: &[u8], limits: &Limits) -> Result<(), DecodeError> {
    if bytes.len() > limits.max_bytes {
        return Err(DecodeReason::TooLarge { bytes: bytes.len() as u64, limit: limits.max_bytes }.at(0));
    }
    Ok(())
}

/// Builders speak to serde by messages only.
fn reason(error: DecodeError, at: usize) -> DecodeError {
    match error.reason {
        DecodeReason::Custom(message) if &*message == build::DUPLICATE_KEY => DecodeReason::DuplicateKey.at(at),
        reason => DecodeError { offset: error.offset, reason },
    }
}
