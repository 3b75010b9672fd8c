//! Components: compile, start, call, drop.

pub mod decode;
pub mod encode;

use std::sync::Arc;

use rustler::{Atom, Binary, Encoder, Env, Resource, ResourceArc, Term};
use wasgo_wasm::Callback;
use wasgo_wasm::InstanceStatus;
use wasgo_wasm::component::{
    Arguments, Component, ComponentInstance, Handle, HostFunction, Imports, ItemInfo, Returned, Signature,
};

use super::imports::ImportsResource;
use super::instance::binaries;
use super::{LimitsTuple, engine, host, limits, within};
use crate::later::Waiting;
use crate::slice::Slice;
use crate::{atoms, bytes, fault, later};

/// A component's resource.
pub struct ComponentResource(pub Component);

#[rustler::resource_impl]
impl Resource for ComponentResource {}

impl Drop for ComponentResource {
    fn drop(&mut self) {
        // The last of a component's handles unmaps its code.
        bytes::reap(self.0.clone());
    }
}

/// An instance's resource. The instance is freed on a thread of the engine when the last reference goes.
pub struct ComponentInstanceResource {
    instance: ComponentInstance,
    /// It was given what its calls need a handler for.
    given: bool,
}

#[rustler::resource_impl]
impl Resource for ComponentInstanceResource {}

/// A handle on a guest's resource. When the last reference goes, the guest destroys it before its next call.
pub struct HandleResource(pub Handle);

#[rustler::resource_impl]
impl Resource for HandleResource {}

/// Compiles on a thread for that; always answers later. For up to 1 MiB of source; the caller picks the twin for more.
#[rustler::nif]
fn component_compile<'a>(env: Env<'a>, source: Binary<'a>) -> Term<'a> {
    compile(env, &source)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn component_compile_dirty<'a>(env: Env<'a>, source: Binary<'a>) -> Term<'a> {
    compile(env, &source)
}

fn compile<'a>(env: Env<'a>, source: &Binary<'a>) -> Term<'a> {
    let engine = match engine() {
        Ok(engine) => engine,
        Err(error) => return fault::err(env, fault::wasm(env, error)),
    };
    let (waiting, reference) = Waiting::new(env);
    let done: Callback<_> = Box::new(move |result: Result<Component, wasgo_wasm::Error>| {
        waiting.answer(move |env| match result {
            Ok(component) => {
                let info = (items(env, component.imports()), items(env, component.exports()), component.size());
                fault::ok(env, (ResourceArc::new(ComponentResource(component)), info))
            }
            Err(error) => fault::err(env, fault::wasm(env, &error)),
        });
    });
    Component::compile_later(engine, source.as_slice().to_vec(), done);
    (atoms::pending(), reference).encode(env)
}

/// Imports or exports as `{interface, name, kind, type}`.
fn items<'a>(env: Env<'a>, list: &[ItemInfo]) -> Term<'a> {
    list.iter()
        .map(|info| (&info.interface, &info.name, fault::atom(env, info.kind), &info.signature).encode(env))
        .collect::<Vec<_>>()
        .encode(env)
}

/// Functions as `{interface | nil, name, arity}`.
pub type FunctionTuple = (Option<String>, String, usize);

/// What an instance is given: functions, and what is granted by name.
pub fn given(functions: Vec<FunctionTuple>, granted: Option<ResourceArc<ImportsResource>>) -> Imports {
    let function = |(interface, name, arity)| HostFunction { interface, name, arity };
    let grants = granted.map(|granted| granted.0.grants.clone()).unwrap_or_default();
    Imports { grants, functions: Arc::new(functions.into_iter().map(function).collect()) }
}

#[rustler::nif]
fn component_instantiate<'a>(
    env: Env<'a>,
    component: ResourceArc<ComponentResource>,
    functions: Vec<FunctionTuple>,
    granted: Option<ResourceArc<ImportsResource>>,
    limit: LimitsTuple,
    timeout_ms: u64,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    let given = given(functions, granted);
    let handled = given.want_handler();
    host::with_component_handler(env, handled, within(timeout_ms), |options| {
        later::start(env, if handled { instance_given } else { instance_plain }, |later| {
            ComponentInstance::start(&component.0, &given, limits(limit), options, later)
        })
    })
}

fn instance_given(env: Env<'_>, instance: ComponentInstance) -> Term<'_> {
    ResourceArc::new(ComponentInstanceResource { instance, given: true }).encode(env)
}

fn instance_plain(env: Env<'_>, instance: ComponentInstance) -> Term<'_> {
    ResourceArc::new(ComponentInstanceResource { instance, given: false }).encode(env)
}

/// Answers `{:ok, {:some, value}}`, or `{:ok, nil}` from a function without a result. For light arguments; the caller picks the twin
/// for heavy ones.
#[rustler::nif]
fn component_call<'a>(
    env: Env<'a>,
    instance: ResourceArc<ComponentInstanceResource>,
    name: &'a str,
    arguments: Vec<Term<'a>>,
    timeout_ms: u64,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    call(env, &instance, name, &arguments, timeout_ms)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn component_call_dirty<'a>(
    env: Env<'a>,
    instance: ResourceArc<ComponentInstanceResource>,
    name: &'a str,
    arguments: Vec<Term<'a>>,
    timeout_ms: u64,
) -> Term<'a> {
    call(env, &instance, name, &arguments, timeout_ms)
}

fn call<'a>(
    env: Env<'a>,
    instance: &ComponentInstanceResource,
    name: &str,
    arguments: &[Term<'a>],
    timeout_ms: u64,
) -> Term<'a> {
    host::with_component_handler(env, instance.given, within(timeout_ms), |options| {
        later::start_heavy(env, Returned::weight, encode::returned, |later| {
            let convert = |signature: &Signature<'_>, account: &mut Arguments| {
                decode::arguments(env, signature, account, arguments)
            };
            instance.instance.call(name, convert, options, later)
        })
    })
}

#[rustler::nif]
fn component_drop<'a>(
    env: Env<'a>,
    instance: ResourceArc<ComponentInstanceResource>,
    handle: ResourceArc<HandleResource>,
    timeout_ms: u64,
) -> Term<'a> {
    let _slice = Slice::begin(env);
    host::with_component_handler(env, instance.given, within(timeout_ms), |options| {
        later::start(
            env,
            |env, ()| atoms::nil().to_term(env),
            |later| instance.instance.drop_resource(&handle.0, options, later),
        )
    })
}

/// Takes the buffers that were emitted; `:busy` while a call is under way.
#[rustler::nif]
fn component_take_emitted(env: Env<'_>, instance: ResourceArc<ComponentInstanceResource>) -> Term<'_> {
    match instance.instance.take_emitted() {
        Ok(buffers) => fault::ok(env, binaries(env, buffers)),
        Err(error) => fault::err(env, fault::wasm(env, &error)),
    }
}

#[rustler::nif]
fn component_handle_live(handle: ResourceArc<HandleResource>) -> bool {
    handle.0.is_live()
}

#[rustler::nif]
fn component_status(instance: ResourceArc<ComponentInstanceResource>) -> Atom {
    match instance.instance.status() {
        InstanceStatus::Idle => atoms::idle(),
        InstanceStatus::Busy => atoms::busy(),
        InstanceStatus::Poisoned => atoms::poisoned(),
        InstanceStatus::Closed => atoms::closed(),
    }
}

#[rustler::nif]
fn component_close(instance: ResourceArc<ComponentInstanceResource>) -> Atom {
    instance.instance.close();
    atoms::ok()
}
