//! Values and rows of `wasgo:script`, typed.

use wasmtime::component::{ComponentType, Lift, Lower};

use crate::row::{self, RowError};

/// The variant `value`.
#[derive(Debug, Clone, PartialEq, ComponentType, Lift, Lower)]
#[component(variant)]
pub(super) enum Value {
    #[component(name = "integer")]
    Integer(i64),
    #[component(name = "real")]
    Real(f64),
    #[component(name = "text")]
    Text(String),
    #[component(name = "blob")]
    Blob(Vec<u8>),
    #[component(name = "null")]
    Null,
}

impl Value {
    fn borrowed(&self) -> row::Value<'_> {
        match self {
            Self::Integer(integer) => row::Value::Integer(*integer),
            Self::Real(real) => row::Value::Real(*real),
            Self::Text(text) => row::Value::Text(text),
            Self::Blob(bytes) => row::Value::Blob(bytes),
            Self::Null => row::Value::Null,
        }
    }

    /// Bytes that it has beside its place in a row.
    pub(super) fn heap(&self) -> usize {
        row::heap(&self.borrowed())
    }
}

impl From<row::Value<'_>> for Value {
    fn from(value: row::Value<'_>) -> Self {
        match value {
            row::Value::Integer(integer) => Self::Integer(integer),
            row::Value::Real(real) => Self::Real(real),
            row::Value::Text(text) => Self::Text(text.into()),
            row::Value::Blob(bytes) => Self::Blob(bytes.into()),
            row::Value::Null => Self::Null,
        }
    }
}

/// The values of an encoded row.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Value>, RowError> {
    Ok(row::decode(bytes)?.into_iter().map(Value::from).collect())
}

/// The values of encoded rows that lie one after another, each beginning at a multiple of 8.
pub(super) fn decode_all(mut bytes: &[u8]) -> Result<Vec<Vec<Value>>, RowError> {
    let mut rows = Vec::new();
    while !bytes.is_empty() {
        rows.push(decode(bytes)?);
        bytes = bytes.get(row::size(bytes).next_multiple_of(8)..).unwrap_or_default();
    }
    Ok(rows)
}

/// As [`row::encode`].
pub(super) fn encode(values: &[Value], out: &mut Vec<u8>) -> Result<usize, RowError> {
    let values: Vec<_> = values.iter().map(Value::borrowed).collect();
    row::encode(&values, out)
}
