//! A compiled component, and what can be said of it without running it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{ComponentExportIndex, InstancePre};

use super::describe::{ResourceNames, describe_item};
use super::host::Imports;
use super::instance::Host;
use super::link::link;
use super::scan::Scan;
use crate::cache::Compiled;
use crate::engine::Engine;
use crate::error::Error;
use crate::executor::Callback;
use crate::flavour::Flavour;
use crate::limits::PartLimits;
use crate::module::{self, compile_message};

/// An import or export, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemInfo {
    /// The interface that it is of, such as `wasgo:test/shapes@0.1.0`; none for what stands alone.
    pub interface: Option<String>,
    /// Its name.
    pub name: String,
    /// `func`, `type`, `resource`, `instance`, `module` or `component`.
    pub kind: &'static str,
    /// Its type in the words of WIT, such as `func(a: u8) -> string`.
    pub signature: String,
}

pub(super) struct Parts {
    pub(super) engine: Engine,
    /// What its instances are made from, or what is missing for that.
    pub(super) linked: Result<InstancePre<Host>, Error>,
    // As long as this lives, the cache hands it out.
    compiled: Arc<Compiled<wasmtime::component::Component>>,
    pub(super) wants_wasi: bool,
    pub(super) scan: Scan,
    /// How many memories an instance has at most.
    pub(super) memories: u64,
    functions: HashMap<Box<str>, ComponentExportIndex>,
    pub(super) resources: Vec<(ComponentExportIndex, Box<str>)>,
    imports: Vec<ItemInfo>,
    exports: Vec<ItemInfo>,
    size: usize,
}

/// A compiled component; clones are handles on the same one.
#[derive(Clone)]
pub struct Component(pub(super) Arc<Parts>);

impl Component {
    /// Compiles a component's bytes or text (WAT) on a thread for that; `done` gets it.
    ///
    /// # Errors
    /// [`Error::CompileComponent`] for what is no valid component, [`LimitKind::ModuleSize`](crate::LimitKind::ModuleSize) for a larger one than the engine takes.
    pub fn compile_later(engine: &Engine, source: Vec<u8>, done: Callback<Result<Self, Error>>) {
        let theirs = engine.clone();
        engine.compile_later(Box::new(move |room| match room {
            Ok(()) => Self::compile_then(&theirs, &source, done),
            Err(full) => done(Err(full)),
        }));
    }

    /// Compiles on this thread, which may take seconds.
    ///
    /// # Errors
    /// As for [`Self::compile_later`].
    pub fn compile(engine: &Engine, source: &[u8]) -> Result<Self, Error> {
        let (send, receive) = crossbeam_channel::bounded(1);
        let done = Box::new(move |result| {
            let _ = send.send(result);
        });
        Self::compile_then(engine, source, done);
        receive.recv().unwrap_or_else(|_| Err(Error::engine("compiling ended without a result")))
    }

    /// Compiles on this thread, unless another is compiling the same: then `done` is called there.
    fn compile_then(engine: &Engine, source: &[u8], done: Callback<Result<Self, Error>>) {
        let wasm = match binary(engine, source) {
            Ok(wasm) => wasm,
            Err(error) => return done(Err(error)),
        };
        let limits = engine.options().module_limits;
        let wasmtime = engine.for_components();
        let make = || {
            limits.check(&wasm)?;
            let component = wasmtime::component::Component::from_binary(wasmtime, &wasm)
                .map_err(|error| refuse(&compile_message(&error)))?;
            Ok((component, Scan::of(&wasm).to_bytes()))
        };
        let (theirs, size) = (engine.clone(), wasm.len());
        let answer = move |compiled: Result<Arc<Compiled<_>>, Error>| {
            done(compiled.map(|compiled| Self(Arc::new(Self::inspect(&theirs, compiled, size)))));
        };
        // What one engine takes, another with lower limits does not, and then must not find it either.
        engine.cache().component(
            wasmtime,
            &format!("{} {limits:?}", Flavour::Component.name()),
            &wasm,
            make,
            Box::new(answer),
        );
    }

    fn inspect(engine: &Engine, compiled: Arc<Compiled<wasmtime::component::Component>>, size: usize) -> Parts {
        let wasmtime = engine.for_components();
        let component = &compiled.artefact;
        let ty = component.component_type();
        let (mut imports, mut exports) = (Items::default(), Items::default());
        for (name, item) in ty.imports(wasmtime) {
            imports.add(wasmtime, name, item.ty);
        }
        for (name, item) in ty.exports(wasmtime) {
            exports.add(wasmtime, name, item.ty);
        }
        let names: Vec<_> = imports.resources().chain(exports.resources()).collect();
        let (mut functions, mut resources) = (HashMap::new(), Vec::new());
        for (interface, name, item) in &exports.0 {
            let parent = interface.as_deref().map(|interface| component.get_export_index(None, interface));
            let index = match &parent {
                None => component.get_export_index(None, name.as_str()),
                Some(Some(parent)) => component.get_export_index(Some(parent), name.as_str()),
                Some(None) => None,
            };
            let Some(index) = index else { continue };
            match item {
                ComponentItem::ComponentFunc(_) => add_names(&mut functions, interface.as_deref(), name, index),
                ComponentItem::Resource(_) => resources.push((index, name.as_str().into())),
                _ => {}
            }
        }
        let most = PartLimits::COMPONENT.memories as u64;
        let memories = component.resources_required().map_or(most, |required| most.min(required.num_memories.into()));
        Parts {
            engine: engine.clone(),
            memories,
            linked: link(wasmtime, component, &imports.describe(&names), &Imports::default()),
            wants_wasi: wants_wasi(&imports.0),
            scan: Scan::from_bytes(&compiled.notes),
            functions,
            resources,
            imports: imports.describe(&names),
            exports: exports.describe(&names),
            size,
            compiled,
        }
    }

    /// What the component wants.
    pub fn imports(&self) -> &[ItemInfo] {
        &self.0.imports
    }

    /// What the component offers.
    pub fn exports(&self) -> &[ItemInfo] {
        &self.0.exports
    }

    /// Its size as WebAssembly, in bytes.
    pub fn size(&self) -> usize {
        self.0.size
    }

    /// The component with its imports satisfied.
    ///
    /// # Errors
    /// [`Error::MissingImport`], and [`Error::WrongType`] for a function that does not fit.
    pub(crate) fn link(&self, given: &Imports) -> Result<InstancePre<Host>, Error> {
        if given.links_nothing() {
            return self.0.linked.clone();
        }
        link(self.0.engine.for_components(), &self.0.compiled.artefact, &self.0.imports, given)
    }

    /// The engine that it was compiled by.
    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Whether it asks for WASI.
    pub(crate) fn wants_wasi(&self) -> bool {
        self.0.wants_wasi
    }

    /// Where a function is: by its own name, or by its interface's name, a dot and its own.
    pub(super) fn function(&self, name: &str) -> Option<ComponentExportIndex> {
        self.0.functions.get(name).copied()
    }
}

fn refuse(message: &str) -> Error {
    Error::CompileComponent { message: message.into() }
}

/// A function of an interface with a version can also be called without it, unless there are two of that name.
fn add_names(
    functions: &mut HashMap<Box<str>, ComponentExportIndex>,
    interface: Option<&str>,
    name: &str,
    index: ComponentExportIndex,
) {
    let Some(interface) = interface else {
        functions.insert(name.into(), index);
        return;
    };
    functions.insert(format!("{interface}.{name}").into(), index);
    if let Some((plain, _version)) = interface.split_once('@') {
        functions.entry(format!("{plain}.{name}").into()).or_insert(index);
    }
}

/// A component's bytes, from text if it is that.
fn binary<'a>(engine: &Engine, source: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
    let wasm = module::binary(engine, source).map_err(|error| match error {
        Error::Compile { message } => refuse(&message),
        other => other,
    })?;
    if wasmparser::Parser::is_core_wasm(&wasm) {
        return Err(refuse("it is a core module, which is compiled as a module and not as a component"));
    }
    Ok(wasm)
}

/// The package namespace of WASI.
const WASI: &str = "wasi:";

fn wants_wasi(imports: &[Item]) -> bool {
    imports.iter().any(|(interface, name, _)| interface.as_deref().unwrap_or(name).starts_with(WASI))
}

type Item = (Option<String>, String, ComponentItem);

/// Imports or exports, those of interfaces each for itself.
#[derive(Default)]
struct Items(Vec<Item>);

impl Items {
    fn add(&mut self, engine: &wasmtime::Engine, name: &str, item: ComponentItem) {
        match item {
            ComponentItem::ComponentInstance(instance) => {
                let before = self.0.len();
                for (inner, item) in instance.exports(engine) {
                    self.0.push((Some(name.into()), inner.into(), item.ty));
                }
                if self.0.len() == before {
                    self.0.push((None, name.into(), ComponentItem::ComponentInstance(instance)));
                }
            }
            other => self.0.push((None, name.into(), other)),
        }
    }

    fn resources(&self) -> impl Iterator<Item = (wasmtime::component::ResourceType, Box<str>)> {
        self.0.iter().filter_map(|(_, name, item)| match item {
            ComponentItem::Resource(ty) => Some((*ty, name.as_str().into())),
            _ => None,
        })
    }

    fn describe(&self, names: &ResourceNames) -> Vec<ItemInfo> {
        let describe = |(interface, name, item): &Item| {
            let (kind, signature) = describe_item(item, names);
            ItemInfo { interface: interface.clone(), name: name.clone(), kind, signature }
        };
        self.0.iter().map(describe).collect()
    }
}
