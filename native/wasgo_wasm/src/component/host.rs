//! Functions that a component imports and its host runs: as `host_call.rs` has them for modules, with typed values.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{Linker, Val};

use super::calls::Arguments;
use super::describe::describe_function;
use super::handle::Dropped;
use super::instance::Host;
use crate::error::Error;
use crate::executor::yield_to_pool;
use crate::grants::Grants;
use crate::host_call::{HostRequest, Operation, Served, Serving};

/// A function that the host runs for a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFunction {
    /// The interface that it is of, with its version or without; none for one that stands alone.
    pub interface: Option<String>,
    /// Its name.
    pub name: String,
    /// How many parameters it takes.
    pub arity: usize,
}

impl HostFunction {
    fn is_of(&self, interface: Option<&str>) -> bool {
        let given = self.interface.as_deref();
        given == interface || given.is_some() && given == interface.and_then(|name| name.split('@').next())
    }
}

/// What an instance of a component is given. The default is nothing.
#[derive(Clone, Default)]
pub struct Imports {
    /// What is granted by name. Clock and randomness are WASI's here.
    pub grants: Grants,
    /// Functions that the host runs; a request names one by its place in this list.
    pub functions: Arc<Vec<HostFunction>>,
}

impl Imports {
    /// Whether calls need a [`HostHandler`](crate::HostHandler): somebody who runs functions, or hears what is logged.
    pub fn want_handler(&self) -> bool {
        !self.functions.is_empty() || self.grants.log
    }

    /// Whether linking needs nothing of it.
    pub(super) fn links_nothing(&self) -> bool {
        self.functions.is_empty() && !self.grants.names().any_of_components()
    }
}

/// A typed request: the values that the function is called with, and what it must return.
pub struct TypedRequest {
    /// The function's name, with its interface.
    pub name: Arc<str>,
    /// Its arguments.
    pub arguments: Vec<(Val, Type)>,
    /// Its result's type; none where it has no result.
    pub result: Option<Type>,
    home: Arc<Dropped>,
    limit: u64,
}

impl TypedRequest {
    /// To keep account of its result while that is made.
    pub fn account(&self) -> Arguments {
        Arguments::new(&self.home, self.limit)
    }
}

/// What a function that the host ran returned, or why it failed.
pub type TypedReply = Result<Option<Val>, String>;

/// Has those of the component's imports that are among `functions` run by the host; answers the names of those that were linked.
pub(super) fn link(
    linker: &mut Linker<Host>,
    engine: &wasmtime::Engine,
    component: &wasmtime::component::Component,
    functions: &[HostFunction],
) -> Result<(), Error> {
    let ty = component.component_type();
    for (outer, item) in ty.imports(engine) {
        match item.ty {
            ComponentItem::ComponentFunc(wanted) => link_one(linker, None, outer, &wanted, functions)?,
            ComponentItem::ComponentInstance(instance) => {
                for (name, item) in instance.exports(engine) {
                    if let ComponentItem::ComponentFunc(wanted) = item.ty {
                        link_one(linker, Some(outer), name, &wanted, functions)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn link_one(
    linker: &mut Linker<Host>,
    interface: Option<&str>,
    name: &str,
    wanted: &ComponentFunc,
    functions: &[HostFunction],
) -> Result<(), Error> {
    let is = |function: &HostFunction| function.name == name && function.is_of(interface);
    let Some((number, function)) = functions.iter().enumerate().find(|(_, function)| is(function)) else {
        return Ok(());
    };
    let full: Arc<str> = interface.map_or_else(|| name.into(), |interface| format!("{interface}.{name}").into());
    let unfit =
        |found: String| Error::WrongType { name: full.to_string(), found, wanted: describe_function(wanted, &[]) };
    if function.arity != wanted.params().len() {
        return Err(unfit(format!("a function of {} arguments", function.arity)));
    }
    if wanted.params().map(|(_, ty)| ty).chain(wanted.results()).any(|ty| has_resource(&ty)) {
        return Err(unfit("a function of the host, which takes and returns no resources".into()));
    }
    let theirs = Arc::clone(&full);
    let mut place = match interface {
        Some(interface) => linker.instance(interface).map_err(Error::engine)?,
        None => linker.root(),
    };
    place
        .func_new_async(name, move |store, ty, arguments, results| {
            let name = Arc::clone(&theirs);
            Box::new(async move { run(store, number, name, &ty, arguments, results).await })
        })
        .map_err(|error| Error::Arguments { message: format!("import \"{full}\": {error:#}") })
}

fn has_resource(ty: &Type) -> bool {
    match ty {
        Type::Own(_) | Type::Borrow(_) => true,
        Type::List(list) => has_resource(&list.ty()),
        Type::FixedLengthList(list) => has_resource(&list.ty()),
        Type::Map(map) => has_resource(&map.key()) || has_resource(&map.value()),
        Type::Record(record) => record.fields().any(|field| has_resource(&field.ty)),
        Type::Tuple(tuple) => tuple.types().any(|ty| has_resource(&ty)),
        Type::Variant(variant) => variant.cases().filter_map(|case| case.ty).any(|ty| has_resource(&ty)),
        Type::Option(option) => has_resource(&option.ty()),
        Type::Result(result) => [result.ok(), result.err()].into_iter().flatten().any(|ty| has_resource(&ty)),
        _ => false,
    }
}

async fn run(
    mut store: StoreContextMut<'_, Host>,
    number: usize,
    name: Arc<str>,
    ty: &ComponentFunc,
    arguments: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    let host = store.data();
    let Some(handler) = host.handler.clone() else {
        return Err(fail(&mut store, Error::import(&name, "nobody is there to run it")));
    };
    let serving = Serving::new(&host.engine);
    let served = Served::new(serving.clone());
    let typed = TypedRequest {
        name: Arc::clone(&name),
        arguments: arguments.iter().cloned().zip(ty.params().map(|(_, ty)| ty)).collect(),
        result: ty.results().next(),
        home: Arc::clone(&host.dropped),
        limit: host.limiter.limits.input,
    };
    handler.request(HostRequest { function: number, arguments: Vec::new(), typed: Some(typed), serving });
    let reply = loop {
        match served.next().await {
            Operation::ReplyTyped(reply) => break reply,
            Operation::Reply(reply) => break reply.and(Err("it returned no typed value".into())),
            // A component may not be entered while it waits, and its memories are its own.
            other => other.refuse(Error::Busy),
        }
    };
    drop(served);
    // The reply may have come on a caller's thread, and copying it into the guest may take longer than that may be held.
    store.data_mut().limiter.inline = false;
    yield_to_pool().await;
    store.set_epoch_deadline(1);
    match (reply, results) {
        (Ok(Some(value)), [place]) => *place = value,
        (Ok(_), []) => {}
        (Ok(_), _) => return Err(fail(&mut store, Error::import(&name, "it returned no value"))),
        (Err(message), _) => return Err(fail(&mut store, Error::import(&name, message))),
    }
    Ok(())
}

/// Remembers why the guest traps.
pub(super) fn fail(store: &mut StoreContextMut<'_, Host>, error: Error) -> wasmtime::Error {
    let trap = wasmtime::Error::msg(error.to_string());
    store.data_mut().failure = Some(error);
    trap
}
