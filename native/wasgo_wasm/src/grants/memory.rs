//! A guest's memory, as its granted imports see it.

use std::ops::Range;

use wasmtime::{Caller, Extern, Memory};

use super::bounded;
use crate::core::Host;
use crate::error::Error;
use crate::host_call::fail;

/// The place of `length` bytes at `pointer` within the caller's memory. Outside of it the guest traps, and the error names the import.
pub(super) fn place(
    caller: &mut Caller<'_, Host>,
    import: &str,
    pointer: u32,
    length: u32,
) -> wasmtime::Result<(Memory, Range<usize>)> {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        return Err(fail(caller, Error::import(import, "the module exports no memory")));
    };
    let size = memory.data_size(&*caller) as u64;
    let end = u64::from(pointer) + u64::from(length);
    if end > size {
        let message = format!("bytes {pointer}..{end} are outside of the memory, which has {size} bytes");
        return Err(fail(caller, Error::import(import, message)));
    }
    Ok((memory, pointer as usize..end as usize))
}

/// A copy of `length` bytes at `pointer`, which are at most `most`.
pub(super) fn read(
    caller: &mut Caller<'_, Host>,
    import: &str,
    pointer: u32,
    length: u32,
    most: usize,
) -> wasmtime::Result<Vec<u8>> {
    let (memory, range) = place(caller, import, pointer, length)?;
    bounded(import, range.len(), most).map_err(|error| fail(caller, error))?;
    Ok(memory.data(&*caller)[range].to_vec())
}
