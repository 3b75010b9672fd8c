//! `env.abort`, which every script is given: AssemblyScript's modules say by it why they give up.

use wasmtime::{Caller, Linker, Trap};

use crate::core::Host;

/// Bytes of an abort's message that are kept, in UTF-16 units.
const ABORT_MESSAGE: usize = 1_024;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "abort",
        |mut caller: Caller<'_, Host>, message: u32, file: u32, line: u32, column: u32| -> wasmtime::Result<()> {
            let text = string(&mut caller, message).unwrap_or_else(|| "no message".into());
            let place =
                string(&mut caller, file).map_or_else(String::new, |file| format!(" in {file}:{line}:{column}"));
            caller.data_mut().abort = Some(format!("abort: {text}{place}"));
            Err(Trap::UnreachableCodeReached.into())
        },
    )?;
    Ok(())
}

/// An AssemblyScript string: UTF-16 at `pointer`, its length in bytes in the four before.
fn string(caller: &mut Caller<'_, Host>, pointer: u32) -> Option<String> {
    let memory = caller.get_export("memory")?.into_memory()?;
    let data = memory.data(&caller);
    let start = pointer as usize;
    let length = data.get(start.checked_sub(4)?..start)?;
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    let bytes = data.get(start..start.checked_add(length.min(2 * ABORT_MESSAGE))?)?;
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    Some(String::from_utf16_lossy(&units))
}
