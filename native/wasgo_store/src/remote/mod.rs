//! Databases on a libSQL server, spoken to by Hrana 3 over HTTP.
//!
//! The `libsql` crate's own client is not used: it takes an answer of any length into memory, can't be interrupted, hides the server's
//! error codes, and panics on a refusal that is not UTF-8. This one reads rows as they come, holds every part of an answer to a limit, and
//! waits no longer than it was told to.
//!
//! Each connection to a server belongs to one thread at a time, and has a runtime of its own that runs on that thread while it waits.
//!
//! What it must never do: wait without looking at the clock; take a length from a server on trust; repeat a token; send a statement twice
//! that may have been run.

#[cfg(feature = "replication")]
mod copy;
mod entries;
mod link;
mod many;
mod proto;
mod reader;
mod session;
mod stream;
mod target;
mod words;

pub(crate) use reader::Reader;
pub(crate) use session::Session;
pub(crate) use target::check;

/// The longest token that is taken.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Refuses what is too late to be begun, and what only SQLite itself can hold to what it may.
fn admit(watch: &crate::sqlite::Watch) -> Result<(), crate::StoreError> {
    let now = std::time::Instant::now();
    if let Some(late) = watch.deadline.and_then(|deadline| now.checked_duration_since(deadline)) {
        return Err(crate::StoreError::Timeout { begun: false, late });
    }
    match watch.confined || watch.access.is_some() {
        true => Err(crate::StoreError::NotRemote { what: "SQL that is restricted" }),
        false => Ok(()),
    }
}

/// Whether an error is one of the SQL, or of what was asked for: the stream that it was asked on goes on as before.
fn is_of_the_request(error: &crate::StoreError) -> bool {
    use crate::StoreError as E;
    matches!(
        error,
        E::Sqlite { .. }
            | E::Server { .. }
            | E::EmptySql
            | E::NulInSql { .. }
            | E::SqlTooLong { .. }
            | E::DuplicateParam { .. }
            | E::NotRemote { .. }
            | E::TransactionControl
    )
}
