//! A term as a tree, for tests, benchmarks and programs in Rust.

use std::slice;
use std::vec::Drain;

use super::build::Build;
use super::error::EncodeReason;
use super::source::{Source, View};

/// Any term that a format has.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Nothing.
    Nil,
    /// True or false.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// An integer of more than 64 bits.
    Wide(i128),
    /// A float.
    Float(f64),
    /// A text.
    Text(String),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Data>),
    /// A map in its order.
    Map(Vec<(Data, Data)>),
    /// A type that an application numbers itself, and its bytes.
    Extension(i8, Vec<u8>),
    /// A value with a number that says what it means.
    Tag(u64, Box<Data>),
}

/// The pairs of a map.
#[derive(Debug)]
pub struct Pairs<'v>(slice::Iter<'v, (Data, Data)>);

impl<'v> Iterator for Pairs<'v> {
    type Item = (&'v Data, &'v Data);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key, value))
    }
}

impl<'v> Source<'v> for &'v Data {
    type Items = slice::Iter<'v, Data>;
    type Pairs = Pairs<'v>;

    #[inline]
    fn view(self) -> Result<View<'v, Self>, EncodeReason<Self>> {
        Ok(match self {
            Data::Nil => View::Nil,
            Data::Bool(value) => View::Bool(*value),
            Data::Int(value) => View::Int(*value),
            Data::Wide(value) => View::Wide(*value),
            Data::Float(value) => View::Float(*value),
            Data::Text(text) => View::Text(text),
            Data::Bytes(bytes) => View::Bytes(bytes),
            Data::List(items) => View::List(items.len(), items.iter()),
            Data::Map(pairs) => View::Map(pairs.len(), Pairs(pairs.iter())),
            Data::Extension(ty, bytes) => View::Extension(*ty, bytes),
            Data::Tag(number, value) => View::Tag(*number, value),
        })
    }
}

/// The [`Build`] of [`Data`]. Keys may come twice: the tree keeps both.
#[derive(Debug, Clone, Copy, Default)]
pub struct DataBuilder;

impl<'de> Build<'de> for DataBuilder {
    type Value = Data;

    fn nil(&mut self) -> Data {
        Data::Nil
    }

    fn bool(&mut self, value: bool) -> Data {
        Data::Bool(value)
    }

    fn int(&mut self, value: i64) -> Data {
        Data::Int(value)
    }

    fn wide(&mut self, value: i128) -> Data {
        Data::Wide(value)
    }

    fn float(&mut self, value: f64) -> Data {
        Data::Float(value)
    }

    fn text(&mut self, text: &str) -> Data {
        Data::Text(text.to_owned())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Data {
        Data::Bytes(bytes.to_vec())
    }

    fn list(&mut self, values: Drain<'_, Data>) -> Data {
        Data::List(values.collect())
    }

    fn map(&mut self, mut pairs: Drain<'_, Data>) -> Option<Data> {
        let mut map = Vec::with_capacity(pairs.len() / 2);
        while let (Some(key), Some(value)) = (pairs.next(), pairs.next()) {
            map.push((key, value));
        }
        Some(Data::Map(map))
    }

    fn extension(&mut self, ty: i8, bytes: &'de [u8]) -> Data {
        Data::Extension(ty, bytes.to_vec())
    }

    fn tag(&mut self, number: u64, value: Data) -> Data {
        Data::Tag(number, Box::new(value))
    }
}
