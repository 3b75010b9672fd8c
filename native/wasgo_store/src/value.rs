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

/// A value that is someone else's: a column of the row that a statement is at, or a parameter where it lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    /// SQL `NULL`.
    Null,
    /// A 64-bit signed integer, exact.
    Integer(i64),
    /// A 64-bit float.
    Real(f64),
    /// UTF-8 text; may hold NUL characters.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

impl ValueRef<'_> {
    /// A copy of one's own.
    pub fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(integer) => Value::Integer(integer),
            Self::Real(real) => Value::Real(real),
            Self::Text(text) => Value::Text(text.to_owned()),
            Self::Blob(bytes) => Value::Blob(bytes.to_vec()),
        }
    }
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

    /// The value where it lies.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(integer) => ValueRef::Integer(*integer),
            Self::Real(real) => ValueRef::Real(*real),
            Self::Text(text) => ValueRef::Text(text),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
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

/// Parameters where they lie.
#[derive(Debug, Clone, Copy)]
pub enum ParamsRef<'p> {
    /// In order.
    Positional(&'p [ValueRef<'p>]),
    /// By name.
    Named(&'p [(&'p str, ValueRef<'p>)]),
    /// Those of a request.
    Owned(&'p Params),
    /// A row of many.
    Row(&'p ParamRows, usize),
}

impl<'p> From<&'p Params> for ParamsRef<'p> {
    fn from(params: &'p Params) -> Self {
        Self::Owned(params)
    }
}

/// Rows of positional parameters for one statement, kept in a few large pieces of memory rather than one for each value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParamRows {
    cells: Vec<Cell>,
    text: String,
    bytes: Vec<u8>,
    /// Where each row ends among the cells.
    ends: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    /// From here to there in the text.
    Text(usize, usize),
    /// From here to there in the bytes.
    Blob(usize, usize),
}

impl ParamRows {
    /// No rows, with room for `rows` of `width` values.
    pub fn with_capacity(rows: usize, width: usize) -> Self {
        Self {
            cells: Vec::with_capacity(rows.saturating_mul(width)),
            ends: Vec::with_capacity(rows),
            ..Self::default()
        }
    }

    /// Adds a value to the row that is being made.
    pub fn push(&mut self, value: ValueRef<'_>) {
        let cell = match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(integer) => Cell::Integer(integer),
            ValueRef::Real(real) => Cell::Real(real),
            ValueRef::Text(text) => {
                let start = self.text.len();
                self.text.push_str(text);
                Cell::Text(start, self.text.len())
            }
            ValueRef::Blob(bytes) => {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(bytes);
                Cell::Blob(start, self.bytes.len())
            }
        };
        self.cells.push(cell);
    }

    /// Ends the row.
    pub fn end_row(&mut self) {
        self.ends.push(self.cells.len());
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The values of a row; none for a row that is not there.
    pub fn row(&self, row: usize) -> impl ExactSizeIterator<Item = ValueRef<'_>> {
        let start = if row == 0 { 0 } else { self.ends.get(row - 1).copied().unwrap_or(0) };
        let cells = self.ends.get(row).and_then(|end| self.cells.get(start..*end)).unwrap_or_default();
        cells.iter().map(|cell| match *cell {
            Cell::Null => ValueRef::Null,
            Cell::Integer(integer) => ValueRef::Integer(integer),
            Cell::Real(real) => ValueRef::Real(real),
            Cell::Text(start, end) => ValueRef::Text(&self.text[start..end]),
            Cell::Blob(start, end) => ValueRef::Blob(&self.bytes[start..end]),
        })
    }
}

/// The sets of parameters of one statement that is run many times.
#[derive(Debug, Clone, PartialEq)]
pub enum Many {
    /// Each on its own; by name, for example.
    Each(Vec<Params>),
    /// All by position.
    Rows(ParamRows),
}

impl Many {
    /// How many sets.
    pub fn len(&self) -> usize {
        match self {
            Self::Each(each) => each.len(),
            Self::Rows(rows) => rows.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of the sets.
    pub(crate) fn get(&self, at: usize) -> ParamsRef<'_> {
        match self {
            Self::Each(each) => ParamsRef::Owned(&each[at]),
            Self::Rows(rows) => ParamsRef::Row(rows, at),
        }
    }
}

impl From<Vec<Params>> for Many {
    fn from(each: Vec<Params>) -> Self {
        Self::Each(each)
    }
}

impl From<ParamRows> for Many {
    fn from(rows: ParamRows) -> Self {
        Self::Rows(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::{ParamRows, ValueRef};

    #[test]
    fn rows_of_parameters_come_back_as_they_were() {
        let rows: [&[ValueRef<'_>]; 4] = [
            &[ValueRef::Text("dröm"), ValueRef::Blob(&[0, 255]), ValueRef::Null],
            &[],
            &[ValueRef::Text(""), ValueRef::Blob(&[]), ValueRef::Integer(-1)],
            &[ValueRef::Text("a\0b"), ValueRef::Real(0.5)],
        ];
        let mut kept = ParamRows::with_capacity(0, 0);
        for row in rows {
            row.iter().for_each(|value| kept.push(*value));
            kept.end_row();
        }
        assert_eq!(kept.len(), rows.len());
        for (at, row) in rows.iter().enumerate() {
            assert_eq!(kept.row(at).collect::<Vec<_>>(), *row);
        }
        assert_eq!(kept.row(rows.len()).len(), 0);
    }
}
