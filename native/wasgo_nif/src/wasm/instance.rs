//! Instances: start, call, memory.

use rustler::{Binary, Encoder, Env, NewBinary, Resource, ResourceArc, Term};
use wasgo_wasm::{Act, Error, Instance, InstanceStatus, ManyResults, ValType, Values, pack, packed_row_size, unpack};

use super::imports::ImportsResource;
use super::module::ModuleResource;
use super::{Bounds, LimitsTuple, act, host, limits, options, values};
use crate::slice::Slice;
use crate::{atoms, bytes, fault, later};

/// An instance's resource. The instance is freed on a thread of the engine when the last reference goes.
pub struct InstanceResource(pub Instance);

#[rustler::resource_impl]
impl Resource for InstanceResource {}

#[rustler::nif]
fn wasm_instantiate<'a>(
    env: Env<'a>,
    module: ResourceArc<ModuleResource>,
    imports: Option<ResourceArc<ImportsResource>>,
    limit: LimitsTuple,
    waiters: usize,
    bounds: Bounds,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    let imports = imports.map(|imports| imports.0.clone()).unwrap_or_default();
    host::with_handler(env, &imports.clone(), options(bounds), |options| {
        later::start(env, handle, |later| Instance::start(&module.0, imports, limits(limit), waiters, options, later))
    })
}

fn handle(env: Env<'_>, instance: Instance) -> Term<'_> {
    ResourceArc::new(InstanceResource(instance)).encode(env)
}

#[rustler::nif]
fn wasm_call<'a>(
    env: Env<'a>,
    instance: ResourceArc<InstanceResource>,
    name: &'a str,
    arguments: Term<'a>,
    bounds: Bounds,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    let instance = &instance.0;
    if let Some(serving) = inside(env, instance) {
        return match arguments.decode::<Vec<Term<'_>>>() {
            // Requests of the guest that come of it are those of the call that it is within.
            Ok(arguments) => (atoms::inside(), host::call_through(env, &serving, name, &arguments)).encode(env),
            Err(_) => fault::err(env, fault::wasm(env, &values::not_a_list(name))),
        };
    }
    let convert = |types: &[ValType]| values::listed(name, types, arguments);
    host::with_handler(env, instance.imports(), options(bounds), |options| {
        later::start(env, values::results::<Values>, |later| instance.call(name, convert, options, later))
    })
}

/// The function of the host that the calling process runs for this instance's guest.
fn inside(env: Env<'_>, instance: &Instance) -> Option<wasgo_wasm::Serving> {
    match instance.imports().functions.is_empty() {
        true => None,
        false => instance.inside(host::runner(env)),
    }
}

/// Calls an export once for each list of arguments; answers a list of `{:ok, results}` and `{:error, fault}`. For few rows; the caller
/// picks the twin for many.
#[rustler::nif]
fn wasm_call_many<'a>(
    env: Env<'a>,
    instance: ResourceArc<InstanceResource>,
    name: &'a str,
    rows: Vec<Vec<Term<'a>>>,
    bounds: Bounds,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    call_many(env, &instance.0, name, &rows, bounds)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn wasm_call_many_dirty<'a>(
    env: Env<'a>,
    instance: ResourceArc<InstanceResource>,
    name: &'a str,
    rows: Vec<Vec<Term<'a>>>,
    bounds: Bounds,
) -> Term<'a> {
    call_many(env, &instance.0, name, &rows, bounds)
}

fn call_many<'a>(env: Env<'a>, instance: &Instance, name: &str, rows: &[Vec<Term<'a>>], bounds: Bounds) -> Term<'a> {
    if let Some(serving) = inside(env, instance) {
        return (atoms::inside(), host::call_many_through(env, &serving, name, rows)).encode(env);
    }
    let convert = |types: &[ValType]| pack_rows(types, rows, |row| values::arguments(name, types, row));
    host::with_handler(env, instance.imports(), options(bounds), |options| {
        later::start_heavy(env, weight, many_results, |later| instance.call_many(name, convert, options, later))
    })
}

/// Packs rows, and says how many there are; `arguments` makes the values of one.
pub fn pack_rows<T>(
    types: &[ValType],
    rows: &[T],
    arguments: impl Fn(&T) -> Result<Values, Error>,
) -> Result<(Vec<u8>, usize), Error> {
    let mut packed = Vec::with_capacity(packed_row_size(types).unwrap_or(0) * rows.len());
    for (number, row) in rows.iter().enumerate() {
        let row = arguments(row).map_err(|error| match error {
            Error::Arguments { message } => Error::Arguments { message: format!("row {number}: {message}") },
            other => other,
        })?;
        row.iter().for_each(|value| pack(value, &mut packed));
    }
    Ok((packed, rows.len()))
}

pub fn weight(many: &ManyResults) -> usize {
    16 * many.types.len() * many.rows + 64 * many.rows
}

pub fn many_results(env: Env<'_>, many: ManyResults) -> Term<'_> {
    let mut packed = many.packed.as_slice();
    let mut errors = many.errors.into_iter().peekable();
    let rows: Vec<Term<'_>> = (0..many.rows)
        .map(|row| {
            let values: Values = many.types.iter().filter_map(|ty| unpack(ty, &mut packed)).collect();
            match errors.next_if(|(number, _)| *number == row) {
                Some((_, error)) => fault::err(env, fault::wasm(env, &error)),
                None => fault::ok(env, values::results(env, values)),
            }
        })
        .collect();
    rows.encode(env)
}

/// As `wasm_call_many` with the rows packed in one binary; answers `{results, [{row, fault}]}`. For up to 256 KiB; the caller picks the twin
/// for more.
#[rustler::nif]
fn wasm_call_packed<'a>(
    env: Env<'a>,
    instance: ResourceArc<InstanceResource>,
    name: &'a str,
    rows: Binary<'a>,
    bounds: Bounds,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    call_packed(env, &instance.0, name, &rows, bounds)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn wasm_call_packed_dirty<'a>(
    env: Env<'a>,
    instance: ResourceArc<InstanceResource>,
    name: &'a str,
    rows: Binary<'a>,
    bounds: Bounds,
) -> Term<'a> {
    call_packed(env, &instance.0, name, &rows, bounds)
}

fn call_packed<'a>(env: Env<'a>, instance: &Instance, name: &str, rows: &Binary<'a>, bounds: Bounds) -> Term<'a> {
    if let Some(serving) = inside(env, instance) {
        return (atoms::inside(), host::call_packed_through(env, &serving, name, rows)).encode(env);
    }
    let convert = |types: &[ValType]| Ok((rows.as_slice().to_vec(), packed_rows(name, types, rows)?));
    host::with_handler(env, instance.imports(), options(bounds), |options| {
        later::start(env, packed_results, |later| instance.call_many(name, convert, options, later))
    })
}

/// How many rows `rows` are.
pub fn packed_rows(name: &str, types: &[ValType], rows: &[u8]) -> Result<usize, Error> {
    let refuse = |message: String| Error::Arguments { message };
    let size = packed_row_size(types)
        .ok_or_else(|| refuse(format!("\"{name}\" takes a reference, which can't be given from outside")))?;
    if size == 0 || !rows.len().is_multiple_of(size) {
        let message = format!("{} bytes are no whole number of rows of \"{name}\", {size} bytes each", rows.len());
        return Err(refuse(message));
    }
    Ok(rows.len() / size)
}

/// Errors that are told one by one; a batch that fails in more rows says only how many.
const MAX_ERRORS: usize = 256;

pub fn packed_results(env: Env<'_>, many: ManyResults) -> Term<'_> {
    let failed = many.errors.len();
    let errors: Vec<(usize, Term<'_>)> =
        many.errors.iter().take(MAX_ERRORS).map(|(row, error)| (*row, fault::wasm(env, error))).collect();
    (bytes::binary(env, many.packed), errors, failed).encode(env)
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

/// Does something with the memory, a global or a table. What is copied has up to 1 MiB; the caller picks the twin for more.
#[rustler::nif]
fn wasm_act<'a>(env: Env<'a>, instance: ResourceArc<InstanceResource>, what: Term<'a>, bounds: Bounds) -> Term<'a> {
    let _slice = Slice::begin(env);
    do_act(env, &instance.0, what, bounds)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn wasm_act_dirty<'a>(
    env: Env<'a>,
    instance: ResourceArc<InstanceResource>,
    what: Term<'a>,
    bounds: Bounds,
) -> Term<'a> {
    do_act(env, &instance.0, what, bounds)
}

fn do_act<'a>(env: Env<'a>, instance: &Instance, what: Term<'a>, bounds: Bounds) -> Term<'a> {
    let what = match act::decode(what) {
        Ok(what) => what,
        Err(error) => return fault::err(env, fault::wasm(env, &error)),
    };
    if let Some(serving) = inside(env, instance) {
        return host::act_through(env, &serving, what);
    }
    later::start(env, act::encode, |later| instance.act(what, options(bounds), later))
}

/// Copies out of the memory into a binary of the BEAM's, whose memory is warm; an instance that is not free waits for it as `wasm_act` does.
#[rustler::nif]
fn wasm_read<'a>(
    env: Env<'a>,
    instance: ResourceArc<InstanceResource>,
    offset: u64,
    length: u64,
    bounds: Bounds,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    let instance = &instance.0;
    if let Some(serving) = inside(env, instance) {
        return host::act_through(env, &serving, Act::Read { offset, length });
    }
    match instance.look(offset, length, |bytes| copy_out(env, bytes)) {
        Ok(Some(binary)) => fault::ok(env, binary),
        Ok(None) => {
            later::start(env, act::encode, |later| instance.act(Act::Read { offset, length }, options(bounds), later))
        }
        Err(error) => fault::err(env, fault::wasm(env, &error)),
    }
}

fn copy_out<'a>(env: Env<'a>, bytes: &[u8]) -> Term<'a> {
    let mut binary = NewBinary::new(env, bytes.len());
    binary.as_mut_slice().copy_from_slice(bytes);
    binary.into()
}

/// Copies into the memory, as `wasm_read` does out of it.
#[rustler::nif]
fn wasm_write<'a>(
    env: Env<'a>,
    instance: ResourceArc<InstanceResource>,
    offset: u64,
    bytes: Binary<'a>,
    bounds: Bounds,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    let instance = &instance.0;
    let what = || Act::Write { offset, bytes: bytes.as_slice().to_vec() };
    if let Some(serving) = inside(env, instance) {
        return host::act_through(env, &serving, what());
    }
    match instance.change(offset, bytes.len() as u64, |place| place.copy_from_slice(&bytes)) {
        Ok(Some(())) => fault::ok(env, atoms::nil()),
        Ok(None) => later::start(env, act::encode, |later| instance.act(what(), options(bounds), later)),
        Err(error) => fault::err(env, fault::wasm(env, &error)),
    }
}

/// Fuel that the last call used; `:busy` while another is under way.
#[rustler::nif]
fn wasm_fuel_used<'a>(env: Env<'a>, instance: ResourceArc<InstanceResource>) -> Term<'a> {
    at_once(env, instance.0.fuel_used(), |env, fuel| fuel.encode(env))
}

/// Takes the buffers that were emitted; `:busy` while a call is under way.
#[rustler::nif]
fn wasm_take_emitted<'a>(env: Env<'a>, instance: ResourceArc<InstanceResource>) -> Term<'a> {
    at_once(env, instance.0.take_emitted(), binaries)
}

pub fn binaries(env: Env<'_>, buffers: Vec<Vec<u8>>) -> Term<'_> {
    buffers.into_iter().map(|buffer| bytes::binary(env, buffer)).collect::<Vec<_>>().encode(env)
}

fn at_once<'a, T>(
    env: Env<'a>,
    result: Result<Option<T>, Error>,
    encode: impl FnOnce(Env<'a>, T) -> Term<'a>,
) -> Term<'a> {
    match result.and_then(|value| value.ok_or(Error::Busy)) {
        Ok(value) => {
            let value = encode(env, value);
            fault::ok(env, value)
        }
        Err(error) => fault::err(env, fault::wasm(env, &error)),
    }
}
