//! `notify`, `notify_object` and `notify_kind`: see the table in `mod.rs`.

use std::collections::VecDeque;
use std::ffi::{CString, c_char, c_int, c_void};
use std::rc::Rc;

use libsql::ffi;
use wasgo_wasm::row;

use super::notify::Outcome;
use super::scalar::{Asked, read};
use super::{MAX_TABLES, Version};
use crate::functions::Fault;
use crate::functions::code::MAX_TABLE_ARGUMENTS;
use crate::functions::guest::{Argument, Output};
use crate::scripts::grammar::NOTIFY;
use crate::scripts::{MAX_NOTIFIED, json};
use crate::sqlite::functions::{Functions, guarded, values};
use crate::{StoreError, Value};

/// Who is notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Object,
    Kind,
}

/// What a module was registered with.
struct Registered {
    functions: *const Functions,
    name: &'static str,
    of: Of,
    /// Whether a failure ends the statement, instead of being told in a column.
    fails: bool,
    /// The script whose columns the table has; none: the columns of [`GENERAL`].
    script: Option<(Rc<Version>, Vec<String>)>,
}

/// Columns of a table that is no certain script's.
const GENERAL: [&str; 4] = ["object", "script", "row", "error"];

/// Hidden ones behind the arguments, for hosts: the row as `wasgo_wasm::row` encodes it, the stable name of why there is none, and the
/// columns' names with a unit separator (0x1f) between them.
const FOR_HOSTS: [&str; 3] = ["bytes", "cause", "names"];

static MODULE: ffi::sqlite3_module = ffi::sqlite3_module {
    iVersion: 0,
    xCreate: None,
    xConnect: Some(connect),
    xBestIndex: Some(best_index),
    xDisconnect: Some(disconnect),
    xDestroy: None,
    xOpen: Some(open),
    xClose: Some(close),
    xFilter: Some(filter),
    xNext: Some(next),
    xEof: Some(is_at_end),
    xColumn: Some(column),
    xRowid: Some(rowid),
    xUpdate: None,
    xBegin: None,
    xSync: None,
    xCommit: None,
    xRollback: None,
    xFindFunction: None,
    xRename: None,
    xSavepoint: None,
    xRelease: None,
    xRollbackTo: None,
    xShadowName: None,
    xIntegrity: None,
    reserved: [None; 5],
    xPreparedSql: None,
};

impl Registered {
    fn functions(&self) -> &Functions {
        // SAFETY: the functions lie beside the connection, which is open while SQLite calls its modules.
        unsafe { &*self.functions }
    }

    /// Columns before the hidden ones that are arguments.
    fn columns(&self) -> usize {
        self.script.as_ref().map_or(GENERAL.len(), |(_, columns)| columns.len())
    }

    fn declaration(&self) -> Option<CString> {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let mut columns: Vec<String> = match &self.script {
            Some((_, columns)) => columns.iter().map(|name| quoted(name)).collect(),
            None => GENERAL.iter().map(|name| quoted(name)).collect(),
        };
        // SQLite gives the arguments to the hidden columns in their order.
        columns.extend((1..=2 + MAX_NOTIFIED).map(|number| format!("\"argument {number}\" HIDDEN")));
        if self.script.is_none() {
            columns.extend(FOR_HOSTS.iter().map(|name| format!("{name} HIDDEN")));
        }
        CString::new(format!("CREATE TABLE x({})", columns.join(", "))).ok()
    }
}

impl Functions {
    /// Registers the tables that are there for all scripts.
    ///
    /// # Safety
    ///
    /// As of `Functions::install`.
    pub(in crate::sqlite) unsafe fn install_notifications(&self) -> Result<(), StoreError> {
        for (name, of, fails) in
            [(NOTIFY, Of::Object, true), ("notify_object", Of::Object, false), ("notify_kind", Of::Kind, false)]
        {
            self.register_table(name, Registered { functions: self, name, of, fails, script: None })?;
        }
        let data = std::ptr::from_ref(self).cast_mut().cast::<c_void>();
        let flags = ffi::SQLITE_UTF8 | ffi::SQLITE_DIRECTONLY;
        let call = Some(
            super::scalar::notification
                as unsafe extern "C" fn(*mut ffi::sqlite3_context, c_int, *mut *mut ffi::sqlite3_value),
        );
        // SAFETY: the connection is open, and the functions stay where they are until it is closed, by the caller's promise.
        let code = unsafe {
            let name = c"notification".as_ptr();
            ffi::sqlite3_create_function_v2(self.db(), name, -1, flags, data, call, None, None, None)
        };
        match code {
            ffi::SQLITE_OK => Ok(()),
            code => Err(StoreError::Internal(format!("SQLite registers notification not (code {code})"))),
        }
    }

    fn register_table(&self, name: &str, registered: Registered) -> Result<(), StoreError> {
        let c_name = CString::new(name).map_err(|error| StoreError::NulInSql { offset: error.nul_position() })?;
        let data = Box::into_raw(Box::new(registered)).cast::<c_void>();
        // SAFETY: the connection is open; `release` is called for what it is given, also when this fails.
        let code = unsafe { ffi::sqlite3_create_module_v2(self.db(), c_name.as_ptr(), &MODULE, data, Some(release)) };
        match code {
            ffi::SQLITE_OK => Ok(()),
            code => Err(StoreError::Internal(format!("SQLite registers {name} not (code {code})"))),
        }
    }

    /// Every version that is ever active makes a table. Statements that are prepared hold theirs.
    fn make_room(&self) -> Result<(), StoreError> {
        if self.tables.borrow().len() < MAX_TABLES {
            return Ok(());
        }
        for name in self.tables.take() {
            let name = CString::new(name).map_err(|error| StoreError::NulInSql { offset: error.nul_position() })?;
            // SAFETY: the connection is open. SQLite calls `release` when the last statement with the table is gone.
            unsafe {
                ffi::sqlite3_create_module_v2(self.db(), name.as_ptr(), std::ptr::null(), std::ptr::null_mut(), None)
            };
        }
        Ok(())
    }

    /// The name, in quotes, of a table with the columns of an object's script; none where they are not known.
    pub(super) fn specialised(&self, object: &str) -> Result<Option<String>, StoreError> {
        let Some((version, ready)) = self.columns_of(object)? else { return Ok(None) };
        let name = format!("{NOTIFY} {} {} {}", version.name, version.number, version.created);
        if !self.tables.borrow().contains(&name) {
            self.make_room()?;
            let script = Some((version, ready.columns.clone()));
            let registered = Registered { functions: self, name: NOTIFY, of: Of::Object, fails: true, script };
            self.register_table(&name, registered)?;
            self.tables.borrow_mut().insert(name.clone());
        }
        Ok(Some(format!("\"{}\"", name.replace('"', "\"\""))))
    }
}

/// # Safety
///
/// `data` is what a module was registered with.
unsafe extern "C" fn release(data: *mut c_void) {
    // SAFETY: by the caller's promise.
    let registered = unsafe { Box::from_raw(data.cast::<Registered>()) };
    guarded((), || drop(registered));
}

/// A connected table: SQLite's part first.
#[repr(C)]
struct Connected {
    base: ffi::sqlite3_vtab,
    registered: *const Registered,
}

/// A scan: SQLite's part first.
#[repr(C)]
struct Cursor {
    base: ffi::sqlite3_vtab_cursor,
    registered: *const Registered,
    outcomes: VecDeque<Outcome>,
    /// Arguments that SQLite compares with what it asks for: those behind the ones that it leaves to the table.
    compared: Vec<Value>,
    number: i64,
}

/// # Safety
///
/// SQLite calls it, with what the module was registered with.
unsafe extern "C" fn connect(
    db: *mut ffi::sqlite3,
    data: *mut c_void,
    _argc: c_int,
    _argv: *const *const c_char,
    connected: *mut *mut ffi::sqlite3_vtab,
    _message: *mut *mut c_char,
) -> c_int {
    guarded(ffi::SQLITE_ERROR, || {
        let registered = data.cast_const().cast::<Registered>();
        // SAFETY: by the caller's promise: it is released when nothing is connected any more.
        let here = unsafe { &*registered };
        let Some(sql) = here.declaration() else { return ffi::SQLITE_ERROR };
        // SAFETY: SQLite calls this to have the table declared. A view or trigger may not notify: it runs for who does not know of it.
        let code = unsafe {
            ffi::sqlite3_vtab_config(db, ffi::SQLITE_VTAB_DIRECTONLY);
            ffi::sqlite3_declare_vtab(db, sql.as_ptr())
        };
        if code != ffi::SQLITE_OK {
            let columns = here.script.as_ref().map(|(_, columns)| columns.join(", ")).unwrap_or_default();
            let fault = Fault::contract(format!("SQLite takes the script's columns not: {columns}"));
            here.functions().fail_by(here.name, &fault);
            return ffi::SQLITE_ERROR;
        }
        let table = Connected { base: ffi::sqlite3_vtab::default(), registered };
        // SAFETY: a place for the table, which begins with SQLite's part and is freed in `disconnect`.
        unsafe { *connected = Box::into_raw(Box::new(table)).cast() };
        ffi::SQLITE_OK
    })
}

/// # Safety
///
/// SQLite calls it, with what `connect` made.
unsafe extern "C" fn disconnect(table: *mut ffi::sqlite3_vtab) -> c_int {
    // SAFETY: by the caller's promise.
    drop(unsafe { Box::from_raw(table.cast::<Connected>()) });
    ffi::SQLITE_OK
}

/// # Safety
///
/// SQLite calls it, with what `connect` made.
unsafe extern "C" fn best_index(table: *mut ffi::sqlite3_vtab, info: *mut ffi::sqlite3_index_info) -> c_int {
    guarded(ffi::SQLITE_ERROR, || {
        // SAFETY: by the caller's promise; both arrays have so many elements.
        let (registered, info, constraints, usages) = unsafe {
            let (table, info) = (&*table.cast::<Connected>(), &mut *info);
            let count = usize::try_from(info.nConstraint).unwrap_or(0);
            let (constraints, usages) = match count {
                0 => (&[][..], &mut [][..]),
                _ => (
                    std::slice::from_raw_parts(info.aConstraint, count),
                    std::slice::from_raw_parts_mut(info.aConstraintUsage, count),
                ),
            };
            (&*table.registered, info, constraints, usages)
        };
        let columns = registered.columns();
        let mut given = 0_u64;
        let mut may_come = false;
        for (constraint, usage) in constraints.iter().zip(usages) {
            let argument = usize::try_from(constraint.iColumn).ok().and_then(|at| at.checked_sub(columns));
            let Some(argument) = argument else { continue };
            if argument >= 2 + MAX_NOTIFIED {
                let message = format!("a row of more than {MAX_NOTIFIED} values");
                registered.functions().fail_by(registered.name, &Fault::contract(message));
                return ffi::SQLITE_ERROR;
            }
            let bit = 1 << argument;
            if c_int::from(constraint.op) != ffi::SQLITE_INDEX_CONSTRAINT_EQ || given & bit != 0 {
                continue;
            }
            if constraint.usable == 0 {
                may_come = true;
                continue;
            }
            given |= bit;
            usage.argvIndex = c_int::try_from(argument + 1).unwrap_or(0);
            usage.omit = 1;
        }
        // The first so many, without a gap.
        let count = given.trailing_ones();
        if given.count_ones() == count && count >= 2 {
            info.idxNum = c_int::try_from(count).unwrap_or(0);
            info.estimatedRows = if registered.of == Of::Kind { 1_000 } else { 1 };
            info.estimatedCost = 1_000.0;
            return ffi::SQLITE_OK;
        }
        if may_come {
            // Another order of the tables may give them all.
            return ffi::SQLITE_CONSTRAINT;
        }
        let message = format!("it takes two arguments at least, and was given {count}");
        registered.functions().fail_by(registered.name, &Fault::contract(message));
        ffi::SQLITE_ERROR
    })
}

/// # Safety
///
/// SQLite calls it, with what `connect` made.
unsafe extern "C" fn open(table: *mut ffi::sqlite3_vtab, cursor: *mut *mut ffi::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: by the caller's promise.
    let registered = unsafe { &*table.cast::<Connected>() }.registered;
    let base = ffi::sqlite3_vtab_cursor { pVtab: std::ptr::null_mut() };
    let made = Cursor { base, registered, outcomes: VecDeque::new(), compared: Vec::new(), number: 0 };
    // SAFETY: a place for the cursor, which begins with SQLite's part and is freed in `close`.
    unsafe { *cursor = Box::into_raw(Box::new(made)).cast() };
    ffi::SQLITE_OK
}

/// # Safety
///
/// SQLite calls it, with what `open` made.
unsafe extern "C" fn close(cursor: *mut ffi::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: by the caller's promise.
    let cursor = unsafe { Box::from_raw(cursor.cast::<Cursor>()) };
    guarded((), || drop(cursor));
    ffi::SQLITE_OK
}

impl Cursor {
    fn registered(&self) -> &Registered {
        // SAFETY: what it was registered with outlives its tables and their cursors.
        unsafe { &*self.registered }
    }

    fn begin(&mut self, arguments: &[Argument<'_>]) -> Result<(), StoreError> {
        self.outcomes.clear();
        self.number = 0;
        let registered = self.registered();
        let functions = registered.functions();
        let Asked { of, what, row } = read(registered.name, arguments)?;
        let compared = arguments.get(MAX_TABLE_ARGUMENTS..).unwrap_or_default();
        if let Some(at) = compared.iter().position(|argument| matches!(argument, Argument::Null)) {
            let at = at + MAX_TABLE_ARGUMENTS + 1;
            let message = format!("argument {at} is NULL, which SQL can give in the first {MAX_TABLE_ARGUMENTS} only");
            return Err(StoreError::Function { name: registered.name.to_owned(), reason: "contract", message });
        }
        let outcomes = match registered.of {
            Of::Kind => functions.notify_kind(&of, what, &row)?.into(),
            Of::Object => {
                let outcome = functions.notify_object(&of, what, &row)?;
                registered.check(&outcome)?;
                match outcome.result {
                    Err(error) if registered.fails || error == StoreError::Interrupted => return Err(error),
                    // It changes nothing.
                    Ok(None) if registered.fails => VecDeque::new(),
                    _ => VecDeque::from([outcome]),
                }
            }
        };
        self.outcomes = outcomes;
        self.compared = compared.iter().map(owned).collect();
        Ok(())
    }

    fn output(&self, column: usize, give: impl FnOnce(Output<'_>)) -> Result<(), StoreError> {
        let Some(outcome) = self.outcomes.front() else { return Ok(()) };
        let bytes = outcome.result.as_ref().ok().and_then(Option::as_deref);
        let argument = column.checked_sub(self.registered().columns() + MAX_TABLE_ARGUMENTS);
        if let Some(value) = argument.and_then(|at| self.compared.get(at)) {
            give(match value {
                Value::Null => Output::Null,
                Value::Integer(integer) => Output::Integer(*integer),
                Value::Real(real) => Output::Real(*real),
                Value::Text(text) => Output::Text(text),
                Value::Blob(bytes) => Output::Blob(bytes),
            });
            return Ok(());
        }
        if self.registered().script.is_some() {
            let values = outcome.row()?.unwrap_or_default();
            give(values.get(column).map_or(Output::Null, output_of));
            return Ok(());
        }
        const AFTER: usize = GENERAL.len() + 2 + MAX_NOTIFIED;
        let error = || outcome.result.as_ref().err();
        let words;
        give(match column {
            0 => Output::Text(&outcome.object),
            1 => Output::Text(&outcome.script.name),
            2 => match outcome.row()? {
                Some(values) => {
                    let columns = outcome.ready.as_ref().map_or(&[][..], |ready| &ready.columns);
                    words = json::row(columns, &values);
                    Output::Text(&words)
                }
                None => Output::Null,
            },
            3 => match error() {
                Some(error) => {
                    words = error.to_string();
                    Output::Text(&words)
                }
                None => Output::Null,
            },
            AFTER => bytes.map_or(Output::Null, Output::Blob),
            _ if column == AFTER + 1 => {
                error().map_or(Output::Null, |error| Output::Text(error.cause().unwrap_or(error.code_name())))
            }
            _ if column == AFTER + 2 => outcome.ready.as_ref().map_or(Output::Null, |ready| Output::Text(&ready.names)),
            _ => Output::Null,
        });
        Ok(())
    }
}

impl Registered {
    /// Another process may have given the object another script since the statement was prepared.
    fn check(&self, outcome: &Outcome) -> Result<(), StoreError> {
        match &self.script {
            Some((version, _)) if **version == *outcome.script => Ok(()),
            Some(_) => Err(StoreError::Sqlite {
                code: ffi::SQLITE_SCHEMA,
                name: "schema",
                message: format!("object {:?} has another script now: run the statement again", outcome.object),
                offset: None,
            }),
            None => Ok(()),
        }
    }
}

fn owned(argument: &Argument<'_>) -> Value {
    match *argument {
        Argument::Null => Value::Null,
        Argument::Integer(integer) => Value::Integer(integer),
        Argument::Real(real) => Value::Real(real),
        // Texts that are not UTF-8 were refused.
        Argument::Text(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        Argument::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

fn output_of<'a>(value: &row::Value<'a>) -> Output<'a> {
    match *value {
        row::Value::Null => Output::Null,
        row::Value::Integer(integer) => Output::Integer(integer),
        row::Value::Real(real) => Output::Real(real),
        row::Value::Text(text) => Output::Text(text),
        row::Value::Blob(bytes) => Output::Blob(bytes),
    }
}

/// # Safety
///
/// SQLite calls it, with what `open` made.
unsafe extern "C" fn filter(
    cursor: *mut ffi::sqlite3_vtab_cursor,
    _number: c_int,
    _text: *const c_char,
    argc: c_int,
    argv: *mut *mut ffi::sqlite3_value,
) -> c_int {
    guarded(ffi::SQLITE_ERROR, || {
        // SAFETY: by the caller's promise; nothing converts the values.
        let (cursor, arguments) = unsafe { (&mut *cursor.cast::<Cursor>(), values::arguments(argc, argv)) };
        match cursor.begin(&arguments) {
            Ok(()) => ffi::SQLITE_OK,
            Err(error) => {
                cursor.registered().functions().fail(error);
                ffi::SQLITE_ERROR
            }
        }
    })
}

/// # Safety
///
/// As of [`close`].
unsafe extern "C" fn next(cursor: *mut ffi::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: by the caller's promise.
    let cursor = unsafe { &mut *cursor.cast::<Cursor>() };
    guarded((), || drop(cursor.outcomes.pop_front()));
    cursor.number += 1;
    ffi::SQLITE_OK
}

/// # Safety
///
/// As of [`close`].
unsafe extern "C" fn is_at_end(cursor: *mut ffi::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: by the caller's promise.
    c_int::from(unsafe { &*cursor.cast::<Cursor>() }.outcomes.is_empty())
}

/// # Safety
///
/// As of [`close`].
unsafe extern "C" fn column(
    cursor: *mut ffi::sqlite3_vtab_cursor,
    context: *mut ffi::sqlite3_context,
    number: c_int,
) -> c_int {
    guarded(ffi::SQLITE_ERROR, || {
        // SAFETY: by the caller's promise.
        let cursor = unsafe { &*cursor.cast::<Cursor>() };
        // SAFETY: it is the context that the value is wanted in.
        let give = |output: Output<'_>| unsafe { values::result(context, output) };
        match cursor.output(usize::try_from(number).unwrap_or(usize::MAX), give) {
            Ok(()) => ffi::SQLITE_OK,
            Err(error) => {
                cursor.registered().functions().fail(error);
                ffi::SQLITE_ERROR
            }
        }
    })
}

/// # Safety
///
/// As of [`close`].
unsafe extern "C" fn rowid(cursor: *mut ffi::sqlite3_vtab_cursor, number: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: by the caller's promise; a place for the number.
    unsafe { *number = (*cursor.cast::<Cursor>()).number };
    ffi::SQLITE_OK
}
