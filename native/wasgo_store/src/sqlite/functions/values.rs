//! SQLite's values, in and out of callbacks.

use std::ffi::c_int;

use libsql::ffi;
use smallvec::SmallVec;

use crate::functions::guest::{Argument, Output};

/// The arguments of a callback.
///
/// # Safety
///
/// `argv` has `argc` values, which stay while the result is used; none of them is converted meanwhile.
pub(in crate::sqlite) unsafe fn arguments<'a>(
    argc: c_int,
    argv: *mut *mut ffi::sqlite3_value,
) -> SmallVec<[Argument<'a>; 4]> {
    let count = usize::try_from(argc).unwrap_or(0);
    // SAFETY: by the caller's promise.
    (0..count).map(|at| unsafe { argument(*argv.add(at)) }).collect()
}

/// # Safety
///
/// As of [`arguments`].
unsafe fn argument<'a>(value: *mut ffi::sqlite3_value) -> Argument<'a> {
    // SAFETY: by the caller's promise; a text's or blob's size is asked for after its pointer, as SQLite wants it.
    unsafe {
        match ffi::sqlite3_value_type(value) {
            ffi::SQLITE_INTEGER => Argument::Integer(ffi::sqlite3_value_int64(value)),
            ffi::SQLITE_FLOAT => Argument::Real(ffi::sqlite3_value_double(value)),
            ffi::SQLITE_TEXT => Argument::Text(bytes(ffi::sqlite3_value_text(value), value)),
            ffi::SQLITE_BLOB => Argument::Blob(bytes(ffi::sqlite3_value_blob(value).cast(), value)),
            _ => Argument::Null,
        }
    }
}

/// # Safety
///
/// As of [`arguments`]; `start` is what SQLite just gave for the value.
unsafe fn bytes<'a>(start: *const u8, value: *mut ffi::sqlite3_value) -> &'a [u8] {
    // SAFETY: by the caller's promise.
    let length = usize::try_from(unsafe { ffi::sqlite3_value_bytes(value) }).unwrap_or(0);
    if start.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: as above.
    unsafe { std::slice::from_raw_parts(start, length) }
}

/// Makes `output` the result of a callback. SQLite copies it.
///
/// # Safety
///
/// `context` is the one of the callback that runs.
pub(in crate::sqlite) unsafe fn result(context: *mut ffi::sqlite3_context, output: Output<'_>) {
    let copied = ffi::SQLITE_TRANSIENT();
    // SAFETY: by the caller's promise.
    unsafe {
        match output {
            Output::Null => ffi::sqlite3_result_null(context),
            Output::Integer(integer) => ffi::sqlite3_result_int64(context, integer),
            // NaN becomes NULL.
            Output::Real(real) => ffi::sqlite3_result_double(context, real),
            Output::Text(text) => ffi::sqlite3_result_text64(
                context,
                text.as_ptr().cast(),
                text.len() as u64,
                copied,
                ffi::SQLITE_UTF8 as u8,
            ),
            Output::Blob(bytes) => {
                ffi::sqlite3_result_blob64(context, bytes.as_ptr().cast(), bytes.len() as u64, copied);
            }
        }
    }
}
