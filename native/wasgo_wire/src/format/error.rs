//! What can be wrong with bytes, and with terms for a format.

use std::fmt;

/// Bytes that are no value of a format, or are over a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {reason}")]
pub struct DecodeError {
    /// Where in the input, in bytes from its start.
    pub offset: usize,
    /// What is wrong.
    pub reason: DecodeReason,
}

/// Why bytes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeReason {
    /// The input ends too early.
    #[error("{needed} bytes are needed, {left} are left")]
    Truncated {
        /// Bytes that had to follow, at least.
        needed: u64,
        /// Bytes that did.
        left: usize,
    },
    /// More elements are declared than the rest of the input can hold, even if each were as small as can be.
    #[error("{count} elements are declared, which {left} bytes cannot hold")]
    Count {
        /// The declared number of elements or pairs.
        count: u64,
        /// Bytes left for them.
        left: usize,
    },
    /// The format has no type of this number, or it is one that is never taken.
    #[error("there is no type {0}")]
    UnknownType(u32),
    /// A text that is not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// Something else had to be here.
    #[error("{0} is expected")]
    Syntax(&'static str),
    /// An integer of more bits than are taken.
    #[error("the integer does not fit {bits} bits")]
    IntegerRange {
        /// The bits that are taken.
        bits: u32,
    },
    /// A number in decimal digits that is larger than any float.
    #[error("the number is too large for a float")]
    FloatRange,
    /// A map with the same key twice.
    #[error("a key comes twice")]
    DuplicateKey,
    /// A term that is not taken from outside: a function, a process identifier and the like, or a struct.
    #[error("{0} is never taken")]
    Refused(&'static str),
    /// Nested deeper than allowed.
    #[error("it nests deeper than {limit}")]
    TooDeep {
        /// The allowed depth.
        limit: u32,
    },
    /// Larger than allowed.
    #[error("{bytes} bytes are more than the {limit} allowed")]
    TooLarge {
        /// The size in bytes.
        bytes: u64,
        /// The allowed size in bytes.
        limit: usize,
    },
    /// More values than allowed.
    #[error("it has more than {limit} values")]
    TooMany {
        /// The allowed number.
        limit: u64,
    },
    /// What a type of Rust says that is decoded into.
    #[error("{0}")]
    Custom(Box<str>),
}

impl DecodeReason {
    /// The error of this reason at `offset`.
    pub(crate) fn at(self, offset: usize) -> DecodeError {
        DecodeError { offset, reason: self }
    }
}

impl serde::de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        DecodeReason::Custom(message.to_string().into()).at(0)
    }
}

/// A kind of value that not every format has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacking {
    /// Raw bytes.
    Bytes,
    /// A float that is not a number, or infinite.
    NotFinite,
    /// A key that is no text.
    Key,
    /// A type that applications number themselves, with bytes.
    Extension,
    /// A value with a number that says what it means.
    Tag,
}

/// Why a term is not written.
#[derive(Debug, Clone, PartialEq)]
pub enum EncodeReason<S> {
    /// A term of a kind that no format has.
    Unsupported(S),
    /// A term of a kind that this format lacks.
    Lacks(Lacking, S),
    /// A text that is not UTF-8.
    NotUtf8(S),
    /// An integer of more than so many bits.
    IntegerRange {
        /// The integer.
        value: S,
        /// The bits that the format has for it.
        bits: u32,
    },
    /// A key that another one of its map is the same as, written.
    DuplicateKey(S),
    /// Nested deeper than allowed.
    TooDeep {
        /// The allowed depth.
        limit: u32,
    },
    /// Larger than allowed.
    TooLarge {
        /// The allowed size in bytes.
        limit: usize,
    },
    /// It takes longer than its source allows.
    OverBudget,
    /// What never happens: a serializer that fails where none of the others applies.
    Internal,
}

/// Why a term is not written, and where in it.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodeError<S> {
    /// Why.
    pub reason: EncodeReason<S>,
    /// The way to what is at fault, from the outside in.
    pub path: Vec<Step<S>>,
}

/// From a container to what is in it.
#[derive(Debug, Clone, PartialEq)]
pub enum Step<S> {
    /// An element of a list.
    Index(usize),
    /// The value of a key, or the key itself.
    Key(S),
}
