//! MessagePack, as <https://github.com/msgpack/msgpack/blob/master/spec.md> has it.

use super::error::DecodeReason;
use super::head::{self, Head, Heads, Kind, array, unsigned};

pub(super) enum MessagePack {}

impl Heads for MessagePack {
    #[inline(always)]
    fn head(bytes: &[u8]) -> Result<Option<Head>, DecodeReason> {
        let Some(first) = bytes.first().copied() else { return Ok(None) };
        let small = match first {
            0x00..=0x7f => Kind::Int(i64::from(first)),
            0x80..=0x8f => Kind::Map(u64::from(first & 0x0f)),
            0x90..=0x9f => Kind::List(u64::from(first & 0x0f)),
            0xa0..=0xbf => Kind::Text(u64::from(first & 0x1f)),
            0xc0 => Kind::Nil,
            0xc1 => return Err(DecodeReason::UnknownType(0xc1)),
            0xc2 => Kind::Bool(false),
            0xc3 => Kind::Bool(true),
            0xe0..=0xff => Kind::Int(i64::from(first as i8)),
            _ => return Ok(large(first, bytes)),
        };
        head::of(1, small)
    }
}

/// A head of more than one byte.
fn large(first: u8, bytes: &[u8]) -> Option<Head> {
    let extension = |size: usize, len: u64| {
        let ty = *bytes.get(size - 1)? as i8;
        Some(Head { size, kind: Kind::Extension(ty, len) })
    };
    let (size, kind) = match first {
        0xc4 => (2, Kind::Bytes(unsigned::<1>(bytes)?)),
        0xc5 => (3, Kind::Bytes(unsigned::<2>(bytes)?)),
        0xc6 => (5, Kind::Bytes(unsigned::<4>(bytes)?)),
        0xc7 => return extension(3, unsigned::<1>(bytes)?),
        0xc8 => return extension(4, unsigned::<2>(bytes)?),
        0xc9 => return extension(6, unsigned::<4>(bytes)?),
        0xca => (5, Kind::Float(f64::from(f32::from_be_bytes(array(bytes, 1)?)))),
        0xcb => (9, Kind::Float(f64::from_be_bytes(array(bytes, 1)?))),
        0xcc => (2, head::int(unsigned::<1>(bytes)?)),
        0xcd => (3, head::int(unsigned::<2>(bytes)?)),
        0xce => (5, head::int(unsigned::<4>(bytes)?)),
        0xcf => (9, head::int(unsigned::<8>(bytes)?)),
        0xd0 => (2, Kind::Int(i64::from(i8::from_be_bytes(array(bytes, 1)?)))),
        0xd1 => (3, Kind::Int(i64::from(i16::from_be_bytes(array(bytes, 1)?)))),
        0xd2 => (5, Kind::Int(i64::from(i32::from_be_bytes(array(bytes, 1)?)))),
        0xd3 => (9, Kind::Int(i64::from_be_bytes(array(bytes, 1)?))),
        0xd4..=0xd8 => return extension(2, 1 << (first - 0xd4)),
        0xd9 => (2, Kind::Text(unsigned::<1>(bytes)?)),
        0xda => (3, Kind::Text(unsigned::<2>(bytes)?)),
        0xdb => (5, Kind::Text(unsigned::<4>(bytes)?)),
        0xdc => (3, Kind::List(unsigned::<2>(bytes)?)),
        0xdd => (5, Kind::List(unsigned::<4>(bytes)?)),
        0xde => (3, Kind::Map(unsigned::<2>(bytes)?)),
        // 0xdf: all the others are dealt with.
        _ => (5, Kind::Map(unsigned::<4>(bytes)?)),
    };
    Some(Head { size, kind })
}
