//! Buffers beside a call's result: `emit(pointer: i32, length: i32)`.

use wasmtime::{Caller, Linker};

use super::{MODULE, memory};
use crate::core::Host;
use crate::error::{Error, LimitKind};
use crate::host_call::fail;

/// Buffers of one call.
const MAX_BUFFERS: usize = 4_096;

/// What was emitted. All of it together counts against the limit of a call's result.
pub(super) struct Emitted {
    buffers: Vec<Vec<u8>>,
    bytes: u64,
    limit: u64,
}

impl Emitted {
    pub(super) fn new(limit: u64) -> Self {
        Self { buffers: Vec::new(), bytes: 0, limit }
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
            let emitted = &mut granted.emitted;
            let asked = emitted.bytes + range.len() as u64;
            let refused = if asked > emitted.limit {
                Some((LimitKind::ResultSize, emitted.limit, Some(asked)))
            } else if emitted.buffers.len() == MAX_BUFFERS {
                Some((LimitKind::Buffers, MAX_BUFFERS as u64, None))
            } else {
                None
            };
            if let Some((kind, limit, asked)) = refused {
                return Err(fail(&mut caller, Error::Limit { kind, limit, asked }));
            }
            emitted.bytes = asked;
            emitted.buffers.push(data[range].to_vec());
            wasmtime::Result::Ok(())
        })
    })?;
    Ok(())
}
