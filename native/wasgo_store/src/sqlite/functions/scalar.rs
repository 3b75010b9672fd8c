//! Scalar functions.

use std::ffi::c_int;

use libsql::ffi;

use super::{entry, fail, guarded, values};
use crate::functions::Fault;
use crate::functions::code::Kind;
use crate::functions::guest::Left;

/// Calls the function.
///
/// # Safety
///
/// SQLite calls it, for a function registered with an `Entry`.
pub(super) unsafe extern "C" fn call(
    context: *mut ffi::sqlite3_context,
    argc: c_int,
    argv: *mut *mut ffi::sqlite3_value,
) {
    guarded((), || {
        // SAFETY: by the caller's promise; nothing here converts the values.
        let (entry, arguments) = unsafe { (entry::of(context), values::arguments(argc, argv)) };
        let called = entry.with(|using| {
            let Kind::Scalar(function) = &using.code.kind else {
                return Err(Fault::contract("it is no scalar function"));
            };
            let mut left = Left::default();
            let returned = using.guest.call(using.code, function, None, &arguments, &mut left)?;
            let output = using.guest.output(returned, &mut left, using.limit)?;
            // SAFETY: this is the callback's context.
            unsafe { values::result(context, output) };
            using.guest.give_back(using.code, left)
        });
        if called.is_none() {
            // SAFETY: as above.
            unsafe { fail(context, &entry.name) };
        }
    });
}
