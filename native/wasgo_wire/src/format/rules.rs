//! What each format can say, and with whose serializer. It is known when this is compiled, so that nothing of it is asked for each value.

use serde::Serialize;

use super::bounded::Bounded;

/// The rules of a format.
pub(super) trait Rules {
    /// Whether it has raw bytes.
    const BYTES: bool = true;
    /// Whether it has floats that are not finite.
    const NOT_FINITE: bool = true;
    /// Whether keys are texts only.
    const TEXT_KEYS: bool = false;
    /// The range of integers. With 64 bits those without sign are taken too.
    const BITS: u32 = 128;
    /// Whether it has types that applications number themselves.
    const EXTENSIONS: bool = false;
    /// Whether it has values with a number that says what they mean.
    const TAGS: bool = false;
    /// Whether each value says its own type, by being a variant of an enumeration.
    const TAGGED: bool = false;

    /// Writes a value; whether that succeeded.
    fn write<T: Serialize>(value: &T, out: &mut Bounded) -> bool;
}

pub(super) enum Json {}

impl Rules for Json {
    const BYTES: bool = false;
    const NOT_FINITE: bool = false;
    const TEXT_KEYS: bool = true;

    fn write<T: Serialize>(value: &T, out: &mut Bounded) -> bool {
        value.serialize(&mut serde_json::Serializer::new(out)).is_ok()
    }
}

pub(super) enum MessagePack {}

impl Rules for MessagePack {
    const BITS: u32 = 64;
    const EXTENSIONS: bool = true;

    fn write<T: Serialize>(value: &T, out: &mut Bounded) -> bool {
        value.serialize(&mut rmp_serde::Serializer::new(out)).is_ok()
    }
}

pub(super) enum Cbor {}

impl Rules for Cbor {
    const TAGS: bool = true;

    fn write<T: Serialize>(value: &T, out: &mut Bounded) -> bool {
        ciborium::into_writer(value, out).is_ok()
    }
}

pub(super) enum Postcard {}

impl Rules for Postcard {
    const TAGGED: bool = true;

    fn write<T: Serialize>(value: &T, out: &mut Bounded) -> bool {
        postcard::serialize_with_flavor(value, out).is_ok()
    }
}
