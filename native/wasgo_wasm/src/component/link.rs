//! What a component's imports are satisfied with.

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime_wasi::p2;

use super::compiled::ItemInfo;
use super::granted;
use super::host::{self, Imports};
use super::instance::Host;
use crate::error::Error;

/// How an import that belongs to no interface is spoken of.
const ROOT: &str = "$root";

/// Satisfies what `component` imports: WASI's interfaces by an empty world, others by what is `given`, and nothing else.
pub(super) fn link(
    engine: &wasmtime::Engine,
    component: &Component,
    imports: &[ItemInfo],
    given: &Imports,
) -> Result<InstancePre<Host>, Error> {
    let mut linker = Linker::new(engine);
    let wasi = |import: &ItemInfo| import.interface.as_deref().is_some_and(|name| name.starts_with("wasi:"));
    if imports.iter().any(wasi) {
        p2::add_to_linker_async(&mut linker).map_err(Error::engine)?;
    }
    // What the caller gives goes before the empty world, and before what is granted.
    linker.allow_shadowing(true);
    granted::link(&mut linker, given.grants.names()).map_err(Error::engine)?;
    host::link(&mut linker, engine, component, &given.functions)?;
    linker.instantiate_pre(component).map_err(|error| missing(imports, &error))
}

/// Names the import that could not be satisfied. wasmtime's error has the names in its words only, each in backticks: first the
/// import's, then that of the interface's member.
fn missing(imports: &[ItemInfo], error: &wasmtime::Error) -> Error {
    let words: Vec<String> = error.chain().map(ToString::to_string).collect();
    let quoted = |index: usize| words.get(index).and_then(|text| text.split('`').nth(1)).unwrap_or("*");
    let (outer, inner) = (quoted(0), quoted(1));
    let find = |interface: Option<&str>, name: &str| {
        imports.iter().find(|import| import.interface.as_deref() == interface && import.name == name)
    };
    let wanted = |import: &ItemInfo| match import.signature.as_str() {
        "" => import.kind.to_owned(),
        signature => signature.to_owned(),
    };
    if let Some(import) = find(Some(outer), inner) {
        return Error::MissingImport { module: outer.into(), name: inner.into(), wanted: wanted(import) };
    }
    match find(None, outer) {
        Some(import) => Error::MissingImport { module: ROOT.into(), name: outer.into(), wanted: wanted(import) },
        None => Error::MissingImport { module: outer.into(), name: "*".into(), wanted: words.join(": ") },
    }
}
