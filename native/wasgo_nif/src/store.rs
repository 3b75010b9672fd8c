//! Databases: every request answers later, from the database's own thread.

use std::path::PathBuf;
use std::time::Duration;

use rustler::{Atom, Encoder, Env, LocalPid, Monitor, NifTaggedEnum, Resource, ResourceArc, Term};
use wasgo_store::{
    Behavior, Limits, Location, Options, Params, Reply, Request, Rows, Store, StoreError, Synchronous, Token, Value,
};
use wasgo_wasm::row;

use crate::later::Waiting;
use crate::{atoms, fault, values};

/// A database's resource; it is closed when the last reference goes.
pub struct StoreResource(pub Store);

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

#[rustler::nif]
fn store_open<'a>(env: Env<'a>, options: OptionsTuple) -> Term<'a> {
    let (path, read_only, create, synchronous, busy_ms, foreign_keys, max_bytes) = options;
    let base = match &path {
        Some(path) => Options::file(PathBuf::from(path)),
        None => Options::memory(),
    };
    let options = Options {
        location: path.map_or(Location::Memory, |path| Location::File(path.into())),
        read_only,
        create,
        synchronous: match synchronous {
            0 => Synchronous::Off,
            1 => Synchronous::Normal,
            _ => Synchronous::Full,
        },
        busy_timeout: Duration::from_millis(busy_ms),
        foreign_keys,
        max_bytes,
        ..base
    };
    let (waiting, reference) = Waiting::new(env);
    let done = move |opened: Result<Store, StoreError>| {
        waiting.answer(move |env| match opened {
            Ok(store) => fault::ok(env, ResourceArc::new(StoreResource(store))),
            Err(error) => fault::err(env, store_fault(env, &error)),
        });
    };
    match Store::open_with(options, done) {
        Ok(()) => (atoms::pending(), reference).encode(env),
        Err(error) => fault::err(env, store_fault(env, &error)),
    }
}

#[rustler::nif]
fn store_close(store: ResourceArc<StoreResource>) -> Atom {
    store.0.close_now();
    atoms::ok()
}

/// A token, with which a transaction can be begun; the calling process is its owner.
#[rustler::nif]
fn store_token<'a>(env: Env<'a>, store: ResourceArc<StoreResource>) -> ResourceArc<TokenResource> {
    let token = ResourceArc::new(TokenResource(store.0.token()));
    token.monitor(Some(env), &env.pid());
    token
}

type MaybeToken = Option<ResourceArc<TokenResource>>;

/// What is asked of a database, as `{:execute, sql, parameters}`, `{:query, sql, parameters, {max_rows, max_bytes}}`,
/// `{:batch, sql}`, `{:execute_many, sql, rows}`, `:begin`, `:commit` or `:rollback`.
#[derive(NifTaggedEnum)]
enum Asked<'a> {
    Execute(String, Term<'a>),
    Query(String, Term<'a>, (usize, usize)),
    Batch(String),
    ExecuteMany(String, Vec<Term<'a>>),
    Begin,
    Commit,
    Rollback,
}

/// Puts a request into the queue. SQL and parameters are copied for that, on the scheduler; for large ones the caller picks the twin.
#[rustler::nif]
fn store_submit<'a>(
    env: Env<'a>,
    store: ResourceArc<StoreResource>,
    token: MaybeToken,
    asked: Asked<'a>,
    timeout_ms: u64,
) -> Term<'a> {
    submit(env, &store, token, asked, timeout_ms)
}

#[rustler::nif(schedule = "DirtyCpu")]
fn store_submit_dirty<'a>(
    env: Env<'a>,
    store: ResourceArc<StoreResource>,
    token: MaybeToken,
    asked: Asked<'a>,
    timeout_ms: u64,
) -> Term<'a> {
    submit(env, &store, token, asked, timeout_ms)
}

fn request(asked: Asked<'_>, token: Option<&Token>) -> Result<Request, String> {
    // Only a transaction has a token, and only Elixir's own code begins and ends one.
    let token_of = || token.ok_or_else(|| "there is no transaction".to_owned());
    let request = match asked {
        Asked::Begin => return Ok(Request::begin(token_of()?, Behavior::Immediate)),
        Asked::Commit => return Ok(Request::commit(token_of()?)),
        Asked::Rollback => return Ok(Request::rollback(token_of()?)),
        Asked::Execute(sql, parameters) => Request::execute(sql, params(parameters)?),
        Asked::Query(sql, parameters, (max_rows, max_bytes)) => {
            Request::query_within(sql, params(parameters)?, Limits { max_rows, max_bytes })
        }
        Asked::Batch(sql) => Request::batch(sql),
        Asked::ExecuteMany(sql, rows) => {
            let each = rows.into_iter().enumerate();
            let rows = each.map(|(number, row)| params(row).map_err(|message| format!("row {number}: {message}")));
            Request::execute_many(sql, rows.collect::<Result<_, _>>()?)
        }
    };
    Ok(match token {
        Some(token) => request.within(token),
        None => request,
    })
}

fn submit<'a>(env: Env<'a>, store: &StoreResource, token: MaybeToken, asked: Asked<'a>, timeout_ms: u64) -> Term<'a> {
    let request = match request(asked, token.as_ref().map(|token| &token.0)) {
        Ok(request) => request,
        Err(message) => return fault::err(env, parameters_fault(env, &message)),
    };
    let (waiting, reference) = Waiting::new(env);
    let done = move |answer: Result<Reply, StoreError>| {
        waiting.answer(move |env| match answer {
            Ok(reply) => {
                let reply = encode_reply(env, reply);
                fault::ok(env, reply)
            }
            Err(error) => fault::err(env, store_fault(env, &error)),
        });
    };
    match store.0.submit(request.timeout(Duration::from_millis(timeout_ms)), done) {
        Ok(()) => (atoms::pending(), reference).encode(env),
        Err(error) => fault::err(env, store_fault(env, &error)),
    }
}

fn encode_reply<'a>(env: Env<'a>, reply: Reply) -> Term<'a> {
    match reply {
        Reply::Done => atoms::ok().to_term(env),
        Reply::Executed(executed) => (executed.changes, executed.last_insert_rowid).encode(env),
        Reply::Rows(Rows { columns, rows }) => {
            let rows: Vec<Vec<Term<'a>>> =
                rows.iter().map(|row| row.iter().map(|value| term(env, value)).collect()).collect();
            (columns, rows).encode(env)
        }
    }
}

fn term<'a>(env: Env<'a>, value: &Value) -> Term<'a> {
    values::encode(
        env,
        match value {
            Value::Null => row::Value::Null,
            Value::Integer(integer) => row::Value::Integer(*integer),
            Value::Real(real) => row::Value::Real(*real),
            Value::Text(text) => row::Value::Text(text),
            Value::Blob(blob) => row::Value::Blob(blob),
        },
    )
}

/// A list of values, or a list of `{name, value}`.
fn params(term: Term<'_>) -> Result<Params, String> {
    let list = term.decode::<Vec<Term<'_>>>().map_err(|_| "parameters must be a list".to_owned())?;
    let named = list.first().is_some_and(|first| match first.decode::<(Term<'_>, Term<'_>)>() {
        Ok((name, _)) => name.decode::<Atom>().map_or(name.is_binary(), |atom| atom != atoms::blob()),
        Err(_) => false,
    });
    if named {
        let pairs = list.into_iter().enumerate().map(|(index, pair)| {
            let (name, term) = pair
                .decode::<(Term<'_>, Term<'_>)>()
                .map_err(|_| format!("parameter {} is no {{name, value}} as those before it", index + 1))?;
            let name = match name.atom_to_string() {
                Ok(name) => name,
                Err(_) => {
                    name.decode::<String>().map_err(|_| format!("the name of parameter {} is none", index + 1))?
                }
            };
            Ok((name.clone(), owned(term).ok_or_else(|| format!("parameter {name} must be {}", values::WANTED))?))
        });
        Ok(Params::Named(pairs.collect::<Result<_, String>>()?))
    } else {
        let each = list.into_iter().enumerate().map(|(index, term)| {
            owned(term).ok_or_else(|| format!("parameter {} must be {}", index + 1, values::WANTED))
        });
        Ok(Params::Positional(each.collect::<Result<_, String>>()?))
    }
}

fn owned(term: Term<'_>) -> Option<Value> {
    Some(match values::decode(term)? {
        row::Value::Null => Value::Null,
        row::Value::Integer(integer) => Value::Integer(integer),
        row::Value::Real(real) => Value::Real(real),
        row::Value::Text(text) => Value::Text(text.to_owned()),
        row::Value::Blob(blob) => Value::Blob(blob.to_vec()),
    })
}

fn parameters_fault<'a>(env: Env<'a>, message: &str) -> Term<'a> {
    fault::fault(env, atoms::store(), atoms::parameters().to_term(env), message, &[])
}

fn store_fault<'a>(env: Env<'a>, error: &StoreError) -> Term<'a> {
    let more = [(atoms::code(), error.sqlite_code().encode(env)), (atoms::offset(), error.sql_offset().encode(env))];
    fault::fault(env, atoms::store(), fault::atom(env, error.code_name()), &error.to_string(), &more)
}
