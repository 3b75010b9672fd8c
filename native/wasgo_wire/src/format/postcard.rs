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
    #[inline]
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
            3 => varint::<128>(bytes, |value| {
                let value = (value >> 1) as i128 ^ -((value & 1) as i128);
                // Either way of writing a small integer is read as the same one.
                i64::try_from(value).map_or(Kind::Wide(value), Kind::Int)
            }),
            2 => varint::<64>(bytes, |value| Kind::Int((value as u64 >> 1) as i64 ^ -((value & 1) as i64))),
            5 => varint::<64>(bytes, |len| Kind::Text(len as u64)),
            6 => varint::<64>(bytes, |len| Kind::Bytes(len as u64)),
            7 => varint::<64>(bytes, |len| Kind::List(len as u64)),
            8 => varint::<64>(bytes, |len| Kind::Map(len as u64)),
            _ => Err(DecodeReason::UnknownType(u32::from(tag))),
        }
    }
}

/// An integer after the tag: seven bits a byte, the lowest first, and the highest bit of each says whether more follow.
fn varint<const BITS: u32>(bytes: &[u8], kind: impl Fn(u128) -> Kind) -> Result<Option<Head>, DecodeReason> {
    let mut value = 0_u128;
    for (place, byte) in bytes[1..].iter().enumerate() {
        let shift = 7 * place as u32;
        let digit = u128::from(byte & 0x7f);
        // The last byte may hold fewer than seven bits.
        if shift >= BITS || (BITS - shift < 7 && digit >> (BITS - shift) != 0) {
            return Err(DecodeReason::IntegerRange { bits: BITS });
        }
        value |= digit << shift;
        if byte & 0x80 == 0 {
            return head::of(2 + place, kind(value));
        }
    }
    Ok(None)
}
