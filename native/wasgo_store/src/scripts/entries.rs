//! What an object keeps between notifications, as bytes: for each key in ascending order its length, itself, its value's length and the value.
//! Lengths are u32, little-endian.

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

pub(crate) fn encode(entries: &Entries) -> Vec<u8> {
    let size = entries.iter().map(|(key, value)| 8 + key.len() + value.len()).sum();
    let mut bytes = Vec::with_capacity(size);
    for part in entries.iter().flat_map(|(key, value)| [key, value]) {
        // Keys and values have limits far below.
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// None for what is no such bytes.
pub(crate) fn decode(mut bytes: &[u8]) -> Option<Entries> {
    let mut part = || -> Option<Option<Vec<u8>>> {
        if bytes.is_empty() {
            return Some(None);
        }
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        bytes = rest;
        Some(Some(part.to_vec()))
    };
    let mut entries: Entries = Vec::new();
    while let Some(key) = part()? {
        let value = part()??;
        if entries.last().is_some_and(|(last, _)| *last >= key) {
            return None;
        }
        entries.push((key, value));
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{decode, encode};

    proptest! {
        #[test]
        fn any_entries_come_back(map: BTreeMap<Vec<u8>, Vec<u8>>) {
            let entries: Vec<_> = map.into_iter().collect();
            prop_assert_eq!(decode(&encode(&entries)), Some(entries));
        }

        #[test]
        fn any_bytes_are_entries_or_none(bytes in proptest::collection::vec(0u8..6, 0..64)) {
            if let Some(entries) = decode(&bytes) {
                prop_assert_eq!(encode(&entries), bytes);
            }
        }
    }
}
