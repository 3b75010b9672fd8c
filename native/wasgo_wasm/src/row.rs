//! Rows: how a script and its host hand values to each other.
//!
//! A row is a header (u32 count of values, u32 size of the whole row in bytes), 16 bytes a value (u32 type, u32 length of
//! text or blob, then an i64, an f64 or the u64 offset of the bytes from the row's start), then the bytes of its texts and
//! blobs. All is little-endian; the types bear SQLite's numbers.

/// Bytes of a row's header.
const HEADER: usize = 8;

/// Bytes of a value's slot.
const SLOT: usize = 16;

/// Values in a row at most: SQLite's own default for columns is 2,000.
pub const MAX_VALUES: usize = 1_024;

/// Bytes of a row at most: a script's property changes, not its assets.
pub const MAX_BYTES: usize = 1 << 20;

/// A value, as libSQL has them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A 64-bit integer; SQLite's type 1.
    Integer(i64),
    /// A double; SQLite's type 2.
    Real(f64),
    /// UTF-8 text; SQLite's type 3.
    Text(&'a str),
    /// Bytes; SQLite's type 4.
    Blob(&'a [u8]),
    /// Nothing; SQLite's type 5.
    Null,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Too many values.
    #[error("a row of {0} values; at most {MAX_VALUES} are allowed")]
    TooManyValues(usize),
    /// Too many bytes.
    #[error("a row of {0} bytes; at most {MAX_BYTES} are allowed")]
    TooLarge(usize),
    /// The bytes end before the row does.
    #[error("a row of {values} values needs {needed} bytes and has {found}")]
    Truncated {
        /// Values that its header speaks of.
        values: usize,
        /// Bytes that these need.
        needed: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// A value of an unknown type.
    #[error("value {index} has the unknown type {ty}")]
    UnknownType {
        /// Which value, from 0.
        index: usize,
        /// Its type's number.
        ty: u32,
    },
    /// A text or blob that does not lie within the row.
    #[error("value {index} points at bytes {offset}..+{length} outside of its row of {size} bytes")]
    OutOfRow {
        /// Which value, from 0.
        index: usize,
        /// Where it points.
        offset: u64,
        /// How many bytes it claims.
        length: u32,
        /// The row's size.
        size: usize,
    },
    /// Texts and blobs that overlap, so that together they are more than the row has.
    #[error("its texts and blobs claim {claimed} bytes together, and the row of {size} bytes has fewer for them")]
    Overlap {
        /// Bytes that the values up to the one too many claim together.
        claimed: usize,
        /// The row's size.
        size: usize,
    },
    /// A text that is not UTF-8.
    #[error("value {index} is a text that is not valid UTF-8")]
    NotUtf8 {
        /// Which value, from 0.
        index: usize,
    },
}

/// Appends a row of `values` to `out`, padded to a multiple of 8 bytes; returns its size in bytes without the padding.
///
/// # Errors
/// [`RowError::TooManyValues`] and [`RowError::TooLarge`]; `out` is then as it was.
pub fn encode(values: &[Value<'_>], out: &mut Vec<u8>) -> Result<usize, RowError> {
    if values.len() > MAX_VALUES {
        return Err(RowError::TooManyValues(values.len()));
    }
    let size = HEADER + SLOT * values.len() + values.iter().map(heap).sum::<usize>();
    if size > MAX_BYTES {
        return Err(RowError::TooLarge(size));
    }
    let begin = out.len();
    out.resize(begin + size.next_multiple_of(8), 0);
    let (header, rest) = out[begin..].split_at_mut(HEADER);
    header[..4].copy_from_slice(&(values.len() as u32).to_le_bytes());
    header[4..].copy_from_slice(&(size as u32).to_le_bytes());
    let (slots, mut free) = rest.split_at_mut(SLOT * values.len());
    let mut offset = HEADER + SLOT * values.len();
    for (value, slot) in values.iter().zip(slots.chunks_exact_mut(SLOT)) {
        let (ty, bytes, data): (u32, &[u8], u64) = match *value {
            Value::Integer(integer) => (1, &[], integer as u64),
            Value::Real(real) => (2, &[], real.to_bits()),
            Value::Text(text) => (3, text.as_bytes(), offset as u64),
            Value::Blob(bytes) => (4, bytes, offset as u64),
            Value::Null => (5, &[], 0),
        };
        slot[..4].copy_from_slice(&ty.to_le_bytes());
        slot[4..8].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        slot[8..].copy_from_slice(&data.to_le_bytes());
        let (place, left) = free.split_at_mut(bytes.len());
        place.copy_from_slice(bytes);
        free = left;
        offset += bytes.len();
    }
    Ok(size)
}

/// Reads a row. Bytes after it are ignored.
///
/// # Errors
/// A [`RowError`] that says what is wrong; nothing is read outside of `bytes`, and no memory is taken before the count of values
/// was checked against the bytes that are there. What the values hold together is never more than the row's own bytes, so that copies of
/// them take no more memory than the row.
pub fn decode(bytes: &[u8]) -> Result<Vec<Value<'_>>, RowError> {
    let word = |at: usize| bytes.get(at..at + 4).map(|word| u32::from_le_bytes(word.try_into().unwrap_or_default()));
    let (Some(count), Some(size)) = (word(0), word(4)) else {
        return Err(RowError::Truncated { values: 0, needed: HEADER, found: bytes.len() });
    };
    let (count, size) = (count as usize, size as usize);
    if count > MAX_VALUES {
        return Err(RowError::TooManyValues(count));
    }
    if size > MAX_BYTES {
        return Err(RowError::TooLarge(size));
    }
    let slots = HEADER + SLOT * count;
    if slots > size || size > bytes.len() {
        return Err(RowError::Truncated { values: count, needed: slots.max(size), found: bytes.len().min(size) });
    }
    let row = &bytes[..size];
    let mut claimed = 0;
    let slots = row[HEADER..slots].chunks_exact(SLOT).enumerate();
    slots
        .map(|(index, slot)| {
            let value = value(row, index, slot)?;
            claimed += heap(&value);
            if claimed > size - HEADER - SLOT * count {
                return Err(RowError::Overlap { claimed, size });
            }
            Ok(value)
        })
        .collect()
}

/// Bytes of the row that `bytes` begin with, without its padding, as its header says; 0 where there is no header.
pub(crate) fn size(bytes: &[u8]) -> usize {
    bytes.get(4..HEADER).map_or(0, |word| u32::from_le_bytes(word.try_into().unwrap_or_default()) as usize)
}

/// Bytes that a value has beside its slot.
pub(crate) fn heap(value: &Value<'_>) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        _ => 0,
    }
}

fn value<'a>(row: &'a [u8], index: usize, slot: &[u8]) -> Result<Value<'a>, RowError> {
    // The slice patterns can't fail: a slot has 16 bytes.
    let ty = u32::from_le_bytes(slot[..4].try_into().unwrap_or_default());
    let length = u32::from_le_bytes(slot[4..8].try_into().unwrap_or_default());
    let data = u64::from_le_bytes(slot[8..].try_into().unwrap_or_default());
    let bytes = || {
        let start = usize::try_from(data).ok();
        let end = start.and_then(|start| start.checked_add(length as usize));
        start.zip(end).and_then(|(start, end)| row.get(start..end)).ok_or(RowError::OutOfRow {
            index,
            offset: data,
            length,
            size: row.len(),
        })
    };
    Ok(match ty {
        1 => Value::Integer(data as i64),
        2 => Value::Real(f64::from_bits(data)),
        3 => Value::Text(std::str::from_utf8(bytes()?).map_err(|_| RowError::NotUtf8 { index })?),
        4 => Value::Blob(bytes()?),
        5 => Value::Null,
        _ => return Err(RowError::UnknownType { index, ty }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Owned {
        Integer(i64),
        Real(f64),
        Text(String),
        Blob(Vec<u8>),
        Null,
    }

    impl Owned {
        fn borrow(&self) -> Value<'_> {
            match self {
                Self::Integer(integer) => Value::Integer(*integer),
                Self::Real(real) => Value::Real(*real),
                Self::Text(text) => Value::Text(text),
                Self::Blob(bytes) => Value::Blob(bytes),
                Self::Null => Value::Null,
            }
        }
    }

    fn owned() -> impl Strategy<Value = Owned> {
        prop_oneof![
            any::<i64>().prop_map(Owned::Integer),
            any::<f64>().prop_filter("NaN is not equal to itself", |real| !real.is_nan()).prop_map(Owned::Real),
            ".{0,40}".prop_map(Owned::Text),
            proptest::collection::vec(any::<u8>(), 0..60).prop_map(Owned::Blob),
            Just(Owned::Null),
        ]
    }

    proptest! {
        #[test]
        fn any_row_survives_the_way_there_and_back(values in proptest::collection::vec(owned(), 0..20)) {
            let values: Vec<_> = values.iter().map(Owned::borrow).collect();
            let mut bytes = Vec::new();
            let size = encode(&values, &mut bytes).unwrap();
            prop_assert!(bytes.len() % 8 == 0 && bytes.len() - size < 8);
            prop_assert_eq!(decode(&bytes).unwrap(), values);
        }

        #[test]
        fn arbitrary_bytes_are_a_row_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn a_lying_header_is_an_error_or_within_bounds(count: u32, size: u32, rest in proptest::collection::vec(0u8..6, 0..200)) {
            let mut bytes = [count.to_le_bytes(), size.to_le_bytes()].concat();
            bytes.extend(rest);
            if let Ok(values) = decode(&bytes) {
                prop_assert!(values.len() * SLOT + HEADER <= bytes.len());
            }
        }

        #[test]
        fn a_row_cut_short_is_an_error(values in proptest::collection::vec(owned(), 1..8), cut in 1usize..40) {
            let values: Vec<_> = values.iter().map(Owned::borrow).collect();
            let mut bytes = Vec::new();
            let size = encode(&values, &mut bytes).unwrap();
            prop_assert!(decode(&bytes[..size.saturating_sub(cut)]).is_err());
        }
    }

    #[test]
    fn values_that_share_their_bytes_are_refused() {
        let mut bytes = Vec::new();
        encode(&[Value::Blob(&[7; 64]), Value::Blob(&[]), Value::Null], &mut bytes).unwrap();
        // The second claims the first one's bytes too.
        let first: [u8; SLOT] = bytes[HEADER..HEADER + SLOT].try_into().unwrap();
        bytes[HEADER + SLOT..HEADER + 2 * SLOT].copy_from_slice(&first);
        assert_eq!(decode(&bytes), Err(RowError::Overlap { claimed: 128, size: 120 }));
    }

    #[test]
    fn too_many_values_are_refused() {
        let mut out = vec![9];
        let error = encode(&[Value::Null; MAX_VALUES + 1], &mut out).unwrap_err();
        assert_eq!(error, RowError::TooManyValues(MAX_VALUES + 1));
        assert_eq!(out, [9]);
    }

    #[test]
    fn too_many_bytes_are_refused() {
        let text = "x".repeat(MAX_BYTES);
        assert!(matches!(encode(&[Value::Text(&text)], &mut Vec::new()), Err(RowError::TooLarge(_))));
    }
}
