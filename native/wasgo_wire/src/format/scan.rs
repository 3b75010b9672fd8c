//! Where values end in bytes that arrive in pieces.
//!
//! A scanner keeps no more than what is open, so that each byte is looked at once, however small the pieces are. It does not say
//! that a value is right: whoever has all of its bytes decodes them.

use serde::{Deserialize, Serialize};

use super::cbor::Cbor;
use super::error::DecodeReason;
use super::etf::{self, Etf};
use super::head::{Heads, Kind};
use super::limits::Limits;
use super::msgpack::MessagePack;
use super::postcard::Postcard;
use super::scan_json::JsonScan;

/// How values follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Framing {
    /// JSON, with white space between where two values would else be one.
    Json,
    /// One after the other.
    MessagePack,
    /// One after the other.
    Cbor,
    /// One after the other.
    Postcard,
    /// One after the other, each with its version byte; none of them compressed.
    Etf,
    /// Each after its length in four bytes, little-endian, as the engine's `StreamPeer.put_var` writes Variants.
    Variant,
}

/// A value within a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where it begins: 0 if it did so in an earlier piece.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// What is known between two pieces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scanner {
    framing: Framing,
    max_depth: u32,
    max_bytes: u64,
    /// Bytes of the value that is being read; 0 between two values.
    seen: u64,
    json: JsonScan,
    heads: HeadScan,
}

/// The state of binary formats.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct HeadScan {
    /// Values to come in each open container; none where a break ends it.
    open: Vec<Option<u64>>,
    /// Bytes to pass over.
    skip: u64,
    /// The beginning of a head.
    part: Vec<u8>,
    /// Whether the version byte has come, where there is one.
    versioned: bool,
}

impl Scanner {
    /// At the beginning of a value.
    pub fn new(framing: Framing, limits: &Limits) -> Self {
        Self {
            framing,
            // The decoder is the one to judge; it counts a little differently.
            max_depth: limits.max_depth.saturating_add(1),
            max_bytes: limits.max_bytes as u64,
            seen: 0,
            json: JsonScan::default(),
            heads: HeadScan::default(),
        }
    }

    /// What is known, as bytes.
    pub fn save(&self) -> Option<Vec<u8>> {
        ::postcard::to_allocvec(self).ok()
    }

    /// From bytes that [`Scanner::save`] gave; none for others.
    pub fn restore(bytes: &[u8]) -> Option<Self> {
        ::postcard::from_bytes(bytes).ok()
    }

    /// Whether it is between two values.
    pub fn is_idle(&self) -> bool {
        self.seen == 0
    }

    /// Whether what has come is a value if nothing more comes: only numbers and words of JSON end so.
    pub fn may_end(&self) -> bool {
        self.framing == Framing::Json && self.json.in_scalar()
    }

    /// Looks at the next piece, and tells where values end in it, and where in it begins the one that does not, if there is one.
    ///
    /// # Errors
    /// The reason, and where in the piece.
    pub fn scan(&mut self, piece: &[u8], spans: &mut Vec<Span>) -> Result<Option<usize>, (usize, DecodeReason)> {
        let (mut at, mut start) = (0, 0);
        while at < piece.len() {
            if self.is_idle() {
                at += self.between(&piece[at..]);
                start = at;
                if at == piece.len() {
                    break;
                }
            }
            let left = &piece[at..];
            let (used, ended) = match self.framing {
                Framing::Json => self.json.next(left, self.max_depth).map_err(|reason| (at, reason))?,
                _ => self.heads.next(left, self.framing, self.max_depth).map_err(|reason| (at, reason))?,
            };
            at += used;
            self.seen += used as u64;
            let size = self.seen.saturating_add(self.heads.skip);
            if size > self.max_bytes + self.overhead() {
                let limit = usize::try_from(self.max_bytes).unwrap_or(usize::MAX);
                return Err((at, DecodeReason::TooLarge { bytes: size, limit }));
            }
            if ended {
                spans.push(Span { start, end: at });
                self.seen = 0;
                self.heads.versioned = false;
            }
        }
        Ok(if self.is_idle() { None } else { Some(start) })
    }

    /// Bytes that are no part of a value, before one begins.
    fn between(&self, left: &[u8]) -> usize {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        match self.framing {
            Framing::Json => left.iter().position(|byte| !is_space(byte)).unwrap_or(left.len()),
            _ => 0,
        }
    }

    /// Bytes of a value's frame, which do not count.
    fn overhead(&self) -> u64 {
        if self.framing == Framing::Variant { 4 } else { 0 }
    }
}

impl HeadScan {
    /// Uses some bytes (at least one): how many, and whether a value ends with them.
    fn next(&mut self, bytes: &[u8], framing: Framing, max_depth: u32) -> Result<(usize, bool), DecodeReason> {
        if self.skip > 0 {
            let used = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            self.skip -= used as u64;
            return Ok((used, self.skip == 0 && self.open.is_empty()));
        }
        match framing {
            Framing::Variant => self.length(bytes),
            Framing::Etf if !self.versioned => {
                if bytes[0] != etf::VERSION {
                    return Err(DecodeReason::Syntax("the version byte, 131"));
                }
                self.versioned = true;
                Ok((1, false))
            }
            Framing::Etf => self.head::<Etf>(bytes, max_depth),
            Framing::MessagePack => self.head::<MessagePack>(bytes, max_depth),
            Framing::Cbor => self.head::<Cbor>(bytes, max_depth),
            Framing::Postcard | Framing::Json => self.head::<Postcard>(bytes, max_depth),
        }
    }

    /// Four bytes of length.
    fn length(&mut self, bytes: &[u8]) -> Result<(usize, bool), DecodeReason> {
        self.part.push(bytes[0]);
        if let Some(length) = self.part.first_chunk() {
            self.skip = u64::from(u32::from_le_bytes(*length));
            self.part.clear();
            return Ok((1, self.skip == 0));
        }
        Ok((1, false))
    }

    /// A head, which may have begun in an earlier piece.
    fn head<F: Heads>(&mut self, bytes: &[u8], max_depth: u32) -> Result<(usize, bool), DecodeReason> {
        if self.part.is_empty() {
            return match F::head(bytes)? {
                Some(head) => {
                    self.follow(head.kind, max_depth)?;
                    Ok((head.size, self.ended()))
                }
                None => {
                    // Heads have some twenty bytes at most.
                    self.part.extend_from_slice(bytes);
                    Ok((bytes.len(), false))
                }
            };
        }
        self.part.push(bytes[0]);
        if let Some(head) = F::head(&self.part)? {
            self.part.clear();
            self.follow(head.kind, max_depth)?;
            return Ok((1, self.ended()));
        }
        Ok((1, false))
    }

    /// What comes after a head of this kind.
    fn follow(&mut self, kind: Kind, max_depth: u32) -> Result<(), DecodeReason> {
        if matches!(kind, Kind::Break) {
            return match self.open.pop() {
                Some(None) => Ok(()),
                _ => Err(DecodeReason::Syntax("a value")),
            };
        }
        if let Some(Some(missing)) = self.open.last_mut() {
            *missing -= 1;
        }
        self.skip = kind.payload();
        let open = match kind {
            Kind::List(count) => Some(count),
            Kind::Map(count) => Some(count.checked_mul(2).ok_or(DecodeReason::Count { count, left: 0 })?),
            Kind::Tag(_) => Some(1),
            Kind::OpenList | Kind::OpenMap | Kind::OpenText | Kind::OpenBytes => None,
            _ => return Ok(()),
        };
        if self.open.len() as u64 >= u64::from(max_depth) {
            return Err(DecodeReason::TooDeep { limit: max_depth - 1 });
        }
        self.open.push(open);
        Ok(())
    }

    /// Closes what is complete; whether nothing is open any more.
    fn ended(&mut self) -> bool {
        while self.open.last() == Some(&Some(0)) {
            self.open.pop();
        }
        self.skip == 0 && self.open.is_empty()
    }
}
