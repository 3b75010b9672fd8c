//! The decoder of the binary formats: serde's `Deserializer` over their heads, within bounds.

use std::marker::PhantomData;

use serde::de::value::{BorrowedBytesDeserializer, I8Deserializer, U64Deserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::cbor::{NEGATIVE_BIGNUM, POSITIVE_BIGNUM};
use super::error::{DecodeError, DecodeReason};
use super::head::{Head, Heads, Kind};
use super::limits::Limits;

/// One value at the start of `input`.
///
/// Every declared length is checked against what is left of the input, and memory is taken for what is there only.
pub(super) struct Binary<'de, F> {
    input: &'de [u8],
    at: usize,
    depth: u32,
    values: u64,
    limits: Limits,
    format: PhantomData<F>,
}

type Result<T> = std::result::Result<T, DecodeError>;

impl<'de, F: Heads> Binary<'de, F> {
    pub(super) fn new(input: &'de [u8], limits: &Limits) -> Self {
        Self { input, at: 0, depth: 0, values: 0, limits: *limits, format: PhantomData }
    }

    /// Bytes used so far.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn left(&self) -> usize {
        self.input.len() - self.at
    }

    #[inline(always)]
    fn peek(&self) -> Result<Head> {
        match F::head(&self.input[self.at..]) {
            Ok(Some(head)) => Ok(head),
            Ok(None) => {
                let left = self.left();
                Err(DecodeReason::Truncated { needed: left as u64 + 1, left }.at(self.at))
            }
            Err(reason) => Err(reason.at(self.at)),
        }
    }

    fn take(&mut self, len: u64) -> Result<&'de [u8]> {
        let left = self.left();
        match usize::try_from(len) {
            Ok(len) if len <= left => {
                let taken = &self.input[self.at..self.at + len];
                self.at += len;
                Ok(taken)
            }
            _ => Err(DecodeReason::Truncated { needed: len, left }.at(self.at)),
        }
    }

    fn text(&mut self, len: u64) -> Result<&'de str> {
        let start = self.at;
        let bytes = self.take(len)?;
        str::from_utf8(bytes).map_err(|wrong| DecodeReason::NotUtf8.at(start + wrong.valid_up_to()))
    }

    fn any<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let start = self.at;
        let Head { size, kind } = self.peek()?;
        self.values += 1;
        if self.values > self.limits.max_values {
            return Err(DecodeReason::TooMany { limit: self.limits.max_values }.at(start));
        }
        self.at += size;
        match kind {
            Kind::Nil => visitor.visit_unit(),
            Kind::Bool(value) => visitor.visit_bool(value),
            Kind::Int(value) => visitor.visit_i64(value),
            Kind::Wide(value) => visitor.visit_i128(value),
            Kind::Float(value) => visitor.visit_f64(value),
            Kind::Text(len) => visitor.visit_borrowed_str(self.text(len)?),
            Kind::Bytes(len) => visitor.visit_borrowed_bytes(self.take(len)?),
            Kind::Extension(ty, len) => visitor.visit_enum(Extension { ty, bytes: self.take(len)? }),
            Kind::OpenText => visitor.visit_string(self.pieces_of_text()?),
            Kind::OpenBytes => visitor.visit_byte_buf(self.pieces_of_bytes()?),
            Kind::Break => Err(DecodeReason::Syntax("a value").at(start)),
            Kind::Tag(POSITIVE_BIGNUM) => self.bignum(false, visitor),
            Kind::Tag(NEGATIVE_BIGNUM) => self.bignum(true, visitor),
            Kind::List(count) | Kind::Map(count) => {
                let each = if matches!(kind, Kind::Map(_)) { 2 } else { 1 };
                if count > self.left() as u64 / each {
                    return Err(DecodeReason::Count { count, left: self.left() }.at(start));
                }
                self.container(start, kind, Some(count), visitor)
            }
            Kind::OpenList | Kind::OpenMap | Kind::Tag(_) => self.container(start, kind, None, visitor),
        }
    }

    fn container<V: Visitor<'de>>(
        &mut self,
        start: usize,
        kind: Kind,
        missing: Option<u64>,
        visitor: V,
    ) -> Result<V::Value> {
        if self.depth >= self.limits.max_depth {
            return Err(DecodeReason::TooDeep { limit: self.limits.max_depth }.at(start));
        }
        self.depth += 1;
        let value = if let Kind::Tag(number) = kind {
            visitor.visit_enum(Tagged { number, binary: self })?
        } else {
            let mut elements = Elements { missing, ended: false, binary: self };
            let value = if matches!(kind, Kind::List(_) | Kind::OpenList) {
                visitor.visit_seq(&mut elements)?
            } else {
                visitor.visit_map(&mut elements)?
            };
            // A type of Rust that wants so many has not asked whether there are more.
            if elements.more()? {
                return Err(DecodeReason::Syntax("the end of a list or map").at(self.at));
            }
            value
        };
        self.depth -= 1;
        Ok(value)
    }

    /// The pieces, one after the other, until a break.
    fn pieces_of_bytes(&mut self) -> Result<Vec<u8>> {
        let mut whole = Vec::new();
        while let Some(len) = self.piece(|kind| if let Kind::Bytes(len) = kind { Some(len) } else { None })? {
            whole.extend_from_slice(self.take(len)?);
        }
        Ok(whole)
    }

    /// Likewise; each piece is UTF-8 by itself.
    fn pieces_of_text(&mut self) -> Result<String> {
        let mut whole = String::new();
        while let Some(len) = self.piece(|kind| if let Kind::Text(len) = kind { Some(len) } else { None })? {
            whole.push_str(self.text(len)?);
        }
        Ok(whole)
    }

    fn piece(&mut self, len: impl Fn(Kind) -> Option<u64>) -> Result<Option<u64>> {
        let Head { size, kind } = self.peek()?;
        let start = self.at;
        self.at += size;
        match (kind, len(kind)) {
            (Kind::Break, _) => Ok(None),
            (_, Some(len)) => Ok(Some(len)),
            _ => Err(DecodeReason::Syntax("a piece of the same kind, of a known length").at(start)),
        }
    }

    /// An integer as bytes. One of more than 128 bits is an error.
    fn bignum<V: Visitor<'de>>(&mut self, negative: bool, visitor: V) -> Result<V::Value> {
        let start = self.at;
        let Head { size, kind } = self.peek()?;
        let Kind::Bytes(len) = kind else {
            return Err(DecodeReason::Syntax("the bytes of an integer").at(start));
        };
        self.at += size;
        let bytes = self.take(len)?;
        let used = bytes.iter().position(|byte| *byte != 0).map_or(&[][..], |zeros| &bytes[zeros..]);
        let too_large = || DecodeReason::IntegerRange { bits: 128 }.at(start);
        if used.len() > 16 {
            return Err(too_large());
        }
        let mut value = [0; 16];
        value[16 - used.len()..].copy_from_slice(used);
        let value = i128::try_from(u128::from_be_bytes(value)).map_err(|_| too_large())?;
        let value = if negative { -1 - value } else { value };
        match i64::try_from(value) {
            Ok(value) => visitor.visit_i64(value),
            Err(_) => visitor.visit_i128(value),
        }
    }
}

impl<'de, F: Heads> Deserializer<'de> for &mut Binary<'de, F> {
    type Error = DecodeError;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek()?.kind {
            Kind::Nil => self.any(visitor),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

/// What is in a list or map.
struct Elements<'e, 'de, F> {
    /// Elements or pairs to come, where that is declared.
    missing: Option<u64>,
    /// Whether the break was there, where it is not.
    ended: bool,
    binary: &'e mut Binary<'de, F>,
}

impl<'de, F: Heads> Elements<'_, 'de, F> {
    /// Whether there is another.
    #[inline]
    fn more(&mut self) -> Result<bool> {
        match &mut self.missing {
            Some(0) => Ok(false),
            Some(missing) => {
                *missing -= 1;
                Ok(true)
            }
            None if self.ended => Ok(false),
            None => {
                let Head { size, kind } = self.binary.peek()?;
                if matches!(kind, Kind::Break) {
                    self.binary.at += size;
                    self.ended = true;
                }
                Ok(!self.ended)
            }
        }
    }
}

impl<'de, F: Heads> SeqAccess<'de> for &mut Elements<'_, 'de, F> {
    type Error = DecodeError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if !self.more()? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.binary).map(Some)
    }
}

impl<'de, F: Heads> MapAccess<'de> for &mut Elements<'_, 'de, F> {
    type Error = DecodeError;

    #[inline]
    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if !self.more()? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.binary).map(Some)
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        seed.deserialize(&mut *self.binary)
    }
}

/// A tag is a variant, whose name is its number.
struct Tagged<'e, 'de, F> {
    number: u64,
    binary: &'e mut Binary<'de, F>,
}

impl<'e, 'de, F: Heads> EnumAccess<'de> for Tagged<'e, 'de, F> {
    type Error = DecodeError;
    type Variant = Tagged<'e, 'de, F>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self::Variant)> {
        let number: U64Deserializer<DecodeError> = self.number.into_deserializer();
        Ok((seed.deserialize(number)?, self))
    }
}

impl<'de, F: Heads> VariantAccess<'de> for Tagged<'_, 'de, F> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<()> {
        Err(DecodeReason::Syntax("a value without a tag").at(self.binary.at))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.binary)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value> {
        self.binary.any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _fields: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.binary.any(visitor)
    }
}

/// An extension is a variant likewise.
struct Extension<'de> {
    ty: i8,
    bytes: &'de [u8],
}

impl<'de> Extension<'de> {
    fn content(&self) -> BorrowedBytesDeserializer<'de, DecodeError> {
        BorrowedBytesDeserializer::new(self.bytes)
    }
}

impl<'de> EnumAccess<'de> for Extension<'de> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self)> {
        let ty: I8Deserializer<DecodeError> = self.ty.into_deserializer();
        Ok((seed.deserialize(ty)?, self))
    }
}

impl<'de> VariantAccess<'de> for Extension<'de> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<()> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.content())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value> {
        self.content().deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _fields: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.content().deserialize_any(visitor)
    }
}
