//! What can be written: the one model of values that all the formats share.

use std::borrow::Cow;

use super::error::EncodeReason;

/// A term as the formats see it.
#[derive(Debug)]
pub enum View<'v, S: Source<'v>> {
    /// Nothing.
    Nil,
    /// True or false.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// An integer of more than 64 bits.
    Wide(i128),
    /// A float, possibly infinite or not a number.
    Float(f64),
    /// A text.
    Text(&'v str),
    /// A name that is written as a text, and comes back as one.
    Name(Cow<'v, str>),
    /// Raw bytes.
    Bytes(&'v [u8]),
    /// A list of so many elements.
    List(usize, S::Items),
    /// A map of so many pairs.
    Map(usize, S::Pairs),
    /// A type that an application numbers itself, and its bytes (MessagePack).
    Extension(i8, &'v [u8]),
    /// A value with a number that says what it means (CBOR).
    Tag(u64, S),
}

/// Terms to write.
pub trait Source<'v>: Copy {
    /// The elements of a list.
    type Items: Iterator<Item = Self>;
    /// The pairs of a map.
    type Pairs: Iterator<Item = (Self, Self)>;

    /// What this is.
    ///
    /// # Errors
    /// If it is nothing that any format has, or to look at it takes too long.
    fn view(self) -> Result<View<'v, Self>, EncodeReason<Self>>;

    /// A key of this map, which has names and texts as keys, whose text is that of another key.
    ///
    /// # Errors
    /// If to look for it takes too long.
    fn clash(self) -> Result<Option<Self>, EncodeReason<Self>> {
        Ok(None)
    }
}
