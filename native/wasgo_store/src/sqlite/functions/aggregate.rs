//! Aggregate functions, and those for windows. The state of a group is the guest's; here is the handle on it.

use std::ffi::c_int;

use libsql::ffi;

use super::entry::{Entry, Use};
use super::{entry, fail, guarded, values};
use crate::functions::Fault;
use crate::functions::code::{Aggregate, Kind};
use crate::functions::guest::{Argument, Left, Returned};

/// What SQLite keeps for a group; zeroes at first.
#[repr(C)]
#[derive(Clone, Copy)]
struct Group {
    begun: bool,
    handle: i32,
    generation: u32,
}

/// Takes a row.
///
/// # Safety
///
/// SQLite calls it, for a function registered with an `Entry`.
pub(super) unsafe extern "C" fn step(
    context: *mut ffi::sqlite3_context,
    argc: c_int,
    argv: *mut *mut ffi::sqlite3_value,
) {
    // SAFETY: by the caller's promise.
    guarded((), || unsafe { take(context, argc, argv, false) });
}

/// Takes a row back.
///
/// # Safety
///
/// As of [`step`].
pub(super) unsafe extern "C" fn inverse(
    context: *mut ffi::sqlite3_context,
    argc: c_int,
    argv: *mut *mut ffi::sqlite3_value,
) {
    // SAFETY: by the caller's promise.
    guarded((), || unsafe { take(context, argc, argv, true) });
}

/// Answers for the rows so far.
///
/// # Safety
///
/// As of [`step`].
pub(super) unsafe extern "C" fn value(context: *mut ffi::sqlite3_context) {
    // SAFETY: by the caller's promise.
    guarded((), || unsafe { answer(context, false) });
}

/// Answers and ends the group; also called for a group that nobody will hear of, because the statement failed.
///
/// # Safety
///
/// As of [`step`].
pub(super) unsafe extern "C" fn last(context: *mut ffi::sqlite3_context) {
    // SAFETY: by the caller's promise.
    guarded((), || unsafe { answer(context, true) });
}

fn functions<'a>(using: &Use<'a>) -> Result<&'a Aggregate, Fault> {
    match &using.code.kind {
        Kind::Aggregate(aggregate) => Ok(aggregate),
        _ => Err(Fault::contract("it is no aggregate function")),
    }
}

/// The handle of a group, made if it is new.
fn handle(using: &mut Use<'_>, group: &mut Group) -> Result<i32, Fault> {
    if group.begun {
        return match group.generation == using.generation {
            true => Ok(group.handle),
            false => Err(Fault::contract("its state was lost when another call of it failed")),
        };
    }
    let init = &functions(using)?.init;
    let made = using.guest.call(using.code, init, None, &[], &mut Left::default())?;
    let Returned::Word(handle) = made else { return Err(Fault::contract("its init returned no state")) };
    *group = Group { begun: true, handle: handle.cast_signed(), generation: using.generation };
    using.hold();
    Ok(group.handle)
}

/// # Safety
///
/// As of [`step`].
unsafe fn take(context: *mut ffi::sqlite3_context, argc: c_int, argv: *mut *mut ffi::sqlite3_value, back: bool) {
    // SAFETY: by the caller's promise. SQLite keeps so many bytes for the group, aligned for any type, zero at first.
    let (entry, arguments, group) = unsafe {
        let size = c_int::try_from(size_of::<Group>()).unwrap_or(c_int::MAX);
        let group = ffi::sqlite3_aggregate_context(context, size).cast::<Group>();
        let Some(group) = group.as_mut() else { return ffi::sqlite3_result_error_nomem(context) };
        (entry::of(context), values::arguments(argc, argv), group)
    };
    if entry.with(|using| take_row(using, group, &arguments, back)).is_none() {
        // SAFETY: this is the callback's context.
        unsafe { fail(context, &entry.name) };
    }
}

fn take_row(using: &mut Use<'_>, group: &mut Group, arguments: &[Argument<'_>], back: bool) -> Result<(), Fault> {
    let handle = handle(using, group)?;
    let aggregate = functions(using)?;
    let function = match (&aggregate.window, back) {
        (Some(window), true) => &window.inverse,
        (None, true) => return Err(Fault::contract("it is no function for windows")),
        (_, false) => &aggregate.step,
    };
    let mut left = Left::default();
    using.guest.call(using.code, function, Some(handle), arguments, &mut left)?;
    using.guest.give_back(using.code, left)
}

/// # Safety
///
/// As of [`step`].
unsafe fn answer(context: *mut ffi::sqlite3_context, ends: bool) {
    // SAFETY: by the caller's promise; null when there was no row.
    let (entry, kept) =
        unsafe { (entry::of(context), ffi::sqlite3_aggregate_context(context, 0).cast::<Group>().as_mut()) };
    let mut none = Group { begun: false, handle: 0, generation: 0 };
    let group = kept.unwrap_or(&mut none);
    // SAFETY: this is the callback's context.
    if unsafe { answer_group(context, entry, group, ends) }.is_none() {
        // SAFETY: as above.
        unsafe { fail(context, &entry.name) };
    }
}

/// # Safety
///
/// `context` is the one of the callback that runs.
unsafe fn answer_group(context: *mut ffi::sqlite3_context, entry: &Entry, group: &mut Group, ends: bool) -> Option<()> {
    entry.with(|using| {
        let handle = handle(using, group)?;
        let aggregate = functions(using)?;
        let function = match (&aggregate.window, ends) {
            (Some(window), false) => &window.value,
            (None, false) => return Err(Fault::contract("it is no function for windows")),
            (_, true) => &aggregate.last,
        };
        let mut left = Left::default();
        let returned = using.guest.call(using.code, function, Some(handle), &[], &mut left)?;
        let output = using.guest.output(returned, &mut left, using.limit)?;
        // SAFETY: by the caller's promise.
        unsafe { values::result(context, output) };
        if ends {
            using.let_go();
        }
        using.guest.give_back(using.code, left)
    })
}
