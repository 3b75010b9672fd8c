//! What a script asks the database while it runs in the midst of a statement: the same connection answers, on the same thread.

use std::cell::Cell;
use std::ffi::CString;
use std::sync::Arc;

use wasgo_wasm::{Sql, SqlAnswer, Statement, row};

use crate::sqlite::depth;
use crate::sqlite::functions::Functions;
use crate::sqlite::functions::own::Own;
use crate::{Access, StoreError, ValueRef};

thread_local! {
    /// The connection for whose statement a script runs on this thread.
    static SERVING: Cell<*const Functions> = const { Cell::new(std::ptr::null()) };
}

/// Lets the scripts that `work` runs ask `functions`' connection.
pub(super) fn serving<T>(functions: &Functions, work: impl FnOnce() -> T) -> T {
    struct Reset(*const Functions);
    impl Drop for Reset {
        fn drop(&mut self) {
            SERVING.set(self.0);
        }
    }
    let _reset = Reset(SERVING.replace(functions));
    work()
}

/// The way to the connection that the script runs for: to tables that may be read, and nothing else.
pub(super) struct Here {
    access: Arc<Access>,
}

impl Here {
    pub(super) fn new(access: Arc<Access>) -> Self {
        Self { access }
    }
}

impl Sql for Here {
    fn run(&self, statement: Statement, done: Box<dyn FnOnce(SqlAnswer) + Send>) {
        // SAFETY: null, or what `serving` was lent for as long as this runs, on this thread.
        let functions = unsafe { SERVING.get().as_ref() };
        done(match functions {
            Some(functions) => {
                let answer = functions.hooks().within(&self.access, || answer(functions, &statement));
                // What a function failed with says more than SQLite does.
                answer.map_err(|error| functions.take_failure().unwrap_or(error).to_string())
            }
            None => Err("there is no database where the script runs".into()),
        });
    }
}

fn answer(functions: &Functions, statement: &Statement) -> Result<Vec<u8>, StoreError> {
    let refused =
        |message: String| StoreError::Sqlite { code: libsql::ffi::SQLITE_AUTH, name: "auth", message, offset: None };
    let text =
        CString::new(statement.text.as_str()).map_err(|error| StoreError::NulInSql { offset: error.nul_position() })?;
    // A script runs on a fiber, whose stack it may have used half of.
    let too_deep = || refused("the script's statement, or the views of the database, nest too deep".into());
    // SAFETY: the connection is open, and this is its thread.
    if !functions.hooks().own(|| unsafe { depth::is_shallow(functions.db(), text.as_bytes()) })? {
        return Err(too_deep());
    }
    // SAFETY: as above.
    let own = unsafe { depth::shallow(functions.db(), || Own::prepare(functions.db(), &text)) }
        .map_err(|error| if depth::is_too_deep(&error) { too_deep() } else { error })?;
    if !own.is_read_only() {
        return Err(refused("the script may read, and this statement writes".into()));
    }
    let parameters = match statement.parameters.is_empty() {
        true => Vec::new(),
        false => row::decode(&statement.parameters).map_err(|error| refused(error.to_string()))?,
    };
    if parameters.len() != own.parameters() {
        return Err(StoreError::ParamCount { expected: own.parameters(), got: parameters.len() });
    }
    let values: Vec<_> = parameters.iter().map(from_row).collect();
    let mut run = own.run(&values)?;
    let mut rows = Vec::new();
    while run.step()? {
        let values: Vec<_> = (0..run.columns()).map(|column| to_row(run.value(column))).collect();
        row::encode(&values, &mut rows).map_err(|error| refused(error.to_string()))?;
        if rows.len() as u64 > statement.limit {
            return Err(StoreError::ByteLimit { max: usize::try_from(statement.limit).unwrap_or(usize::MAX) });
        }
    }
    Ok(rows)
}

pub(super) fn from_row<'a>(value: &row::Value<'a>) -> ValueRef<'a> {
    match *value {
        row::Value::Null => ValueRef::Null,
        row::Value::Integer(integer) => ValueRef::Integer(integer),
        row::Value::Real(real) => ValueRef::Real(real),
        row::Value::Text(text) => ValueRef::Text(text),
        row::Value::Blob(bytes) => ValueRef::Blob(bytes),
    }
}

fn to_row(value: ValueRef<'_>) -> row::Value<'_> {
    match value {
        ValueRef::Null => row::Value::Null,
        ValueRef::Integer(integer) => row::Value::Integer(integer),
        ValueRef::Real(real) => row::Value::Real(real),
        ValueRef::Text(text) => row::Value::Text(text),
        ValueRef::Blob(bytes) => row::Value::Blob(bytes),
    }
}
