//! What a guest's end by an error means.

use wasmtime::{Trap, WasmBacktrace};

use crate::error::{Error, LimitKind, trap_name};
use crate::flavour::WASM_STACK;

/// Functions of a trap's backtrace that are kept.
const BACKTRACE: usize = 16;

/// Makes an [`Error`] of what wasmtime says ended a guest. What happened before, a limit hit or an import's failure, explains the trap
/// that came of it; `fuel` is what the call was given.
pub(crate) fn translate(error: wasmtime::Error, before: Option<Error>, abort: Option<String>, fuel: u64) -> Error {
    if let Some(before) = before {
        return before;
    }
    let backtrace = backtrace(&error);
    if let Some(message) = abort {
        return Error::Trap { reason: "abort", message, backtrace };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Error::Limit { kind: LimitKind::Stack, limit: WASM_STACK as u64, asked: None },
        Some(Trap::OutOfFuel) => Error::Limit { kind: LimitKind::Fuel, limit: fuel, asked: None },
        Some(trap) => {
            let place = backtrace.first().map(|name| format!(" in {name}")).unwrap_or_default();
            Error::Trap { reason: trap_name(*trap), message: format!("{trap}{place}"), backtrace }
        }
        None => Error::engine(error),
    }
}

fn backtrace(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
        Some(name) => name.to_owned(),
        None => format!("function {}", frame.func_index()),
    };
    backtrace.frames().iter().take(BACKTRACE).map(name).collect()
}
