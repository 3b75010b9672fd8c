//! Making values out of what is read, by serde's visitors and with no tree in between.

use std::fmt;
use std::vec::Drain;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::error::DecodeError;

/// Makes values: children first, then the container that holds them.
pub trait Build<'de> {
    /// What is made.
    type Value;

    /// Nothing.
    fn nil(&mut self) -> Self::Value;
    /// True or false.
    fn bool(&mut self, value: bool) -> Self::Value;
    /// An integer of 64 bits.
    fn int(&mut self, value: i64) -> Self::Value;
    /// An integer of more than 64 bits.
    fn wide(&mut self, value: i128) -> Self::Value;
    /// A float, possibly infinite or not a number.
    fn float(&mut self, value: f64) -> Self::Value;
    /// A text.
    fn text(&mut self, text: &str) -> Self::Value;
    /// A text that is a key.
    fn key(&mut self, text: &str) -> Self::Value {
        self.text(text)
    }
    /// Bytes that are no part of the input.
    fn bytes(&mut self, bytes: &[u8]) -> Self::Value;
    /// Bytes that are a part of the input.
    fn part(&mut self, bytes: &'de [u8]) -> Self::Value {
        self.bytes(bytes)
    }
    /// A list of values made before.
    fn list(&mut self, values: Drain<'_, Self::Value>) -> Self::Value;
    /// A map of keys and values in turn; none if a key comes twice and that is not wanted.
    fn map(&mut self, pairs: Drain<'_, Self::Value>) -> Option<Self::Value>;
    /// A type that an application numbers itself, and its bytes.
    fn extension(&mut self, ty: i8, bytes: &'de [u8]) -> Self::Value;
    /// A value with a number that says what it means.
    fn tag(&mut self, number: u64, value: Self::Value) -> Self::Value;
}

/// Values that there is room for at first: a message has not many more.
const FIRST: usize = 32;

/// A builder, and what it made that is in no container yet: one stack for all of them.
pub(super) struct Building<'b, 'de, B: Build<'de>> {
    build: &'b mut B,
    made: Vec<B::Value>,
}

impl<'b, 'de, B: Build<'de>> Building<'b, 'de, B> {
    pub(super) fn new(build: &'b mut B) -> Self {
        Self { build, made: Vec::with_capacity(FIRST) }
    }

    /// The one value made.
    pub(super) fn finish(mut self) -> Option<B::Value> {
        self.made.pop()
    }
}

/// Puts the next value on the stack.
pub(super) struct Seed<'s, 'b, 'de, B: Build<'de>> {
    pub(super) building: &'s mut Building<'b, 'de, B>,
    /// Whether it is the key of a map.
    key: bool,
}

impl<'s, 'b, 'de, B: Build<'de>> Seed<'s, 'b, 'de, B> {
    pub(super) fn value(building: &'s mut Building<'b, 'de, B>) -> Self {
        Self { building, key: false }
    }

    #[inline]
    fn put<E>(self, make: impl FnOnce(&mut B) -> B::Value) -> Result<(), E> {
        let value = make(self.building.build);
        self.building.made.push(value);
        Ok(())
    }
}

impl<'de, B: Build<'de>> DeserializeSeed<'de> for Seed<'_, '_, 'de, B> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, B: Build<'de>> Visitor<'de> for Seed<'_, '_, 'de, B> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    #[inline]
    fn visit_unit<E>(self) -> Result<(), E> {
        self.put(B::nil)
    }

    #[inline]
    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.put(|build| build.bool(value))
    }

    #[inline]
    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.put(|build| build.int(value))
    }

    #[inline]
    fn visit_i128<E>(self, value: i128) -> Result<(), E> {
        self.put(|build| build.wide(value))
    }

    #[inline]
    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.put(|build| build.float(value))
    }

    #[inline]
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        let key = self.key;
        self.put(|build| if key { build.key(text) } else { build.text(text) })
    }

    #[inline]
    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<(), E> {
        self.put(|build| build.bytes(bytes))
    }

    #[inline]
    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<(), E> {
        self.put(|build| build.part(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let building = self.building;
        let base = building.made.len();
        while list.next_element_seed(Seed { building, key: false })?.is_some() {}
        let value = building.build.list(building.made.drain(base..));
        building.made.push(value);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let building = self.building;
        let base = building.made.len();
        while map.next_key_seed(Seed { building, key: true })?.is_some() {
            map.next_value_seed(Seed { building, key: false })?;
        }
        match building.build.map(building.made.drain(base..)) {
            Some(value) => building.made.push(value),
            None => return Err(A::Error::custom(DUPLICATE_KEY)),
        }
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<(), A::Error> {
        let building = self.building;
        let (number, content) = data.variant::<Number>()?;
        match number {
            Number::Tag(number) => {
                content.newtype_variant_seed(Seed { building, key: false })?;
                let value = building.made.pop().ok_or_else(|| A::Error::custom("a tag without a value"))?;
                let value = building.build.tag(number, value);
                building.made.push(value);
            }
            Number::Extension(ty) => {
                let bytes = content.newtype_variant::<&'de [u8]>()?;
                let value = building.build.extension(ty, bytes);
                building.made.push(value);
            }
        }
        Ok(())
    }
}

/// The message of an error that [`super::decode`] makes a reason of.
pub(super) const DUPLICATE_KEY: &str = "duplicate key";

/// What numbers a value: tags have no sign, extensions have one.
enum Number {
    Tag(u64),
    Extension(i8),
}

impl<'de> serde::Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tag or the type of an extension")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number::Tag(number))
            }

            fn visit_i8<E>(self, ty: i8) -> Result<Number, E> {
                Ok(Number::Extension(ty))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// The one value that `deserializer` has.
pub(super) fn build<'de, B, D>(builder: &mut B, deserializer: D) -> Result<B::Value, DecodeError>
where
    B: Build<'de>,
    D: Deserializer<'de, Error = DecodeError>,
{
    let mut building = Building::new(builder);
    Seed::value(&mut building).deserialize(deserializer)?;
    building.finish().ok_or_else(|| DecodeError::custom("no value"))
}
