//! A compiled module, and what can be said of it without running it.

use std::sync::Arc;

use wasmtime::{ExternType, InstancePre};

use crate::bulk::Bulk;
use crate::engine::Engine;
use crate::error::{Error, LimitKind};
use crate::executor::Callback;
use crate::grants;
use crate::instance::Host;
use crate::service::{self, ServiceHost};

/// How long a module's loops may make compiling it last, in milliseconds and roughly. A large program's largest function, a
/// bytecode interpreter, takes some tens.
const MAX_COMPLEXITY_MS: u64 = 20_000;

/// An import or export, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternInfo {
    /// For an import the name of the module that it is wanted from, else empty.
    pub module: String,
    /// Its name.
    pub name: String,
    /// `func`, `memory`, `table`, `global` or `tag`.
    pub kind: &'static str,
    /// Its type, such as `(i32, i32) -> i64` or `1..16 pages`.
    pub signature: String,
}

/// How the module's imports were satisfied, once and for all instances.
pub(crate) enum Linked {
    /// A script: only what every script is given.
    Script(InstancePre<Host>),
    /// A program that wants WASI, to be run as a service.
    Wasi(InstancePre<ServiceHost>),
    /// Something is missing that neither way gives.
    Missing(Error),
}

pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) linked: Linked,
    pub(crate) bulk: Bulk,
    imports: Vec<ExternInfo>,
    exports: Vec<ExternInfo>,
    size: usize,
}

/// A compiled module; clones are handles on the same one.
#[derive(Clone)]
pub struct Module(pub(crate) Arc<Parts>);

impl Module {
    /// Compiles WebAssembly bytes or WAT text on a thread for that; `done` gets the module.
    ///
    /// # Errors
    /// [`Error::Compile`] for what is no valid module, [`LimitKind::ModuleSize`] for a larger one than the engine takes.
    pub fn compile_later(engine: &Engine, source: Vec<u8>, done: Callback<Result<Self, Error>>) {
        let theirs = engine.clone();
        engine.compile_later(Box::new(move |room| {
            done(match room {
                Ok(()) => Self::compile(&theirs, &source),
                Err(full) => Err(full),
            });
        }));
    }

    /// Compiles on this thread, which may take seconds.
    ///
    /// # Errors
    /// As for [`Self::compile_later`].
    pub fn compile(engine: &Engine, source: &[u8]) -> Result<Self, Error> {
        let limit = engine.options().module_size;
        if source.len() as u64 > limit {
            return Err(Error::Limit { kind: LimitKind::ModuleSize, limit, asked: Some(source.len() as u64) });
        }
        if source.is_empty() {
            return Err(Error::Compile { message: "it is empty".into() });
        }
        let wasm = wat::parse_bytes(source).map_err(|error| Error::Compile { message: error.to_string() })?;
        let bulk = Bulk::of(&wasm);
        let complexity = bulk.compile_ns / 1_000_000;
        if complexity > MAX_COMPLEXITY_MS {
            let asked = Some(complexity);
            return Err(Error::Limit { kind: LimitKind::Complexity, limit: MAX_COMPLEXITY_MS, asked });
        }
        let module = wasmtime::Module::from_binary(engine.wasmtime(), &wasm)
            .map_err(|error| Error::Compile { message: compile_message(&error) })?;
        let linked = link(engine, &module);
        Ok(Self(Arc::new(Parts {
            engine: engine.clone(),
            linked,
            bulk,
            imports: module.imports().map(|import| describe(import.module(), import.name(), &import.ty())).collect(),
            exports: module.exports().map(|export| describe("", export.name(), &export.ty())).collect(),
            size: wasm.len(),
        })))
    }

    /// What the module wants.
    pub fn imports(&self) -> &[ExternInfo] {
        &self.0.imports
    }

    /// What the module offers.
    pub fn exports(&self) -> &[ExternInfo] {
        &self.0.exports
    }

    /// Its size as WebAssembly, in bytes.
    pub fn size(&self) -> usize {
        self.0.size
    }

    /// The engine that it was compiled by.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }
}

/// The whole chain of wasmtime's error on one line; without the chain it only says that compiling failed.
fn compile_message(error: &wasmtime::Error) -> String {
    error.chain().map(|cause| cause.to_string().replace('\n', " ")).collect::<Vec<_>>().join(": ")
}

fn link(engine: &Engine, module: &wasmtime::Module) -> Linked {
    let wants_wasi = module.imports().any(|import| import.module() == service::WASI_MODULE);
    let linked = if wants_wasi {
        service::linker(engine.wasmtime()).and_then(|linker| linker.instantiate_pre(module)).map(Linked::Wasi)
    } else {
        grants::linker(engine.wasmtime()).and_then(|linker| linker.instantiate_pre(module)).map(Linked::Script)
    };
    linked.unwrap_or_else(|error| Linked::Missing(missing(module, wants_wasi, &error)))
}

/// Names the import that could not be satisfied.
fn missing(module: &wasmtime::Module, wants_wasi: bool, error: &wasmtime::Error) -> Error {
    match error.downcast_ref::<wasmtime::UnknownImportError>() {
        Some(unknown) => Error::MissingImport {
            module: unknown.module().into(),
            name: unknown.name().into(),
            wanted: module
                .imports()
                .find(|import| import.module() == unknown.module() && import.name() == unknown.name())
                .map_or_else(String::new, |import| {
                    let info = describe("", "", &import.ty());
                    format!("{} {}", info.kind, info.signature)
                }),
        },
        // The name is known and the type is another: wasmtime's message names both.
        None => {
            let given = if wants_wasi { service::WASI_MODULE } else { "env" };
            Error::MissingImport { module: given.into(), name: "*".into(), wanted: compile_message(error) }
        }
    }
}

fn describe(module: &str, name: &str, ty: &ExternType) -> ExternInfo {
    let (kind, signature) = match ty {
        ExternType::Func(ty) => ("func", signature(ty)),
        ExternType::Memory(ty) => ("memory", pages(ty.minimum(), ty.maximum())),
        ExternType::Table(ty) => ("table", format!("{}..{}", ty.minimum(), bound(ty.maximum()))),
        ExternType::Global(ty) => ("global", ty.content().to_string()),
        ExternType::Tag(_) => ("tag", String::new()),
    };
    ExternInfo { module: module.into(), name: name.into(), kind, signature }
}

fn pages(minimum: u64, maximum: Option<u64>) -> String {
    format!("{minimum}..{} pages", bound(maximum))
}

fn bound(maximum: Option<u64>) -> String {
    maximum.map_or_else(String::new, |maximum| maximum.to_string())
}

/// A function's type as text: `(i32, f64) -> i64`.
pub(crate) fn signature(ty: &wasmtime::FuncType) -> String {
    let list = |types: &mut dyn Iterator<Item = wasmtime::ValType>| {
        types.map(|ty| ty.to_string()).collect::<Vec<_>>().join(", ")
    };
    let results = list(&mut ty.results());
    let arrow = if results.is_empty() { "()".into() } else { results };
    format!("({}) -> {arrow}", list(&mut ty.params()))
}
