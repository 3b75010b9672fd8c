//! Scripts that are notified from SQL.
//!
//! | | |
//! | --- | --- |
//! | `SELECT * FROM notify(object, what, ...)` | what the object's script returns, in the script's own columns; no row for "no change" |
//! | `SELECT * FROM notify_object(object, what, ...)` | the same in the columns `object`, `script`, `row` (JSON) and `error` |
//! | `SELECT * FROM notify_kind(kind, what, ...)` | the same for all objects of a kind, one row each |
//! | `SELECT notification(object, what, ...)` | the value that the script returns, or its row as JSON |
//!
//! What follows `what` is the row that the script is given. The script runs on this thread, in the midst of the statement and in its
//! transaction: what it keeps is written there, and what it reads is what the statement sees.

mod notify;
mod scalar;
mod sql;
mod table;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::functions::Functions;
use super::functions::own::Own;
use crate::scripts::Ready;
use crate::scripts::grammar;
use crate::{ParamsRef, StoreError};

/// Versions of scripts that a connection keeps ready.
const MAX_READY: usize = 256;

/// Tables with the columns of certain scripts that a connection keeps.
const MAX_TABLES: usize = 256;

/// A version of a script. Its number may be used again when the script was deleted; then it was created at another time, or is another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Version {
    name: String,
    number: i64,
    created: String,
    hash: String,
}

/// What a connection knows of scripts.
#[derive(Default)]
pub(super) struct Scripts {
    schema: RefCell<Option<Own>>,
    by_object: RefCell<Option<Own>>,
    by_kind: RefCell<Option<Own>>,
    active: RefCell<Option<Own>>,
    version: RefCell<Option<Own>>,
    keep: RefCell<Option<Own>>,
    ready: RefCell<HashMap<Version, Rc<Ready>>>,
    /// A script runs: what it asks the database may not run another.
    pub(super) running: Cell<bool>,
}

impl Scripts {
    /// To be called before the connection is closed: what is prepared keeps it open.
    pub(super) fn forget(&self) {
        for own in [&self.schema, &self.by_object, &self.by_kind, &self.active, &self.version, &self.keep] {
            own.replace(None);
        }
    }
}

impl Functions {
    /// The statements' text with the objects' scripts in it, where it names objects.
    pub(in crate::sqlite) fn specialise(&self, sql: &str, params: ParamsRef<'_>) -> Result<Option<String>, StoreError> {
        let calls = grammar::calls(sql, params);
        if calls.is_empty() {
            return Ok(None);
        }
        let mut text = String::with_capacity(sql.len() + 64);
        let mut at = 0;
        for call in calls {
            let Some(name) = self.specialised(&call.object)? else { continue };
            text.push_str(&sql[at..call.name.start]);
            text.push_str(&name);
            at = call.name.end;
        }
        text.push_str(&sql[at..]);
        Ok(Some(text))
    }
}
