//! Named limits of a guest, and the limiter that holds its memory and tables to them.

use std::time::Duration;

use crate::batch::MAX_DRIVERS;
use crate::error::{Error, LimitKind};
use crate::executor::yield_to_pool;
use crate::meter::Held;

/// How long a call may take, unless its caller says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Tables of one instance: compilers make one.
pub(crate) const MAX_TABLES: u64 = 16;

/// Fuel that a call of a deterministic instance may use, unless its caller says otherwise: about a second of a core.
pub const DEFAULT_FUEL: u64 = 1_000_000_000;

/// What one instance may use. Each field has a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory in bytes. Default 64 MiB: enough for a script of any language, and a thousand such instances at their
    /// limit still fit a server.
    pub memory: u64,
    /// Elements of each table. Default 20,000: more functions than a large program has.
    pub table: u64,
    /// Bytes that one call may be given. Default 16 MiB.
    pub input: u64,
    /// Bytes that one call may return. Default 16 MiB: the largest frame the engine takes is four times that.
    pub result: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 64 << 20, table: 20_000, input: 16 << 20, result: 16 << 20 }
    }
}

/// While a guest's slice runs on a caller's thread, one uninterruptible bulk instruction must not hold it long: a module
/// whose functions could touch more than this many bytes by such instructions between two checks of the epoch leaves for
/// the pool first. 1 MiB of untouched memory takes about half a millisecond.
pub(crate) const INLINE_BULK_BYTES: u64 = 1 << 20;

/// While a guest's slice runs on a caller's thread, the host's own copies into and out of its memory are at most this long; for
/// a longer one the call leaves for the pool first. 256 KiB of untouched memory take about 0.1 ms.
pub(crate) const INLINE_COPY_BYTES: u64 = 256 << 10;

/// Of how many parts a guest may consist.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartLimits {
    pub(crate) instances: usize,
    pub(crate) tables: usize,
    pub(crate) memories: usize,
}

impl PartLimits {
    /// A module is one instance with one memory; beside it are the drivers that repeat its calls.
    const MODULE: Self = Self { instances: 1 + MAX_DRIVERS, tables: 16, memories: 1 + MAX_DRIVERS };

    /// A component is put together of modules: a program, its adapters, and the shared libraries of an interpreter. The largest
    /// that tool-chains make have some forty of them.
    pub(crate) const COMPONENT: Self = Self { instances: 128, tables: 128, memories: 16 };
}

/// The limiter in a guest's store.
pub(crate) struct Limiter {
    pub(crate) limits: Limits,
    /// The limit that was hit since the last call began: what makes a guest's "out of memory" trap a limit error.
    pub(crate) hit: Option<Error>,
    /// Bytes of memory that the guest has, exported or not: of all its memories together, where it is a component.
    pub(crate) memory: u64,
    /// Memory over this many bytes must not be grown to on a caller's thread.
    pub(crate) inline_memory: u64,
    /// Whether the current slice runs on a caller's thread.
    pub(crate) inline: bool,
    /// What grows now is the host's own: a driver of batches, which is none of the guest's memory.
    pub(crate) driver: bool,
    /// Drivers that there are.
    pub(crate) drivers: usize,
    /// How many instances, tables and memories the guest's store may have.
    parts: PartLimits,
    /// Whether the guest has several memories of its own.
    several: bool,
    /// Its memory, as the engine counts it.
    held: Held,
}

impl Limiter {
    pub(crate) fn new(limits: Limits, inline_memory: u64) -> Self {
        Self {
            limits,
            hit: None,
            memory: 0,
            inline_memory,
            inline: false,
            driver: false,
            drivers: 0,
            parts: PartLimits::MODULE,
            several: false,
            held: Held::default(),
        }
    }

    /// For a component.
    pub(crate) fn for_component(limits: Limits, inline_memory: u64) -> Self {
        Self { parts: PartLimits::COMPONENT, several: true, ..Self::new(limits, inline_memory) }
    }

    async fn leave_for_pool(&mut self, memory: u64) {
        if self.inline && memory > self.inline_memory {
            self.inline = false;
            yield_to_pool().await;
        }
    }

    /// To be awaited before the host copies so many bytes for a guest.
    pub(crate) async fn before_copying(&mut self, bytes: u64) {
        if self.inline && bytes > INLINE_COPY_BYTES {
            self.inline = false;
            yield_to_pool().await;
        }
    }
}

impl Limiter {
    /// How much memory the guest will have, if it may; none if it may not.
    fn memory_wanted(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Option<u64> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            // It would fail afterwards, and be counted all the same.
            return None;
        }
        let desired = match self.several {
            true => self.memory.saturating_add(desired.saturating_sub(current) as u64),
            false => desired as u64,
        };
        if desired > self.limits.memory {
            self.hit = Some(Error::Limit { kind: LimitKind::Memory, limit: self.limits.memory, asked: Some(desired) });
            return None;
        }
        self.memory = self.memory.max(desired);
        self.held.set(self.memory);
        Some(desired)
    }

    fn may_have_table(&mut self, desired: usize) -> bool {
        if desired as u64 > self.limits.table {
            self.hit =
                Some(Error::Limit { kind: LimitKind::Table, limit: self.limits.table, asked: Some(desired as u64) });
            return false;
        }
        true
    }
}

macro_rules! parts {
    () => {
        fn instances(&self) -> usize {
            self.parts.instances
        }

        fn tables(&self) -> usize {
            self.parts.tables
        }

        fn memories(&self) -> usize {
            self.parts.memories
        }
    };
}

#[wasmtime_wasi::async_trait]
impl wasmtime::ResourceLimiterAsync for Limiter {
    async fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if self.driver {
            return Ok(true);
        }
        let Some(desired) = self.memory_wanted(current, desired, maximum) else { return Ok(false) };
        self.leave_for_pool(desired).await;
        Ok(true)
    }

    async fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.may_have_table(desired))
    }

    parts!();
}

/// For guests on their callers' stacks.
impl wasmtime::ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.memory_wanted(current, desired, maximum).is_some())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.may_have_table(desired))
    }

    parts!();
}
