//! From bytes to machine code.

use std::sync::Arc;

use crate::bulk::Bulk;
use crate::cache::{Cache, Compiled};
use crate::error::Error;
use crate::executor::Callback;
use crate::shape::ModuleLimits;

/// A module's machine code, shared by all who compile the same bytes.
#[derive(Clone)]
pub(crate) struct MachineCode {
    // As long as this lives, the cache hands it out.
    compiled: Arc<Compiled<wasmtime::Module>>,
    pub(crate) bulk: Bulk,
}

impl MachineCode {
    pub(crate) fn module(&self) -> &wasmtime::Module {
        &self.compiled.artefact
    }
}

/// Gives `done` the machine code of a binary module: from the cache, or compiled on this thread, or by another thread that is
/// compiling the same. `flavour` tells apart what is compiled for different ends by engines of the same settings.
pub(crate) fn machine_code(
    cache: &Cache,
    wasmtime: &wasmtime::Engine,
    flavour: &str,
    limits: &ModuleLimits,
    wasm: &[u8],
    done: Callback<Result<MachineCode, Error>>,
) {
    // What one engine takes, another with lower limits does not, and then must not find it either.
    let flavour = format!("{flavour} {limits:?}");
    let make = || {
        limits.check(wasm)?;
        let module = wasmtime::Module::from_binary(wasmtime, wasm).map_err(|error| Error::compile(&error))?;
        Ok((module, Bulk::of(wasm).to_bytes().to_vec()))
    };
    let done = move |compiled: Result<Arc<Compiled<wasmtime::Module>>, Error>| {
        done(compiled.map(|compiled| MachineCode { bulk: Bulk::from_bytes(&compiled.notes), compiled }));
    };
    cache.module(wasmtime, &flavour, wasm, make, Box::new(done));
}
