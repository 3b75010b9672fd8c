//! How deep a statement nests. SQLite reads it by recursion, and bounds that of expressions alone: queries in queries and views of views go as
//! deep as there is stack, and beyond it the whole process ends. So it is measured before SQLite sees it.

use std::ffi::c_int;

use libsql::ffi;

use super::functions::own::Own;
use crate::StoreError;
use crate::functions::grammar::{Kind, Tokens};

/// Queries within one another, or after one another, that a statement may have: a thread for statements has the stack for several times as many.
const MOST: usize = 2_000;

/// The same for what runs on a small stack: a caller's own thread, or a script's fiber. It takes a tenth of it at most.
const SHALLOW: usize = 100;

/// Views that a database may have for statements on a small stack.
const SHALLOW_VIEWS: c_int = 100;

/// How deep an expression may nest on a small stack.
const SHALLOW_EXPRESSIONS: c_int = 200;

/// Refuses a statement, the first of `sql`, that nests deeper than any stack is made for.
pub(super) fn check(sql: &[u8]) -> Result<(), StoreError> {
    // Each level takes some bytes.
    if sql.len() <= MOST || nesting(sql) <= MOST {
        return Ok(());
    }
    let message = format!("the statement has more than {MOST} queries in one another");
    Err(StoreError::Sqlite { code: ffi::SQLITE_ERROR, name: "error", message, offset: None })
}

/// Whether a statement may be prepared on a small stack, as far as that is known before.
///
/// # Safety
///
/// The connection is open, and this is its thread.
pub(super) unsafe fn is_shallow(db: *mut ffi::sqlite3, sql: &[u8]) -> Result<bool, StoreError> {
    if sql.len() > SHALLOW && nesting(sql) > SHALLOW {
        return Ok(false);
    }
    // Nobody knows how deep they nest.
    let sql = std::ffi::CString::new(format!(
        "SELECT 1 FROM main.sqlite_schema WHERE type = 'view' LIMIT 1 OFFSET {SHALLOW_VIEWS}"
    ));
    let Ok(sql) = sql else { return Ok(false) };
    Ok(!Own::prepare(db, &sql)?.run(&[])?.step()?)
}

/// Lets `prepare` take expressions only that a small stack is enough for.
///
/// # Safety
///
/// As of [`is_shallow`].
pub(super) unsafe fn shallow<T>(db: *mut ffi::sqlite3, prepare: impl FnOnce() -> T) -> T {
    // SAFETY: by the caller's promise.
    let before = unsafe { ffi::sqlite3_limit(db, ffi::SQLITE_LIMIT_EXPR_DEPTH, SHALLOW_EXPRESSIONS) };
    let result = prepare();
    // SAFETY: as above.
    unsafe { ffi::sqlite3_limit(db, ffi::SQLITE_LIMIT_EXPR_DEPTH, before) };
    result
}

/// Whether SQLite refused an expression for its depth.
pub(super) fn is_too_deep(error: &StoreError) -> bool {
    matches!(error, StoreError::Sqlite { message, .. } if message.contains("Expression tree is too large"))
}

/// At least as many as queries are in one another, in the first statement of `sql`: the words SELECT, and the brackets that are open at a time.
fn nesting(sql: &[u8]) -> usize {
    // What is no UTF-8 was no `str`.
    let mut tokens = Tokens::new(std::str::from_utf8(sql).unwrap_or_default());
    let (mut selects, mut open, mut deepest) = (0, 0_usize, 0);
    loop {
        let token = tokens.next();
        match token.kind {
            Kind::End | Kind::Semicolon => return selects + deepest,
            Kind::Other if token.text == "(" => {
                open += 1;
                deepest = deepest.max(open);
            }
            Kind::Other if token.text == ")" => open = open.saturating_sub(1),
            _ if token.is_word("SELECT") => selects += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::nesting;

    #[test]
    fn queries_and_brackets_are_counted_where_they_are_ones() {
        for (sql, expected) in [
            ("SELECT 1", 1),
            ("select * from (Select * FROM (SELECT 1))", 5),
            ("SELECT 'SELECT ((((', \"((\", `((`, [it's ((], 'it''s ((' FROM t", 1),
            ("/* ' */ SELECT -- it's\n(SELECT 1)", 3),
            ("INSERT INTO t VALUES (1), (2), (3)", 1),
            ("SELECT 1; SELECT ((2))", 1),
            ("", 0),
        ] {
            assert_eq!(nesting(sql.as_bytes()), expected, "{sql}");
        }
    }
}
