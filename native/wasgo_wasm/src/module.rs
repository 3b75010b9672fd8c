//! A compiled module, and what can be said of it without running it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::{ExternType, InstancePre, ValType};

use crate::code::Code;
use crate::core::Host;
use crate::engine::Engine;
use crate::error::{Error, LimitKind};
use crate::executor::Callback;
use crate::flavour::{Flavour, POOL_MEMORY, POOL_TABLE};
use crate::imports::{Imports, missing};
use crate::limits::Limits;
use crate::service::{self, ServiceHost};
use crate::wasi;

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

/// Sets of imports that a module remembers how to link with; more are linked anew each time.
const LINKS: usize = 8;

/// An exported function.
pub(crate) struct FunctionExport {
    pub(crate) name: Box<str>,
    /// Its place among the exported functions.
    pub(crate) number: u32,
    pub(crate) parameters: Box<[ValType]>,
    pub(crate) results: Box<[ValType]>,
}

/// The exported functions by name. Looked into at each call; the hash is seeded at random, since guests choose the names.
type Functions = HashMap<Box<str>, Arc<FunctionExport>, foldhash::fast::RandomState>;

/// A module linked with certain imports.
struct Link {
    flavour: Flavour,
    imports: Imports,
    pre: Arc<InstancePre<Host>>,
}

pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) code: Code,
    /// How a program that wants WASI is linked; none for a script.
    pub(crate) wasi: Option<Result<InstancePre<ServiceHost>, Error>>,
    pub(crate) functions: Functions,
    /// The same by their numbers.
    exported: Box<[Arc<FunctionExport>]>,
    links: Mutex<Vec<Link>>,
    imports: Vec<ExternInfo>,
    exports: Vec<ExternInfo>,
    size: usize,
}

/// How a module is compiled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CompileOptions {
    /// Code that gives the same results everywhere: it counts fuel instead of time, and canonicalises NaNs. About a third slower.
    pub deterministic: bool,
}

/// A compiled module; clones are handles on the same one.
#[derive(Clone)]
pub struct Module(pub(crate) Arc<Parts>);

impl Module {
    /// Compiles WebAssembly bytes or WAT text on a thread for that; `done` gets the module.
    ///
    /// # Errors
    /// [`Error::Compile`] for what is no valid module, [`LimitKind::ModuleSize`] for a larger one than the engine takes.
    pub fn compile_later(
        engine: &Engine,
        source: Vec<u8>,
        options: CompileOptions,
        done: Callback<Result<Self, Error>>,
    ) {
        let theirs = engine.clone();
        engine.compile_later(Box::new(move |room| match room {
            Ok(()) => Self::compile_then(&theirs, source, options, done),
            Err(full) => done(Err(full)),
        }));
    }

    /// Compiles on this thread, which may take seconds.
    ///
    /// # Errors
    /// As for [`Self::compile_later`].
    pub fn compile(engine: &Engine, source: &[u8], options: CompileOptions) -> Result<Self, Error> {
        let (send, receive) = crossbeam_channel::bounded(1);
        let done = Box::new(move |result| {
            let _ = send.send(result);
        });
        Self::compile_then(engine, source.to_vec(), options, done);
        receive.recv().unwrap_or_else(|_| Err(Error::engine("compiling ended without a result")))
    }

    /// Compiles on this thread, unless another is compiling the same: then `done` is called there.
    fn compile_then(engine: &Engine, source: Vec<u8>, options: CompileOptions, done: Callback<Result<Self, Error>>) {
        // What is binary already is not copied: it may be large.
        let wasm = match binary(engine, &source) {
            Ok(Cow::Owned(wasm)) => Arc::new(wasm),
            Ok(Cow::Borrowed(_)) => Arc::new(source),
            Err(error) => return done(Err(error)),
        };
        let (theirs, size) = (engine.clone(), wasm.len());
        let done = move |code: Result<Code, Error>| done(code.map(|code| Self::of(&theirs, code, size)));
        Code::obtain(engine, wasm, options.deterministic, Box::new(done));
    }

    fn of(engine: &Engine, code: Code, size: usize) -> Self {
        let module = code.own();
        let wants_wasi = module.imports().any(|import| import.module() == wasi::WASI_MODULE);
        let wasi = wants_wasi.then(|| {
            service::linker(module.engine())
                .and_then(|linker| linker.instantiate_pre(module))
                .map_err(|error| missing(module, &error))
        });
        let exported = functions(module);
        Self(Arc::new(Parts {
            engine: engine.clone(),
            wasi,
            functions: exported.iter().map(|export| (export.name.clone(), Arc::clone(export))).collect(),
            exported,
            links: Mutex::default(),
            imports: module.imports().map(|import| describe(import.module(), import.name(), &import.ty())).collect(),
            exports: module.exports().map(|export| describe("", export.name(), &export.ty())).collect(),
            size,
            code,
        }))
    }

    /// The module linked with `imports`, to be instantiated as `flavour`.
    pub(crate) fn link(&self, flavour: Flavour, imports: &Imports) -> Result<Arc<InstancePre<Host>>, Error> {
        if self.0.wasi.is_some() && !imports.closed_wasi {
            let message = "it is a WASI program, which is run as a service, not as a script";
            return Err(Error::contract(message));
        }
        let links = || self.0.links.lock().unwrap_or_else(PoisonError::into_inner);
        let like = |link: &&Link| link.flavour == flavour && link.imports.links_like(imports);
        if let Some(link) = links().iter().find(like) {
            return Ok(Arc::clone(&link.pre));
        }
        let pre = Arc::new(imports.link(self.0.code.module(&self.0.engine, flavour)?)?);
        let mut links = links();
        if links.len() == LINKS {
            links.remove(0);
        }
        links.push(Link { flavour, imports: imports.shape(), pre: Arc::clone(&pre) });
        Ok(pre)
    }

    /// Where instances with these limits live.
    pub(crate) fn flavour(&self, limits: &Limits) -> Flavour {
        match self.0.code.flavour() {
            Flavour::Pooled if limits.memory > POOL_MEMORY || limits.table > POOL_TABLE => Flavour::Unpooled,
            other => other,
        }
    }

    /// Whether an instance may be begun on its caller's thread. Its data are few enough to be copied there;
    /// what its start function does with it counts as in a call.
    pub(crate) fn may_start_inline(&self, limits: &Limits) -> bool {
        self.0.code.bulk.starts_inline(limits)
            && !self.0.engine.is_behind()
            && self.flavour(limits) == self.0.code.flavour()
    }

    /// Whether an instance may go on its caller's thread, however much memory it has come to.
    pub(crate) fn may_resume_inline(&self, limits: &Limits) -> bool {
        self.0.code.bulk.inline_memory(limits).is_some_and(|most| most >= limits.memory)
    }

    /// The exported function `name`.
    pub(crate) fn function(&self, name: &str) -> Result<&Arc<FunctionExport>, Error> {
        self.0.functions.get(name).ok_or_else(|| Error::MissingExport { kind: "function", name: name.into() })
    }

    /// The exported function of a number.
    pub(crate) fn exported(&self, number: u32) -> Option<&Arc<FunctionExport>> {
        self.0.exported.get(number as usize)
    }

    /// Whether it was compiled to give the same results everywhere.
    pub fn is_deterministic(&self) -> bool {
        self.0.code.flavour().is_deterministic()
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

/// The exported functions, in the order of their numbers. Those of one name there can't be two of.
fn functions(module: &wasmtime::Module) -> Box<[Arc<FunctionExport>]> {
    let functions = module.exports().filter_map(|export| export.ty().func().map(|ty| (export.name(), ty.clone())));
    functions
        .zip(0..)
        .map(|((name, ty), number)| {
            let (parameters, results) = (ty.params().collect(), ty.results().collect());
            Arc::new(FunctionExport { name: name.into(), number, parameters, results })
        })
        .collect()
}

/// A module's bytes, from WAT if it is that.
pub(crate) fn binary<'a>(engine: &Engine, source: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
    let limit = engine.options().module_size;
    if source.len() as u64 > limit {
        return Err(Error::Limit { kind: LimitKind::ModuleSize, limit, asked: Some(source.len() as u64) });
    }
    if source.is_empty() {
        return Err(Error::Compile { message: "it is empty".into() });
    }
    wat::parse_bytes(source).map_err(|error| Error::Compile { message: error.to_string() })
}

/// The whole chain of wasmtime's error on one line; without the chain it only says that compiling failed.
pub(crate) fn compile_message(error: &wasmtime::Error) -> String {
    error.chain().map(|cause| cause.to_string().replace('\n', " ")).collect::<Vec<_>>().join(": ")
}

pub(crate) fn describe(module: &str, name: &str, ty: &ExternType) -> ExternInfo {
    let (kind, signature) = match ty {
        ExternType::Func(ty) => ("func", signature(ty)),
        ExternType::Memory(ty) => ("memory", pages(ty.minimum(), ty.maximum())),
        ExternType::Table(ty) => ("table", range(ty.minimum(), ty.maximum())),
        ExternType::Global(ty) => ("global", ty.content().to_string()),
        ExternType::Tag(_) => ("tag", String::new()),
    };
    ExternInfo { module: module.into(), name: name.into(), kind, signature }
}

pub(crate) fn pages(minimum: u64, maximum: Option<u64>) -> String {
    format!("{} pages", range(minimum, maximum))
}

pub(crate) fn range(minimum: u64, maximum: Option<u64>) -> String {
    format!("{minimum}..{}", maximum.map_or_else(String::new, |maximum| maximum.to_string()))
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
