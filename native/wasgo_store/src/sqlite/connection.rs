//! One connection: how it is opened, and the statements that it keeps prepared.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_int};
use std::path::Path;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use libsql::ffi;

use super::cache::Cache;
use super::functions::Functions;
use super::hooks::{Hooks, Interrupt, Watch};
use super::{Control, MAX_SQL_BYTES, Statement};
use crate::journal::Change;
use crate::request::{Limits, Rows};
use crate::{Location, Options, ParamsRef, StoreError, Synchronous, Value};

/// SQLite puts pieces of the SQL into its messages; this much of one is enough for people.
const MAX_MESSAGE_BYTES: usize = 1024;

/// The open database, closed when the connection and the last of its statements are gone.
pub(super) struct Handle {
    raw: NonNull<ffi::sqlite3>,
    pub(super) hooks: Hooks,
    /// None where there is nothing to run functions on.
    pub(super) functions: Option<Functions>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.hooks.unwatch();
        self.functions.iter().for_each(Functions::forget);
        // SAFETY: raw is open, and with no statement left this closes it at once, before `hooks` goes.
        unsafe { ffi::sqlite3_close_v2(self.raw.as_ptr()) };
    }
}

impl Handle {
    pub(super) fn raw(&self) -> *mut ffi::sqlite3 {
        self.raw.as_ptr()
    }

    /// What the failed call that just returned `code` means. `base` is where the SQL it was about begins.
    pub(super) fn error(&self, code: c_int, base: usize) -> StoreError {
        let failure = self.functions.as_ref().and_then(Functions::take_failure);
        if let Some(stopped) = self.hooks.take_stopped() {
            return stopped;
        }
        if let Some(failure) = failure {
            return failure;
        }
        if code & 0xff == ffi::SQLITE_AUTH && self.hooks.refused_control.take() {
            return StoreError::TransactionControl;
        }
        // A function that is refused is an error like any other to SQLite.
        if let Some(message) = self.hooks.refused.take()
            && matches!(code & 0xff, ffi::SQLITE_AUTH | ffi::SQLITE_ERROR)
        {
            let code = ffi::SQLITE_AUTH;
            return StoreError::Sqlite { code, name: crate::code::name(code), message, offset: None };
        }
        // SAFETY: raw is open; the message is copied before the next call.
        let (extended, message, offset) = unsafe {
            (
                ffi::sqlite3_extended_errcode(self.raw()),
                message_at(ffi::sqlite3_errmsg(self.raw())),
                ffi::sqlite3_error_offset(self.raw()),
            )
        };
        // The connection's own code says more, if it speaks of the same error.
        let same = extended & 0xff == code & 0xff;
        let code = if same { extended } else { code };
        StoreError::Sqlite {
            code,
            name: crate::code::name(code),
            message,
            offset: usize::try_from(offset).ok().map(|offset| base + offset),
        }
    }

    pub(super) fn is_autocommit(&self) -> bool {
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_get_autocommit(self.raw()) != 0 }
    }

    /// Rows changed by all writes so far, those by triggers too.
    pub(super) fn total_changes(&self) -> u64 {
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_total_changes64(self.raw()) }.try_into().unwrap_or(0)
    }

    /// Whether what failed to be prepared is worth another try: it named a function that is known only now.
    pub(super) fn learn(&self, error: &StoreError) -> Result<bool, StoreError> {
        match (&self.functions, error) {
            (Some(functions), StoreError::Sqlite { code: ffi::SQLITE_ERROR, message, .. }) => functions.learn(message),
            _ => Ok(false),
        }
    }

    /// Whether what failed in its first step is worth another try: functions were registered anew since it was prepared.
    pub(super) fn catch_up(&self, error: &StoreError) -> Result<bool, StoreError> {
        Ok(self.functions.as_ref().map_or(Ok(false), Functions::renew)? || self.learn(error)?)
    }

    /// `Ok` for `SQLITE_OK`.
    pub(super) fn check(&self, code: c_int) -> Result<(), StoreError> {
        match code {
            ffi::SQLITE_OK => Ok(()),
            code => Err(self.error(code, 0)),
        }
    }
}

/// # Safety
///
/// `text` is null, or NUL-terminated and valid during the call.
unsafe fn message_at(text: *const std::ffi::c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: by the caller's promise.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_MESSAGE_BYTES)]).into_owned()
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Everything.
    Writer,
    /// Queries of a file that the store's writer has open, and nothing else.
    Reader,
}

pub(crate) struct Connection {
    handle: Rc<Handle>,
    cache: RefCell<Cache>,
}

impl Connection {
    /// `private` is set once a statement gave this connection a state that others do not have.
    pub(crate) fn open(
        options: &Options,
        role: Role,
        interrupt: Arc<Interrupt>,
        private: Arc<AtomicBool>,
    ) -> Result<Self, StoreError> {
        set_up_library()?;
        let mode = match (&options.location, options.read_only || role == Role::Reader, options.create) {
            (Location::File(_), true, _) => ffi::SQLITE_OPEN_READONLY,
            (Location::File(_), false, false) => ffi::SQLITE_OPEN_READWRITE,
            _ => ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE,
        };
        let flags = mode | ffi::SQLITE_OPEN_NOMUTEX | ffi::SQLITE_OPEN_PRIVATECACHE | ffi::SQLITE_OPEN_EXRESCODE;
        let path = match &options.location {
            Location::File(path) => c_path(path)?,
            Location::Memory => c":memory:".to_owned(),
            Location::Server(_) => return Err(StoreError::Internal("a server's database is no file".to_owned())),
        };
        let mut raw = std::ptr::null_mut();
        // SAFETY: path is NUL-terminated, raw a place for the connection.
        let code = unsafe { ffi::sqlite3_open_v2(path.as_ptr(), &mut raw, flags, std::ptr::null()) };
        let raw = NonNull::new(raw).ok_or(StoreError::Sqlite {
            code,
            name: crate::code::name(code),
            message: "no memory for a connection".into(),
            offset: None,
        })?;
        let handle = Rc::new_cyclic(|handle: &std::rc::Weak<Handle>| {
            // SAFETY: nothing is read: only the place of a field is taken, in memory that is there.
            let hooks = unsafe { &raw const (*handle.as_ptr()).hooks };
            let functions = options.functions.clone().map(|host| Functions::new(host, raw.as_ptr(), hooks));
            Handle { raw, hooks: Hooks::new(interrupt, options.busy_timeout, private), functions }
        });
        handle.check(code)?;
        // SAFETY: the connection is open, and `Handle` closes it before its `hooks` go; the `Rc` keeps them in place.
        unsafe {
            handle.hooks.install(handle.raw());
            handle.functions.iter().try_for_each(|functions| functions.install())?;
        }
        let connection = Self { handle, cache: RefCell::default() };
        connection.configure(options, role)?;
        Ok(connection)
    }

    fn configure(&self, options: &Options, role: Role) -> Result<(), StoreError> {
        let raw = self.handle.raw();
        let none = std::ptr::null_mut::<c_int>();
        let max_value = c_int::try_from(options.max_value_bytes).unwrap_or(c_int::MAX);
        // SAFETY: the connection is open, and these verbs take an int and a pointer to one, which may be null.
        // Defensive: no SQL may break the file. Untrusted schema: a file from elsewhere cannot make a view or trigger
        // call what has side effects.
        unsafe {
            ffi::sqlite3_limit(raw, ffi::SQLITE_LIMIT_LENGTH, max_value);
            self.handle.check(ffi::sqlite3_db_config(raw, ffi::SQLITE_DBCONFIG_DEFENSIVE, 1 as c_int, none))?;
            self.handle.check(ffi::sqlite3_db_config(raw, ffi::SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 as c_int, none))?;
        }
        // First a read of the header and the schema: what is no database is found before anything is written to it.
        self.pragma("SELECT count(*) FROM sqlite_schema")?;
        self.pragma(if options.foreign_keys { "PRAGMA foreign_keys = ON" } else { "PRAGMA foreign_keys = OFF" })?;
        if role == Role::Reader {
            return Ok(());
        }
        if matches!(options.location, Location::File(_)) && !options.read_only {
            let wanted = if options.wal { "wal" } else { "delete" };
            let got = self.pragma(&format!("PRAGMA journal_mode = {wanted}"))?;
            if got != Some(Value::Text(wanted.into())) {
                return Err(StoreError::InvalidOption {
                    option: "wal",
                    problem: format!("the database stays in journal mode {got:?}"),
                });
            }
        }
        self.pragma(match options.synchronous {
            Synchronous::Full => "PRAGMA synchronous = FULL",
            Synchronous::Normal => "PRAGMA synchronous = NORMAL",
            Synchronous::Off => "PRAGMA synchronous = OFF",
        })?;
        if let Some(max_bytes) = options.max_bytes {
            let Some(Value::Integer(page)) = self.pragma("PRAGMA page_size")? else {
                return Err(StoreError::Internal("no page size".into()));
            };
            let page = u64::try_from(page).unwrap_or(1).max(1);
            let pages = (max_bytes / page).clamp(1, u64::from(u32::MAX - 1));
            self.pragma(&format!("PRAGMA max_page_count = {pages}"))?;
        }
        Ok(())
    }

    /// Runs a statement of our own; its first value.
    fn pragma(&self, sql: &str) -> Result<Option<Value>, StoreError> {
        let mut rows = Rows::default();
        self.prepare(sql)?.query(ParamsRef::Positional(&[]), Limits::default(), &mut rows)?;
        Ok(rows.rows.into_iter().flatten().next())
    }

    /// Runs a statement of our own that begins, ends or nests a transaction.
    pub(crate) fn control(&self, sql: &str) -> Result<(), StoreError> {
        let text = c_sql(sql)?;
        let (statement, _) = Statement::prepare(&self.handle, &text, 0, Control::Allowed)?;
        let mut statement = statement.ok_or(StoreError::EmptySql)?;
        statement.run(ParamsRef::Positional(&[]))
    }

    /// From here to `unwatch`, what runs may be stopped.
    pub(crate) fn watch(&self, watch: Watch) {
        self.handle.hooks.watch(watch);
    }

    pub(crate) fn unwatch(&self) {
        self.handle.hooks.unwatch();
    }

    /// Whether what ran last was stopped because its budget was used up.
    pub(crate) fn was_over_budget(&self) -> bool {
        self.handle.hooks.was_over_budget()
    }

    /// Lends out the one statement of `sql`, prepared before or now.
    pub(crate) fn with_statement<T>(
        &self,
        sql: &str,
        work: impl FnOnce(&mut Statement) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut statement = self.statement(sql)?;
        let result = work(&mut statement);
        self.keep(sql, statement);
        result
    }

    /// The text to run instead of `sql`, where it notifies objects that it names.
    pub(crate) fn specialise<'s>(&self, sql: &'s str, params: ParamsRef<'_>) -> Result<Cow<'s, str>, StoreError> {
        let specialised = match &self.handle.functions {
            Some(functions) => functions.specialise(sql, params)?,
            None => None,
        };
        Ok(specialised.map_or(Cow::Borrowed(sql), Cow::Owned))
    }

    /// The one statement of `sql`, prepared before or now.
    pub(crate) fn statement(&self, sql: &str) -> Result<Statement, StoreError> {
        // What another prepared may be more than this request may do.
        let hooks = &self.handle.hooks;
        let known = self.cache.borrow_mut().take(sql, hooks.confined(), hooks.access().as_ref());
        known.map_or_else(|| self.prepare(sql), Ok)
    }

    /// Keeps a statement that does not run for the next who wants it.
    pub(crate) fn keep(&self, sql: &str, statement: Statement) {
        self.cache.borrow_mut().keep(sql, statement);
    }

    /// Prepares SQL that has to be one statement.
    fn prepare(&self, sql: &str) -> Result<Statement, StoreError> {
        let text = c_sql(sql)?;
        let mut at = 0;
        let mut statement = loop {
            let (statement, next) = Statement::prepare(&self.handle, &text, at, Control::Refused)?;
            if let Some(statement) = statement {
                at = next;
                break statement;
            }
            if next <= at || next >= sql.len() {
                return Err(StoreError::EmptySql);
            }
            at = next;
        };
        let end = at;
        // Only blanks, comments and semicolons may follow. What does not even parse is something more as well.
        while at < sql.len() {
            match Statement::prepare(&self.handle, &text, at, Control::Refused) {
                Ok((None, next)) if next > at => at = next,
                Ok((None, _)) => break,
                Ok((Some(_), _)) | Err(_) => {
                    self.handle.hooks.refused_control.set(false);
                    return Err(self
                        .handle
                        .hooks
                        .take_stopped()
                        .unwrap_or(StoreError::MultipleStatements { offset: end }));
                }
            }
        }
        statement.remember(sql);
        Ok(statement)
    }

    /// Prepares and lends out one statement of `sql` after another.
    pub(crate) fn batch(
        &self,
        sql: &str,
        control: Control,
        mut work: impl FnMut(&mut Statement) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let text = c_sql(sql)?;
        let mut at = 0;
        let mut count = 0;
        while at < sql.len() {
            let prepared = Statement::prepare(&self.handle, &text, at, control);
            let ran = prepared.and_then(|(statement, next)| {
                if let Some(mut statement) = statement {
                    work(&mut statement)?;
                    count += 1;
                }
                Ok(next)
            });
            let next = ran.map_err(|source| StoreError::AtStatement { statement: count, source: Box::new(source) })?;
            if next <= at {
                break;
            }
            at = next;
        }
        if count == 0 {
            return Err(StoreError::EmptySql);
        }
        Ok(())
    }

    pub(crate) fn is_autocommit(&self) -> bool {
        self.handle.is_autocommit()
    }

    /// Begins to keep the rows that are changed, or ceases to.
    pub(crate) fn record(&self, on: bool) {
        // SAFETY: the connection is open, and `Handle` closes it before its `hooks` go.
        unsafe { self.handle.hooks.record(self.handle.raw(), on) };
    }

    /// What was committed since this was asked last.
    pub(crate) fn take_committed(&self) -> Vec<Change> {
        match self.handle.hooks.journal.is_on() {
            true => self.handle.hooks.journal.take_committed(),
            false => Vec::new(),
        }
    }

    pub(super) fn raw(&self) -> *mut ffi::sqlite3 {
        self.handle.raw()
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Rows changed by the latest write.
    pub(crate) fn changes(&self) -> u64 {
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_changes64(self.handle.raw()) }.try_into().unwrap_or(0)
    }

    /// Rows changed by all writes so far, those by triggers too.
    pub(crate) fn total_changes(&self) -> u64 {
        self.handle.total_changes()
    }

    pub(crate) fn last_insert_rowid(&self) -> i64 {
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_last_insert_rowid(self.handle.raw()) }
    }
}

/// Lets the `libsql` crate set up the C library, as it does for databases of its own. Done twice in one process, by
/// it and by us, the second would fail.
fn set_up_library() -> Result<(), StoreError> {
    static DONE: OnceLock<Result<(), StoreError>> = OnceLock::new();
    let set_up = || {
        // Counting its memory in one place makes connections wait for one another. Refused, it counts.
        // SAFETY: this verb takes an int; nothing else uses the library yet, or else it refuses.
        unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0 as c_int) };
        let build = libsql::Builder::new_local(":memory:").build();
        futures_lite::future::block_on(build)
            .map(drop)
            .map_err(|error| StoreError::Internal(format!("libSQL cannot be set up: {error}")))
    };
    DONE.get_or_init(set_up).clone()
}

/// SQL as the C library reads it.
fn c_sql(sql: &str) -> Result<CString, StoreError> {
    if sql.len() > MAX_SQL_BYTES {
        return Err(StoreError::SqlTooLong { length: sql.len(), max: MAX_SQL_BYTES });
    }
    CString::new(sql).map_err(|error| StoreError::NulInSql { offset: error.nul_position() })
}

/// A path as the C library reads it: never as a URI, never as one of its special names.
pub(super) fn c_path(path: &Path) -> Result<CString, StoreError> {
    let refuse = |problem: &str| StoreError::InvalidOption { option: "location", problem: problem.to_owned() };
    let plain = if path.is_absolute() { path.to_path_buf() } else { Path::new(".").join(path) };
    #[cfg(unix)]
    let bytes = {
        use std::os::unix::ffi::OsStringExt;
        plain.into_os_string().into_vec()
    };
    #[cfg(not(unix))]
    let bytes = plain.into_os_string().into_string().map_err(|_| refuse("the path is not Unicode"))?.into_bytes();
    CString::new(bytes).map_err(|_| refuse("the path holds a NUL character"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::Path;

    use super::c_path;

    #[test]
    fn a_path_is_never_a_special_name_or_a_uri() {
        for (path, c) in [
            (":memory:", c"./:memory:"),
            ("file:a.db?mode=memory", c"./file:a.db?mode=memory"),
            ("/data/a.db", c"/data/a.db"),
        ] {
            assert_eq!(c_path(Path::new(path)).as_deref(), Ok(c));
        }
    }
}
