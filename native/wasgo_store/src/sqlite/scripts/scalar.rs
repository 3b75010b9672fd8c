//! `notification(object, what, ...)`.

use std::ffi::c_int;

use libsql::ffi;
use wasgo_wasm::row;

use crate::StoreError;
use crate::functions::guest::{Argument, Output};
use crate::scripts::{MAX_NOTIFIED, json, notification};
use crate::sqlite::functions::{Functions, guarded, values};

/// What is asked: of whom, what, and the row beside it.
pub(super) struct Asked {
    pub(super) of: String,
    pub(super) what: i32,
    pub(super) row: Vec<u8>,
}

/// Reads the arguments of a notification. Hosts have `what`, in four bytes, and the row behind it in one blob.
pub(super) fn read(function: &str, arguments: &[Argument<'_>]) -> Result<Asked, StoreError> {
    let refuse = |message: String| StoreError::Function { name: function.to_owned(), reason: "contract", message };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let [of, what, values @ ..] = arguments else {
        return Err(refuse(format!("it takes two arguments at least, and was given {}", arguments.len())));
    };
    let Argument::Text(of) = of else { return Err(refuse("argument 1 must be a TEXT".into())) };
    if let (Argument::Blob(packed), []) = (what, values) {
        let (what, row) = packed.split_first_chunk::<4>().ok_or_else(|| refuse("argument 2 is too short".into()))?;
        row::decode(row).map_err(|error| refuse(error.to_string()))?;
        return Ok(Asked { of: text(of), what: i32::from_le_bytes(*what), row: row.to_vec() });
    }
    let what = match what {
        Argument::Integer(number) => i32::try_from(*number)
            .map_err(|_| refuse(format!("{number} is no notification: it has more than 32 bits")))?,
        Argument::Text(name) => notification::number(&text(name))
            .ok_or_else(|| refuse(format!("{:?} is no notification's name", text(name))))?,
        _ => return Err(refuse("argument 2 must be a notification's number or name".into())),
    };
    if values.len() > MAX_NOTIFIED {
        return Err(refuse(format!("a row of {} values; at most {MAX_NOTIFIED} are allowed here", values.len())));
    }
    let utf8 = |at: usize, bytes| {
        std::str::from_utf8(bytes).map_err(|_| refuse(format!("argument {} is a TEXT that is not UTF-8", at + 3)))
    };
    let values = values.iter().enumerate().map(|(at, value)| {
        Ok(match *value {
            Argument::Null => row::Value::Null,
            Argument::Integer(integer) => row::Value::Integer(integer),
            Argument::Real(real) => row::Value::Real(real),
            Argument::Text(bytes) => row::Value::Text(utf8(at, bytes)?),
            Argument::Blob(bytes) => row::Value::Blob(bytes),
        })
    });
    let values = values.collect::<Result<Vec<_>, StoreError>>()?;
    let mut row = Vec::new();
    row::encode(&values, &mut row).map_err(|error| refuse(error.to_string()))?;
    Ok(Asked { of: text(of), what, row })
}

/// # Safety
///
/// SQLite calls it, for a function registered with the connection's `Functions`.
pub(in crate::sqlite) unsafe extern "C" fn notification(
    context: *mut ffi::sqlite3_context,
    argc: c_int,
    argv: *mut *mut ffi::sqlite3_value,
) {
    guarded((), || {
        // SAFETY: by the caller's promise; nothing here converts the values.
        let (functions, arguments) = unsafe {
            let functions = &*ffi::sqlite3_user_data(context).cast_const().cast::<Functions>();
            (functions, values::arguments(argc, argv))
        };
        // SAFETY: this is the callback's context.
        let answered = unsafe { answer(context, functions, &arguments) };
        if let Err(error) = answered {
            functions.fail(error);
            // SAFETY: as above.
            unsafe { super::super::functions::fail(context, "notification") };
        }
    });
}

/// # Safety
///
/// `context` is the one of the callback that runs.
unsafe fn answer(
    context: *mut ffi::sqlite3_context,
    functions: &Functions,
    arguments: &[Argument<'_>],
) -> Result<(), StoreError> {
    let asked = read("notification", arguments)?;
    let outcome = functions.notify_object(&asked.of, asked.what, &asked.row)?;
    if let Err(error) = &outcome.result {
        return Err(error.clone());
    }
    let values = outcome.row()?.unwrap_or_default();
    let columns = outcome.ready.as_ref().map_or(&[][..], |ready| &ready.columns);
    let text;
    let output = match values[..] {
        [] => Output::Null,
        [row::Value::Null] => Output::Null,
        [row::Value::Integer(integer)] => Output::Integer(integer),
        [row::Value::Real(real)] => Output::Real(real),
        [row::Value::Text(text)] => Output::Text(text),
        [row::Value::Blob(bytes)] => Output::Blob(bytes),
        _ => {
            text = json::row(columns, &values);
            Output::Text(&text)
        }
    };
    // SAFETY: by the caller's promise.
    unsafe { values::result(context, output) };
    Ok(())
}
