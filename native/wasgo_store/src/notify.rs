//! Who is told of what a store's own writes changed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::StoreError;
use crate::journal::Change;
use crate::request::call;

/// Subscriptions that a store may have.
pub const MAX_SUBSCRIBERS: usize = 10_000;

/// What is called with the changes of a commit, on the store's thread, which does nothing else meanwhile.
pub type OnChange = Box<dyn Fn(&[Change]) + Send>;

#[derive(Default)]
pub(crate) struct Subscribers {
    next: AtomicU64,
    /// Whether there are any: asked before each request.
    any: AtomicBool,
    all: Mutex<Vec<Subscriber>>,
}

struct Subscriber {
    id: u64,
    /// None: all of them. In lower case.
    tables: Option<BTreeSet<String>>,
    on_change: OnChange,
}

impl Subscribers {
    fn all(&self) -> MutexGuard<'_, Vec<Subscriber>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::SeqCst)
    }

    pub(crate) fn add(&self, tables: Option<Vec<String>>, on_change: OnChange) -> Result<u64, StoreError> {
        let mut all = self.all();
        if all.len() >= MAX_SUBSCRIBERS {
            return Err(StoreError::Busy { capacity: MAX_SUBSCRIBERS });
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let tables = tables.map(|tables| tables.iter().map(|table| table.to_ascii_lowercase()).collect());
        all.push(Subscriber { id, tables, on_change });
        self.any.store(true, Ordering::SeqCst);
        Ok(id)
    }

    pub(crate) fn remove(&self, id: u64) {
        let mut all = self.all();
        all.retain(|subscriber| subscriber.id != id);
        self.any.store(!all.is_empty(), Ordering::SeqCst);
    }

    pub(crate) fn tell(&self, changes: &[Change]) {
        for subscriber in &*self.all() {
            let Some(tables) = &subscriber.tables else {
                call(|| (subscriber.on_change)(changes));
                continue;
            };
            let theirs = |change: &&Change| tables.contains(&change.table.to_ascii_lowercase());
            let theirs: Vec<Change> = changes.iter().filter(theirs).cloned().collect();
            if !theirs.is_empty() {
                call(|| (subscriber.on_change)(&theirs));
            }
        }
    }
}

/// A subscription, which ends when this is dropped.
pub struct Subscription {
    pub(crate) id: u64,
    pub(crate) shared: Arc<crate::shared::Shared>,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.subscribers.remove(self.id);
    }
}
