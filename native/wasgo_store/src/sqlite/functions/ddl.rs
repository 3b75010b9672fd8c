//! `CREATE FUNCTION` and `DROP FUNCTION`, made into statements on the table of functions.

use std::ffi::{CStr, CString, c_int, c_void};

use libsql::ffi;

use super::own::Own;
use super::{Functions, TABLE, fail, guarded};
use crate::StoreError;
use crate::functions::Fault;
use crate::functions::code::Code;
use crate::functions::grammar::{self, Ddl};
use crate::functions::guest::Guest;

/// `wasgo_function_body(name, deterministic, mode, body)`: the body, if it is a function of that name.
const BODY: &CStr = c"wasgo_function_body";

/// `wasgo_function_name(name, if_exists)`: the name, if there is such a function.
const NAME: &CStr = c"wasgo_function_name";

/// Bytes of a function's name.
const MAX_NAME: usize = 128;

/// How a function is created.
const NEW: i32 = 0;
const REPLACE: i32 = 1;

/// # Safety
///
/// As of [`Functions::install`].
pub(super) unsafe fn install(functions: &Functions) -> Result<(), StoreError> {
    let data = std::ptr::from_ref(functions).cast_mut().cast::<c_void>();
    let flags = ffi::SQLITE_UTF8 | ffi::SQLITE_DIRECTONLY;
    for (name, arguments, call) in [
        (BODY, 4, body as unsafe extern "C" fn(*mut ffi::sqlite3_context, c_int, *mut *mut ffi::sqlite3_value)),
        (NAME, 2, name),
    ] {
        // SAFETY: the connection is open, and the functions stay where they are until it is closed, by the caller's promise.
        let code = unsafe {
            ffi::sqlite3_create_function_v2(
                functions.db,
                name.as_ptr(),
                arguments,
                flags,
                data,
                Some(call),
                None,
                None,
                None,
            )
        };
        if code != ffi::SQLITE_OK {
            return Err(StoreError::Internal(format!("SQLite registers {name:?} not (code {code})")));
        }
    }
    Ok(())
}

impl Functions {
    /// What to run instead, if the statement at byte `at` of `sql` is one on functions; also answers where the next begins.
    pub(in crate::sqlite) fn rewrite(&self, sql: &str, at: usize) -> Result<Option<(CString, usize)>, StoreError> {
        let parsed = grammar::parse(sql, at)
            .map_err(|error| sqlite_error(ffi::SQLITE_ERROR, error.message, Some(error.offset)))?;
        let Some((ddl, next)) = parsed else { return Ok(None) };
        if self.hooks().confined() || self.hooks().access().is_some() {
            return Err(sqlite_error(ffi::SQLITE_AUTH, "not authorized to create or drop functions".into(), None));
        }
        let rewritten = match ddl {
            Ddl::Create { name, replace, if_not_exists, deterministic, body } => {
                self.ensure_table(deterministic)?;
                let name = literal(&name)?;
                let (column, value) = if deterministic { (", deterministic", ", 1") } else { ("", "") };
                let (or_replace, mode) = if replace { ("OR REPLACE ", REPLACE) } else { ("", NEW) };
                let unless = match if_not_exists {
                    true => format!(" WHERE NOT EXISTS (SELECT 1 FROM main.{TABLE} WHERE name = {name})"),
                    false => String::new(),
                };
                format!(
                    "INSERT {or_replace}INTO main.{TABLE} (name, body{column}) \
                     SELECT {name}, wasgo_function_body({name}, {}, {mode}, {}){value}{unless}",
                    i32::from(deterministic),
                    &sql[body],
                )
            }
            Ddl::Drop { name, if_exists } => {
                self.ensure_table(false)?;
                let if_exists = i32::from(if_exists);
                format!("DELETE FROM main.{TABLE} WHERE name = wasgo_function_name({}, {if_exists})", literal(&name)?)
            }
        };
        let rewritten =
            CString::new(rewritten).map_err(|error| StoreError::NulInSql { offset: error.nul_position() })?;
        Ok(Some((rewritten, next)))
    }

    /// Makes the table as libSQL does; with a column more once a function is declared deterministic.
    fn ensure_table(&self, deterministic: bool) -> Result<(), StoreError> {
        self.hooks().own(|| {
            let there = c"SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?1";
            if !self.lookup.holds(there, TABLE)? {
                self.execute(c"CREATE TABLE IF NOT EXISTS main.libsql_wasm_func_table (name text PRIMARY KEY, body text) WITHOUT ROWID")?;
            }
            let column = c"SELECT 1 FROM pragma_table_info('libsql_wasm_func_table', 'main') WHERE name = ?1";
            if deterministic && !self.lookup.holds(column, "deterministic")? {
                self.execute(c"ALTER TABLE main.libsql_wasm_func_table ADD COLUMN deterministic integer")?;
            }
            Ok(())
        })
    }

    /// Runs a statement of our own.
    fn execute(&self, sql: &CStr) -> Result<(), StoreError> {
        Own::prepare(self.db, sql)?.run(&[])?.step().map(drop)
    }

    /// Checks that `source` is a function `name` that can be made an instance of, and that there is none yet.
    fn check(&self, name: &str, source: &[u8], deterministic: bool, mode: i32) -> Result<(), StoreError> {
        if mode == NEW && self.look_up(name)?.is_some() {
            let message = format!("function {name} exists already");
            return Err(sqlite_error(ffi::SQLITE_CONSTRAINT_PRIMARYKEY, message, None));
        }
        if self.is_taken(name)? {
            let message = "SQLite has something of that name itself".into();
            return Err(StoreError::Function { name: name.to_owned(), reason: "name_taken", message });
        }
        let failed = |fault: Fault| StoreError::Function {
            name: name.to_owned(),
            reason: fault.reason(),
            message: fault.message(),
        };
        let code = Code::compile(&self.host, name, source, deterministic).map_err(failed)?;
        match Guest::new(&self.host, &code, self.stop()) {
            Ok(_) => Ok(()),
            Err(fault) if fault.is_stopped() => {
                self.note_stopped();
                Err(StoreError::Interrupted)
            }
            Err(fault) => Err(failed(fault)),
        }
    }

    /// Whether the connection has a function or table of that name that is none of ours. What SQLite has itself is never replaced.
    fn is_taken(&self, name: &str) -> Result<bool, StoreError> {
        if self.entries.borrow().contains_key(name) {
            return Ok(false);
        }
        self.hooks().own(|| {
            for taken in [
                c"SELECT 1 FROM pragma_function_list WHERE name = ?1 COLLATE NOCASE",
                c"SELECT 1 FROM pragma_module_list WHERE name = ?1 COLLATE NOCASE",
                c"SELECT 1 FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE",
            ] {
                if self.lookup.holds(taken, name)? {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }
}

/// A name as SQL has it. Names of functions are the same in upper and lower case.
fn literal(name: &str) -> Result<String, StoreError> {
    if name.len() > MAX_NAME {
        let message = format!("its name has {} bytes; at most {MAX_NAME} are allowed", name.len());
        let name = name.chars().take(32).collect();
        return Err(StoreError::Function { name, reason: "name_too_long", message });
    }
    Ok(format!("'{}'", name.to_ascii_lowercase().replace('\'', "''")))
}

fn sqlite_error(code: i32, message: String, offset: Option<usize>) -> StoreError {
    StoreError::Sqlite { code, name: crate::code::name(code), message, offset }
}

/// # Safety
///
/// `context` is the one of a callback that was registered with the functions of its connection.
unsafe fn of<'a>(context: *mut ffi::sqlite3_context) -> &'a Functions {
    // SAFETY: by the caller's promise.
    unsafe { &*ffi::sqlite3_user_data(context).cast_const().cast::<Functions>() }
}

/// # Safety
///
/// `value` is an argument of the callback that runs.
unsafe fn text(value: *mut ffi::sqlite3_value) -> String {
    // SAFETY: by the caller's promise.
    let bytes = unsafe { super::values::arguments(1, [value].as_mut_ptr()) };
    match bytes.first() {
        Some(crate::functions::guest::Argument::Text(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}

/// # Safety
///
/// SQLite calls it, with four arguments.
unsafe extern "C" fn body(context: *mut ffi::sqlite3_context, _argc: c_int, argv: *mut *mut ffi::sqlite3_value) {
    use crate::functions::guest::Argument;
    guarded((), || {
        // SAFETY: by the caller's promise.
        let (functions, name, deterministic, mode, body) = unsafe {
            let deterministic = ffi::sqlite3_value_int(*argv.add(1)) != 0;
            (of(context), text(*argv), deterministic, ffi::sqlite3_value_int(*argv.add(2)), *argv.add(3))
        };
        // SAFETY: as above.
        let source = unsafe { super::values::arguments(1, [body].as_mut_ptr()) };
        let checked = match source.first() {
            Some(Argument::Text(bytes) | Argument::Blob(bytes)) => functions.check(&name, bytes, deterministic, mode),
            _ => {
                let message = "its body must be a text (WAT) or a blob (WebAssembly)".into();
                Err(StoreError::Function { name: name.clone(), reason: "body", message })
            }
        };
        match checked {
            // SAFETY: as above; SQLite copies the value.
            Ok(()) => unsafe { ffi::sqlite3_result_value(context, body) },
            Err(error) => {
                functions.fail(error);
                // SAFETY: as above.
                unsafe { fail(context, &name) };
            }
        }
    });
}

/// # Safety
///
/// SQLite calls it, with two arguments.
unsafe extern "C" fn name(context: *mut ffi::sqlite3_context, _argc: c_int, argv: *mut *mut ffi::sqlite3_value) {
    guarded((), || {
        // SAFETY: by the caller's promise.
        let (functions, name, if_exists) =
            unsafe { (of(context), text(*argv), ffi::sqlite3_value_int(*argv.add(1)) != 0) };
        let found = functions.look_up(&name).and_then(|found| match found {
            None if !if_exists => Err(sqlite_error(ffi::SQLITE_ERROR, format!("no such function: {name}"), None)),
            _ => Ok(()),
        });
        match found {
            // SAFETY: as above; SQLite copies the value.
            Ok(()) => unsafe { ffi::sqlite3_result_value(context, *argv) },
            Err(error) => {
                functions.fail(error);
                // SAFETY: as above.
                unsafe { fail(context, &name) };
            }
        }
    });
}
