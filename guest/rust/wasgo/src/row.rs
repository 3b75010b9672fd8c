//! Reading rows.

/// Bytes of a row's header, and of one value.
pub(crate) const HEADER: usize = 8;
pub(crate) const VALUE: usize = 16;

/// Types of a value: SQLite's numbers.
pub(crate) const INTEGER: u32 = 1;
pub(crate) const REAL: u32 = 2;
pub(crate) const TEXT: u32 = 3;
pub(crate) const BLOB: u32 = 4;
pub(crate) const NULL: u32 = 5;

/// One value of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A 64-bit integer.
    Integer(i64),
    /// A 64-bit float.
    Real(f64),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
    /// Nothing.
    Null,
}

/// A row, read where it lies. A value that the row does not have, or that is of another type than asked for, reads as 0, and as no
/// bytes.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Row<'a> {
    /// The row at the start of `bytes`, or `None` when header and values do not fit into them.
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let count = word(bytes, 0)? as usize;
        let bytes = bytes.get(..word(bytes, 4)? as usize)?;
        let room = bytes.len().checked_sub(HEADER)? / VALUE;
        (count <= room).then_some(Self { bytes, count })
    }

    /// How many values the row has.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether the row has no values.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Value `i`. `Null` too for one that the row does not have, is of no known type, or whose bytes lie outside of the row.
    pub fn get(&self, i: usize) -> Value<'a> {
        match self.value(i) {
            Some((INTEGER, _, data)) => Value::Integer(data as i64),
            Some((REAL, _, data)) => Value::Real(f64::from_bits(data)),
            Some((TEXT, ..)) => {
                self.bytes(i).and_then(|bytes| str::from_utf8(bytes).ok()).map_or(Value::Null, Value::Text)
            }
            Some((BLOB, ..)) => self.bytes(i).map_or(Value::Null, Value::Blob),
            _ => Value::Null,
        }
    }

    /// The values, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Value<'a>> + use<'a> {
        let row = *self;
        (0..self.count).map(move |i| row.get(i))
    }

    /// Value `i` as a number: an INTEGER is converted (a database may store 2.0 as 2), anything else but a REAL is 0.
    pub fn real(&self, i: usize) -> f64 {
        match self.value(i) {
            Some((REAL, _, data)) => f64::from_bits(data),
            Some((INTEGER, _, data)) => data as i64 as f64,
            _ => 0.0,
        }
    }

    /// Value `i` as an integer; anything but an INTEGER is 0.
    pub fn integer(&self, i: usize) -> i64 {
        match self.value(i) {
            Some((INTEGER, _, data)) => data as i64,
            _ => 0,
        }
    }

    /// Value `i` as a text; anything but a TEXT in UTF-8 is "".
    pub fn text(&self, i: usize) -> &'a str {
        match self.get(i) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    /// The bytes of value `i`, a BLOB or TEXT; none of anything else.
    pub fn blob(&self, i: usize) -> &'a [u8] {
        self.bytes(i).unwrap_or_default()
    }

    /// Type, length and data of value `i`.
    fn value(&self, i: usize) -> Option<(u32, u32, u64)> {
        if i >= self.count {
            return None;
        }
        let start = HEADER + i * VALUE;
        let data = self.bytes.get(start + 8..start + VALUE)?;
        Some((word(self.bytes, start)?, word(self.bytes, start + 4)?, u64::from_le_bytes(data.try_into().ok()?)))
    }

    fn bytes(&self, i: usize) -> Option<&'a [u8]> {
        match self.value(i)? {
            (TEXT | BLOB, length, offset) => {
                let start = usize::try_from(offset).ok()?;
                self.bytes.get(start..start.checked_add(length as usize)?)
            }
            _ => None,
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
