//! Writing rows.

use alloc::vec::Vec;

use crate::row::{BLOB, HEADER, INTEGER, NULL, REAL, TEXT, VALUE, Value};

/// Writes a row, one value after the other: `answer.real(1.5).text("hi")`.
///
/// The host takes at most 1,024 values and 1 MiB. A row of 4 GiB panics.
#[derive(Debug, Default)]
pub struct RowWriter {
    /// Header and values. Offsets count from the first byte of `heap` until the row is finished.
    values: Vec<u8>,
    heap: Vec<u8>,
}

impl RowWriter {
    /// A writer of its own, for a row inside of a buffer for example. The one that answers a notification comes with it.
    pub const fn new() -> Self {
        Self { values: Vec::new(), heap: Vec::new() }
    }

    /// Adds an INTEGER.
    pub fn integer(self, integer: i64) -> Self {
        self.value(INTEGER, 0, integer as u64)
    }

    /// Adds a REAL.
    pub fn real(self, real: f64) -> Self {
        self.value(REAL, 0, real.to_bits())
    }

    /// Adds a TEXT.
    pub fn text(self, text: &str) -> Self {
        self.bytes(TEXT, text.as_bytes())
    }

    /// Adds a BLOB.
    pub fn blob(self, bytes: &[u8]) -> Self {
        self.bytes(BLOB, bytes)
    }

    /// Adds a NULL: the property keeps its value.
    pub fn null(self) -> Self {
        self.value(NULL, 0, 0)
    }

    /// Adds a value of any type, such as one of another row.
    pub fn put(self, value: Value) -> Self {
        match value {
            Value::Integer(integer) => self.integer(integer),
            Value::Real(real) => self.real(real),
            Value::Text(text) => self.text(text),
            Value::Blob(bytes) => self.blob(bytes),
            Value::Null => self.null(),
        }
    }

    /// The bytes of the row. A script that answers a notification returns the writer itself instead.
    pub fn finish(mut self) -> Vec<u8> {
        self.seal();
        self.values
    }

    /// Puts values and heap together. Nothing but `clear` is right after it.
    pub(crate) fn seal(&mut self) -> &[u8] {
        if self.values.is_empty() {
            self.values.resize(HEADER, 0);
        }
        let values = self.values.len();
        for value in self.values[HEADER..].chunks_exact_mut(VALUE) {
            if matches!(value[0] as u32, TEXT | BLOB) {
                let at = u64::from_le_bytes(value[8..].try_into().unwrap_or_default());
                value[8..].copy_from_slice(&(values as u64 + at).to_le_bytes());
            }
        }
        self.values.append(&mut self.heap);
        let size = u32::try_from(self.values.len()).expect("a row has less than 4 GiB");
        self.values[..4].copy_from_slice(&(((values - HEADER) / VALUE) as u32).to_le_bytes());
        self.values[4..HEADER].copy_from_slice(&size.to_le_bytes());
        &self.values
    }

    /// Makes room for the next row; the memory stays.
    pub(crate) fn clear(&mut self) {
        self.values.clear();
        self.heap.clear();
    }

    fn bytes(mut self, kind: u32, bytes: &[u8]) -> Self {
        let at = self.heap.len() as u64;
        let length = u32::try_from(bytes.len()).expect("a value has less than 4 GiB");
        self.heap.extend_from_slice(bytes);
        self.value(kind, length, at)
    }

    fn value(mut self, kind: u32, length: u32, data: u64) -> Self {
        if self.values.is_empty() {
            self.values.resize(HEADER, 0);
        }
        self.values.extend_from_slice(&kind.to_le_bytes());
        self.values.extend_from_slice(&length.to_le_bytes());
        self.values.extend_from_slice(&data.to_le_bytes());
        self
    }
}
