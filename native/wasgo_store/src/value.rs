//! The five kinds of value that SQLite knows, and the parameters of a statement.

/// A value of SQLite. It must never lose a bit on the way in or out, NaN excepted: SQLite has none, so a NaN given as a
/// parameter is bound as NULL.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL `NULL`.
    Null,
    /// A 64-bit signed integer, exact.
    Integer(i64),
    /// A 64-bit float.
    Real(f64),
    /// UTF-8 text; may hold NUL characters.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    /// The bytes that this value holds outside itself: the length of a text or blob, otherwise 0.
    pub fn payload_bytes(&self) -> usize {
        match self {
            Self::Null | Self::Integer(_) | Self::Real(_) => 0,
            Self::Text(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
        }
    }
}

/// The parameters of a statement, all of them: a missing, unknown or surplus one is an error that names it.
#[derive(Debug, Clone, PartialEq)]
pub enum Params {
    /// Values for the parameters `?1`, `?2` ... in order; named parameters count in order of their first appearance.
    Positional(Vec<Value>),
    /// Values by name, with or without the leading `:`, `@` or `$`. Without it, the value goes to each of the three
    /// forms that the statement has.
    Named(Vec<(String, Value)>),
}

impl Params {
    /// No parameters.
    pub fn none() -> Self {
        Self::Positional(Vec::new())
    }
}

impl<const N: usize> From<[Value; N]> for Params {
    fn from(values: [Value; N]) -> Self {
        Self::Positional(values.into())
    }
}

impl From<Vec<Value>> for Params {
    fn from(values: Vec<Value>) -> Self {
        Self::Positional(values)
    }
}
