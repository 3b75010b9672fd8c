//! A Variant as a tree.

use std::slice;

use super::build::{Builder, PackedBytes};
use super::decode::decode;
use super::encode::Encoder;
use super::error::{DecodeError, EncodeError};
use super::limits::Limits;
use super::types::{ElementType, NodePath, Type};

/// A Variant of any of the 39 types.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Null.
    Nil,
    /// A bool.
    Bool(bool),
    /// An int.
    Int(i64),
    /// A float.
    Float(f64),
    /// A String.
    String(String),
    /// A StringName.
    StringName(String),
    /// A type of a few floats, in the order that [`Encoder::floats`] takes them.
    Floats(Type, Box<[f64]>),
    /// A type of a few 32-bit integers.
    Ints(Type, Box<[i32]>),
    /// A NodePath.
    NodePath(Box<NodePath<'static>>),
    /// A RID by its number.
    Rid(u64),
    /// An object by its instance id.
    Object(u64),
    /// A Callable, of which the format carries nothing.
    Callable,
    /// A Signal: its name, and the instance id of the object that has it.
    Signal(Box<str>, u64),
    /// An Array.
    Array(Box<Array>),
    /// A Dictionary.
    Dictionary(Box<Dictionary>),
    /// Any packed array but that of strings, as raw little-endian data.
    Packed(Type, Vec<u8>),
    /// A PackedStringArray.
    PackedStrings(Vec<String>),
}

/// An Array and what it may hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// The declared type of the elements.
    pub element: ElementType<'static>,
    /// The elements.
    pub values: Vec<Value>,
}

/// A Dictionary in its order, and what it may hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Dictionary {
    /// The declared type of the keys.
    pub key: ElementType<'static>,
    /// The declared type of the values.
    pub value: ElementType<'static>,
    /// Keys and values. Nothing keeps a key from coming twice; in the engine the later value stands.
    pub pairs: Vec<(Value, Value)>,
}

/// Decodes into a [`Value`], and tells how many bytes it took.
///
/// # Errors
/// If the bytes are no value or over a limit.
pub fn decode_value(bytes: &[u8], limits: &Limits) -> Result<(Value, usize), DecodeError> {
    decode(bytes, limits, &mut ValueBuilder)
}

/// Encodes a [`Value`].
///
/// # Errors
/// If the format cannot hold it, or it is over a limit.
pub fn encode(value: &Value, limits: &Limits) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder::new(*limits);
    let mut looks = LOOKS;
    encoder.move_to(Vec::with_capacity(data(value, &mut looks).min(limits.max_bytes())));
    // Containers begun and not ended, with what is to come of each. Depth costs heap, not the thread's stack.
    let mut open = Vec::new();
    let mut next = Some(value);
    loop {
        if let Some(value) = next {
            open.extend(begin(&mut encoder, value)?);
        }
        let Some(top) = open.last_mut() else {
            return encoder.finish();
        };
        next = top.next();
        if next.is_none() {
            encoder.end()?;
            open.pop();
        }
    }
}

/// Values that are looked at before they are written.
const LOOKS: usize = 256;

/// The bytes of the packed arrays in a value, as far as the looks go: nearly the size of a value that is large for them.
fn data(value: &Value, looks: &mut usize) -> usize {
    let Some(left) = looks.checked_sub(1) else { return 0 };
    *looks = left;
    match value {
        Value::Packed(_, data) => data.len() + PACKED_MORE,
        Value::Array(array) => array.values.iter().map_while(|value| (*looks > 0).then(|| data(value, looks))).sum(),
        Value::Dictionary(dictionary) => {
            dictionary.pairs.iter().map_while(|(_, value)| (*looks > 0).then(|| data(value, looks))).sum()
        }
        _ => 0,
    }
}

/// What a packed array has besides its data, and what is likely beside it: its key, and a little.
const PACKED_MORE: usize = 64;

/// Writes a value, or begins it and gives what it holds.
fn begin<'v>(encoder: &mut Encoder, value: &'v Value) -> Result<Option<Rest<'v>>, EncodeError> {
    match value {
        Value::Nil => encoder.nil()?,
        Value::Bool(value) => encoder.bool(*value)?,
        Value::Int(value) => encoder.int(*value)?,
        Value::Float(value) => encoder.float(*value)?,
        Value::String(value) => encoder.string(value)?,
        Value::StringName(value) => encoder.string_name(value)?,
        Value::Floats(ty, components) => encoder.floats(*ty, components)?,
        Value::Ints(ty, components) => encoder.ints(*ty, components)?,
        Value::NodePath(path) => encoder.node_path(path)?,
        Value::Rid(id) => encoder.rid(*id)?,
        Value::Object(id) => encoder.object_id(*id)?,
        Value::Callable => encoder.callable()?,
        Value::Signal(name, object) => encoder.signal(name, *object)?,
        Value::Packed(ty, data) => encoder.packed(*ty, data)?,
        Value::PackedStrings(strings) => encoder.packed_strings(strings.iter().map(String::as_str))?,
        Value::Array(array) => {
            encoder.begin_array(&array.element, array.values.len())?;
            return Ok(Some(Rest::Values(array.values.iter())));
        }
        Value::Dictionary(dictionary) => {
            encoder.begin_dictionary(&dictionary.key, &dictionary.value, dictionary.pairs.len())?;
            return Ok(Some(Rest::Pairs(dictionary.pairs.iter(), None)));
        }
    }
    Ok(None)
}

/// What is left of a container.
enum Rest<'v> {
    Values(slice::Iter<'v, Value>),
    Pairs(slice::Iter<'v, (Value, Value)>, Option<&'v Value>),
}

impl<'v> Iterator for Rest<'v> {
    type Item = &'v Value;

    fn next(&mut self) -> Option<&'v Value> {
        match self {
            Rest::Values(values) => values.next(),
            Rest::Pairs(pairs, second) => second.take().or_else(|| {
                let (key, value) = pairs.next()?;
                *second = Some(value);
                Some(key)
            }),
        }
    }
}

/// The [`Builder`] of [`Value`].
#[derive(Debug, Clone, Copy, Default)]
pub struct ValueBuilder;

impl Builder for ValueBuilder {
    type Value = Value;
    type Error = DecodeError;

    fn nil(&mut self) -> Result<Value, DecodeError> {
        Ok(Value::Nil)
    }

    fn bool(&mut self, value: bool) -> Result<Value, DecodeError> {
        Ok(Value::Bool(value))
    }

    fn int(&mut self, value: i64) -> Result<Value, DecodeError> {
        Ok(Value::Int(value))
    }

    fn float(&mut self, value: f64) -> Result<Value, DecodeError> {
        Ok(Value::Float(value))
    }

    fn string(&mut self, value: &str) -> Result<Value, DecodeError> {
        Ok(Value::String(value.to_owned()))
    }

    fn string_name(&mut self, value: &str) -> Result<Value, DecodeError> {
        Ok(Value::StringName(value.to_owned()))
    }

    fn floats(&mut self, ty: Type, components: &[f64]) -> Result<Value, DecodeError> {
        Ok(Value::Floats(ty, components.into()))
    }

    fn ints(&mut self, ty: Type, components: &[i32]) -> Result<Value, DecodeError> {
        Ok(Value::Ints(ty, components.into()))
    }

    fn node_path(&mut self, path: NodePath<'_>) -> Result<Value, DecodeError> {
        Ok(Value::NodePath(Box::new(path.into_owned())))
    }

    fn rid(&mut self, id: u64) -> Result<Value, DecodeError> {
        Ok(Value::Rid(id))
    }

    fn object_id(&mut self, id: u64) -> Result<Value, DecodeError> {
        Ok(Value::Object(id))
    }

    fn callable(&mut self) -> Result<Value, DecodeError> {
        Ok(Value::Callable)
    }

    fn signal(&mut self, name: &str, object: u64) -> Result<Value, DecodeError> {
        Ok(Value::Signal(name.into(), object))
    }

    fn array(&mut self, element: ElementType<'_>, values: Vec<Value>) -> Result<Value, DecodeError> {
        Ok(Value::Array(Box::new(Array { element: element.into_owned(), values })))
    }

    fn dictionary(
        &mut self,
        key: ElementType<'_>,
        value: ElementType<'_>,
        pairs: Vec<(Value, Value)>,
    ) -> Result<Value, DecodeError> {
        Ok(Value::Dictionary(Box::new(Dictionary { key: key.into_owned(), value: value.into_owned(), pairs })))
    }

    fn packed(&mut self, ty: Type, _count: usize, data: PackedBytes<'_>) -> Result<Value, DecodeError> {
        Ok(Value::Packed(ty, data.into()))
    }

    fn packed_strings(&mut self, strings: Vec<&str>) -> Result<Value, DecodeError> {
        Ok(Value::PackedStrings(strings.into_iter().map(str::to_owned).collect()))
    }
}
