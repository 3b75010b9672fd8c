//! WASI for code that is no program: what compilers link in by themselves finds a world that is empty and always the same.
//!
//! There are no arguments, variables, files or sockets; what is written to standard output and error vanishes; the clock stands still at 0;
//! random numbers are the same each time. Nothing here reaches the host.

use wasmtime::{Caller, ExternType, Linker, Val, ValType};

use crate::core::Host;
use crate::error::Error;
use crate::host_call::fail;
use crate::wasi::WASI_MODULE;

/// WASI's numbers of errors.
const SUCCESS: i32 = 0;
const BAD_DESCRIPTOR: i32 = 8;
const FAULT: i32 = 21;
const NOT_SUPPORTED: i32 = 52;

/// The types of files that a descriptor's status begins with.
const CHARACTER_DEVICE: u8 = 2;

/// Bytes of a descriptor's status.
const STATUS: usize = 24;

/// Pieces that one write may have.
const MAX_PIECES: u32 = 1_024;

/// Gives `module` what it imports of WASI.
pub(crate) fn link(linker: &mut Linker<Host>, module: &wasmtime::Module) -> wasmtime::Result<()> {
    for import in module.imports().filter(|import| import.module() == WASI_MODULE) {
        let ExternType::Func(ty) = import.ty() else { continue };
        let name = import.name().to_owned();
        let answers = matches!(ty.results().collect::<Vec<_>>()[..], [ValType::I32]);
        if !answers && ty.results().len() > 0 {
            continue;
        }
        linker.func_new(WASI_MODULE, import.name(), ty, move |mut caller, arguments, results| {
            let number = answer(&mut caller, &name, arguments)?;
            if let Some(result) = results.first_mut() {
                *result = Val::I32(number);
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn answer(caller: &mut Caller<'_, Host>, name: &str, arguments: &[Val]) -> wasmtime::Result<i32> {
    let word = |at: usize| arguments.get(at).and_then(Val::i32).map_or(u32::MAX, i32::cast_unsigned);
    let is_standard = word(0) <= 2;
    Ok(match name {
        "args_sizes_get" | "environ_sizes_get" => {
            put(caller, word(0), &[0; 4]).and_then(|()| put(caller, word(1), &[0; 4])).map_or(FAULT, |()| SUCCESS)
        }
        "args_get" | "environ_get" | "sched_yield" => SUCCESS,
        "clock_time_get" => put(caller, word(2), &[0; 8]).map_or(FAULT, |()| SUCCESS),
        "clock_res_get" => put(caller, word(1), &1_u64.to_le_bytes()).map_or(FAULT, |()| SUCCESS),
        "random_get" => fill(caller, word(0), word(1)).map_or(FAULT, |()| SUCCESS),
        "fd_write" if is_standard => match written(caller, word(1), word(2)) {
            Some(bytes) => put(caller, word(3), &bytes.to_le_bytes()).map_or(FAULT, |()| SUCCESS),
            None => FAULT,
        },
        // Nothing is there to be read.
        "fd_read" if is_standard => put(caller, word(3), &[0; 4]).map_or(FAULT, |()| SUCCESS),
        "fd_fdstat_get" if is_standard => {
            let mut status = [0; STATUS];
            status[0] = CHARACTER_DEVICE;
            put(caller, word(1), &status).map_or(FAULT, |()| SUCCESS)
        }
        "fd_close" if is_standard => SUCCESS,
        "proc_exit" => {
            let message = format!("it ended its program with status {}", word(0).cast_signed());
            return Err(fail(caller, Error::import("wasi.proc_exit", message)));
        }
        _ if name.starts_with("fd_") => BAD_DESCRIPTOR,
        _ => NOT_SUPPORTED,
    })
}

/// The guest's memory from `pointer` on, so many bytes.
fn memory<'a>(caller: &'a mut Caller<'_, Host>, pointer: u32, length: u32) -> Option<&'a mut [u8]> {
    let memory = caller.get_export("memory")?.into_memory()?;
    let start = pointer as usize;
    memory.data_mut(caller).get_mut(start..start.checked_add(length as usize)?)
}

fn put(caller: &mut Caller<'_, Host>, pointer: u32, bytes: &[u8]) -> Option<()> {
    memory(caller, pointer, u32::try_from(bytes.len()).ok()?)?.copy_from_slice(bytes);
    Some(())
}

/// Bytes of the pieces that a write consists of.
fn written(caller: &mut Caller<'_, Host>, pieces: u32, count: u32) -> Option<u32> {
    if count > MAX_PIECES {
        return None;
    }
    let pieces = memory(caller, pieces, count * 8)?;
    let mut lengths = pieces.chunks_exact(8).map(|piece| u32::from_le_bytes([piece[4], piece[5], piece[6], piece[7]]));
    lengths.try_fold(0_u32, |sum, length| sum.checked_add(length))
}

/// Numbers that look random and depend on their place alone: SplitMix64.
fn fill(caller: &mut Caller<'_, Host>, pointer: u32, length: u32) -> Option<()> {
    let mut state = 0_u64;
    for piece in memory(caller, pointer, length)?.chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bytes = (number ^ (number >> 31)).to_le_bytes();
        piece.copy_from_slice(&bytes[..piece.len()]);
    }
    Some(())
}
