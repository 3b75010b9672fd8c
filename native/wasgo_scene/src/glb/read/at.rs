//! A value of the JSON that knows where it is.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::error::{ReadError, ReadFault};
use super::parse::{Value, extras};
use crate::{Extra, Extras};

/// A value and the way to it.
#[derive(Clone, Copy)]
pub(super) struct At<'d, 'p> {
    pub(super) value: &'d Value<'d>,
    parent: Option<&'p At<'d, 'p>>,
    key: Key<'d>,
}

#[derive(Clone, Copy)]
enum Key<'d> {
    Field(&'d str),
    Item(usize),
}

/// Fields of an object in which one is looked for: each look goes over all.
const FIELDS: usize = 256;

const EXPECTED_OBJECT: ReadFault = ReadFault::Invalid { expected: "an object" };

impl<'d, 'p> At<'d, 'p> {
    pub(super) fn root(value: &'d Value<'d>) -> Self {
        At { value, parent: None, key: Key::Field("") }
    }

    pub(super) fn place(&self) -> String {
        let mut place = match self.parent {
            Some(parent) => parent.place(),
            None => return String::new(),
        };
        // Writing to a String cannot fail.
        let _ = match self.key {
            Key::Field(key) => write!(place, "/{}", key.replace('~', "~0").replace('/', "~1")),
            Key::Item(item) => write!(place, "/{item}"),
        };
        place
    }

    pub(super) fn error(&self, fault: ReadFault) -> ReadError {
        ReadError { place: self.place(), fault }
    }

    pub(super) fn invalid<T>(&self, expected: &'static str) -> Result<T, ReadError> {
        Err(self.error(ReadFault::Invalid { expected }))
    }

    pub(super) fn unsupported<T>(&self, what: impl Into<String>) -> Result<T, ReadError> {
        Err(self.error(ReadFault::Unsupported(what.into())))
    }

    pub(super) fn fields(&self) -> Result<&'d [(Cow<'d, str>, Value<'d>)], ReadError> {
        match self.value {
            Value::Map(fields) => Ok(fields),
            _ => Err(self.error(EXPECTED_OBJECT)),
        }
    }

    /// The fields with the ways to them.
    pub(super) fn each_field<'s>(&'s self) -> Result<impl Iterator<Item = (&'d str, At<'d, 's>)>, ReadError> {
        let at = |(key, value): &'d (Cow<'d, str>, Value<'d>)| {
            (&**key, At { value, parent: Some(self), key: Key::Field(key) })
        };
        Ok(self.fields()?.iter().map(at))
    }

    /// A field that may be missing.
    pub(super) fn get<'s>(&'s self, key: &str) -> Result<Option<At<'d, 's>>, ReadError> {
        let fields = self.fields()?;
        self.at_most("fields of an object", fields.len(), FIELDS)?;
        // Of two with one name the last counts.
        let found = fields.iter().rev().find(|(name, _)| name == key);
        Ok(found.map(|(name, value)| At { value, parent: Some(self), key: Key::Field(name) }))
    }

    /// A field that must be there.
    pub(super) fn need<'s>(&'s self, key: &'static str) -> Result<At<'d, 's>, ReadError> {
        self.get(key)?.ok_or_else(|| self.error(ReadFault::Missing(key)))
    }

    pub(super) fn items<'s>(&'s self) -> Result<impl ExactSizeIterator<Item = At<'d, 's>>, ReadError> {
        let Value::List(items) = self.value else { return self.invalid("a list") };
        let at = |(index, value)| At { value, parent: Some(self), key: Key::Item(index) };
        Ok(items.iter().enumerate().map(at))
    }

    pub(super) fn item<'s>(&'s self, index: usize) -> Option<At<'d, 's>> {
        let Value::List(items) = self.value else { return None };
        items.get(index).map(|value| At { value, parent: Some(self), key: Key::Item(index) })
    }

    pub(super) fn len(&self) -> usize {
        if let Value::List(items) = self.value { items.len() } else { 0 }
    }

    pub(super) fn text(&self) -> Result<&'d str, ReadError> {
        match self.value {
            Value::Text(text) => Ok(text),
            _ => self.invalid("text"),
        }
    }

    pub(super) fn bool(&self) -> Result<bool, ReadError> {
        match self.value {
            Value::Bool(value) => Ok(*value),
            _ => self.invalid("true or false"),
        }
    }

    /// A whole number of 0 or more.
    pub(super) fn whole(&self) -> Result<u64, ReadError> {
        match self.value {
            Value::Integer(value) if *value >= 0 => Ok(value.unsigned_abs()),
            // Some writers say 1.0.
            Value::Number(value) if *value >= 0.0 && value.trunc() == *value && *value < 9e15 => Ok(*value as u64),
            _ => self.invalid("a whole number of 0 or more"),
        }
    }

    /// A reference to one of `count` things.
    pub(super) fn index(&self, what: &'static str, count: usize) -> Result<usize, ReadError> {
        let index = self.whole()?;
        match usize::try_from(index) {
            Ok(place) if place < count => Ok(place),
            _ => Err(self.error(ReadFault::NoSuch { what, index, count })),
        }
    }

    pub(super) fn f32(&self) -> Result<f32, ReadError> {
        let value = match self.value {
            Value::Integer(value) => *value as f32,
            Value::Number(value) => *value as f32,
            _ => return self.invalid("a number"),
        };
        if value.is_finite() { Ok(value) } else { self.invalid("a number that a 32-bit float can hold") }
    }

    pub(super) fn array<const N: usize>(&self) -> Result<[f32; N], ReadError> {
        let mut items = self.items()?;
        if items.len() != N {
            return self.invalid(match N {
                2 => "two numbers",
                3 => "three numbers",
                4 => "four numbers",
                _ => "sixteen numbers",
            });
        }
        let mut array = [0.0; N];
        for place in &mut array {
            if let Some(item) = items.next() {
                *place = item.f32()?;
            }
        }
        Ok(array)
    }

    /// A list of references.
    pub(super) fn indices(&self, what: &'static str, count: usize) -> Result<Vec<usize>, ReadError> {
        self.items()?.map(|item| item.index(what, count)).collect()
    }

    pub(super) fn numbers(&self, limit: usize) -> Result<Vec<f32>, ReadError> {
        self.at_most("numbers of a list", self.len(), limit)?;
        self.items()?.map(|item| item.f32()).collect()
    }

    pub(super) fn at_most(&self, what: &'static str, count: usize, limit: usize) -> Result<(), ReadError> {
        if count > limit {
            return Err(self.error(ReadFault::TooMany { what, count: count as u64, limit: limit as u64 }));
        }
        Ok(())
    }

    /// The `name`, or nothing.
    pub(super) fn name(&self) -> Result<String, ReadError> {
        Ok(self.get("name")?.map(|name| name.text()).transpose()?.unwrap_or_default().into())
    }

    /// The `extras`: those that are no object are below the name `value`.
    pub(super) fn extras(&self) -> Result<Extras, ReadError> {
        Ok(match self.get("extras")?.map(|extras| extras.value) {
            None | Some(Value::Null) => Extras::new(),
            Some(Value::Map(fields)) => extras(fields),
            Some(other) => Extras::from([(String::from("value"), other.extra())]),
        })
    }

    pub(super) fn extra(&self) -> Extra {
        self.value.extra()
    }

    /// A field read by `read`, or `default` where it is missing.
    pub(super) fn or<T>(
        &self,
        key: &str,
        default: T,
        read: impl FnOnce(&At<'d, '_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        match self.get(key)? {
            Some(at) => read(&at),
            None => Ok(default),
        }
    }

    /// A field read by `read`, where it is there.
    pub(super) fn maybe<T>(
        &self,
        key: &str,
        read: impl FnOnce(&At<'d, '_>) -> Result<T, ReadError>,
    ) -> Result<Option<T>, ReadError> {
        self.get(key)?.map(|at| read(&at)).transpose()
    }
}
