//! One user at a time: the right to use what an instance consists of.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::executor::Canceller;
use crate::instance::InstanceStatus;

/// What is used by one at a time, and freed elsewhere, because that takes time.
pub(super) trait Reap: Send + 'static {
    fn reap(self: Box<Self>);
}

enum Slot<C> {
    Idle(Box<C>),
    Busy { call: u64, canceller: Option<Canceller> },
    Poisoned(Error),
    Closed,
}

struct Parts<C: Reap> {
    slot: Mutex<Slot<C>>,
    calls: AtomicU64,
}

impl<C: Reap> Parts<C> {
    fn lock(&self) -> MutexGuard<'_, Slot<C>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Reap> Drop for Parts<C> {
    fn drop(&mut self) {
        // The last handle, and nobody has a lease, since that would hold another.
        let slot = self.slot.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Slot::Idle(core) = std::mem::replace(slot, Slot::Closed) {
            core.reap();
        }
    }
}

/// A core, lent to one user at a time. Clones are handles on the same one.
pub(super) struct Lender<C: Reap>(Arc<Parts<C>>);

impl<C: Reap> Clone for Lender<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Reap> Lender<C> {
    pub(super) fn new(core: C) -> Self {
        let slot = Mutex::new(Slot::Idle(Box::new(core)));
        Self(Arc::new(Parts { slot, calls: AtomicU64::new(0) }))
    }

    pub(super) fn status(&self) -> InstanceStatus {
        match &*self.0.lock() {
            Slot::Idle(_) => InstanceStatus::Idle,
            Slot::Busy { .. } => InstanceStatus::Busy,
            Slot::Poisoned(_) => InstanceStatus::Poisoned,
            Slot::Closed => InstanceStatus::Closed,
        }
    }

    /// Frees the core; a call under way is stopped.
    pub(super) fn close(&self) {
        let before = std::mem::replace(&mut *self.0.lock(), Slot::Closed);
        match before {
            Slot::Idle(core) => core.reap(),
            Slot::Busy { canceller: Some(canceller), .. } => canceller.cancel(),
            _ => {}
        }
    }

    /// The core, or why it can't be had.
    pub(super) fn lease(&self) -> Result<Lease<C>, Error> {
        let mut slot = self.0.lock();
        match &*slot {
            Slot::Idle(_) => {}
            Slot::Busy { .. } => return Err(Error::Busy),
            Slot::Poisoned(error) => return Err(error.clone()),
            Slot::Closed => return Err(Error::Closed),
        }
        let call = self.0.calls.fetch_add(1, Ordering::Relaxed);
        match std::mem::replace(&mut *slot, Slot::Busy { call, canceller: None }) {
            Slot::Idle(core) => Ok(Lease { lender: self.clone(), core: Some(core), call }),
            _ => Err(Error::Busy),
        }
    }

    /// So that closing stops the call that goes on with `canceller`.
    pub(super) fn runs_on(&self, call: u64, canceller: &Canceller) {
        match &mut *self.0.lock() {
            Slot::Busy { call: current, canceller: place } if *current == call => *place = Some(canceller.clone()),
            Slot::Closed => canceller.cancel(),
            _ => {}
        }
    }
}

/// The right to use a core. Dropped without [`Lease::release`], because the call was stopped in the middle, it leaves the core
/// unusable.
pub(super) struct Lease<C: Reap> {
    lender: Lender<C>,
    core: Option<Box<C>>,
    pub(super) call: u64,
}

impl<C: Reap> Lease<C> {
    pub(super) fn core(&mut self) -> Result<&mut C, Error> {
        self.core.as_deref_mut().ok_or(Error::Closed)
    }

    /// Ends the use: the core is free for the next.
    pub(super) fn release(mut self) {
        let Some(core) = self.core.take() else { return };
        let mut slot = self.lender.0.lock();
        if matches!(&*slot, Slot::Busy { .. }) {
            *slot = Slot::Idle(core);
        } else {
            // Closed meanwhile.
            drop(slot);
            core.reap();
        }
    }

    /// Ends the use, and all others: from now on whoever wants the core gets `error`.
    pub(super) fn poison(mut self, error: Error) {
        self.discard(error);
    }

    fn discard(&mut self, error: Error) {
        let Some(core) = self.core.take() else { return };
        let mut slot = self.lender.0.lock();
        if matches!(&*slot, Slot::Busy { .. }) {
            *slot = Slot::Poisoned(error);
        }
        drop(slot);
        core.reap();
    }
}

impl<C: Reap> Drop for Lease<C> {
    fn drop(&mut self) {
        self.discard(Error::Poisoned);
    }
}
