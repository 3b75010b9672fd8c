//! What a guest's end by an error means.

use wasmtime::{Trap, WasmBacktrace};

use crate::error::{Error, LimitKind, trap_name};
use crate::flavour::WASM_STACK;

/// Functions of a trap's backtrace that are kept.
const BACKTRACE: usize = 16;

/// Characters of a function's name that are kept: a guest's names may have a hundred thousand.
const NAME: usize = 128;

/// Characters of the message of a function of the host that are kept.
const MESSAGE: usize = 200;

/// Makes an [`Error`] of what wasmtime says ended a guest. What happened before, a limit hit or an import's failure, explains the trap
/// that came of it; `fuel` is what the call was given.
pub(crate) fn translate(error: wasmtime::Error, before: Option<Error>, abort: Option<String>, fuel: u64) -> Error {
    if let Some(before) = before {
        return before;
    }
    let (backtrace, offsets) = backtrace(&error);
    if let Some(message) = abort {
        return Error::Trap { reason: "abort", message, backtrace, offsets };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Error::Limit { kind: LimitKind::Stack, limit: WASM_STACK as u64, asked: None },
        Some(Trap::OutOfFuel) => Error::Limit { kind: LimitKind::Fuel, limit: fuel, asked: None },
        Some(trap) => {
            let place = backtrace.first().map(|name| format!(" in {name}")).unwrap_or_default();
            Error::Trap { reason: trap_name(*trap), message: format!("{trap}{place}"), backtrace, offsets }
        }
        // It came out of a function of the host that the guest called, and which the guest asked for too much.
        None if error.downcast_ref::<WasmBacktrace>().is_some() => {
            let message = format!(
                "the host refused what the guest asked for: {}",
                clip(&error.root_cause().to_string(), MESSAGE)
            );
            Error::Trap { reason: "refused", message, backtrace, offsets }
        }
        None => Error::engine(error),
    }
}

/// Whether the system had no memory for a guest: for its memory, or for the stack of its call.
pub(crate) fn is_out_of_memory(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| {
        #[cfg(unix)]
        if cause.downcast_ref::<rustix::io::Errno>() == Some(&rustix::io::Errno::NOMEM) {
            return true;
        }
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::OutOfMemory)
    })
}

/// Names (or indices) of the guest's functions that an error went through, innermost first, and where in the module they were.
fn backtrace(error: &wasmtime::Error) -> (Vec<String>, Vec<Option<u64>>) {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Default::default() };
    let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
        Some(name) => clip(name, NAME),
        None => format!("function {}", frame.func_index()),
    };
    let place = |frame: &wasmtime::FrameInfo| frame.module_offset().map(|offset| offset as u64);
    backtrace.frames().iter().take(BACKTRACE).map(|frame| (name(frame), place(frame))).unzip()
}

/// At most so many characters of `text`; what was cut off is told by an ellipsis.
pub(crate) fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
