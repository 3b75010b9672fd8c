//! Instances: start, call, memory.

use rustler::{Binary, Encoder, Env, Resource, ResourceArc, Term};
use wasgo_wasm::{Error, Instance, InstanceStatus, ManyResults, Val, ValType};

use super::module::ModuleResource;
use super::{LimitsTuple, limits, within};
use crate::slice::Slice;
use crate::{atoms, bytes, fault, float, later};

/// An instance's resource. The instance is freed on a thread of the engine when the last reference goes.
pub struct InstanceResource(pub Instance);

#[rustler::resource_impl]
impl Resource for InstanceResource {}

#[rustler::nif]
fn wasm_instantiate<'a>(
    env: Env<'a>,
    module: ResourceArc<ModuleResource>,
    limit: LimitsTuple,
    timeout_ms: u64,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    later::start(
        env,
        |env, instance| ResourceArc::new(InstanceResource(instance)).encode(env),
        |later| Instance::start(&module.0, limits(limit), within(timeout_ms), later),
    )
}

#[rustler::nif]
fn wasm_call<'a>(
    env: Env<'a>,
    instance: ResourceArc<InstanceResource>,
    name: &'a str,
    arguments: Vec<Term<'a>>,
    timeout_ms: u64,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    let convert = |types: &[ValType]| values(name, types, &arguments);
    later::start(env, results, |later| instance.0.call(name, convert, within(timeout_ms), later))
}

/// Calls an export once for each list of arguments; answers a list of `{:ok, results}` and `{:error, fault}`. For few rows; the caller
/// picks the twin for many.
#[rustler::nif]
fn wasm_call_many<'a>(
    env: Env<'a>,
    instance: ResourceArc<InstanceResource>,
    name: &'a str,
    rows: Vec<Vec<Term<'a>>>,
    timeout_ms: u64,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    call_many(env, &instance, name, &rows, timeout_ms)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn wasm_call_many_dirty<'a>(
    env: Env<'a>,
    instance: ResourceArc<InstanceResource>,
    name: &'a str,
    rows: Vec<Vec<Term<'a>>>,
    timeout_ms: u64,
) -> Term<'a> {
    call_many(env, &instance, name, &rows, timeout_ms)
}

fn call_many<'a>(
    env: Env<'a>,
    instance: &InstanceResource,
    name: &str,
    rows: &[Vec<Term<'a>>],
    timeout_ms: u64,
) -> Term<'a> {
    let convert = |types: &[ValType]| {
        let mut arguments = Vec::with_capacity(types.len() * rows.len());
        for (number, row) in rows.iter().enumerate() {
            let row = values(name, types, row).map_err(|error| match error {
                Error::Arguments { message } => Error::Arguments { message: format!("row {number}: {message}") },
                other => other,
            })?;
            arguments.extend(row);
        }
        Ok((arguments, rows.len()))
    };
    later::start_heavy(env, weight, many_results, |later| {
        instance.0.call_many(name, convert, within(timeout_ms), later)
    })
}

fn weight(many: &ManyResults) -> usize {
    16 * many.values.len() + 64 * many.rows.len()
}

fn many_results<'a>(env: Env<'a>, many: ManyResults) -> Term<'a> {
    let ManyResults { values, width, rows } = many;
    let mut values = values.into_iter();
    let rows: Vec<Term<'a>> = rows
        .into_iter()
        .map(|row| match row {
            Ok(()) => {
                let row = results(env, values.by_ref().take(width).collect());
                fault::ok(env, row)
            }
            Err(error) => fault::err(env, fault::wasm(env, &error)),
        })
        .collect();
    rows.encode(env)
}

#[rustler::nif]
fn wasm_status<'a>(env: Env<'a>, instance: ResourceArc<InstanceResource>) -> Term<'a> {
    match instance.0.status() {
        InstanceStatus::Idle => atoms::idle(),
        InstanceStatus::Busy => atoms::busy(),
        InstanceStatus::Poisoned => atoms::poisoned(),
        InstanceStatus::Closed => atoms::closed(),
    }
    .to_term(env)
}

#[rustler::nif]
fn wasm_close(instance: ResourceArc<InstanceResource>) -> rustler::Atom {
    instance.0.close();
    atoms::ok()
}

#[rustler::nif]
fn wasm_memory_size<'a>(env: Env<'a>, instance: ResourceArc<InstanceResource>) -> Term<'a> {
    answer(env, instance.0.memory_size(), |env, size| size.encode(env))
}

/// For up to 1 MiB; the caller picks the twin for more.
#[rustler::nif]
fn wasm_read_memory<'a>(env: Env<'a>, instance: ResourceArc<InstanceResource>, offset: u64, length: u64) -> Term<'a> {
    answer(env, instance.0.read_memory(offset, length), bytes::binary)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn wasm_read_memory_dirty<'a>(
    env: Env<'a>,
    instance: ResourceArc<InstanceResource>,
    offset: u64,
    length: u64,
) -> Term<'a> {
    answer(env, instance.0.read_memory(offset, length), bytes::binary)
}

/// For up to 1 MiB; the caller picks the twin for more.
#[rustler::nif]
fn wasm_write_memory<'a>(
    env: Env<'a>,
    instance: ResourceArc<InstanceResource>,
    offset: u64,
    bytes: Binary<'a>,
) -> Term<'a> {
    write(env, &instance, offset, &bytes)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn wasm_write_memory_dirty<'a>(
    env: Env<'a>,
    instance: ResourceArc<InstanceResource>,
    offset: u64,
    bytes: Binary<'a>,
) -> Term<'a> {
    write(env, &instance, offset, &bytes)
}

fn write<'a>(env: Env<'a>, instance: &InstanceResource, offset: u64, bytes: &[u8]) -> Term<'a> {
    match instance.0.write_memory(offset, bytes) {
        Ok(()) => atoms::ok().to_term(env),
        Err(error) => fault::err(env, fault::wasm(env, &error)),
    }
}

fn answer<'a, T>(env: Env<'a>, result: Result<T, Error>, encode: impl FnOnce(Env<'a>, T) -> Term<'a>) -> Term<'a> {
    match result {
        Ok(value) => {
            let value = encode(env, value);
            fault::ok(env, value)
        }
        Err(error) => fault::err(env, fault::wasm(env, &error)),
    }
}

/// Arguments by their parameters' types.
fn values(name: &str, types: &[ValType], arguments: &[Term<'_>]) -> Result<Vec<Val>, Error> {
    if types.len() != arguments.len() {
        return Err(Error::Arguments {
            message: format!("\"{name}\" takes {} arguments, and {} were given", types.len(), arguments.len()),
        });
    }
    let each = types.iter().zip(arguments).enumerate();
    each.map(|(index, (ty, term))| {
        value(ty, *term).ok_or_else(|| Error::Arguments {
            message: format!("argument {} of \"{name}\" must be {}", index + 1, wanted(ty)),
        })
    })
    .collect()
}

fn value(ty: &ValType, term: Term<'_>) -> Option<Val> {
    Some(match ty {
        // Guests make no difference between signed and unsigned; either range is taken.
        ValType::I32 => {
            Val::I32(term.decode::<i32>().or_else(|_| term.decode::<u32>().map(|value| value as i32)).ok()?)
        }
        ValType::I64 => {
            Val::I64(term.decode::<i64>().or_else(|_| term.decode::<u64>().map(|value| value as i64)).ok()?)
        }
        ValType::F32 => Val::F32((float::decode(term)? as f32).to_bits()),
        ValType::F64 => Val::F64(float::decode(term)?.to_bits()),
        ValType::V128 => {
            let binary = term.decode::<Binary<'_>>().ok()?;
            Val::V128(u128::from_le_bytes(binary.as_slice().try_into().ok()?).into())
        }
        ValType::Ref(_) => return None,
    })
}

fn wanted(ty: &ValType) -> &'static str {
    match ty {
        ValType::I32 => "a 32-bit integer",
        ValType::I64 => "a 64-bit integer",
        ValType::F32 | ValType::F64 => "a number, :nan, :infinity or :neg_infinity",
        ValType::V128 => "a binary of 16 bytes",
        ValType::Ref(_) => "a reference, which can't be given from outside",
    }
}

fn results<'a>(env: Env<'a>, values: Vec<Val>) -> Term<'a> {
    let terms: Vec<Term<'a>> = values
        .into_iter()
        .map(|value| match value {
            Val::I32(value) => value.encode(env),
            Val::I64(value) => value.encode(env),
            Val::F32(bits) => float::encode(env, f32::from_bits(bits).into()),
            Val::F64(bits) => float::encode(env, f64::from_bits(bits)),
            Val::V128(value) => bytes::copy(env, &value.as_u128().to_le_bytes()),
            // A reference means something only within its instance.
            _ => atoms::nil().to_term(env),
        })
        .collect();
    terms.encode(env)
}
