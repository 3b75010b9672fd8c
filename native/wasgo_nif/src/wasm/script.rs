//! The script contract: rows and buffers.

use rustler::{Binary, Encoder, Env, Resource, ResourceArc, Term};
use wasgo_wasm::row;
use wasgo_wasm::{
    Answers, CallOptions, Error, Generation, Processed, Rows, Scratch, Script, ScriptInfo, ScriptOptions,
};

use super::component::{ComponentResource, FunctionTuple, given};
use super::imports::ImportsResource;
use super::instance::binaries;
use super::module::ModuleResource;
use super::{Bounds, LimitsTuple, host, limits, options};
use crate::slice::Slice;
use crate::{atoms, bytes, fault, later, values};

/// A script's resource. Its instances are freed on a thread of the engine when the last reference goes.
pub struct ScriptResource(Script);

#[rustler::resource_impl]
impl Resource for ScriptResource {}

#[rustler::nif]
fn script_new<'a>(
    env: Env<'a>,
    module: ResourceArc<ModuleResource>,
    imports: Option<ResourceArc<ImportsResource>>,
    limit: LimitsTuple,
) -> Term<'a> {
    let imports = imports.map(|imports| imports.0.clone()).unwrap_or_default();
    match Script::new(&module.0, ScriptOptions { limits: limits(limit), imports }) {
        Ok(script) => fault::ok(env, ResourceArc::new(ScriptResource(script))),
        Err(error) => fault::err(env, fault::wasm(env, &error)),
    }
}

#[rustler::nif]
fn script_new_component<'a>(
    env: Env<'a>,
    component: ResourceArc<ComponentResource>,
    functions: Vec<FunctionTuple>,
    granted: Option<ResourceArc<ImportsResource>>,
    limit: LimitsTuple,
) -> Term<'a> {
    match Script::of_component(&component.0, given(functions, granted), limits(limit)) {
        Ok(script) => fault::ok(env, ResourceArc::new(ScriptResource(script))),
        Err(error) => fault::err(env, fault::wasm(env, &error)),
    }
}

/// Runs a call with a handler, where what the script was given needs one.
fn with_handler<'a>(
    env: Env<'a>,
    script: &ScriptResource,
    bounds: Bounds,
    run: impl FnOnce(CallOptions) -> Term<'a>,
) -> Term<'a> {
    host::with_handler_if(env, script.0.wants_handler(), script.0.functions(), options(bounds), run)
}

#[rustler::nif]
fn script_info<'a>(env: Env<'a>, script: ResourceArc<ScriptResource>, bounds: Bounds) -> Term<'a> {
    let _slice = Slice::begin(env);
    with_handler(env, &script, bounds, |options| later::start(env, info, |later| script.0.info(options, later)))
}

/// `{notification?, process?, generate?, columns}`.
fn info<'a>(env: Env<'a>, info: ScriptInfo) -> Term<'a> {
    (info.notification, info.process, info.generate, info.columns).encode(env)
}

/// Notifies with each of `rows`; answers a list of `{:ok, row}`, `{:ok, nil}` and `{:error, fault}`. For few rows; the caller picks
/// the twin for many.
#[rustler::nif]
fn script_notify<'a>(
    env: Env<'a>,
    script: ResourceArc<ScriptResource>,
    what: i32,
    rows: Term<'a>,
    bounds: Bounds,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    notify(env, &script, what, rows, bounds)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn script_notify_dirty<'a>(
    env: Env<'a>,
    script: ResourceArc<ScriptResource>,
    what: i32,
    rows: Term<'a>,
    bounds: Bounds,
) -> Term<'a> {
    notify(env, &script, what, rows, bounds)
}

fn notify<'a>(env: Env<'a>, script: &ScriptResource, what: i32, rows: Term<'a>, bounds: Bounds) -> Term<'a> {
    match encode_rows(rows) {
        Ok(rows) => with_handler(env, script, bounds, |options| {
            later::start_heavy(env, weight, answers, |later| script.0.notify(what, rows, options, later))
        }),
        Err(error) => fault::err(env, fault::wasm(env, &error)),
    }
}

/// For up to 256 KiB; the caller picks the twin for more.
#[rustler::nif]
fn script_process<'a>(
    env: Env<'a>,
    script: ResourceArc<ScriptResource>,
    input: Binary<'a>,
    bounds: Bounds,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    process(env, &script, &input, bounds)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn script_process_dirty<'a>(
    env: Env<'a>,
    script: ResourceArc<ScriptResource>,
    input: Binary<'a>,
    bounds: Bounds,
) -> Term<'a> {
    process(env, &script, &input, bounds)
}

fn process<'a>(env: Env<'a>, script: &ScriptResource, input: &Binary<'a>, bounds: Bounds) -> Term<'a> {
    let input = input.as_slice().to_vec();
    with_handler(env, script, bounds, |options| {
        later::start(env, processed, |later| script.0.process(input, options, later))
    })
}

/// `{emitted, returned}`.
fn processed(env: Env<'_>, processed: Processed) -> Term<'_> {
    (binaries(env, processed.emitted), binaries(env, processed.returned)).encode(env)
}

/// `{seed, x, z, lod}`: which chunk.
type Chunk = (u64, i32, i32, u32);

/// Generates a chunk by a row of parameters. For a short row; the caller picks the twin for a long one.
#[rustler::nif]
fn script_generate<'a>(
    env: Env<'a>,
    script: ResourceArc<ScriptResource>,
    chunk: Chunk,
    parameters: Term<'a>,
    bounds: Bounds,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    generate(env, &script, chunk, parameters, bounds)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn script_generate_dirty<'a>(
    env: Env<'a>,
    script: ResourceArc<ScriptResource>,
    chunk: Chunk,
    parameters: Term<'a>,
    bounds: Bounds,
) -> Term<'a> {
    generate(env, &script, chunk, parameters, bounds)
}

fn generate<'a>(
    env: Env<'a>,
    script: &ScriptResource,
    (seed, x, z, lod): Chunk,
    parameters: Term<'a>,
    bounds: Bounds,
) -> Term<'a> {
    let mut row = Vec::new();
    if let Err(error) = encode_row(parameters, "the parameters", &mut Vec::new(), &mut row) {
        return fault::err(env, fault::wasm(env, &error));
    }
    let what = Generation { seed, x, z, lod, parameters: row };
    with_handler(env, script, bounds, |options| {
        later::start(env, bytes::binary, |later| script.0.generate(what, options, later))
    })
}

/// Bytes of a row of half a dozen numbers.
const TYPICAL_ROW: usize = 112;

/// Rows of values, each a list. No list is copied: there may be thousands.
fn encode_rows(rows: Term<'_>) -> Result<Rows, Error> {
    let count = rows.list_length().map_err(|_| Error::Arguments { message: "rows must be a list".into() })?;
    let mut values = Vec::new();
    let mut encoded = Rows { bytes: Scratch::with_capacity(count * TYPICAL_ROW), spans: Vec::with_capacity(count) };
    let mut rest = rows;
    for number in 0..count {
        let Ok((row, tail)) = rest.list_get_cell() else { break };
        rest = tail;
        let start = encoded.bytes.len();
        let size = encode_row(row, format_args!("row {number}"), &mut values, &mut encoded.bytes)?;
        encoded.spans.push((start, size));
    }
    Ok(encoded)
}

/// Appends a row to `out`; its size in bytes is the answer. `values` is room for its values, and `name` what errors call it.
fn encode_row<'a>(
    mut row: Term<'a>,
    name: impl std::fmt::Display,
    values: &mut Vec<row::Value<'a>>,
    out: &mut Vec<u8>,
) -> Result<usize, Error> {
    let refuse = |message: String| Error::Arguments { message: format!("{name}: {message}") };
    values.clear();
    while let Ok((term, tail)) = row.list_get_cell() {
        row = tail;
        match values::decode(term) {
            Some(value) => values.push(value),
            None => {
                let index = values.len();
                return Err(refuse(format!("value {index} is {term:?} and must be {}", values::WANTED)));
            }
        }
    }
    if !row.is_empty_list() {
        return Err(Error::Arguments { message: format!("{name} must be a list") });
    }
    row::encode(values, out).map_err(|error| refuse(error.to_string()))
}

fn weight(answers: &Answers) -> usize {
    answers.bytes.len() + 64 * answers.rows.len()
}

fn answers<'a>(env: Env<'a>, answers: Answers) -> Term<'a> {
    let Answers { bytes, rows } = answers;
    // Backwards, so that no list needs an array of its terms first.
    let rows = rows.into_iter().rev().map(|answer| match answer {
        Ok(None) => fault::ok(env, atoms::nil()),
        Ok(Some((start, length))) => match row::decode(&bytes[start..start + length]) {
            Ok(values) => fault::ok(env, list(env, values.into_iter().rev().map(|value| values::encode(env, value)))),
            Err(error) => {
                let error = Error::Contract { message: format!("_notification returned rubbish: {error}") };
                fault::err(env, fault::wasm(env, &error))
            }
        },
        Err(error) => fault::err(env, fault::wasm(env, &error)),
    });
    list(env, rows)
}

/// A list of terms that come last first.
fn list<'a>(env: Env<'a>, terms: impl Iterator<Item = Term<'a>>) -> Term<'a> {
    terms.fold(Term::list_new_empty(env), |list, term| list.list_prepend(term))
}
