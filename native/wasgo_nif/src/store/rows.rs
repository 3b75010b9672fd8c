//! Rows as terms, made straight from SQLite's columns.

use std::time::{Duration, Instant};

use rustler::{Binary, Encoder, Env, ResourceArc, Term};
use wasgo_store::{Columns, Limits, Now, ParamsRef, Row, RowSink, Run, Store, StoreError, ValueRef};
use wasgo_wasm::row;

use super::params::{Bound, bound};
use super::{AccessResource, parameters_fault, sql_fault, store_fault};
use crate::{bytes, fault, values};

/// The most rows, the most bytes, and whether rows are to be maps.
pub type Wanted = (usize, usize, bool);

/// Makes terms of rows.
pub struct Sink<'a> {
    env: Env<'a>,
    maps: bool,
    columns: Vec<Term<'a>>,
    rows: Vec<Term<'a>>,
    /// Of the row that is made.
    values: Vec<Term<'a>>,
}

impl<'a> Sink<'a> {
    pub fn new(env: Env<'a>, maps: bool) -> Self {
        Self { env, maps, columns: Vec::new(), rows: Vec::new(), values: Vec::new() }
    }

    /// `{columns, rows}`.
    pub fn rows(self) -> Term<'a> {
        (list(self.env, &self.columns), list(self.env, &self.rows)).encode(self.env)
    }

    /// `{more, rows}`.
    pub fn piece(self, more: bool) -> Term<'a> {
        (more, list(self.env, &self.rows)).encode(self.env)
    }
}

impl RowSink for Sink<'_> {
    fn columns(&mut self, columns: &Columns<'_>) -> Result<(), StoreError> {
        self.columns = columns.iter().map(|name| bytes::copy(self.env, name.as_bytes())).collect();
        if self.maps {
            let mut names: Vec<_> = columns.iter().collect();
            names.sort_unstable();
            if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(StoreError::DuplicateColumn { name: twice[0].to_string() });
            }
        }
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let row = if self.maps {
            self.values.clear();
            for column in 0..row.len() {
                self.values.push(term(self.env, row.get(column)?));
            }
            // The names are all different, and as many as the values.
            crate::values::map(self.env, &self.columns, &self.values)
                .map_err(|_| StoreError::Internal("a row that no map can be made of".into()))?
        } else {
            let mut list = Term::list_new_empty(self.env);
            for column in (0..row.len()).rev() {
                list = list.list_prepend(term(self.env, row.get(column)?));
            }
            list
        };
        self.rows.push(row);
        Ok(())
    }
}

/// A list without another copy of its elements on the way.
fn list<'a>(env: Env<'a>, terms: &[Term<'a>]) -> Term<'a> {
    terms.iter().rev().fold(Term::list_new_empty(env), |list, term| list.list_prepend(*term))
}

fn term<'a>(env: Env<'a>, value: ValueRef<'_>) -> Term<'a> {
    values::encode(
        env,
        match value {
            ValueRef::Null => row::Value::Null,
            ValueRef::Integer(integer) => row::Value::Integer(integer),
            ValueRef::Real(real) => row::Value::Real(real),
            ValueRef::Text(text) => row::Value::Text(text),
            ValueRef::Blob(blob) => row::Value::Blob(blob),
        },
    )
}

/// Runs a query and answers by its rows, as `encode` puts them.
pub fn answer<'a>(env: Env<'a>, maps: bool, run: Run<'_>, encode: impl FnOnce(Sink<'a>, bool) -> Term<'a>) -> Term<'a> {
    let mut sink = Sink::new(env, maps);
    match run(&mut sink) {
        Ok(more) => fault::ok(env, encode(sink, more)),
        Err(error) => fault::err(env, store_fault(env, &error)),
    }
}

/// Runs a query on this thread; none when it has to be put into a queue.
pub fn query_now<'a>(
    env: Env<'a>,
    store: &Store,
    access: Option<&ResourceArc<AccessResource>>,
    sql: &Binary<'a>,
    parameters: Term<'a>,
    (max_rows, max_bytes, maps): Wanted,
    timeout_ms: u64,
) -> Option<Term<'a>> {
    let Ok(sql) = std::str::from_utf8(sql.as_slice()) else { return Some(fault::err(env, sql_fault(env))) };
    let parameters = match bound(parameters) {
        Ok(parameters) => parameters,
        Err(message) => return Some(fault::err(env, parameters_fault(env, &message))),
    };
    let named: Vec<(&str, ValueRef<'_>)>;
    let params = match &parameters {
        Bound::Positional(values) => ParamsRef::Positional(values),
        Bound::Named(pairs) => {
            named = pairs.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            ParamsRef::Named(&named)
        }
    };
    let now = Now {
        sql,
        params,
        limits: Limits { max_rows, max_bytes },
        deadline: deadline(timeout_ms),
        access: access.map(|access| access.access()),
    };
    let mut sink = Sink::new(env, maps);
    Some(match store.query_now(&now, &mut sink)? {
        Ok(()) => fault::ok(env, sink.rows()),
        Err(error) => fault::err(env, store_fault(env, &error)),
    })
}

pub fn deadline(timeout_ms: u64) -> Option<Instant> {
    Instant::now().checked_add(Duration::from_millis(timeout_ms))
}
