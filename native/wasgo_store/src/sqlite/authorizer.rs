//! What may be prepared: SQLite asks for each thing that a statement is going to do.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use libsql::ffi;

use super::hooks::Hooks;
use super::text_at;
use crate::access::Act;
use crate::journal::{Operation, SavepointAct};
use crate::scripts::grammar::NOTIFY;

/// Pragmas that tell of the schema and change nothing.
/// Full-text and R*Tree tables ask the last two for themselves.
const HARMLESS_PRAGMAS: [&str; 11] = [
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "collation_list",
    "function_list",
    "data_version",
    "page_size",
];

/// Further ones whose argument is no setting of the connection: what they change is the file.
const PRAGMAS_OF_THE_FILE: [&str; 9] = [
    "application_id",
    "auto_vacuum",
    "foreign_key_check",
    "incremental_vacuum",
    "integrity_check",
    "optimize",
    "quick_check",
    "user_version",
    "wal_checkpoint",
];

/// Functions that tell of the connection's own writes.
const FUNCTIONS_OF_THE_WRITER: [&str; 3] = ["changes", "last_insert_rowid", "total_changes"];

/// # Safety
///
/// `data` is the `Hooks` that the callback was registered with; the texts are null, or C strings that live as long as the
/// call.
pub(super) unsafe extern "C" fn on_prepare(
    data: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    database: *const c_char,
    by: *const c_char,
) -> c_int {
    // SAFETY: by the caller's promise; shared references only are made of it anywhere.
    let hooks = unsafe { &*data.cast::<Hooks>() };
    if hooks.own.get() {
        return ffi::SQLITE_OK;
    }
    // SAFETY: by the caller's promise.
    let (first, second, database, by) = unsafe { (text_at(first), text_at(second), text_at(database), text_at(by)) };
    let (first, second) = (first.unwrap_or_default(), second.unwrap_or_default());
    if let Some(access) = &*hooks.script.borrow() {
        // SQLite's own message names the thing. Whatever does it in a query of the script's own is the script.
        let refused = match act(action, first, second, database) {
            Act::Transaction => true,
            act => access.check(act, None).is_err(),
        };
        return if refused { ffi::SQLITE_DENY } else { ffi::SQLITE_OK };
    }
    let is_control = matches!(action, ffi::SQLITE_TRANSACTION | ffi::SQLITE_SAVEPOINT);
    if is_control && hooks.preparing.get() && hooks.refuse_control.get() {
        hooks.refused_control.set(true);
        return ffi::SQLITE_DENY;
    }
    if hooks.confined() {
        let refused = match action {
            // `VACUUM` attaches the file that it writes.
            ffi::SQLITE_ATTACH | ffi::SQLITE_DETACH => true,
            // A temporary table would take the place of one that others mean.
            ffi::SQLITE_CREATE_TEMP_INDEX
            | ffi::SQLITE_CREATE_TEMP_TABLE
            | ffi::SQLITE_CREATE_TEMP_TRIGGER
            | ffi::SQLITE_CREATE_TEMP_VIEW => true,
            ffi::SQLITE_PRAGMA => !is_one_of(first, &HARMLESS_PRAGMAS),
            _ => false,
        };
        if refused {
            return ffi::SQLITE_DENY;
        }
    }
    if let Some(access) = hooks.access()
        && let Err(words) = access.check(act(action, first, second, database), by.filter(|_| hooks.trusts_names.get()))
    {
        // The first says why; what follows from it does not.
        hooks.refused.borrow_mut().get_or_insert(words);
        return ffi::SQLITE_DENY;
    }
    // What was refused has no effect.
    if hooks.preparing.get() {
        note(hooks, action, first, second, database);
    }
    ffi::SQLITE_OK
}

/// Keeps what is worth knowing of a statement.
fn note(hooks: &Hooks, action: c_int, first: &str, second: &str, database: Option<&str>) {
    let Ok(mut seen) = hooks.seen.try_borrow_mut() else { return };
    // What the store sets for itself, when it opens, it sets for all its connections.
    let private = |is: bool| {
        if is && hooks.is_watched() {
            hooks.private.store(true, Ordering::Release);
        }
    };
    match action {
        ffi::SQLITE_PRAGMA => {
            seen.pragma = true;
            seen.needs_writer = true;
            let of_connection = !is_one_of(first, &HARMLESS_PRAGMAS) && !is_one_of(first, &PRAGMAS_OF_THE_FILE);
            private(!second.is_empty() && of_connection);
        }
        ffi::SQLITE_ATTACH
        | ffi::SQLITE_DETACH
        | ffi::SQLITE_CREATE_TEMP_INDEX
        | ffi::SQLITE_CREATE_TEMP_TABLE
        | ffi::SQLITE_CREATE_TEMP_TRIGGER
        | ffi::SQLITE_CREATE_TEMP_VIEW => {
            seen.needs_writer = true;
            private(true);
        }
        ffi::SQLITE_TRANSACTION => seen.needs_writer = true,
        ffi::SQLITE_SAVEPOINT => {
            seen.needs_writer = true;
            let act = match first {
                "BEGIN" => SavepointAct::Begin,
                "RELEASE" => SavepointAct::Release,
                _ => SavepointAct::RollBack,
            };
            seen.savepoint = Some((act, second.to_owned()));
        }
        ffi::SQLITE_FUNCTION if is_one_of(second, &FUNCTIONS_OF_THE_WRITER) => seen.needs_writer = true,
        ffi::SQLITE_FUNCTION if second.eq_ignore_ascii_case("notification") => {
            seen.needs_writer = true;
            seen.notifies = true;
        }
        ffi::SQLITE_READ if is_notified(first) => {
            seen.needs_writer = true;
            seen.notifies = true;
        }
        ffi::SQLITE_READ if first.starts_with("pragma_") || first.starts_with("sqlite_temp_") => {
            seen.needs_writer = true;
        }
        ffi::SQLITE_INSERT | ffi::SQLITE_UPDATE | ffi::SQLITE_DELETE
            if database == Some("main") && !first.starts_with("sqlite_") =>
        {
            let operation = match action {
                ffi::SQLITE_INSERT => Operation::Insert,
                ffi::SQLITE_DELETE => Operation::Delete,
                _ => Operation::Update,
            };
            if !seen.writes.iter().any(|(known, table)| *known == operation && **table == *first) {
                seen.writes.push((operation, Arc::from(first)));
            }
        }
        _ => {}
    }
}

/// Whether a table is one of those that notify objects.
fn is_notified(table: &str) -> bool {
    table == "notify_object" || table == "notify_kind" || table == NOTIFY || table.starts_with("notify ")
}

/// What is about to be done, for who is allowed some of it.
fn act<'a>(action: c_int, first: &'a str, second: &'a str, database: Option<&str>) -> Act<'a> {
    let here = database.is_none_or(|database| database == "main");
    match action {
        ffi::SQLITE_SELECT | ffi::SQLITE_RECURSIVE => Act::Select,
        // Whoever may read the table that notifies may notify.
        ffi::SQLITE_READ if here && is_notified(first) => Act::Read { table: NOTIFY, column: "" },
        ffi::SQLITE_FUNCTION if second.eq_ignore_ascii_case("notification") => Act::Read { table: NOTIFY, column: "" },
        ffi::SQLITE_READ if here => Act::Read { table: first, column: second },
        ffi::SQLITE_UPDATE if here => Act::Update { table: first, column: second },
        ffi::SQLITE_INSERT if here => Act::Rows { verb: "insert into", table: first },
        ffi::SQLITE_DELETE if here => Act::Rows { verb: "delete from", table: first },
        ffi::SQLITE_FUNCTION => Act::Function(second),
        ffi::SQLITE_TRANSACTION | ffi::SQLITE_SAVEPOINT => Act::Transaction,
        ffi::SQLITE_PRAGMA => Act::Other("a pragma"),
        ffi::SQLITE_ATTACH | ffi::SQLITE_DETACH => Act::Other("attaching a database"),
        ffi::SQLITE_READ | ffi::SQLITE_UPDATE | ffi::SQLITE_INSERT | ffi::SQLITE_DELETE => {
            Act::Other("a table of another database")
        }
        _ => Act::Other("changing the schema"),
    }
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}
