//! What can be wrong with bytes, and with calls to the encoder.

use std::fmt;

use super::types::Type;

/// Bytes that are not a Variant that this crate takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}, reading {reading}: {reason}")]
pub struct DecodeError {
    /// Where in the input, in bytes from its start.
    pub offset: usize,
    /// What was being read there.
    pub reading: Reading,
    /// What is wrong.
    pub reason: DecodeReason,
}

/// What the decoder was reading when it met an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The input as a whole.
    Input,
    /// The four bytes that tell a value's type.
    Header,
    /// The value itself.
    Value(Type),
    /// How many elements or parts it has.
    Count(Type),
    /// The declared type of a typed array's or dictionary's elements.
    ElementType(Type),
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reading::Input => f.write_str("the input"),
            Reading::Header => f.write_str("the type of a value"),
            Reading::Value(ty) => write!(f, "the value of {ty}"),
            Reading::Count(ty) => write!(f, "the count of {ty}"),
            Reading::ElementType(ty) => write!(f, "the element type of {ty}"),
        }
    }
}

/// Why bytes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeReason {
    /// The input ends too early.
    #[error("{needed} bytes are needed, {left} are left")]
    Truncated {
        /// Bytes that had to follow.
        needed: u64,
        /// Bytes that did.
        left: usize,
    },
    /// More elements are declared than the rest of the input can hold, even if each were as small as can be.
    #[error("{count} elements are declared, which {left} bytes cannot hold")]
    Count {
        /// The declared number of elements, pairs or parts.
        count: u64,
        /// Bytes left for them.
        left: usize,
    },
    /// The engine has no type of this number.
    #[error("there is no type {0}")]
    UnknownType(u32),
    /// A full object, which would name a class to build. Never taken.
    #[error("it is a full object, which is never taken")]
    FullObject,
    /// A string that is not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// A node path as engines before version 3 wrote them.
    #[error("it is a node path in an obsolete format")]
    ObsoleteNodePath,
    /// A node path with flags that the engine no longer writes.
    #[error("the node path has unknown flags {0:#x}")]
    NodePathFlags(u32),
    /// An element of another type than the array or dictionary declares.
    #[error("{expected} is declared, {found} follows")]
    ElementType {
        /// The declared type.
        expected: Type,
        /// The element's type.
        found: Type,
    },
    /// Containers nested deeper than allowed.
    #[error("it nests deeper than {limit}")]
    TooDeep {
        /// The allowed depth.
        limit: u32,
    },
    /// Larger than allowed.
    #[error("{bytes} bytes are more than the {limit} allowed")]
    TooLarge {
        /// The input's size in bytes.
        bytes: usize,
        /// The allowed size in bytes.
        limit: usize,
    },
}

/// A value that the format cannot hold, that is over a limit, or calls to the encoder that do not make one value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EncodeError {
    /// Containers nested deeper than allowed.
    #[error("it nests deeper than {limit}")]
    TooDeep {
        /// The allowed depth.
        limit: u32,
    },
    /// Larger than allowed.
    #[error("it takes more than the {limit} bytes allowed")]
    TooLarge {
        /// The allowed size in bytes.
        limit: usize,
    },
    /// More elements than the format can count.
    #[error("{ty} cannot have {count} elements")]
    Count {
        /// What has the elements.
        ty: Type,
        /// How many.
        count: usize,
    },
    /// The wrong number of components, or a type that has none.
    #[error("{ty} is not made of {found} components of this kind")]
    Components {
        /// The type.
        ty: Type,
        /// The number of components that were given.
        found: usize,
    },
    /// A finite component that 32 bits would make infinite.
    #[error("{value} is too large for a component of {ty}")]
    FloatRange {
        /// The type.
        ty: Type,
        /// The component.
        value: f64,
    },
    /// Raw data that is no whole number of elements, or a type that has no raw data.
    #[error("{bytes} bytes are no whole number of elements of {ty}")]
    PackedSize {
        /// The type.
        ty: Type,
        /// The size of the data in bytes.
        bytes: usize,
    },
    /// A string with a NUL in it: the engine would drop the rest of it.
    #[error("a {ty} cannot hold a NUL character")]
    Nul {
        /// The type that the string is (part of).
        ty: Type,
    },
    /// An element of another type than the array or dictionary declares.
    #[error("{expected} is declared, {found} is given")]
    ElementType {
        /// The declared type.
        expected: Type,
        /// The element's type.
        found: Type,
    },
    /// More elements than were declared, or a second value where one was complete.
    #[error("more elements than were declared")]
    TooMany,
    /// A container ended with elements missing.
    #[error("{ty} lacks {missing} of its elements")]
    TooFew {
        /// The container.
        ty: Type,
        /// Elements that did not come; keys and values count one each.
        missing: u64,
    },
    /// `end` without a container.
    #[error("no container is open")]
    NothingOpen,
    /// `finish` before the value was complete.
    #[error("the value is not complete")]
    Incomplete,
}
