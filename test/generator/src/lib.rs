//! The generator as a guest: what `Wasgo.Gen` makes natively, made in WebAssembly, so that a test can compare the bytes.
//!
//! A script in the sense of `guest/README.md`: `process` takes x, z and the level as three little-endian i32 and then a plan's text, and
//! gives the heights, normals, colours and indices of the chunk and its instance table, one behind the other; or the error as text.

#![allow(missing_docs)]

use wasgo_gen::{ChunkId, Generator, Plan, le_bytes, le_bytes_u32, pack_instances};

/// Room for the host to write the input into.
#[unsafe(no_mangle)]
pub extern "C" fn wasgo_alloc(size: u32) -> u32 {
    let room: Vec<u8> = Vec::with_capacity(size as usize);
    room.leak().as_mut_ptr() as usize as u32
}

/// Makes a chunk; the answer's address and length.
#[unsafe(no_mangle)]
pub extern "C" fn process(pointer: u32, length: u32) -> u64 {
    // SAFETY: the host has written that many bytes to the room that it was given there.
    let input = unsafe { std::slice::from_raw_parts(pointer as usize as *const u8, length as usize) };
    let answer = chunk(input).unwrap_or_else(|error| error.into_bytes()).leak();
    ((answer.as_ptr() as usize as u64) << 32) | answer.len() as u64
}

fn chunk(input: &[u8]) -> Result<Vec<u8>, String> {
    let (numbers, text) = input.split_at_checked(12).ok_or("no coordinates")?;
    let number = |at: usize| i32::from_le_bytes([numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]]);
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    let generator = Plan::from_json(text).and_then(Generator::new).map_err(|error| error.to_string())?;
    let level = u8::try_from(number(8)).map_err(|error| error.to_string())?;
    let id = ChunkId { level, ..ChunkId::new(number(0), number(4)) };
    let chunk = generator.chunk(id).map_err(|error| error.to_string())?;
    let parts =
        [le_bytes(&chunk.heights), le_bytes(&chunk.normals), le_bytes(&chunk.colors), le_bytes_u32(&chunk.indices)];
    Ok([parts.concat(), pack_instances(&chunk.instances)].concat())
}
