//! What an instance is given, from terms.

use std::sync::Arc;

use rustler::{Atom, Binary, Encoder, Env, NifTaggedEnum, Resource, ResourceArc, Term};
use wasgo_wasm::{Grants, HostImport, Imports, KeyValues, KeyValuesLimits, Seed, ValType};

use super::sql::StoreSql;
use crate::store::{AccessResource, StoreResource};
use crate::{atoms, bytes, fault};

/// What instances are given.
pub struct ImportsResource(pub Imports);

#[rustler::resource_impl]
impl Resource for ImportsResource {}

/// A script's keys and values.
pub struct StateResource(KeyValues);

#[rustler::resource_impl]
impl Resource for StateResource {}

/// `:log`, `:clock`, `{:random, seed}` (nil: the system's), `{:state, state}`, `{:sql, store, access}`, `:emit`.
#[derive(NifTaggedEnum)]
enum Grant {
    Log,
    Clock,
    Random(Option<u64>),
    State(ResourceArc<StateResource>),
    Sql(ResourceArc<StoreResource>, Option<ResourceArc<AccessResource>>),
    Emit,
}

/// The names of wasm's types, as atoms.
mod types {
    rustler::atoms! { i32, i64, f32, f64, v128 }
}

fn val_type(atom: Atom) -> Option<ValType> {
    let known = [
        (types::i32(), ValType::I32),
        (types::i64(), ValType::I64),
        (types::f32(), ValType::F32),
        (types::f64(), ValType::F64),
        (types::v128(), ValType::V128),
    ];
    known.into_iter().find(|(name, _)| *name == atom).map(|(_, ty)| ty)
}

type FunctionTuple = (String, String, Vec<Atom>, Vec<Atom>);

/// Functions as `{module, name, parameters, results}`, and grants. What is wrong Elixir has found before.
#[rustler::nif]
fn wasm_imports<'a>(env: Env<'a>, functions: Vec<FunctionTuple>, grants: Vec<Term<'a>>) -> Term<'a> {
    let functions: Vec<HostImport> = functions
        .into_iter()
        .map(|(module, name, parameters, results)| HostImport {
            module,
            name,
            parameters: parameters.into_iter().filter_map(val_type).collect(),
            results: results.into_iter().filter_map(val_type).collect(),
        })
        .collect();
    let mut given = Grants::default();
    for grant in grants {
        match grant.decode::<Grant>() {
            Ok(Grant::Log) => given.log = true,
            Ok(Grant::Clock) => given.clock = true,
            Ok(Grant::Random(seed)) => given.random = Some(seed.map_or(Seed::System, Seed::Fixed)),
            Ok(Grant::State(state)) => given.state = Some(state.0.clone()),
            Ok(Grant::Sql(store, access)) => given.sql = Some(Arc::new(StoreSql(store, access))),
            Ok(Grant::Emit) => given.emit = true,
            Err(_) => {
                let error = wasgo_wasm::Error::Arguments { message: format!("{grant:?} can't be granted") };
                return fault::err(env, fault::wasm(env, &error));
            }
        }
    }
    let imports = Imports { grants: given, functions: Arc::new(functions), ..Imports::default() };
    fault::ok(env, ResourceArc::new(ImportsResource(imports)))
}

/// Keys and values, held to so many bytes and keys.
#[rustler::nif]
fn state_new(bytes: usize, keys: usize) -> ResourceArc<StateResource> {
    ResourceArc::new(StateResource(KeyValues::new(KeyValuesLimits { bytes, keys })))
}

#[rustler::nif]
fn state_get<'a>(env: Env<'a>, state: ResourceArc<StateResource>, key: Binary<'a>) -> Term<'a> {
    match state.0.get(&key) {
        Some(value) => bytes::binary(env, value),
        None => atoms::nil().to_term(env),
    }
}

/// Sets a key, or takes it away where the value is nil; whether there was room.
#[rustler::nif]
fn state_put<'a>(state: ResourceArc<StateResource>, key: Binary<'a>, value: Option<Binary<'a>>) -> bool {
    state.0.put(&key, value.map(|value| value.as_slice().to_vec()))
}

/// All keys and values, up to a MiB: on a dirty scheduler.
#[rustler::nif(schedule = "DirtyCpu")]
fn state_all(env: Env<'_>, state: ResourceArc<StateResource>) -> Term<'_> {
    let all = state.0.all();
    all.into_iter()
        .map(|(key, value)| (bytes::binary(env, key), bytes::binary(env, value)).encode(env))
        .collect::<Vec<_>>()
        .encode(env)
}

#[rustler::nif]
fn state_bytes(state: ResourceArc<StateResource>) -> usize {
    state.0.bytes()
}
