//! The time: `clock_ms() -> i64`, milliseconds since 1970, and `monotonic_ns() -> i64`, nanoseconds since some moment.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wasmtime::Linker;

use super::MODULE;
use crate::core::Host;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(MODULE, "clock_ms", || -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })?;
    linker.func_wrap(MODULE, "monotonic_ns", || -> i64 {
        static START: OnceLock<Instant> = OnceLock::new();
        i64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(i64::MAX)
    })?;
    Ok(())
}
