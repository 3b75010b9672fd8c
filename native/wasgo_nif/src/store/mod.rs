//! Databases: small queries answer at once, on a dirty scheduler; every other request answers later, from one of the database's own
//! threads.

mod access;
mod notify;
mod params;
mod rows;
mod stream;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustler::{Atom, Binary, Encoder, Env, LocalPid, Monitor, NifTaggedEnum, Resource, ResourceArc, Term};
use wasgo_store::{
    Behavior, FunctionHost, Limits, Options, Replica, Reply, Request, Run, Server, Store, StoreError, Synced,
    Synchronous, Token,
};

pub use access::AccessResource;
use params::params;
use rows::Wanted;
use watch::Subscriptions;

use crate::later::Waiting;
use crate::{atoms, fault};

/// A database's resource; it is closed when the last reference goes.
pub struct StoreResource {
    pub store: Store,
    subscriptions: Arc<Subscriptions>,
}

/// Databases that somebody holds.
static OPEN: AtomicUsize = AtomicUsize::new(0);

impl Drop for StoreResource {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many databases somebody holds.
pub fn open_now() -> usize {
    OPEN.load(Ordering::Relaxed)
}

#[rustler::resource_impl]
impl Resource for StoreResource {}

/// A transaction's resource: rolled back when the process that began it dies.
pub struct TokenResource(Token);

#[rustler::resource_impl]
impl Resource for TokenResource {
    fn down<'a>(&'a self, _env: Env<'a>, _pid: LocalPid, _monitor: Monitor) {
        self.0.abandon();
    }
}

/// Path (nil: in memory), read-only, create, synchronous (0 off, 1 normal, 2 full), busy time-out in ms, foreign keys, size
/// limit in bytes.
type OptionsTuple = (Option<String>, bool, bool, u8, u64, bool, Option<u64>);

/// The address of a server, its token, and how long a connection to it may take in ms.
type ServerTuple = (String, Option<String>, u64);

/// The server that a file follows, how often in ms, and whether a write is seen by queries after it.
type ReplicaTuple = (ServerTuple, Option<u64>, bool);

fn server((url, auth_token, connect_ms): ServerTuple) -> Server {
    Server { url, auth_token, connect_timeout: Duration::from_millis(connect_ms) }
}

/// Answers later by the store and whether it has readers. `readers`: nil for as many as is usual.
#[rustler::nif]
fn store_open<'a>(
    env: Env<'a>,
    options: OptionsTuple,
    wal: bool,
    readers: Option<usize>,
    replica: Option<ReplicaTuple>,
) -> Term<'a> {
    let (path, read_only, create, synchronous, busy_ms, foreign_keys, max_bytes) = options;
    let base = match path {
        Some(path) => Options::file(PathBuf::from(path)),
        None => Options::memory(),
    };
    let replica = replica.map(|(of, every_ms, read_your_writes)| Replica {
        of: server(of),
        sync_every: every_ms.map(Duration::from_millis),
        read_your_writes,
    });
    let options = Options {
        read_only,
        create,
        wal,
        synchronous: match synchronous {
            0 => Synchronous::Off,
            1 => Synchronous::Normal,
            _ => Synchronous::Full,
        },
        busy_timeout: Duration::from_millis(busy_ms),
        foreign_keys,
        max_bytes,
        readers: readers.unwrap_or(base.readers),
        // Without an engine there are no functions, and all else works.
        functions: crate::wasm::engine().ok().cloned().map(FunctionHost::new),
        replica,
        ..base
    };
    open(env, options)
}

/// Answers later as `store_open` does, by a store whose database is a server's.
#[rustler::nif]
fn store_open_server<'a>(env: Env<'a>, of: ServerTuple) -> Term<'a> {
    open(env, Options::server(server(of)))
}

fn open<'a>(env: Env<'a>, options: Options) -> Term<'a> {
    let (waiting, reference) = Waiting::new(env);
    let done = move |opened: Result<Store, StoreError>| {
        waiting.answer(move |env| match opened {
            Ok(store) => {
                let has_readers = store.has_readers();
                OPEN.fetch_add(1, Ordering::Relaxed);
                let resource = StoreResource { store, subscriptions: Arc::default() };
                fault::ok(env, (ResourceArc::new(resource), has_readers))
            }
            Err(error) => fault::err(env, store_fault(env, &error)),
        });
    };
    pending(env, reference, Store::open_with(options, done))
}

/// Brings a replica up to date; answers later by how many frames came, and the number of the last.
#[rustler::nif]
fn store_sync<'a>(env: Env<'a>, store: ResourceArc<StoreResource>, timeout_ms: u64) -> Term<'a> {
    let (waiting, reference) = Waiting::new(env);
    let done = move |result: Result<Synced, StoreError>| {
        waiting.answer(move |env| match result {
            Ok(synced) => fault::ok(env, (synced.frames, synced.frame_no)),
            Err(error) => fault::err(env, store_fault(env, &error)),
        });
    };
    pending(env, reference, store.store.sync(rows::deadline(timeout_ms), done))
}

#[rustler::nif]
fn store_close(store: ResourceArc<StoreResource>) -> Atom {
    store.store.close_now();
    atoms::ok()
}

#[rustler::nif]
fn store_interrupt(store: ResourceArc<StoreResource>) -> Atom {
    store.store.interrupt();
    atoms::ok()
}

/// A token, with which a transaction can be begun; the calling process is its owner.
#[rustler::nif]
fn store_token<'a>(env: Env<'a>, store: ResourceArc<StoreResource>) -> ResourceArc<TokenResource> {
    let token = ResourceArc::new(TokenResource(store.store.token()));
    token.monitor(Some(env), &env.pid());
    token
}

/// Who asks: a transaction's token, and what the SQL may reach.
type Asker = (Option<ResourceArc<TokenResource>>, Option<ResourceArc<AccessResource>>);

/// What is asked of a database, as `{:execute, sql, parameters}`, `{:query, sql, parameters, wanted}`,
/// `{:batch, sql}`, `{:execute_many, sql, rows}`, `:begin`, `:commit` or `:rollback`,
/// or `{:notify, kind?, object or kind, what, row}`.
#[derive(NifTaggedEnum)]
enum Asked<'a> {
    Execute(Binary<'a>, Term<'a>),
    Query(Binary<'a>, Term<'a>, Wanted),
    Notify(bool, String, i32, Term<'a>),
    Batch(Binary<'a>),
    ExecuteMany(Binary<'a>, Vec<Term<'a>>),
    Begin,
    Commit,
    Rollback,
}

/// Puts a request into a queue. SQL and parameters are copied for that, on the scheduler; for large ones the caller picks the twin.
#[rustler::nif]
fn store_submit<'a>(
    env: Env<'a>,
    store: ResourceArc<StoreResource>,
    asker: Asker,
    asked: Asked<'a>,
    timeout_ms: u64,
) -> Term<'a> {
    submit(env, &store, asker, asked, timeout_ms)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn store_submit_dirty<'a>(
    env: Env<'a>,
    store: ResourceArc<StoreResource>,
    asker: Asker,
    asked: Asked<'a>,
    timeout_ms: u64,
) -> Term<'a> {
    submit(env, &store, asker, asked, timeout_ms)
}

/// Runs a small query at once; one that is not, or finds no connection, is put into a queue.
#[rustler::nif(schedule = "DirtyIo")]
fn store_query<'a>(
    env: Env<'a>,
    store: ResourceArc<StoreResource>,
    access: Option<ResourceArc<AccessResource>>,
    sql: Binary<'a>,
    parameters: Term<'a>,
    wanted: Wanted,
    timeout_ms: u64,
) -> Term<'a> {
    match rows::query_now(env, &store.store, access.as_ref(), &sql, parameters, wanted, timeout_ms) {
        Some(answer) => answer,
        None => submit(env, &store, (None, access), Asked::Query(sql, parameters, wanted), timeout_ms),
    }
}

/// Copies the database into a new file; answers later. It makes the file at once, which may wait for the disk.
#[rustler::nif(schedule = "DirtyIo")]
fn store_backup<'a>(env: Env<'a>, store: ResourceArc<StoreResource>, path: String, timeout_ms: u64) -> Term<'a> {
    let (waiting, reference) = Waiting::new(env);
    let done = move |result: Result<(), StoreError>| {
        waiting.answer(move |env| match result {
            Ok(()) => fault::ok(env, atoms::ok()),
            Err(error) => fault::err(env, store_fault(env, &error)),
        });
    };
    pending(env, reference, store.store.back_up(path, rows::deadline(timeout_ms), done))
}

/// Why a request was not made of what is asked.
enum Wrong {
    Parameters(String),
    Sql,
}

fn text(sql: Binary<'_>) -> Result<String, Wrong> {
    std::str::from_utf8(sql.as_slice()).map(str::to_owned).map_err(|_| Wrong::Sql)
}

fn request(asked: Asked<'_>, token: Option<&Token>) -> Result<Request, Wrong> {
    // Only a transaction has a token, and only Elixir's own code begins and ends one.
    let token_of = || token.ok_or_else(|| Wrong::Parameters("there is no transaction".to_owned()));
    let params = |term| params(term).map_err(Wrong::Parameters);
    let request = match asked {
        Asked::Begin => return Ok(Request::begin(token_of()?, Behavior::Immediate)),
        Asked::Commit => return Ok(Request::commit(token_of()?)),
        Asked::Rollback => return Ok(Request::rollback(token_of()?)),
        Asked::Execute(sql, parameters) => Request::execute(text(sql)?, params(parameters)?),
        Asked::Query(sql, parameters, wanted) => Request::query_within(text(sql)?, params(parameters)?, limits(wanted)),
        Asked::Notify(kind, of, what, row) => {
            let (sql, params) = notify::statement(kind, &of, what, row).map_err(Wrong::Parameters)?;
            Request::query(sql, params)
        }
        Asked::Batch(sql) => Request::batch(text(sql)?),
        Asked::ExecuteMany(sql, rows) => {
            Request::execute_many(text(sql)?, params::many(&rows).map_err(Wrong::Parameters)?)
        }
    };
    Ok(match token {
        Some(token) => request.within(token),
        None => request,
    })
}

fn limits((max_rows, max_bytes, _): Wanted) -> Limits {
    Limits { max_rows, max_bytes }
}

fn submit<'a>(env: Env<'a>, store: &StoreResource, asker: Asker, asked: Asked<'a>, timeout_ms: u64) -> Term<'a> {
    let (token, access) = asker;
    let maps = matches!(asked, Asked::Query(_, _, (_, _, true)));
    let is_query = matches!(asked, Asked::Query(..));
    let notifies = matches!(asked, Asked::Notify(..));
    let mut request = match request(asked, token.as_ref().map(|token| &token.0)) {
        Ok(request) => request.timeout(Duration::from_millis(timeout_ms)),
        Err(Wrong::Parameters(message)) => return fault::err(env, parameters_fault(env, &message)),
        Err(Wrong::Sql) => return fault::err(env, sql_fault(env)),
    };
    if let Some(access) = access {
        request = request.restricted(access.access());
    }
    if notifies && let Err(error) = store.store.refuse_if_remote("a notification of scripts") {
        return fault::err(env, store_fault(env, &error));
    }
    let (waiting, reference) = Waiting::new(env);
    if is_query {
        let done = move |run: Run<'_>| waiting.answer_here(|env| rows::answer(env, maps, run, |sink, _| sink.rows()));
        return pending(env, reference, store.store.submit_rows(request, Box::new(done)));
    }
    if notifies {
        let done = move |run: Run<'_>| waiting.answer_here(|env| notify::answer(env, run));
        return pending(env, reference, store.store.submit_rows(request, Box::new(done)));
    }
    let done = move |answer: Result<Reply, StoreError>| {
        waiting.answer(move |env| match answer {
            Ok(Reply::Executed(executed)) => fault::ok(env, (executed.changes, executed.last_insert_rowid)),
            Ok(_) => fault::ok(env, atoms::ok()),
            Err(error) => fault::err(env, store_fault(env, &error)),
        });
    };
    pending(env, reference, store.store.submit(request, done))
}

fn pending<'a>(env: Env<'a>, reference: rustler::Reference<'a>, begun: Result<(), StoreError>) -> Term<'a> {
    match begun {
        Ok(()) => (atoms::pending(), reference).encode(env),
        Err(error) => fault::err(env, store_fault(env, &error)),
    }
}

fn parameters_fault<'a>(env: Env<'a>, message: &str) -> Term<'a> {
    fault::fault(env, atoms::store(), atoms::parameters().to_term(env), message, &[])
}

fn sql_fault(env: Env<'_>) -> Term<'_> {
    fault::fault(env, atoms::store(), atoms::not_utf8().to_term(env), "the SQL is not UTF-8", &[])
}

fn store_fault<'a>(env: Env<'a>, error: &StoreError) -> Term<'a> {
    let cause = error.cause().map(|cause| fault::atom(env, cause));
    let more = [
        (atoms::code(), error.sqlite_code().encode(env)),
        (atoms::offset(), error.sql_offset().encode(env)),
        (atoms::cause(), cause.encode(env)),
    ];
    fault::fault(env, atoms::store(), fault::atom(env, error.code_name()), &error.to_string(), &more)
}
