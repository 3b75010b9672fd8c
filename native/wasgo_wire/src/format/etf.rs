//! Erlang's external term format (<https://www.erlang.org/doc/apps/erts/erl_ext_dist.html>): whether bytes are a plain term.
//!
//! Terms themselves are made by the BEAM, which alone knows which atoms there are. What it is given has passed here: nothing but
//! atoms, numbers, binaries, tuples, lists and maps, within bounds; no functions, process identifiers, ports, references, structs.

use super::error::{DecodeError, DecodeReason};
use super::head::{self, Head, Heads, Kind, array, unsigned};
use super::limits::Limits;

/// What every encoded term begins with.
pub(super) const VERSION: u8 = 131;
const COMPRESSED: u8 = 80;

const STRING: u8 = 107;
const NIL: u8 = 106;
const LIST: u8 = 108;
const MAP: u8 = 116;
const ATOMS: [u8; 4] = [100, 115, 118, 119];

pub(super) enum Etf {}

impl Heads for Etf {
    /// Without the version byte. Atoms and large integers are bytes here, tuples lists; a list has its tail as one element more.
    fn head(bytes: &[u8]) -> Result<Option<Head>, DecodeReason> {
        let Some(tag) = bytes.first().copied() else { return Ok(None) };
        let sized =
            |size: usize, len: Option<u64>, kind: fn(u64) -> Kind| Ok(len.map(|len| Head { size, kind: kind(len) }));
        match tag {
            70 => match array(bytes, 1).map(f64::from_be_bytes) {
                Some(value) if !value.is_finite() => Err(DecodeReason::Syntax("a finite float")),
                value => Ok(value.map(|value| Head { size: 9, kind: Kind::Float(value) })),
            },
            97 => Ok(unsigned::<1>(bytes).map(|value| Head { size: 2, kind: head::int(value) })),
            98 => {
                Ok(array(bytes, 1).map(|value| Head { size: 5, kind: Kind::Int(i64::from(i32::from_be_bytes(value))) }))
            }
            // One byte is the sign.
            110 => sized(2, unsigned::<1>(bytes).map(|len| len + 1), Kind::Bytes),
            111 => sized(5, unsigned::<4>(bytes).map(|len| len + 1), Kind::Bytes),
            100 | 118 => sized(3, unsigned::<2>(bytes), Kind::Bytes),
            115 | 119 => sized(2, unsigned::<1>(bytes), Kind::Bytes),
            109 => sized(5, unsigned::<4>(bytes), Kind::Bytes),
            STRING => sized(3, unsigned::<2>(bytes), Kind::Bytes),
            NIL => head::of(1, Kind::Nil),
            LIST => sized(5, unsigned::<4>(bytes).map(|len| len + 1), Kind::List),
            104 => sized(2, unsigned::<1>(bytes), Kind::List),
            105 => sized(5, unsigned::<4>(bytes), Kind::List),
            MAP => sized(5, unsigned::<4>(bytes), Kind::Map),
            112 | 113 | 117 => Err(DecodeReason::Refused("a function")),
            88 | 103 => Err(DecodeReason::Refused("a process identifier")),
            89 | 102 | 120 => Err(DecodeReason::Refused("a port")),
            90 | 101 | 114 => Err(DecodeReason::Refused("a reference")),
            77 => Err(DecodeReason::Refused("a bit string that is no binary")),
            _ => Err(DecodeReason::UnknownType(u32::from(tag))),
        }
    }
}

/// Checks that one plain term is at the start of `bytes`, and tells how many bytes it takes.
///
/// # Errors
/// If there is none, or it is over a limit. A compressed one has the limits of what it says that it holds; offsets are then in that.
pub fn check_etf(bytes: &[u8], limits: &Limits) -> Result<usize, DecodeError> {
    match bytes {
        [VERSION, COMPRESSED, size @ ..] => {
            let Some(size) = size.first_chunk().map(|size| u32::from_be_bytes(*size)) else {
                return Err(DecodeReason::Truncated { needed: 4, left: size.len() }.at(2));
            };
            compressed(&bytes[6..], size as usize, limits)?;
            // Nobody knows where it ends but who has it all.
            Ok(bytes.len())
        }
        [VERSION, ..] => term(bytes, 1, limits),
        [] => Err(DecodeReason::Truncated { needed: 1, left: 0 }.at(0)),
        _ => Err(DecodeReason::Syntax("the version byte, 131").at(0)),
    }
}

/// A term of exactly `size` bytes, compressed. No more than these are ever made of it.
fn compressed(bytes: &[u8], size: usize, limits: &Limits) -> Result<(), DecodeError> {
    if size > limits.max_bytes {
        return Err(DecodeReason::TooLarge { bytes: size as u64, limit: limits.max_bytes }.at(2));
    }
    let wrong = || DecodeReason::Syntax("as many compressed bytes as are declared").at(6);
    let inflated = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(bytes, size).map_err(|_| wrong())?;
    if inflated.len() != size || term(&inflated, 0, limits)? != size {
        return Err(wrong());
    }
    Ok(())
}

/// A container that is open.
struct Open {
    /// Elements to come; keys and values count one each.
    missing: u64,
    is_list: bool,
    is_map: bool,
}

/// Checks the term at `at`, and tells where it ends. No recursion: depth costs heap.
fn term(bytes: &[u8], mut at: usize, limits: &Limits) -> Result<usize, DecodeError> {
    let mut open: Vec<Open> = Vec::new();
    let mut values = 0_u64;
    loop {
        let left = bytes.len() - at;
        let Head { size, kind } = match Etf::head(&bytes[at..]) {
            Ok(Some(head)) => head,
            Ok(None) => return Err(DecodeReason::Truncated { needed: left as u64 + 1, left }.at(at)),
            Err(reason) => return Err(reason.at(at)),
        };
        let tag = bytes[at];
        let is_key = open.last().is_some_and(|open| open.is_map && open.missing.is_multiple_of(2));
        let is_tail = open.last().is_some_and(|open| open.is_list && open.missing == 1);
        if let Some(open) = open.last_mut() {
            if is_tail && tag != NIL {
                return Err(DecodeReason::Syntax("the end of a proper list").at(at));
            }
            open.missing -= 1;
        }
        let payload = kind.payload();
        if payload > (left - size) as u64 {
            return Err(DecodeReason::Truncated { needed: payload, left: left - size }.at(at + size));
        }
        // A string is a list of so many bytes.
        values += 1 + if tag == STRING { payload } else { 0 };
        if values > limits.max_values {
            return Err(DecodeReason::TooMany { limit: limits.max_values }.at(at));
        }
        let end = at + size + payload as usize;
        if is_key && ATOMS.contains(&tag) && &bytes[at + size..end] == b"__struct__" {
            return Err(DecodeReason::Refused("a struct").at(at));
        }
        let (count, each) = match kind {
            Kind::List(count) => (count, 1),
            Kind::Map(count) => (count, 2),
            _ => (0, 0),
        };
        // The last two are lists as well.
        let is_container = each > 0 || tag == STRING || (tag == NIL && !is_tail);
        if is_container && open.len() as u64 >= u64::from(limits.max_depth) {
            return Err(DecodeReason::TooDeep { limit: limits.max_depth }.at(at));
        }
        if each > 0 {
            if count * each > (left - size) as u64 {
                return Err(DecodeReason::Count { count, left: left - size }.at(at));
            }
            open.push(Open { missing: count * each, is_list: tag == LIST, is_map: tag == MAP });
        }
        at = end;
        while open.last().is_some_and(|open| open.missing == 0) {
            open.pop();
        }
        if open.is_empty() {
            return Ok(at);
        }
    }
}
