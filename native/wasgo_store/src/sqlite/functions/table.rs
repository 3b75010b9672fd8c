//! Table-valued functions: `SELECT * FROM f(1, 2)`.

use std::ffi::{CString, c_char, c_int, c_void};
use std::rc::Rc;

use libsql::ffi;
use wasgo_wasm::row;

use super::entry::{Entry, Use};
use super::{guarded, values};
use crate::Value;
use crate::functions::Fault;
use crate::functions::code::{Kind, Table};
use crate::functions::guest::{Argument, Left, Output, Returned, decode_row};

/// How many rows SQLite's planner is told that there will be; nobody knows.
const ESTIMATED_ROWS: i64 = 100;

/// What SQLite calls.
pub(super) static MODULE: ffi::sqlite3_module = ffi::sqlite3_module {
    iVersion: 0,
    // Not to be made by `CREATE VIRTUAL TABLE`: it is there by itself.
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

/// The table: SQLite's part first.
#[repr(C)]
struct Connected {
    base: ffi::sqlite3_vtab,
    entry: Rc<Entry>,
    /// Columns of a row; the arguments are hidden columns behind them.
    columns: usize,
    arity: usize,
}

/// A scan: SQLite's part first.
#[repr(C)]
struct Cursor {
    base: ffi::sqlite3_vtab_cursor,
    entry: Rc<Entry>,
    columns: usize,
    /// The guest's handle, and the instance that it is of.
    handle: Option<(i32, u32)>,
    row: Vec<Value>,
    number: i64,
    at_end: bool,
}

fn functions<'a>(using: &Use<'a>) -> Result<&'a Table, Fault> {
    match &using.code.kind {
        Kind::Table(table) => Ok(table),
        _ => Err(Fault::contract("it is no table-valued function")),
    }
}

/// The names of the columns.
fn columns(using: &mut Use<'_>) -> Result<Vec<String>, Fault> {
    let function = &functions(using)?.columns;
    let names = using.guest.call(using.code, function, None, &[], &mut Left::default())?;
    let Returned::Integer(span) = names else { return Err(Fault::contract("its columns have no names")) };
    let values = decode_row(using.guest.span(span, using.limit)?)?;
    let name = |value: &row::Value<'_>| match value {
        row::Value::Text(name) if !name.contains('\0') => Ok((*name).to_owned()),
        _ => Err(Fault::contract("the names of its columns are to be texts without NUL")),
    };
    let names = values.iter().map(name).collect::<Result<Vec<_>, _>>()?;
    if names.is_empty() { Err(Fault::contract("it has no columns")) } else { Ok(names) }
}

fn declaration(columns: &[String], arity: usize) -> Option<CString> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let columns = columns.iter().map(|name| quoted(name));
    let arguments = (1..=arity).map(|number| format!("\"argument {number}\" HIDDEN"));
    CString::new(format!("CREATE TABLE x({})", columns.chain(arguments).collect::<Vec<_>>().join(", "))).ok()
}

/// # Safety
///
/// SQLite calls it, with the entry that the module was registered with.
unsafe extern "C" fn connect(
    db: *mut ffi::sqlite3,
    data: *mut c_void,
    _argc: c_int,
    _argv: *const *const c_char,
    connected: *mut *mut ffi::sqlite3_vtab,
    _message: *mut *mut c_char,
) -> c_int {
    guarded(ffi::SQLITE_ERROR, || {
        // SAFETY: SQLite holds a reference on the entry; here is one more.
        let entry = unsafe {
            let data = data.cast_const().cast::<Entry>();
            Rc::increment_strong_count(data);
            Rc::from_raw(data)
        };
        let described = entry.with(|using| {
            let names = columns(using)?;
            let arity = using.code.arity();
            let sql = declaration(&names, arity).ok_or_else(|| Fault::contract("the names of its columns are none"))?;
            // SAFETY: SQLite calls this to have the table declared.
            let code = unsafe {
                ffi::sqlite3_vtab_config(db, ffi::SQLITE_VTAB_INNOCUOUS);
                ffi::sqlite3_declare_vtab(db, sql.as_ptr())
            };
            match code {
                ffi::SQLITE_OK => Ok((names.len(), arity)),
                _ => Err(Fault::contract(format!("SQLite takes its columns not: {}", names.join(", ")))),
            }
        });
        let Some((columns, arity)) = described else { return ffi::SQLITE_ERROR };
        let table = Connected { base: ffi::sqlite3_vtab::default(), entry, columns, arity };
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
    let table = unsafe { Box::from_raw(table.cast::<Connected>()) };
    guarded((), || drop(table));
    ffi::SQLITE_OK
}

/// # Safety
///
/// SQLite calls it, with what `connect` made.
unsafe extern "C" fn best_index(table: *mut ffi::sqlite3_vtab, info: *mut ffi::sqlite3_index_info) -> c_int {
    guarded(ffi::SQLITE_ERROR, || {
        // SAFETY: by the caller's promise; both arrays have so many elements.
        let (table, info, constraints, usages) = unsafe {
            let (table, info) = (&*table.cast::<Connected>(), &mut *info);
            let count = usize::try_from(info.nConstraint).unwrap_or(0);
            if count == 0 {
                (table, info, &[][..], &mut [][..])
            } else {
                let constraints = std::slice::from_raw_parts(info.aConstraint, count);
                let usages = std::slice::from_raw_parts_mut(info.aConstraintUsage, count);
                (table, info, constraints, usages)
            }
        };
        let mut given = vec![false; table.arity];
        let mut may_come = false;
        for (constraint, usage) in constraints.iter().zip(usages) {
            let argument = usize::try_from(constraint.iColumn).ok().and_then(|at| at.checked_sub(table.columns));
            let Some(argument) = argument.filter(|at| *at < table.arity) else { continue };
            if c_int::from(constraint.op) != ffi::SQLITE_INDEX_CONSTRAINT_EQ || given[argument] {
                continue;
            }
            if constraint.usable == 0 {
                may_come = true;
                continue;
            }
            given[argument] = true;
            usage.argvIndex = c_int::try_from(argument + 1).unwrap_or(0);
            usage.omit = 1;
        }
        if given.iter().all(|given| *given) {
            info.estimatedRows = ESTIMATED_ROWS;
            info.estimatedCost = 1_000.0;
            return ffi::SQLITE_OK;
        }
        if !may_come {
            let got = given.iter().filter(|given| **given).count();
            let message = format!("it takes {} arguments, and was given {got}", table.arity);
            table.entry.functions().fail_by(&table.entry.name, &Fault::contract(message));
            return ffi::SQLITE_ERROR;
        }
        // Another order of the tables may give them all.
        ffi::SQLITE_CONSTRAINT
    })
}

/// # Safety
///
/// SQLite calls it, with what `connect` made.
unsafe extern "C" fn open(table: *mut ffi::sqlite3_vtab, cursor: *mut *mut ffi::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: by the caller's promise.
    let table = unsafe { &*table.cast::<Connected>() };
    let made = Cursor {
        base: ffi::sqlite3_vtab_cursor { pVtab: std::ptr::null_mut() },
        entry: Rc::clone(&table.entry),
        columns: table.columns,
        handle: None,
        row: Vec::new(),
        number: 0,
        at_end: true,
    };
    // SAFETY: a place for the cursor, which begins with SQLite's part and is freed in `close`.
    unsafe { *cursor = Box::into_raw(Box::new(made)).cast() };
    ffi::SQLITE_OK
}

impl Cursor {
    /// Ends the scan that there is.
    fn finish(&mut self) {
        self.row.clear();
        self.at_end = true;
        let Some((handle, generation)) = self.handle.take() else { return };
        let _ = self.entry.with(|using| {
            if generation != using.generation {
                return Ok(());
            }
            using.let_go();
            let Some(close) = &functions(using)?.close else { return Ok(()) };
            using.guest.call(using.code, close, Some(handle), &[], &mut Left::default())?;
            Ok(())
        });
    }

    fn begin(&mut self, arguments: &[Argument<'_>]) -> c_int {
        self.finish();
        self.number = 0;
        let opened = self.entry.with(|using| {
            let open = &functions(using)?.open;
            let mut left = Left::default();
            let returned = using.guest.call(using.code, open, None, arguments, &mut left)?;
            let handle = match returned {
                Returned::Word(handle) => Some((handle.cast_signed(), using.generation)),
                // An argument is NULL: there are no rows.
                _ => None,
            };
            if handle.is_some() {
                using.hold();
            }
            using.guest.give_back(using.code, left)?;
            Ok(handle)
        });
        match opened {
            Some(Some(handle)) => {
                self.handle = Some(handle);
                self.at_end = false;
                self.advance()
            }
            Some(None) => ffi::SQLITE_OK,
            None => ffi::SQLITE_ERROR,
        }
    }

    fn advance(&mut self) -> c_int {
        let Some((handle, generation)) = self.handle else { return ffi::SQLITE_OK };
        let (columns, row) = (self.columns, &mut self.row);
        let more = self.entry.with(|using| {
            if generation != using.generation {
                return Err(Fault::contract("its state was lost when another call of it failed"));
            }
            let next = &functions(using)?.next;
            let returned = using.guest.call(using.code, next, Some(handle), &[], &mut Left::default())?;
            let Returned::Integer(span) = returned else { return Err(Fault::contract("its next returned nothing")) };
            row.clear();
            if span == 0 {
                return Ok(false);
            }
            let values = decode_row(using.guest.span(span, using.limit)?)?;
            if values.len() != columns {
                let message = format!("it returned a row of {} values, and has {columns} columns", values.len());
                return Err(Fault::contract(message));
            }
            row.extend(values.iter().map(owned));
            Ok(true)
        });
        match more {
            Some(more) => {
                self.number += 1;
                self.at_end = !more;
                ffi::SQLITE_OK
            }
            None => ffi::SQLITE_ERROR,
        }
    }
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

/// # Safety
///
/// SQLite calls it, with what `open` made.
unsafe extern "C" fn close(cursor: *mut ffi::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: by the caller's promise.
    let mut cursor = unsafe { Box::from_raw(cursor.cast::<Cursor>()) };
    guarded((), move || cursor.finish());
    ffi::SQLITE_OK
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
        cursor.begin(&arguments)
    })
}

/// # Safety
///
/// As of [`close`].
unsafe extern "C" fn next(cursor: *mut ffi::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: by the caller's promise.
    guarded(ffi::SQLITE_ERROR, || unsafe { &mut *cursor.cast::<Cursor>() }.advance())
}

/// # Safety
///
/// As of [`close`].
unsafe extern "C" fn is_at_end(cursor: *mut ffi::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: by the caller's promise.
    c_int::from(unsafe { &*cursor.cast::<Cursor>() }.at_end)
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
        let value = usize::try_from(number).ok().and_then(|number| cursor.row.get(number));
        let output = match value {
            // The hidden ones are asked for by nobody who did not give them.
            None | Some(Value::Null) => Output::Null,
            Some(Value::Integer(integer)) => Output::Integer(*integer),
            Some(Value::Real(real)) => Output::Real(*real),
            Some(Value::Text(text)) => Output::Text(text),
            Some(Value::Blob(blob)) => Output::Blob(blob),
        };
        // SAFETY: it is the context that the value is wanted in.
        unsafe { values::result(context, output) };
        ffi::SQLITE_OK
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
