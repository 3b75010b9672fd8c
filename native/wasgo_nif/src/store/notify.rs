//! Objects that are notified: their scripts run on the database's thread, and what they answer comes as maps.

use rustler::{Encoder, Env, Term};
use wasgo_store::{Columns, Params, Row, RowSink, Run, StoreError, Value, ValueRef};
use wasgo_wasm::row::{self, MAX_BYTES};

use super::{params::params, store_fault};
use crate::{atoms, bytes, fault, values};

/// A statement and its parameters: of an object, or of all objects of a kind.
pub fn statement(kind: bool, of: &str, what: i32, row: Term<'_>) -> Result<(String, Params), String> {
    let Params::Positional(row) = params(row)? else { return Err("a row is a list of values, without names".into()) };
    let values: Vec<_> = row.iter().map(|value| of_row(value.as_ref())).collect();
    let mut bytes = what.to_le_bytes().to_vec();
    row::encode(&values, &mut bytes).map_err(|error| error.to_string())?;
    let table = if kind { "notify_kind" } else { "notify_object" };
    let sql = format!("SELECT object, script, names, bytes, error, cause FROM {table}(?, ?)");
    Ok((sql, Params::Positional(vec![Value::Text(of.to_owned()), Value::Blob(bytes)])))
}

fn of_row(value: ValueRef<'_>) -> row::Value<'_> {
    match value {
        ValueRef::Null => row::Value::Null,
        ValueRef::Integer(integer) => row::Value::Integer(integer),
        ValueRef::Real(real) => row::Value::Real(real),
        ValueRef::Text(text) => row::Value::Text(text),
        ValueRef::Blob(bytes) => row::Value::Blob(bytes),
    }
}

/// Keys of a map that the VM makes of arrays: of a few hundred it has been seen to die.
const SMALL_MAP: usize = 32;

/// Makes `{object, {:ok, map | nil} | {:error, fault}}` of each row.
struct Sink<'a> {
    env: Env<'a>,
    /// The columns' names of the script whose answer came last: objects of one script come one after another.
    names: String,
    keys: Vec<Term<'a>>,
    values: Vec<Term<'a>>,
    answers: Vec<Term<'a>>,
}

impl<'a> Sink<'a> {
    /// None where two columns have one name, of which a map has room for one.
    fn map(&mut self, bytes: &[u8]) -> Result<Option<Term<'a>>, StoreError> {
        let values = row::decode(bytes).map_err(|error| StoreError::Internal(error.to_string()))?;
        self.values.clear();
        self.values.extend(values.into_iter().map(|value| values::encode(self.env, value)));
        // A script that names no columns has them numbered.
        if self.names.is_empty() {
            self.keys.clear();
            self.keys.extend((0..self.values.len()).map(|number| number.encode(self.env)));
        }
        if self.keys.len() == self.values.len() && self.keys.len() > SMALL_MAP {
            // Elixir makes a map of it.
            let pairs: Vec<_> = self.keys.iter().copied().zip(self.values.iter().copied()).collect();
            return Ok(Some(pairs.encode(self.env)));
        }
        let map = Term::map_from_term_arrays(self.env, &self.keys, &self.values);
        Ok(map.ok())
    }

    fn failed(&self, cause: &str, message: &str) -> Term<'a> {
        let more = [(atoms::cause(), fault::atom(self.env, cause))];
        let fault = fault::fault(self.env, atoms::store(), atoms::script().to_term(self.env), message, &more);
        fault::err(self.env, fault)
    }
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, StoreError> {
    match row.get(column)? {
        ValueRef::Text(text) => Ok(text),
        _ => Ok(""),
    }
}

impl RowSink for Sink<'_> {
    fn columns(&mut self, _columns: &Columns<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let env = self.env;
        let names = text(row, 2)?;
        if names != self.names {
            names.clone_into(&mut self.names);
            self.keys = names.split('\u{1f}').map(|name| bytes::copy(env, name.as_bytes())).collect();
        }
        let answer = match (row.get(4)?, row.get(3)?) {
            (ValueRef::Text(message), _) => self.failed(text(row, 5)?, message),
            (_, ValueRef::Blob(bytes)) if bytes.len() <= MAX_BYTES => match self.map(bytes)? {
                Some(map) => fault::ok(env, map),
                None => {
                    let (object, script) = (text(row, 0)?, text(row, 1)?);
                    let message = format!("object {object}, script {script}: it names a column twice");
                    self.failed("contract", &message)
                }
            },
            _ => fault::ok(env, atoms::nil()),
        };
        self.answers.push((bytes::copy(env, text(row, 0)?.as_bytes()), answer).encode(env));
        Ok(())
    }
}

/// Runs the statement and answers by a list.
pub fn answer<'a>(env: Env<'a>, run: Run<'_>) -> Term<'a> {
    let mut sink = Sink { env, names: String::new(), keys: Vec::new(), values: Vec::new(), answers: Vec::new() };
    match run(&mut sink) {
        Ok(_) => fault::ok(env, sink.answers),
        Err(error) => fault::err(env, store_fault(env, &error)),
    }
}
