//! Buffers beside a call's result: `emit(pointer: i32, length: i32)`.

use wasmtime::{Caller, Linker};

use super::{MODULE, memory};
use crate::core::Host;
use crate::error::{Error, LimitKind};
use crate::host_call::fail;

/// Buffers of one call.
const MAX_BUFFERS: usize = 4_096;

/// What was emitted. All of it together counts against the limit of a call's result.
pub(crate) struct Emitted {
    buffers: Vec<Vec<u8>>,
    bytes: u64,
    limit: u64,
}

impl Emitted {
    pub(super) fn new(limit: u64) -> Self {
        Self { buffers: Vec::new(), bytes: 0, limit }
    }

    /// Whether there is room for so many bytes more.
    ///
    /// # Errors
    /// [`Error::Limit`] when they are too many, or too many buffers.
    pub(crate) fn check(&self, length: usize) -> Result<(), Error> {
        let asked = self.bytes.saturating_add(length as u64);
        if asked > self.limit {
            return Err(Error::Limit { kind: LimitKind::ResultSize, limit: self.limit, asked: Some(asked) });
        }
        if self.buffers.len() == MAX_BUFFERS {
            return Err(Error::Limit { kind: LimitKind::Buffers, limit: MAX_BUFFERS as u64, asked: None });
        }
        Ok(())
    }

    /// Takes a buffer that there is room for.
    pub(crate) fn add(&mut self, buffer: Vec<u8>) {
        self.bytes += buffer.len() as u64;
        self.buffers.push(buffer);
    }

    pub(super) fn take(&mut self) -> Vec<Vec<u8>> {
        self.bytes = 0;
        std::mem::take(&mut self.buffers)
    }

    pub(super) fn clear(&mut self) {
        self.take();
    }
}

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap_async(MODULE, "emit", |mut caller: Caller<'_, Host>, (pointer, length): (u32, u32)| {
        Box::new(async move {
            caller.data_mut().limiter.before_copying(length.into()).await;
            let (memory, range) = memory::place(&mut caller, "wasgo.emit", pointer, length)?;
            let (data, host) = memory.data_and_store_mut(&mut caller);
            let Some(granted) = &mut host.granted else { return Ok(()) };
            match granted.emitted.check(range.len()) {
                Ok(()) => granted.emitted.add(data[range].to_vec()),
                Err(error) => return Err(fail(&mut caller, error)),
            }
            wasmtime::Result::Ok(())
        })
    })?;
    Ok(())
}
