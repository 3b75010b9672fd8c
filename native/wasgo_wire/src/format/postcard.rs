//! postcard (<https://postcard.jamesmunns.com/wire-format>), which does not say what its values are. So each is a variant of this
//! enumeration, which a program in Rust may have and derive serde's traits for, in this order:
//!
//! ```
//! # use serde::{Deserialize, Serialize};
//! #[derive(Serialize, Deserialize)]
//! enum Value {
//!     Nil,
//!     Bool(bool),
//!     Int(i64),
//!     Wide(i128),
//!     Float(f64),
//!     Text(String),
//!     Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
//!     List(Vec<Value>),
//!     Map(Vec<(Value, Value)>),
//! }
//! ```

use super::error::DecodeReason;
use super::head::{self, Head, Heads, Kind, array};

pub(super) enum Postcard {}

impl Heads for Postcard {
    #[inline(always)]
    fn head(bytes: &[u8]) -> Result<Option<Head>, DecodeReason> {
        let Some(tag) = bytes.first().copied() else { return Ok(None) };
        match tag {
            0 => head::of(1, Kind::Nil),
            1 => match bytes.get(1) {
                Some(0) => head::of(2, Kind::Bool(false)),
                Some(1) => head::of(2, Kind::Bool(true)),
                Some(_) => Err(DecodeReason::Syntax("a bool, 0 or 1")),
                None => Ok(None),
            },
            4 => Ok(array(bytes, 1).map(|float| Head { size: 9, kind: Kind::Float(f64::from_le_bytes(float)) })),
            2 => varint(bytes, |value| Kind::Int((value >> 1) as i64 ^ -((value & 1) as i64))),
            3 => wide(bytes),
            5 => varint(bytes, Kind::Text),
            6 => varint(bytes, Kind::Bytes),
            7 => varint(bytes, Kind::List),
            8 => varint(bytes, Kind::Map),
            _ => Err(DecodeReason::UnknownType(u32::from(tag))),
        }
    }
}

/// An integer of 64 bits after the tag: seven bits a byte, the lowest first, and the highest bit of each says whether more follow.
#[inline]
fn varint(bytes: &[u8], kind: impl Fn(u64) -> Kind) -> Result<Option<Head>, DecodeReason> {
    let mut value = 0;
    for (place, byte) in bytes[1..].iter().enumerate() {
        // The tenth byte holds the last bit.
        if place > 9 || (place == 9 && *byte > 1) {
            return Err(DecodeReason::IntegerRange { bits: 64 });
        }
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return head::of(2 + place, kind(value));
        }
    }
    Ok(None)
}

/// Likewise, of 128 bits, the lowest of which is the sign.
fn wide(bytes: &[u8]) -> Result<Option<Head>, DecodeReason> {
    let mut value = 0_u128;
    for (place, byte) in bytes[1..].iter().enumerate() {
        // The nineteenth byte holds the last two bits.
        if place > 18 || (place == 18 && *byte > 3) {
            return Err(DecodeReason::IntegerRange { bits: 128 });
        }
        value |= u128::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            let value = (value >> 1) as i128 ^ -((value & 1) as i128);
            // A small integer may be written so too.
            return head::of(2 + place, i64::try_from(value).map_or(Kind::Wide(value), Kind::Int));
        }
    }
    Ok(None)
}
