//! The parts of a GLB file.

use super::super::{CHUNK_BIN, CHUNK_JSON, MAGIC};
use super::error::{ReadError, ReadFault};

/// The JSON of a file, where it begins, and the bytes that come with it.
pub(super) struct Parts<'a> {
    pub(super) json: &'a [u8],
    pub(super) json_at: usize,
    pub(super) bin: Option<&'a [u8]>,
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Takes a GLB file apart; text that begins as JSON is taken as a glTF file without bytes of its own.
pub(super) fn parts(file: &[u8]) -> Result<Parts<'_>, ReadError> {
    if !file.starts_with(&MAGIC.to_le_bytes()) {
        let json_at = if file.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let json = &file[json_at..];
        let first = json.iter().find(|byte| !byte.is_ascii_whitespace());
        return match first {
            Some(b'{') => Ok(Parts { json, json_at, bin: None }),
            _ => Err(ReadFault::NotGltf.at_byte(0)),
        };
    }
    let version = word(file, 4)?;
    if version != 2 {
        return Err(ReadFault::Version(version.to_string()).at_byte(4));
    }
    let length = word(file, 8)? as usize;
    let Some(file) = file.get(..length) else {
        let (needed, left) = (length as u64, file.len() as u64);
        return Err(ReadFault::Truncated { needed, left }.at_byte(8));
    };
    let (kind, json, mut next) = chunk(file, 12)?;
    if kind != CHUNK_JSON {
        return Err(ReadFault::Invalid { expected: "a chunk of JSON" }.at_byte(16));
    }
    let mut bin = None;
    // Chunks of kinds that nobody here knows are for others.
    while next < file.len() && bin.is_none() {
        let (kind, bytes, after) = chunk(file, next)?;
        if kind == CHUNK_BIN {
            bin = Some(bytes);
        }
        next = after;
    }
    Ok(Parts { json, json_at: 20, bin })
}

fn word(file: &[u8], at: usize) -> Result<u32, ReadError> {
    match file.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        Some(bytes) => Ok(u32::from_le_bytes(*bytes)),
        None => Err(ReadFault::Truncated { needed: 4, left: file.len().saturating_sub(at) as u64 }.at_byte(at)),
    }
}

/// The kind and the bytes of the chunk at a place, and where the next one is.
fn chunk(file: &[u8], at: usize) -> Result<(u32, &[u8], usize), ReadError> {
    let length = word(file, at)? as usize;
    let kind = word(file, at + 4)?;
    let rest = &file[at + 8..];
    match rest.get(..length) {
        Some(bytes) => Ok((kind, bytes, (at + 8).saturating_add(length))),
        None => {
            let (needed, left) = (length as u64, rest.len() as u64);
            Err(ReadFault::Truncated { needed, left }.at_byte(at))
        }
    }
}
