//! Compiled modules.

use rustler::{Atom, Binary, Encoder, Env, Resource, ResourceArc, Term};
use wasgo_wasm::{Callback, CompileOptions, ExternInfo, Module, lines};

use super::engine;
use crate::atoms;
use crate::later::Waiting;
use crate::{bytes, fault};

/// A module's resource.
pub struct ModuleResource(pub Module);

#[rustler::resource_impl]
impl Resource for ModuleResource {}

impl Drop for ModuleResource {
    fn drop(&mut self) {
        // The last of a module's handles unmaps its code.
        bytes::reap(self.0.clone());
    }
}

/// Compiles on a thread for that; always answers later. For up to 1 MiB of source; the caller picks the twin for more.
#[rustler::nif]
fn wasm_compile<'a>(env: Env<'a>, source: Binary<'a>, deterministic: bool) -> Term<'a> {
    compile(env, &source, CompileOptions { deterministic })
}

#[rustler::nif(schedule = "DirtyCpu")]
fn wasm_compile_dirty<'a>(env: Env<'a>, source: Binary<'a>, deterministic: bool) -> Term<'a> {
    compile(env, &source, CompileOptions { deterministic })
}

fn compile<'a>(env: Env<'a>, source: &Binary<'a>, options: CompileOptions) -> Term<'a> {
    let engine = match engine() {
        Ok(engine) => engine,
        Err(error) => return fault::err(env, fault::wasm(env, error)),
    };
    let (waiting, reference) = Waiting::new(env);
    let done: Callback<_> = Box::new(move |result: Result<Module, wasgo_wasm::Error>| {
        waiting.answer(move |env| match result {
            Ok(module) => {
                let info = (externs(env, module.imports()), externs(env, module.exports()), module.size());
                fault::ok(env, (ResourceArc::new(ModuleResource(module)), info))
            }
            Err(error) => fault::err(env, fault::wasm(env, &error)),
        });
    });
    Module::compile_later(engine, source.as_slice().to_vec(), options, done);
    (atoms::pending(), reference).encode(env)
}

/// Says of a module what it is, without compiling: `{kind, imports, exports, size}`. Takes some 10 ms for each MiB, which is why small
/// ones too are validated on a dirty scheduler.
#[rustler::nif(schedule = "DirtyCpu")]
fn wasm_validate<'a>(env: Env<'a>, source: Binary<'a>) -> Term<'a> {
    let engine = match engine() {
        Ok(engine) => engine,
        Err(error) => return fault::err(env, fault::wasm(env, error)),
    };
    match Module::validate(engine, &source) {
        Ok(info) => {
            let kind = fault::atom(env, info.kind.name());
            fault::ok(env, (kind, externs(env, &info.imports), externs(env, &info.exports), info.size))
        }
        Err(error) => fault::err(env, fault::wasm(env, &error)),
    }
}

/// Of each offset in a module the `{file, line, column}` that it is of, or `nil`: `{:ok, list}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn wasm_lines<'a>(env: Env<'a>, source: Binary<'a>, offsets: Vec<u64>) -> Term<'a> {
    let lines = lines(&source, &offsets);
    let places: Vec<_> = lines.into_iter().map(|line| line.map(|line| (line.file, line.line, line.column))).collect();
    fault::ok(env, places)
}

/// Imports or exports as `{module, name, kind, signature}`.
fn externs<'a>(env: Env<'a>, list: &[ExternInfo]) -> Term<'a> {
    list.iter()
        .map(|info| {
            let kind = Atom::from_str(env, info.kind).unwrap_or_else(|_| atoms::error());
            (&info.module, &info.name, kind, &info.signature).encode(env)
        })
        .collect::<Vec<_>>()
        .encode(env)
}
