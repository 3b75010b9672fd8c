//! A module's machine code, for each of the wasmtime engines that it runs in.

use std::sync::OnceLock;

use crate::engine::Engine;
use crate::error::Error;
use crate::flavour::Flavour;

/// Machine code. It is compiled once; what is compiled for the pool can be taken to the engine without one.
pub(crate) struct Code {
    flavour: Flavour,
    own: wasmtime::Module,
    roomy: OnceLock<wasmtime::Module>,
}

impl Code {
    /// Compiles a valid module for `flavour`; one whose instances no place of the pool holds is compiled for
    /// [`Flavour::Roomy`] instead.
    ///
    /// # Errors
    /// [`Error::Compile`] with what the compiler said.
    pub(crate) fn compile(engine: &Engine, wasm: &[u8], flavour: Flavour) -> Result<Self, Error> {
        let compile = |flavour| {
            wasmtime::Module::from_binary(engine.wasmtime(flavour)?, wasm)
                .map(|own| Self { flavour, own, roomy: OnceLock::new() })
                .map_err(|error| Error::Compile { message: compile_message(&error) })
        };
        match compile(flavour) {
            Err(_) if flavour == Flavour::Pooled => compile(Flavour::Roomy),
            done => done,
        }
    }

    /// What it was compiled for.
    pub(crate) fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// The module as it was compiled.
    pub(crate) fn own(&self) -> &wasmtime::Module {
        &self.own
    }

    /// The module for `flavour`, which is the one that it was compiled for or [`Flavour::Roomy`]. The first time for the latter takes
    /// as long as copying the code.
    ///
    /// # Errors
    /// [`Error::Engine`] when there is no memory for it.
    pub(crate) fn module(&self, engine: &Engine, flavour: Flavour) -> Result<&wasmtime::Module, Error> {
        if flavour == self.flavour || self.flavour == Flavour::Deterministic {
            return Ok(&self.own);
        }
        match self.roomy.get() {
            Some(module) => Ok(module),
            None => {
                let taken = take_to(engine.wasmtime(Flavour::Roomy)?, &self.own)?;
                Ok(self.roomy.get_or_init(|| taken))
            }
        }
    }
}

/// The same code in another engine of the same compiler settings.
#[allow(unsafe_code)]
fn take_to(engine: &wasmtime::Engine, module: &wasmtime::Module) -> Result<wasmtime::Module, Error> {
    let code = module.serialize().map_err(Error::engine)?;
    // SAFETY: the bytes are what wasmtime serialised in the line above, and nobody else has seen them.
    unsafe { wasmtime::Module::deserialize(engine, code) }.map_err(Error::engine)
}

/// The whole chain of wasmtime's error on one line; without the chain it only says that compiling failed.
pub(crate) fn compile_message(error: &wasmtime::Error) -> String {
    error.chain().map(|cause| cause.to_string().replace('\n', " ")).collect::<Vec<_>>().join(": ")
}
