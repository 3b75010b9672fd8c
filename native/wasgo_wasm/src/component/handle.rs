//! Handles on a guest's resources, as its host holds them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use wasmtime::component::{ResourceAny, ResourceType};

/// Handles that were dropped outside, whose resources the guest has yet to destroy. Who may enter the guest does that, before the
/// next call. They are no more than the guest gave out, which is bounded by [`super::instance::MAX_HANDLES`].
#[derive(Default)]
pub(super) struct Dropped(Mutex<Vec<ResourceAny>>);

impl Dropped {
    pub(super) fn take(&self) -> Vec<ResourceAny> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, resource: ResourceAny) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(resource);
    }
}

struct Parts {
    resource: ResourceAny,
    live: AtomicBool,
    /// The instance that it belongs to.
    home: Weak<Dropped>,
}

impl Drop for Parts {
    fn drop(&mut self) {
        if *self.live.get_mut()
            && let Some(home) = self.home.upgrade()
        {
            home.add(self.resource);
        }
    }
}

/// A resource that a guest handed out: the right to call its methods, and the duty to drop it, which dropping the last clone of
/// the handle does.
#[derive(Clone)]
pub struct Handle(Arc<Parts>);

impl Handle {
    pub(super) fn new(resource: ResourceAny, home: &Arc<Dropped>) -> Self {
        Self(Arc::new(Parts { resource, live: AtomicBool::new(true), home: Arc::downgrade(home) }))
    }

    /// Whether it was neither dropped nor given away, and its instance is still there.
    pub fn is_live(&self) -> bool {
        self.0.live.load(Ordering::SeqCst) && self.0.home.strong_count() > 0
    }

    /// The resource's type.
    pub fn ty(&self) -> ResourceType {
        self.0.resource.ty()
    }

    pub(super) fn resource(&self) -> ResourceAny {
        self.0.resource
    }

    pub(super) fn belongs_to(&self, home: &Arc<Dropped>) -> bool {
        std::ptr::eq(self.0.home.as_ptr(), Arc::as_ptr(home))
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Ends the handle; false if it had ended before.
    pub(super) fn end(&self) -> bool {
        self.0.live.swap(false, Ordering::SeqCst)
    }
}
