//! The form of a file in the cache: `artefact ‖ notes ‖ trailer`.
//!
//! The artefact comes first because it is mapped into memory from the file's beginning; what it is followed by lies outside of
//! all its sections. The trailer tells the lengths and ends with a keyed digest of everything before it and of the file's
//! name, so that a byte changed anywhere, a file cut short or added to, and a whole file under another's name are all found.

use std::io;

/// Begins the trailer, and changes with its form.
const MAGIC: [u8; 8] = *b"wasgo\0c1";

const DIGEST: usize = blake3::OUT_LEN;

/// Bytes of a trailer: magic, artefact's length, notes' length, digest.
pub(super) const TRAILER: usize = MAGIC.len() + 8 + 4 + DIGEST;

/// Most bytes of notes: they are a few numbers.
pub(super) const MAX_NOTES: usize = 4 << 10;

/// Bytes that are read and digested at once: they stay in the core's own cache.
const CHUNK: usize = 64 << 10;

/// The key of the digests of one folder.
pub(super) type Secret = [u8; blake3::KEY_LEN];

/// What a file was found to hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents {
    /// Bytes of the artefact, from the beginning.
    pub(super) artefact: u64,
    pub(super) notes: Vec<u8>,
}

/// The trailer of a file that is to be called `name`.
pub(super) fn trailer(secret: &Secret, name: &blake3::Hash, artefact: &[u8], notes: &[u8]) -> [u8; TRAILER] {
    let mut trailer = [0; TRAILER];
    let (head, digest) = trailer.split_at_mut(TRAILER - DIGEST);
    head[..8].copy_from_slice(&MAGIC);
    head[8..16].copy_from_slice(&(artefact.len() as u64).to_le_bytes());
    head[16..].copy_from_slice(&(notes.len() as u32).to_le_bytes());
    let mut hasher = hasher(secret, name);
    hasher.update(artefact).update(notes).update(head);
    digest.copy_from_slice(hasher.finalize().as_bytes());
    trailer
}

/// Reads a file of `size` bytes through `read`, which fills a buffer from an offset on. None if it is not what [`trailer`] was
/// made for. With `trusted` the digest is not computed: the same file was found good before.
pub(super) fn check(
    read: impl Fn(&mut [u8], u64) -> io::Result<()>,
    size: u64,
    secret: &Secret,
    name: &blake3::Hash,
    trusted: bool,
) -> io::Result<Option<Contents>> {
    let Some(end) = size.checked_sub(TRAILER as u64) else { return Ok(None) };
    let mut trailer = [0; TRAILER];
    read(&mut trailer, end)?;
    let (head, digest) = trailer.split_at(TRAILER - DIGEST);
    let Some((artefact, notes)) = lengths(head) else { return Ok(None) };
    if notes > MAX_NOTES || artefact.checked_add(notes as u64) != Some(end) {
        return Ok(None);
    }
    if !trusted {
        let mut hasher = hasher(secret, name);
        let mut buffer = vec![0; CHUNK];
        let mut offset = 0;
        while offset < end {
            let length = usize::try_from(end - offset).map_or(CHUNK, |left| left.min(CHUNK));
            let chunk = &mut buffer[..length];
            read(chunk, offset)?;
            hasher.update(chunk);
            offset += length as u64;
        }
        hasher.update(head);
        // The comparison of hashes takes the same time wherever they differ.
        if !blake3::Hash::from_slice(digest).is_ok_and(|digest| digest == hasher.finalize()) {
            return Ok(None);
        }
    }
    let mut found = vec![0; notes];
    read(&mut found, artefact)?;
    Ok(Some(Contents { artefact, notes: found }))
}

fn lengths(head: &[u8]) -> Option<(u64, usize)> {
    let rest = head.strip_prefix(&MAGIC)?;
    let (artefact, notes) = rest.split_first_chunk::<8>()?;
    let notes = u32::from_le_bytes(notes.try_into().ok()?);
    Some((u64::from_le_bytes(*artefact), usize::try_from(notes).ok()?))
}

fn hasher(secret: &Secret, name: &blake3::Hash) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new_keyed(secret);
    hasher.update(name.as_bytes());
    hasher
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: Secret = [7; 32];

    fn file(artefact: &[u8], notes: &[u8]) -> (blake3::Hash, Vec<u8>) {
        let name = blake3::hash(artefact);
        let trailer = trailer(&SECRET, &name, artefact, notes);
        (name, [artefact, notes, &trailer].concat())
    }

    fn check_bytes(bytes: &[u8], secret: &Secret, name: &blake3::Hash, trusted: bool) -> Option<Contents> {
        let read = |buffer: &mut [u8], offset: u64| {
            let start = offset as usize;
            let found = bytes.get(start..start + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            buffer.copy_from_slice(found);
            Ok(())
        };
        check(read, bytes.len() as u64, secret, name, trusted).unwrap()
    }

    #[test]
    fn what_was_sealed_is_read_back() {
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let artefact: Vec<u8> = (0..size).map(|at| at as u8).collect();
            let (name, bytes) = file(&artefact, b"notes");
            let expected = Some(Contents { artefact: size as u64, notes: b"notes".to_vec() });
            assert_eq!(check_bytes(&bytes, &SECRET, &name, false), expected);
            assert_eq!(check_bytes(&bytes, &SECRET, &name, true), expected);
        }
    }

    #[test]
    fn another_key_or_name_does_not_fit() {
        let (name, bytes) = file(b"code", b"");
        assert_eq!(check_bytes(&bytes, &[8; 32], &name, false), None);
        assert_eq!(check_bytes(&bytes, &SECRET, &blake3::hash(b"other"), false), None);
    }

    #[test]
    fn every_length_but_its_own_is_refused() {
        let (name, bytes) = file(&[1; 300], b"notes");
        for length in 0..bytes.len() {
            assert_eq!(check_bytes(&bytes[..length], &SECRET, &name, false), None, "{length}");
        }
        let mut longer = bytes;
        longer.push(0);
        assert_eq!(check_bytes(&longer, &SECRET, &name, false), None);
    }

    proptest! {
        #[test]
        fn any_change_is_found(
            artefact in prop::collection::vec(any::<u8>(), 0..2_000),
            notes in prop::collection::vec(any::<u8>(), 0..50),
            changes in prop::collection::vec((any::<prop::sample::Index>(), 1..=255u8), 1..4),
        ) {
            let (name, good) = file(&artefact, &notes);
            let mut bad = good.clone();
            for (at, flip) in changes {
                let at = at.index(bad.len());
                bad[at] ^= flip;
            }
            prop_assume!(bad != good);
            prop_assert_eq!(check_bytes(&bad, &SECRET, &name, false), None);
        }

        #[test]
        fn rubbish_is_refused_whatever_it_says(bytes in prop::collection::vec(any::<u8>(), 0..200), trusted: bool) {
            prop_assert_eq!(check_bytes(&bytes, &SECRET, &blake3::hash(b""), trusted), None);
        }

        #[test]
        fn lengths_that_lie_take_no_memory(artefact: u64, notes: u32) {
            let mut bytes = [[0; 16].as_slice(), &MAGIC, &artefact.to_le_bytes(), &notes.to_le_bytes()].concat();
            bytes.extend([0; DIGEST]);
            prop_assume!(artefact != 16 || notes != 0);
            prop_assume!(artefact.checked_add(notes.into()) != Some(16));
            prop_assert_eq!(check_bytes(&bytes, &SECRET, &blake3::hash(b""), true), None);
        }
    }
}
