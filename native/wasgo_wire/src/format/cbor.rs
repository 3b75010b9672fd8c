//! CBOR, as RFC 8949 has it.

use super::error::DecodeReason;
use super::head::{self, Head, Heads, Kind, array, unsigned};

/// The tags of integers without bounds: the bytes that follow are their value, big-endian, or -1 minus that.
pub(super) const POSITIVE_BIGNUM: u64 = 2;
/// See [`POSITIVE_BIGNUM`].
pub(super) const NEGATIVE_BIGNUM: u64 = 3;

pub(super) enum Cbor {}

impl Heads for Cbor {
    #[inline(always)]
    fn head(bytes: &[u8]) -> Result<Option<Head>, DecodeReason> {
        let Some(first) = bytes.first().copied() else { return Ok(None) };
        let (major, more) = (first >> 5, first & 0x1f);
        if major == 7 {
            return simple(first, bytes);
        }
        let (size, argument) = match more {
            0..=23 => (1, Some(u64::from(more))),
            24 => (2, unsigned::<1>(bytes)),
            25 => (3, unsigned::<2>(bytes)),
            26 => (5, unsigned::<4>(bytes)),
            27 => (9, unsigned::<8>(bytes)),
            31 => return open(first, major),
            _ => return Err(DecodeReason::UnknownType(u32::from(first))),
        };
        let Some(argument) = argument else { return Ok(None) };
        let kind = match major {
            0 => head::int(argument),
            1 => match i64::try_from(argument) {
                Ok(argument) => Kind::Int(-1 - argument),
                Err(_) => Kind::Wide(-1 - i128::from(argument)),
            },
            2 => Kind::Bytes(argument),
            3 => Kind::Text(argument),
            4 => Kind::List(argument),
            5 => Kind::Map(argument),
            _ => Kind::Tag(argument),
        };
        head::of(size, kind)
    }
}

/// A value of indefinite length.
fn open(first: u8, major: u8) -> Result<Option<Head>, DecodeReason> {
    match major {
        2 => head::of(1, Kind::OpenBytes),
        3 => head::of(1, Kind::OpenText),
        4 => head::of(1, Kind::OpenList),
        5 => head::of(1, Kind::OpenMap),
        _ => Err(DecodeReason::UnknownType(u32::from(first))),
    }
}

/// Floats and the few values with a number. `undefined` is taken for `null`; numbers that nobody has assigned are errors.
fn simple(first: u8, bytes: &[u8]) -> Result<Option<Head>, DecodeReason> {
    let float = |size: usize, value: Option<f64>| Ok(value.map(|value| Head { size, kind: Kind::Float(value) }));
    match first & 0x1f {
        20 => head::of(1, Kind::Bool(false)),
        21 => head::of(1, Kind::Bool(true)),
        22 | 23 => head::of(1, Kind::Nil),
        25 => float(3, array(bytes, 1).map(|bytes| half(u16::from_be_bytes(bytes)))),
        26 => float(5, array(bytes, 1).map(|bytes| f64::from(f32::from_be_bytes(bytes)))),
        27 => float(9, array(bytes, 1).map(f64::from_be_bytes)),
        31 => head::of(1, Kind::Break),
        _ => Err(DecodeReason::UnknownType(u32::from(first))),
    }
}

/// A float of 16 bits (IEEE 754): a sign, 5 bits of exponent, 10 of fraction.
fn half(bits: u16) -> f64 {
    let fraction = f64::from(bits & 0x3ff);
    let size = match bits >> 10 & 0x1f {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1024.0 + fraction) * 2_f64.powi(i32::from(exponent) - 25),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}
