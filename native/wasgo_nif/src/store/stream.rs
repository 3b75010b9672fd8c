//! Queries that are read in pieces.

use rustler::{Atom, Binary, Env, LocalPid, Monitor, Resource, ResourceArc, Term};
use wasgo_store::{Cursor, Run};

use super::rows::{self, Wanted};
use super::{AccessResource, StoreResource, TokenResource, parameters_fault, pending, sql_fault, store_fault, text};
use crate::later::Waiting;
use crate::{atoms, bytes, fault};

/// A cursor's resource: closed when the process that opened it dies.
pub struct CursorResource(Cursor);

#[rustler::resource_impl]
impl Resource for CursorResource {
    fn down<'a>(&'a self, _env: Env<'a>, _pid: LocalPid, _monitor: Monitor) {
        close(&self.0);
    }
}

impl Drop for CursorResource {
    fn drop(&mut self) {
        close(&self.0);
    }
}

/// Ends it on a thread for that: to forget a query half done may take a while.
fn close(cursor: &Cursor) {
    struct Closing(Cursor);
    impl Drop for Closing {
        fn drop(&mut self) {
            self.0.close();
        }
    }
    bytes::reap(Closing(cursor.clone()));
}

/// `{:ok, cursor}`; nothing is read yet.
#[rustler::nif]
fn store_cursor<'a>(
    env: Env<'a>,
    store: ResourceArc<StoreResource>,
    token: Option<ResourceArc<TokenResource>>,
    sql: Binary<'a>,
    parameters: Term<'a>,
) -> Term<'a> {
    let Ok(sql) = text(sql) else { return fault::err(env, sql_fault(env)) };
    let params = match super::params(parameters) {
        Ok(params) => params,
        Err(message) => return fault::err(env, parameters_fault(env, &message)),
    };
    let cursor = match token {
        Some(token) => Ok(store.store.cursor_within(&token.0, sql, params)),
        None => store.store.cursor(sql, params),
    };
    match cursor {
        Ok(cursor) => {
            let resource = ResourceArc::new(CursorResource(cursor));
            resource.monitor(Some(env), &env.pid());
            fault::ok(env, resource)
        }
        Err(error) => fault::err(env, store_fault(env, &error)),
    }
}

/// The next rows, later, as `{more, rows}`.
#[rustler::nif]
fn store_fetch<'a>(
    env: Env<'a>,
    cursor: ResourceArc<CursorResource>,
    access: Option<ResourceArc<AccessResource>>,
    wanted: Wanted,
    timeout_ms: u64,
) -> Term<'a> {
    let (waiting, reference) = Waiting::new(env);
    let maps = wanted.2;
    let done = move |run: Run<'_>| waiting.answer_here(|env| rows::answer(env, maps, run, rows::Sink::piece));
    let access = access.map(|access| access.access());
    let begun = cursor.0.fetch(super::limits(wanted), rows::deadline(timeout_ms), access, Box::new(done));
    pending(env, reference, begun)
}

/// Its place is free, and its connection given back, unless it runs, when this returns.
#[rustler::nif(schedule = "DirtyIo")]
fn store_cursor_close(cursor: ResourceArc<CursorResource>) -> Atom {
    cursor.0.close();
    atoms::ok()
}
