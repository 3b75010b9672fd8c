//! Processes that are told of what a store's own writes changed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustler::{Atom, Encoder, Env, LocalPid, Monitor, OwnedEnv, Reference, Resource, ResourceArc, Term};
use wasgo_store::{Change, Operation, StoreError, Subscription};

use super::{AccessResource, StoreResource, store_fault};
use crate::{atoms, bytes, fault};

/// Who is subscribed to a store.
#[derive(Default)]
pub struct Subscriptions(Mutex<Vec<ResourceArc<SubscriberResource>>>);

impl Subscriptions {
    fn all(&self) -> MutexGuard<'_, Vec<ResourceArc<SubscriberResource>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends those of a process.
    fn end(&self, pid: &LocalPid) {
        let mut ended = Vec::new();
        self.all().retain(|subscriber| {
            let stays = subscriber.pid != *pid;
            if !stays {
                ended.push(subscriber.clone());
            }
            stays
        });
        for subscriber in ended {
            drop(subscriber.take());
        }
    }
}

/// A process that is subscribed, until it dies.
pub struct SubscriberResource {
    pid: LocalPid,
    home: Weak<Subscriptions>,
    subscription: Mutex<Option<Subscription>>,
}

impl SubscriberResource {
    fn take(&self) -> Option<Subscription> {
        self.subscription.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[rustler::resource_impl]
impl Resource for SubscriberResource {
    fn down<'a>(&'a self, _env: Env<'a>, _pid: LocalPid, _monitor: Monitor) {
        // Who is told just now holds the list.
        struct Leaving(Weak<Subscriptions>, LocalPid);
        impl Drop for Leaving {
            fn drop(&mut self) {
                if let Some(home) = self.0.upgrade() {
                    home.end(&self.1);
                }
            }
        }
        bytes::reap(Leaving(self.home.clone(), self.pid));
    }
}

/// Has the calling process told of changes: of all tables, or of those named. What it had before ends.
#[rustler::nif(schedule = "DirtyIo")]
fn store_subscribe<'a>(
    env: Env<'a>,
    store: ResourceArc<StoreResource>,
    reference: Reference<'a>,
    tables: Option<Vec<String>>,
    access: Option<ResourceArc<AccessResource>>,
) -> Term<'a> {
    if let Some(access) = access {
        let access = access.access();
        let refused = match &tables {
            None => Some("not allowed to be told of all tables: name some".to_owned()),
            Some(tables) => {
                let first = tables.iter().find(|table| !access.reads_all_of(table));
                first.map(|table| format!("not allowed to read {table}"))
            }
        };
        if let Some(message) = refused {
            return fault::err(env, store_fault(env, &StoreError::NotAllowed(message)));
        }
    }
    let pid = env.pid();
    store.subscriptions.end(&pid);
    let kept = OwnedEnv::new();
    let reference = kept.save(reference);
    let on_change = move |changes: &[Change]| {
        // It fails when the process is gone.
        let _ = OwnedEnv::new().send_and_clear(&pid, |env| {
            let reference = kept.run(|kept| reference.load(kept).in_env(env));
            let changes: Vec<Term<'_>> = changes.iter().map(|change| encode(env, change)).collect();
            (atoms::wasgo_store(), reference, (atoms::changed(), changes)).encode(env)
        });
    };
    match store.store.subscribe(tables, Box::new(on_change)) {
        Ok(subscription) => {
            let subscriber = ResourceArc::new(SubscriberResource {
                pid,
                home: Arc::downgrade(&store.subscriptions),
                subscription: Mutex::new(Some(subscription)),
            });
            if subscriber.monitor(Some(env), &pid).is_some() {
                store.subscriptions.all().push(subscriber);
            }
            atoms::ok().to_term(env)
        }
        Err(error) => fault::err(env, store_fault(env, &error)),
    }
}

/// Ends what the calling process is told.
#[rustler::nif(schedule = "DirtyIo")]
fn store_unsubscribe(env: Env<'_>, store: ResourceArc<StoreResource>) -> Atom {
    store.subscriptions.end(&env.pid());
    atoms::ok()
}

fn encode<'a>(env: Env<'a>, change: &Change) -> Term<'a> {
    let operation = match change.operation {
        Operation::Insert => atoms::insert(),
        Operation::Update => atoms::update(),
        Operation::Delete => atoms::delete(),
    };
    let keys = [atoms::table(), atoms::op(), atoms::rowid(), atoms::count()].map(|key| key.to_term(env));
    let values = [
        bytes::copy(env, change.table.as_bytes()),
        operation.to_term(env),
        change.rowid.encode(env),
        change.count.encode(env),
    ];
    // The keys are all different.
    Term::map_from_term_arrays(env, &keys, &values).unwrap_or_else(|_| Term::map_new(env))
}
