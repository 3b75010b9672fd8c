//! What is granted by name, as components import it: the interfaces of `guest/wit/script.wit`. What the functions do, and their bounds, is
//! in `grants/`.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmList, WasmStr};

use super::host::fail;
use super::instance::Host;
use super::values::{self, Value};
use crate::grants::log::line;
use crate::grants::sql::{MAX_STATEMENT, NO_DATABASE, no_row};
use crate::grants::state::{MAX_KEY, MAX_VALUE, Session};
use crate::grants::{Granted, LogLevel, Names, bounded};
use crate::row::{self, RowError};

const LOG: &str = "wasgo:script/log@0.1.0";
const STATE: &str = "wasgo:script/state@0.1.0";
const SQL: &str = "wasgo:script/sql@0.1.0";
const EMIT: &str = "wasgo:script/emit@0.1.0";

// How errors name functions.
const GET: &str = "wasgo:script/state@0.1.0.get";
const SET: &str = "wasgo:script/state@0.1.0.set";
const DELETE: &str = "wasgo:script/state@0.1.0.delete";
const QUERY: &str = "wasgo:script/sql@0.1.0.query";

/// Defines what is granted. Clock and randomness are WASI's, in `world.rs`.
pub(super) fn link(linker: &mut Linker<Host>, names: Names) -> wasmtime::Result<()> {
    if names.log {
        link_log(linker)?;
    }
    if names.state {
        link_state(linker)?;
    }
    if names.sql {
        link_sql(linker)?;
    }
    if names.emit {
        link_emit(linker)?;
    }
    Ok(())
}

fn granted<'a>(store: &'a StoreContextMut<'_, Host>) -> Option<&'a Granted> {
    store.data().granted.as_deref()
}

fn link_log(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.instance(LOG)?.func_wrap(
        "log",
        |mut store: StoreContextMut<'_, Host>, (level, text): (LogLevel, WasmStr)| {
            let full = granted(&store).is_none_or(|granted| granted.log.is_full());
            let text = if full { String::new() } else { line(text.to_str(&store)?.as_bytes()) };
            if let Some(granted) = &mut store.data_mut().granted {
                granted.log.add(level, || text);
            }
            Ok(())
        },
    )
}

fn link_state(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    let mut state = linker.instance(STATE)?;
    state.func_wrap("get", |mut store: StoreContextMut<'_, Host>, (key,): (WasmStr,)| {
        let key = key_of(&mut store, GET, &key)?;
        let session = granted(&store).and_then(|granted| granted.state.as_ref());
        Ok((session.and_then(|session| session.with(&key, |value| value.map(<[u8]>::to_vec))),))
    })?;
    state.func_wrap("set", |mut store: StoreContextMut<'_, Host>, (key, value): (WasmStr, WasmList<u8>)| {
        let key = key_of(&mut store, SET, &key)?;
        bounded(SET, value.len(), MAX_VALUE).map_err(|error| fail(&mut store, error))?;
        let value = value.as_le_slice(&store).to_vec();
        let full = format!("the state has no room for {} bytes at a key of {}", value.len(), key.len());
        let kept = session(&mut store).is_some_and(|session| session.write(key, Some(value)));
        Ok((if kept { Ok(()) } else { Err(full) },))
    })?;
    state.func_wrap("delete", |mut store: StoreContextMut<'_, Host>, (key,): (WasmStr,)| {
        let key = key_of(&mut store, DELETE, &key)?;
        if let Some(session) = session(&mut store) {
            session.write(key, None);
        }
        Ok(())
    })
}

fn session<'a>(store: &'a mut StoreContextMut<'_, Host>) -> Option<&'a mut Session> {
    store.data_mut().granted.as_mut().and_then(|granted| granted.state.as_mut())
}

fn key_of(store: &mut StoreContextMut<'_, Host>, import: &str, key: &WasmStr) -> wasmtime::Result<Vec<u8>> {
    let key = key.to_str(&*store)?;
    match bounded(import, key.len(), MAX_KEY) {
        Ok(()) => Ok(key.as_bytes().to_vec()),
        Err(error) => {
            drop(key);
            Err(fail(store, error))
        }
    }
}

fn link_sql(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.instance(SQL)?.func_wrap_async(
        "query",
        |mut store: StoreContextMut<'_, Host>, (statement, parameters): (WasmStr, WasmList<Value>)| {
            Box::new(async move { Ok((query(&mut store, &statement, &parameters).await?,)) })
        },
    )
}

/// The rows of a statement, or why it failed.
type Rows = Result<Vec<Vec<Value>>, String>;

async fn query(
    store: &mut StoreContextMut<'_, Host>,
    statement: &WasmStr,
    parameters: &WasmList<Value>,
) -> wasmtime::Result<Rows> {
    let text = statement.to_str(&*store)?;
    if let Err(error) = bounded(QUERY, text.len(), MAX_STATEMENT) {
        drop(text);
        return Err(fail(store, error));
    }
    let text = text.into_owned();
    let parameters = match encode(store, parameters)? {
        Ok(parameters) => parameters,
        Err(RowError::TooLarge(size)) => {
            bounded(QUERY, size, row::MAX_BYTES).map_err(|error| fail(store, error))?;
            Vec::new()
        }
        Err(error) => return Ok(Err(no_row(&error))),
    };
    let limit = store.data().limiter.limits.result;
    // A component that imports functions never runs on its caller's thread: it waits where it is.
    let answer = match granted(store).and_then(|granted| granted.sql.as_ref()) {
        Some(port) => port.ask(text, parameters, limit),
        None => return Ok(Err(NO_DATABASE.into())),
    };
    let answer = answer.await;
    Ok(answer.and_then(|rows| values::decode_all(&rows).map_err(|error| error.to_string())))
}

/// A guest's row, encoded; nothing where it is empty. It is read value by value, so that no more memory is taken than a row may have, and for
/// one value more: a guest may let a thousand of them lie at the same place.
fn encode(
    store: &mut StoreContextMut<'_, Host>,
    list: &WasmList<Value>,
) -> wasmtime::Result<Result<Vec<u8>, RowError>> {
    if list.len() > row::MAX_VALUES {
        return Ok(Err(RowError::TooManyValues(list.len())));
    }
    let mut bytes = 0;
    let mut row = Vec::with_capacity(list.len());
    for value in list.iter(&mut *store)? {
        let value = value?;
        bytes += value.heap();
        if bytes > row::MAX_BYTES {
            return Ok(Err(RowError::TooLarge(bytes)));
        }
        row.push(value);
    }
    let mut encoded = Vec::new();
    Ok(match row.is_empty() {
        true => Ok(encoded),
        false => values::encode(&row, &mut encoded).map(|_| encoded),
    })
}

fn link_emit(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.instance(EMIT)?.func_wrap("emit", |mut store: StoreContextMut<'_, Host>, (buffer,): (WasmList<u8>,)| {
        let Some(granted) = granted(&store) else { return Ok(()) };
        granted.emitted.check(buffer.len()).map_err(|error| fail(&mut store, error))?;
        let buffer = buffer.as_le_slice(&store).to_vec();
        if let Some(granted) = &mut store.data_mut().granted {
            granted.emitted.add(buffer);
        }
        Ok(())
    })
}
