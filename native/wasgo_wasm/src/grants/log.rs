//! Lines for the host's log: `log(level: i32, pointer: i32, length: i32)`.

use wasmtime::component::{ComponentType, Lift};
use wasmtime::{Caller, Linker};

use super::{MODULE, memory};
use crate::core::Host;

/// Lines that one call may log; of more only the number is told.
const MAX_LINES: usize = 256;

/// Bytes of a line that are kept.
const MAX_LINE: usize = 4 << 10;

/// How loud a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub enum LogLevel {
    /// 0: for who wrote the script.
    #[component(name = "debug")]
    Debug,
    /// 1: what is worth knowing.
    #[component(name = "info")]
    Info,
    /// 2: what should not be.
    #[component(name = "warning")]
    Warning,
    /// 3: what went wrong.
    #[component(name = "error")]
    Error,
}

/// A line that a guest logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How loud.
    pub level: LogLevel,
    /// What; what was not UTF-8 in it is replaced, and what is longer than 4 KiB cut.
    pub text: String,
}

/// The lines of the current call.
#[derive(Default)]
pub(crate) struct Log {
    lines: Vec<LogLine>,
    lost: usize,
}

impl Log {
    /// Whether no more lines are kept: what comes then is only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.lines.len() == MAX_LINES
    }

    /// Takes a line, or counts it where no more are kept.
    pub(crate) fn add(&mut self, level: LogLevel, text: impl FnOnce() -> String) {
        if self.is_full() {
            self.lost += 1;
        } else {
            self.lines.push(LogLine { level, text: text() });
        }
    }

    pub(super) fn take(&mut self) -> Option<Vec<LogLine>> {
        let mut lines = std::mem::take(&mut self.lines);
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            lines.push(LogLine { level: LogLevel::Warning, text: format!("{lost} more lines were logged") });
        }
        (!lines.is_empty()).then_some(lines)
    }
}

/// As much of a line as is kept.
pub(crate) fn line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_LINE)]).into_owned()
}

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(MODULE, "log", |mut caller: Caller<'_, Host>, level: i32, pointer: u32, length: u32| {
        let (memory, range) = memory::place(&mut caller, "wasgo.log", pointer, length)?;
        let (data, host) = memory.data_and_store_mut(&mut caller);
        let Some(granted) = &mut host.granted else { return Ok(()) };
        let level = match level {
            i32::MIN..=0 => LogLevel::Debug,
            1 => LogLevel::Info,
            2 => LogLevel::Warning,
            3.. => LogLevel::Error,
        };
        granted.log.add(level, || line(&data[range]));
        wasmtime::Result::Ok(())
    })?;
    Ok(())
}
