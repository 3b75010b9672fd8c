//! A module's machine code, for each of the wasmtime engines that it runs in.

use std::sync::{Arc, OnceLock};

use wasmparser::{
    Chunk, DataKind, DataSectionReader, ImportSectionReader, MemorySectionReader, Operator, Parser, Payload,
};

use crate::bulk::Bulk;
use crate::cache::Compiled;
use crate::engine::Engine;
use crate::error::Error;
use crate::executor::Callback;
use crate::flavour::{Flavour, IMAGE_OVER_DATA, IMAGE_SEGMENTS, MAX_IMAGE, MIN_IMAGE, POOL_DATA, POOL_MEMORY};
use crate::wasi::WASI_MODULE;

/// Machine code, shared by all who compile the same bytes. It is compiled once; what is compiled for the pool can be taken to the engine
/// of those that have no place in it.
pub(crate) struct Code {
    flavour: Flavour,
    // As long as this lives, the cache hands it out.
    compiled: Arc<Compiled<wasmtime::Module>>,
    unpooled: OnceLock<wasmtime::Module>,
    pub(crate) bulk: Bulk,
}

impl Code {
    /// Gives `done` the machine code of a binary module: from the cache, or compiled on this thread, or by another thread that is compiling
    /// the same. A module whose instances no place of the pool holds is compiled for [`Flavour::Roomy`].
    ///
    /// # Errors
    /// [`Error::Compile`] with what the compiler said, [`Error::Limit`] of the engine's limits of modules.
    pub(crate) fn obtain(
        engine: &Engine,
        wasm: Arc<Vec<u8>>,
        deterministic: bool,
        done: Callback<Result<Self, Error>>,
    ) {
        let flavour = match deterministic {
            true => Flavour::Deterministic,
            false if fits_pool(&wasm) => Flavour::Pooled,
            false if wants_image(&wasm) => Flavour::Image,
            false => Flavour::Roomy,
        };
        let theirs = engine.clone();
        let retry = Arc::clone(&wasm);
        obtain_for(
            engine,
            flavour,
            &wasm,
            Box::new(move |result| match result {
                // What the pool has no places for is known for sure only when it was asked.
                Err(Error::Compile { .. }) if flavour == Flavour::Pooled => {
                    obtain_for(&theirs, Flavour::Roomy, &retry, done);
                }
                result => done(result),
            }),
        );
    }

    /// What it was compiled for.
    pub(crate) fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// The module as it was compiled.
    pub(crate) fn own(&self) -> &wasmtime::Module {
        &self.compiled.artefact
    }

    /// The module for `flavour`, which is the one that it was compiled for or its [`Flavour::Unpooled`]. The first time for the
    /// latter takes as long as copying the code.
    ///
    /// # Errors
    /// [`Error::Engine`] when there is no memory for it.
    pub(crate) fn module(&self, engine: &Engine, flavour: Flavour) -> Result<&wasmtime::Module, Error> {
        if flavour == self.flavour || self.flavour != Flavour::Pooled {
            return Ok(self.own());
        }
        match self.unpooled.get() {
            Some(module) => Ok(module),
            None => {
                let taken = take_to(engine.wasmtime(Flavour::Unpooled)?, self.own())?;
                Ok(self.unpooled.get_or_init(|| taken))
            }
        }
    }
}

fn obtain_for(engine: &Engine, flavour: Flavour, wasm: &[u8], done: Callback<Result<Code, Error>>) {
    let wasmtime = match engine.wasmtime(flavour) {
        Ok(wasmtime) => wasmtime,
        Err(error) => return done(Err(error)),
    };
    let mut limits = engine.options().module_limits;
    if flavour == Flavour::Image {
        limits.data_segments = limits.data_segments.max(IMAGE_SEGMENTS);
    }
    let make = || {
        limits.check(wasm)?;
        let module = wasmtime::Module::from_binary(wasmtime, wasm).map_err(|error| Error::compile(&error))?;
        Ok((module, Bulk::of(wasm).to_bytes().to_vec()))
    };
    let answer = move |compiled: Result<Arc<Compiled<wasmtime::Module>>, Error>| {
        done(compiled.map(|compiled| {
            let bulk = Bulk::from_bytes(&compiled.notes);
            Code { flavour, compiled, unpooled: OnceLock::new(), bulk }
        }));
    };
    // What one engine takes, another with lower limits does not, and then must not find it either.
    let name = format!("{} {limits:?}", flavour.name());
    engine.cache().module(wasmtime, &name, wasm, make, Box::new(answer));
}

/// Whether a place of the pool may hold a module's instances, as far as its sections tell. Programs that want WASI get no place: they are
/// few, live long and are large.
fn fits_pool(mut wasm: &[u8]) -> bool {
    let mut parser = Parser::new(0);
    // Whatever is wrong with it, the compiler says.
    while let Ok(Chunk::Parsed { consumed, payload }) = parser.parse(wasm, true) {
        wasm = &wasm[consumed..];
        match payload {
            Payload::ImportSection(imports) if wants_wasi(imports.clone()) => return false,
            Payload::MemorySection(memories) if is_too_large(memories.clone()) => return false,
            // Data behind the code are all that is left to tell.
            Payload::CodeSectionStart { size, .. } => {
                let Some(rest) = wasm.get(size as usize..) else { break };
                parser.skip_section();
                wasm = rest;
            }
            Payload::DataSection(data) => return data.range().len() as u64 <= POOL_DATA,
            Payload::End(_) => break,
            _ => {}
        }
    }
    true
}

/// Whether a module is a program with so much in its memory that its instances are to share it.
fn wants_image(wasm: &[u8]) -> bool {
    let mut program = false;
    for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
        match payload {
            Payload::ImportSection(imports) => program |= wants_wasi(imports),
            Payload::CodeSectionStart { .. } | Payload::CodeSectionEntry(_) if !program => return false,
            Payload::DataSection(data) => return program && is_image(data),
            _ => {}
        }
    }
    false
}

fn is_image(data: DataSectionReader<'_>) -> bool {
    let (mut bytes, mut first, mut last) = (0_u64, u64::MAX, 0);
    for segment in data.into_iter().flatten() {
        let DataKind::Active { memory_index: 0, offset_expr } = segment.kind else { continue };
        let mut offset = offset_expr.get_operators_reader();
        let Ok(Operator::I32Const { value }) = offset.read() else { return false };
        let (start, length) = (u64::from(value.cast_unsigned()), segment.data.len() as u64);
        (bytes, first, last) = (bytes + length, first.min(start), last.max(start + length));
    }
    let span = last.saturating_sub(first);
    bytes >= MIN_IMAGE && span <= MAX_IMAGE && span <= bytes.saturating_mul(IMAGE_OVER_DATA)
}

fn wants_wasi(imports: ImportSectionReader<'_>) -> bool {
    imports.into_imports().flatten().any(|import| import.module == WASI_MODULE)
}

fn is_too_large(memories: MemorySectionReader<'_>) -> bool {
    memories.into_iter().flatten().any(|memory| memory.initial.saturating_mul(1 << 16) > POOL_MEMORY)
}

/// The same code in another engine of the same compiler settings.
#[allow(unsafe_code)]
fn take_to(engine: &wasmtime::Engine, module: &wasmtime::Module) -> Result<wasmtime::Module, Error> {
    let code = module.serialize().map_err(Error::engine)?;
    // SAFETY: the bytes are what wasmtime serialised in the line above, and nobody else has seen them.
    unsafe { wasmtime::Module::deserialize(engine, code) }.map_err(Error::engine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(text: &str) -> bool {
        fits_pool(&wat::parse_str(text).unwrap())
    }

    #[test]
    fn a_module_with_more_data_than_are_copied_quickly_gets_no_place_of_the_pool() {
        let with_data = |bytes: u64| {
            let data = "x".repeat(bytes as usize);
            fits(&format!(r#"(module (memory 10) (func (export "f")) (data (i32.const 0) "{data}"))"#))
        };
        assert!(with_data(10));
        assert!(with_data(POOL_DATA - 100));
        assert!(!with_data(POOL_DATA + 100));
    }

    #[test]
    fn a_program_or_one_with_a_larger_memory_gets_none_either() {
        assert!(fits("(module (memory 1024))"));
        assert!(!fits("(module (memory 1025))"));
        assert!(!fits(r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))))"#));
    }

    #[test]
    fn a_program_with_much_in_its_memory_is_made_an_image_of_unless_that_would_be_mostly_zeros() {
        let program = |import: &str, bytes: u64, at: u64| {
            let data = "x".repeat(bytes as usize);
            let text = format!(
                r#"(module (import "{import}" "proc_exit" (func (param i32))) (memory 16384) (func (export "_start"))
                   (data (i32.const 0) "{data}") (data (i32.const {at}) "last"))"#
            );
            wants_image(&wat::parse_str(text).unwrap())
        };
        assert!(program(WASI_MODULE, MIN_IMAGE, MIN_IMAGE * 4));
        assert!(!program("other", MIN_IMAGE, MIN_IMAGE * 4));
        assert!(!program(WASI_MODULE, MIN_IMAGE - 5, MIN_IMAGE));
        assert!(!program(WASI_MODULE, MIN_IMAGE, MIN_IMAGE * IMAGE_OVER_DATA + 100));
    }

    #[test]
    fn what_is_cut_short_is_left_to_the_compiler() {
        let wasm = wat::parse_str(r#"(module (memory 1) (func (export "f")) (data (i32.const 0) "data"))"#).unwrap();
        assert!((0..wasm.len()).all(|length| fits_pool(&wasm[..length])));
    }
}
