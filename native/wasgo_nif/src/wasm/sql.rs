//! A database that a guest may ask.

use rustler::ResourceArc;
use wasgo_store::{Limits, Params, Reply, Request, StoreError, Value};
use wasgo_wasm::row;
use wasgo_wasm::{Sql, SqlAnswer, Statement};

use crate::store::{AccessResource, StoreResource};

/// Rows that one statement may give.
const MAX_ROWS: usize = 100_000;

/// The database, and what of it the guest may reach.
pub struct StoreSql(pub ResourceArc<StoreResource>, pub Option<ResourceArc<AccessResource>>);

impl Sql for StoreSql {
    fn run(&self, statement: Statement, done: Box<dyn FnOnce(SqlAnswer) + Send>) {
        let Statement { text, parameters, limit, deadline } = statement;
        let parameters = match parameters.is_empty() {
            true => Ok(Params::none()),
            false => row::decode(&parameters).map(|values| Params::Positional(values.iter().map(owned).collect())),
        };
        let parameters = match parameters {
            Ok(parameters) => parameters,
            Err(error) => return done(Err(error.to_string())),
        };
        let max_bytes = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut request = Request::query_within(text, parameters, Limits { max_rows: MAX_ROWS, max_bytes }).confined();
        if let Some(access) = &self.1 {
            request = request.restricted(access.access());
        }
        if let Some(deadline) = deadline {
            request = request.deadline(deadline);
        }
        let answered = move |answer: Result<Reply, StoreError>| match answer {
            Ok(reply) => done(rows(&reply, limit)),
            Err(error) => done(Err(error.to_string())),
        };
        // Refused, the request is dropped with what would have answered: the guest is told so.
        let _ = self.0.store.submit(request, answered);
    }
}

/// The rows, one after another, each beginning at a multiple of 8.
fn rows(reply: &Reply, limit: u64) -> SqlAnswer {
    let Reply::Rows(rows) = reply else { return Ok(Vec::new()) };
    let mut encoded = Vec::new();
    for row in &rows.rows {
        let values: Vec<_> = row.iter().map(borrowed).collect();
        row::encode(&values, &mut encoded).map_err(|error| error.to_string())?;
        if encoded.len() as u64 > limit {
            return Err(format!("the rows have more than {limit} bytes, which is the limit of a result"));
        }
    }
    Ok(encoded)
}

fn owned(value: &row::Value<'_>) -> Value {
    match *value {
        row::Value::Null => Value::Null,
        row::Value::Integer(integer) => Value::Integer(integer),
        row::Value::Real(real) => Value::Real(real),
        row::Value::Text(text) => Value::Text(text.to_owned()),
        row::Value::Blob(blob) => Value::Blob(blob.to_vec()),
    }
}

fn borrowed(value: &Value) -> row::Value<'_> {
    match value {
        Value::Null => row::Value::Null,
        Value::Integer(integer) => row::Value::Integer(*integer),
        Value::Real(real) => row::Value::Real(*real),
        Value::Text(text) => row::Value::Text(text),
        Value::Blob(blob) => row::Value::Blob(blob),
    }
}
