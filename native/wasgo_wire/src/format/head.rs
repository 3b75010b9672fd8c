//! What begins a value in the binary formats: its type, with a length or a count. Decoders and scanners both read these, so that
//! they agree where a value ends.

use super::error::DecodeReason;

/// The first bytes of a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// How many they are.
    pub size: usize,
    /// What they say.
    pub kind: Kind,
}

/// What a value is, and what follows its head.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Nil,
    Bool(bool),
    Int(i64),
    Wide(i128),
    Float(f64),
    /// So many bytes of text follow.
    Text(u64),
    /// So many bytes follow.
    Bytes(u64),
    /// The type of an extension; so many bytes follow.
    Extension(i8, u64),
    /// So many values follow.
    List(u64),
    /// So many pairs of values follow.
    Map(u64),
    /// One value follows.
    Tag(u64),
    /// Values follow, or pairs, or pieces of a text or of bytes, until [`Kind::Break`].
    OpenList,
    OpenMap,
    OpenText,
    OpenBytes,
    Break,
}

impl Kind {
    /// Bytes that follow the head.
    pub(super) fn payload(self) -> u64 {
        match self {
            Kind::Text(len) | Kind::Bytes(len) | Kind::Extension(_, len) => len,
            _ => 0,
        }
    }
}

/// A binary format.
pub(super) trait Heads {
    /// The head at the start of `bytes`; none if it goes on after them.
    ///
    /// # Errors
    /// If no value begins so.
    fn head(bytes: &[u8]) -> Result<Option<Head>, DecodeReason>;
}

/// The head with nothing but a kind.
#[inline]
pub(super) fn of(size: usize, kind: Kind) -> Result<Option<Head>, DecodeReason> {
    Ok(Some(Head { size, kind }))
}

/// So many bytes from `at` on; none if there are fewer.
#[inline]
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// A big-endian integer of `N` bytes after the first one.
#[inline]
pub(super) fn unsigned<const N: usize>(bytes: &[u8]) -> Option<u64> {
    let number: [u8; N] = array(bytes, 1)?;
    let mut wide = [0; 8];
    wide[8 - N..].copy_from_slice(&number);
    Some(u64::from_be_bytes(wide))
}

/// An integer of 64 bits without sign.
#[inline]
pub(super) fn int(value: u64) -> Kind {
    i64::try_from(value).map_or(Kind::Wide(i128::from(value)), Kind::Int)
}
