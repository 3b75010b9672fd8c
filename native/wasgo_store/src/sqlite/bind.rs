//! The parameters of a statement, by place and by name.

use std::ffi::{CStr, c_int};

use libsql::ffi;

use super::Statement;
use super::statement::index;
use crate::{Params, ParamsRef, StoreError, ValueRef};

/// How long what is bound stays where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// Until the bindings are cleared: SQLite reads it there.
    Borrowed,
    /// Not longer than the call: SQLite makes a copy.
    Copied,
}

impl Statement {
    /// Binds all parameters.
    ///
    /// # Safety
    ///
    /// With [`Lifetime::Borrowed`] `params` must not go before the bindings are cleared.
    pub(super) unsafe fn bind_all(&self, params: ParamsRef<'_>, lifetime: Lifetime) -> Result<(), StoreError> {
        // SAFETY: raw is a prepared statement.
        let count = unsafe { ffi::sqlite3_bind_parameter_count(self.raw()) };
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: by the caller's promise, for each of them.
        let bind = |at: usize, value: ValueRef<'_>| unsafe { self.bind(at, value, lifetime) };
        match params {
            ParamsRef::Positional(values) => bind_each(values.iter().copied(), count, bind),
            ParamsRef::Row(rows, row) => bind_each(rows.row(row), count, bind),
            ParamsRef::Owned(Params::Positional(values)) => {
                bind_each(values.iter().map(crate::Value::as_ref), count, bind)
            }
            ParamsRef::Named(values) => self.bind_named(values.iter().copied(), count, bind),
            ParamsRef::Owned(Params::Named(values)) => {
                let values = values.iter().map(|(name, value)| (name.as_str(), value.as_ref()));
                self.bind_named(values, count, bind)
            }
        }
    }

    fn bind_named<'v>(
        &self,
        values: impl Iterator<Item = (&'v str, ValueRef<'v>)>,
        count: usize,
        bind: impl Fn(usize, ValueRef<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let names: Vec<String> = (0..count).map(|at| self.parameter_name(at)).collect();
        let mut given = vec![false; count];
        for (name, value) in values {
            let whole = name.starts_with([':', '@', '$']);
            let mut known = false;
            for (at, full) in names.iter().enumerate() {
                let fits = if whole { full == name } else { full.get(1..) == Some(name) && !full.starts_with('?') };
                if !fits {
                    continue;
                }
                if std::mem::replace(&mut given[at], true) {
                    return Err(StoreError::DuplicateParam { name: name.to_owned() });
                }
                known = true;
                bind(at, value)?;
            }
            if !known {
                return Err(StoreError::UnknownParam { name: name.to_owned() });
            }
        }
        match given.iter().position(|given| !given) {
            Some(at) => Err(StoreError::MissingParam { name: names[at].clone() }),
            None => Ok(()),
        }
    }

    /// The name of a parameter with its first character, `?N` for one without a name.
    fn parameter_name(&self, at: usize) -> String {
        // SAFETY: raw is a prepared statement; the name is copied before the next call.
        unsafe {
            let name = ffi::sqlite3_bind_parameter_name(self.raw(), index(at + 1));
            if name.is_null() {
                return format!("?{}", at + 1);
            }
            CStr::from_ptr(name).to_string_lossy().into_owned()
        }
    }

    /// Binds a value.
    ///
    /// # Safety
    ///
    /// With [`Lifetime::Borrowed`] the value must not go before the bindings are cleared.
    unsafe fn bind(&self, at: usize, value: ValueRef<'_>, lifetime: Lifetime) -> Result<(), StoreError> {
        let raw = self.raw();
        let at = index(at + 1);
        let destructor = match lifetime {
            Lifetime::Borrowed => ffi::SQLITE_STATIC(),
            Lifetime::Copied => ffi::SQLITE_TRANSIENT(),
        };
        // SAFETY: raw is a prepared statement that does not run; the values live by the caller's promise. An empty
        // slice's pointer is not null, so that an empty blob is not taken for NULL.
        let code: c_int = unsafe {
            match value {
                ValueRef::Null => ffi::sqlite3_bind_null(raw, at),
                ValueRef::Integer(value) => ffi::sqlite3_bind_int64(raw, at, value),
                ValueRef::Real(value) if value.is_nan() => ffi::sqlite3_bind_null(raw, at),
                ValueRef::Real(value) => ffi::sqlite3_bind_double(raw, at, value),
                ValueRef::Text(text) => ffi::sqlite3_bind_text64(
                    raw,
                    at,
                    text.as_ptr().cast(),
                    text.len() as u64,
                    destructor,
                    ffi::SQLITE_UTF8 as u8,
                ),
                ValueRef::Blob(bytes) => {
                    ffi::sqlite3_bind_blob64(raw, at, bytes.as_ptr().cast(), bytes.len() as u64, destructor)
                }
            }
        };
        self.check(code)
    }
}

fn bind_each<'v>(
    values: impl ExactSizeIterator<Item = ValueRef<'v>>,
    count: usize,
    bind: impl Fn(usize, ValueRef<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    if values.len() != count {
        return Err(StoreError::ParamCount { expected: count, got: values.len() });
    }
    values.enumerate().try_for_each(|(at, value)| bind(at, value))
}
