//! What goes into a call of a component's function, and what comes out.

use std::sync::Arc;

use wasmtime::component::types::Type;
use wasmtime::component::{ResourceAny, ResourceType, Val};

use super::describe::{ResourceNames, describe_type, resource_name};
use super::handle::{Dropped, Handle};
use super::weigh::weight;
use crate::error::{Error, LimitKind};

/// Values in one call's arguments, and in its result: each element of a list is one. A value takes some 40 bytes while it is on its
/// way, however small it is.
pub(super) const MAX_VALUES: usize = 4 << 20;

/// A function's name and parameters.
pub struct Signature<'a> {
    /// Its name, as it was called by.
    pub name: &'a str,
    /// Names and types of its parameters.
    pub parameters: &'a [(Box<str>, Type)],
    pub(super) names: &'a ResourceNames,
}

impl Signature<'_> {
    /// A type as text, with the names of this function's component.
    pub fn describe(&self, ty: &Type) -> String {
        describe_type(ty, self.names)
    }
}

/// Keeps account of a call's arguments while they are made: how large they are, and which resources go with them.
pub struct Arguments {
    home: Arc<Dropped>,
    given: Vec<Handle>,
    lent: Vec<Handle>,
    bytes: u64,
    limit: u64,
    values: usize,
}

impl Arguments {
    pub(super) fn new(home: &Arc<Dropped>, limit: u64) -> Self {
        Self { home: Arc::clone(home), given: Vec::new(), lent: Vec::new(), bytes: 0, limit, values: 0 }
    }

    /// To be called before memory is taken for `values` values that have `bytes` bytes in the guest.
    ///
    /// # Errors
    /// [`Error::Limit`] when they are too many.
    pub fn spend(&mut self, values: usize, bytes: usize) -> Result<(), Error> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.values = self.values.saturating_add(values);
        if self.bytes > self.limit {
            return Err(Error::Limit { kind: LimitKind::InputSize, limit: self.limit, asked: Some(self.bytes) });
        }
        if self.values > MAX_VALUES {
            let asked = Some(self.values as u64);
            return Err(Error::Limit { kind: LimitKind::Values, limit: MAX_VALUES as u64, asked });
        }
        Ok(())
    }

    /// A resource as an argument of type `own` or `borrow`. An owned one is the guest's from then on, if the call is made.
    ///
    /// # Errors
    /// What the argument must be, in words.
    pub fn resource(&mut self, handle: &Handle, ty: ResourceType, owned: bool) -> Result<Val, &'static str> {
        if !handle.belongs_to(&self.home) {
            return Err("a resource of the same instance");
        }
        if handle.ty() != ty {
            return Err("a resource of that type");
        }
        if !handle.is_live() {
            return Err("a resource that was not dropped or given away");
        }
        let same = |other: &Handle| other.is(handle);
        if self.given.iter().any(same) || owned && self.lent.iter().any(same) {
            return Err("a resource that is not given away in the same call");
        }
        if owned { &mut self.given } else { &mut self.lent }.push(handle.clone());
        Ok(Val::Resource(handle.resource()))
    }

    /// The call is made: what it owns is no longer the host's.
    pub(super) fn give(self) {
        for handle in self.given {
            handle.end();
        }
    }
}

/// What a function returned.
pub struct Returned {
    value: Option<(Val, Type)>,
    weight: usize,
    home: Arc<Dropped>,
    names: Arc<ResourceNames>,
}

impl Returned {
    pub(super) fn new(value: Option<(Val, Type)>, home: Arc<Dropped>, names: Arc<ResourceNames>) -> Self {
        let weight = value.as_ref().map_or(0, |(value, _)| weight(value));
        Self { value, weight, home, names }
    }

    /// The value and its type; none from a function without a result.
    pub fn value(&self) -> Option<(&Val, &Type)> {
        self.value.as_ref().map(|(value, ty)| (value, ty))
    }

    /// Its size in bytes, about as in the guest's memory.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// A resource in it becomes the host's: to be called once for each.
    pub fn handle(&self, resource: ResourceAny) -> Handle {
        Handle::new(resource, &self.home)
    }

    /// The name of a resource's type.
    pub fn resource_name(&self, ty: ResourceType) -> &str {
        resource_name(&self.names, ty)
    }
}
