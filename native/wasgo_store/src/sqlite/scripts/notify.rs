//! Finding objects and their scripts, and running these.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::rc::Rc;
use std::sync::Arc;

use wasgo_wasm::{Answers, Rows, row};

use super::sql::{self, Here};
use super::{MAX_READY, Version};
use crate::functions::Fault;
use crate::functions::guest::decode_row;
use crate::scripts::{Ready, Stored, entries};
use crate::sqlite::functions::Functions;
use crate::sqlite::functions::own::Own;
use crate::{StoreError, ValueRef};

/// Objects that are notified in one call of their script.
const CHUNK: usize = 4_096;

/// Bytes that the answers of all objects of a kind may have together.
const MAX_ANSWERS: usize = 64 << 20;

/// Bytes that objects that are notified together may keep together, and take to name: they are in memory then.
const MAX_KEPT: usize = 256 << 20;

const BY_OBJECT: &CStr = c"SELECT o.id, o.script, s.entries FROM main.wasgo_objects AS o
    LEFT JOIN main.wasgo_object_state AS s ON s.object = o.id WHERE o.id = ?1";

const BY_KIND: &CStr = c"SELECT o.id, o.script, s.entries FROM main.wasgo_objects AS o
    LEFT JOIN main.wasgo_object_state AS s ON s.object = o.id WHERE o.kind = ?1 ORDER BY o.script, o.id";

const ACTIVE: &CStr = c"SELECT v.version, v.created, v.hash FROM main.wasgo_scripts AS a
    JOIN main.wasgo_script_versions AS v ON v.name = a.name AND v.version = a.active WHERE a.name = ?1";

const VERSION: &CStr = c"SELECT source, deterministic, limits, grants, columns FROM main.wasgo_script_versions
    WHERE name = ?1 AND version = ?2";

const KEEP: &CStr = c"INSERT INTO main.wasgo_object_state (object, entries) VALUES (?1, ?2)
    ON CONFLICT (object) DO UPDATE SET entries = excluded.entries";

const SCHEMA: &CStr = c"SELECT version FROM main.wasgo_schema WHERE name = 'scripts'";

/// The version of the tables that is known here: that of `Wasgo.Script.Registry.Schema`. Those of another are not run, and not written to.
const KNOWN_SCHEMA: i64 = 2;

/// An object, as it is stored.
struct Object {
    id: String,
    version: Rc<Version>,
    entries: Vec<u8>,
}

/// What an object's script answered: a row, as `wasgo_wasm::row` encodes it, or none for "no change".
pub(super) struct Outcome {
    pub(super) object: String,
    pub(super) script: Rc<Version>,
    pub(super) ready: Option<Rc<Ready>>,
    pub(super) result: Result<Option<Vec<u8>>, StoreError>,
}

/// A version of a script, compiled.
pub(super) type Scripted = (Rc<Version>, Rc<Ready>);

impl Outcome {
    fn new(object: Object, ready: Option<Rc<Ready>>, result: Result<Option<Vec<u8>>, StoreError>) -> Self {
        let mut outcome = Self { object: object.id, script: object.version, ready, result };
        // From here on a row is one.
        if let Err(error) = outcome.row() {
            outcome.result = Err(error);
        }
        outcome
    }

    /// The row's values, which are as many as the script names columns, if it names any; none for "no change" and for failures.
    pub(super) fn row(&self) -> Result<Option<Vec<row::Value<'_>>>, StoreError> {
        let Ok(Some(bytes)) = &self.result else { return Ok(None) };
        let rubbish = |fault: Fault| StoreError::Script {
            object: self.object.clone(),
            script: self.script.name.clone(),
            reason: fault.reason(),
            message: fault.message(),
        };
        let values = decode_row(bytes).map_err(rubbish)?;
        let columns = self.ready.as_ref().map_or(0, |ready| ready.columns.len());
        if columns > 0 && values.len() != columns {
            let message = format!("it returned a row of {} values, and names {columns} columns", values.len());
            return Err(rubbish(Fault::contract(message)));
        }
        Ok(Some(values))
    }
}

impl Functions {
    /// Notifies one object.
    ///
    /// # Errors
    /// That there is no such object, or no such table, or that the tables are of another schema; what the script failed with is in the
    /// outcome.
    pub(super) fn notify_object(&self, id: &str, what: i32, row: &[u8]) -> Result<Outcome, StoreError> {
        let Some(object) = self.find(&self.scripts.by_object, BY_OBJECT, id)?.pop() else {
            let message = format!("there is no object {id:?}, or its script is none");
            return Err(StoreError::Script {
                object: id.to_owned(),
                script: String::new(),
                reason: "unknown_object",
                message,
            });
        };
        let ready = self.ready(&object.version);
        Ok(self.notify_one(object, &ready, what, row))
    }

    /// Notifies all objects of a kind, those of one script together where that makes no difference to them.
    pub(super) fn notify_kind(&self, kind: &str, what: i32, row: &[u8]) -> Result<Vec<Outcome>, StoreError> {
        let objects = self.find(&self.scripts.by_kind, BY_KIND, kind)?;
        let mut outcomes = Vec::with_capacity(objects.len());
        let mut bytes = 0;
        let mut objects = objects.into_iter().peekable();
        while let Some(first) = objects.peek() {
            let version = Rc::clone(&first.version);
            let ready = self.ready(&version);
            let mut chunk = Vec::new();
            while chunk.len() < CHUNK
                && let Some(object) = objects.next_if(|object| Rc::ptr_eq(&object.version, &version))
            {
                chunk.push(object);
            }
            let before = outcomes.len();
            self.notify_chunk(chunk, &ready, what, row, &mut outcomes)?;
            let answers = outcomes[before..].iter().filter_map(|outcome| outcome.result.as_ref().ok()?.as_ref());
            bytes += answers.map(Vec::len).sum::<usize>();
            if bytes > MAX_ANSWERS {
                return Err(StoreError::ByteLimit { max: MAX_ANSWERS });
            }
        }
        Ok(outcomes)
    }

    fn notify_chunk(
        &self,
        chunk: Vec<Object>,
        ready: &Result<Rc<Ready>, StoreError>,
        what: i32,
        row: &[u8],
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), StoreError> {
        if let Ok(ready) = ready
            && ready.takes_many()
            && chunk.len() > 1
        {
            let rows = Rows { bytes: row.to_vec().into(), spans: vec![(0, row.len()); chunk.len()] };
            match self.run(ready, what, rows) {
                Ok(answers) => {
                    outcomes.extend(chunk.into_iter().zip(answers.rows).map(|(object, answer)| {
                        let result = answer
                            .map(|span| {
                                span.and_then(|(start, length)| answers.bytes.get(start..start + length))
                                    .map(<[u8]>::to_vec)
                            })
                            .map_err(|error| failed(&object, &Fault::Wasm(*error)));
                        Outcome::new(object, Some(Rc::clone(ready)), result)
                    }));
                    return Ok(());
                }
                Err(fault) if fault.is_stopped() => return Err(self.stopped()),
                // Together they took too long, or answered too much. Each has limits of its own, and gets the answer that it would have got
                // alone.
                Err(_) => {}
            }
        }
        for object in chunk {
            let outcome = self.notify_one(object, ready, what, row);
            if matches!(outcome.result, Err(StoreError::Interrupted)) {
                return Err(StoreError::Interrupted);
            }
            outcomes.push(outcome);
        }
        Ok(())
    }

    fn notify_one(&self, object: Object, ready: &Result<Rc<Ready>, StoreError>, what: i32, row: &[u8]) -> Outcome {
        let (ready, result) = match ready {
            Ok(ready) => (Some(Rc::clone(ready)), self.notify_with(&object, ready, what, row)),
            Err(error) => (None, Err(error.clone())),
        };
        Outcome::new(object, ready, result)
    }

    fn notify_with(
        &self,
        object: &Object,
        ready: &Ready,
        what: i32,
        row: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(state) = &ready.state {
            let kept = entries::decode(&object.entries).is_some_and(|entries| state.replace(entries));
            if !kept {
                let fault = Fault::contract("what it keeps cannot be read, or is more than may be kept");
                return Err(failed(object, &fault));
            }
        }
        let rows = Rows { bytes: row.to_vec().into(), spans: vec![(0, row.len())] };
        let answers = self.run(ready, what, rows).map_err(|fault| match fault.is_stopped() {
            true => self.stopped(),
            false => failed(object, &fault),
        })?;
        let answer = answers.rows.into_iter().next().unwrap_or(Ok(None));
        let span = answer.map_err(|error| failed(object, &Fault::Wasm(*error)))?;
        if let Some(state) = &ready.state {
            let entries = entries::encode(&state.all());
            if entries != object.entries {
                self.keep(&object.id, &entries)?;
            }
        }
        Ok(span.and_then(|(start, length)| answers.bytes.get(start..start + length)).map(<[u8]>::to_vec))
    }

    /// Runs a script on this thread; what it asks the database is asked here.
    fn run(&self, ready: &Ready, what: i32, rows: Rows) -> Result<Answers, Fault> {
        struct Done<'a>(&'a Cell<bool>);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.set(false);
            }
        }
        if self.scripts.running.replace(true) {
            return Err(Fault::contract("a script's statement may not notify"));
        }
        let _done = Done(&self.scripts.running);
        Ok(sql::serving(self, || ready.script.notify_here(what, rows, ready.call_options(), &self.stop()))?)
    }

    /// Why the statement was stopped; SQLite is told by the hooks.
    fn stopped(&self) -> StoreError {
        self.note_stopped();
        StoreError::Interrupted
    }

    fn keep(&self, object: &str, entries: &[u8]) -> Result<(), StoreError> {
        self.hooks().own(|| {
            let mut keep = self.scripts.keep.borrow_mut();
            let own = ensure(&mut keep, self.db(), KEEP)?;
            own.run(&[ValueRef::Text(object), ValueRef::Blob(entries)])?.step().map(drop)
        })
    }

    fn find(&self, place: &RefCell<Option<Own>>, sql: &CStr, key: &str) -> Result<Vec<Object>, StoreError> {
        self.need_thread()?;
        self.hooks().own(|| {
            self.know_schema()?;
            let mut place = place.borrow_mut();
            let own = ensure(&mut place, self.db(), sql)?;
            let mut run = own.run(&[ValueRef::Text(key)])?;
            let mut objects: Vec<Object> = Vec::new();
            let mut bytes = 0;
            while run.step()? {
                let version = match objects.last() {
                    Some(last) if last.version.name == run.text(1) => Rc::clone(&last.version),
                    _ => Rc::new(self.active(run.text(1))?),
                };
                bytes += size_of::<Object>() + run.text(0).len() + run.content(2).len();
                if bytes > MAX_KEPT {
                    return Err(StoreError::ByteLimit { max: MAX_KEPT });
                }
                objects.push(Object { id: run.text(0).to_owned(), version, entries: run.content(2).to_vec() });
            }
            Ok(objects)
        })
    }

    /// Asked each time: another process may have changed the tables.
    fn know_schema(&self) -> Result<(), StoreError> {
        let mut place = self.scripts.schema.borrow_mut();
        let own = ensure(&mut place, self.db(), SCHEMA)?;
        let mut run = own.run(&[])?;
        let version = if run.step()? { run.integer(0) } else { 0 };
        if version == KNOWN_SCHEMA {
            return Ok(());
        }
        Err(StoreError::Script {
            object: String::new(),
            script: String::new(),
            reason: "schema_version",
            message: format!("the scripts are of schema {version}, and this Wasgo knows {KNOWN_SCHEMA}"),
        })
    }

    /// The active version of a script.
    fn active(&self, name: &str) -> Result<Version, StoreError> {
        let mut place = self.scripts.active.borrow_mut();
        let own = ensure(&mut place, self.db(), ACTIVE)?;
        let mut run = own.run(&[ValueRef::Text(name)])?;
        let (number, created, hash) = match run.step()? {
            true => (run.integer(0), run.text(1).to_owned(), run.text(2).to_owned()),
            // There is none, which is told when it is wanted.
            false => (0, String::new(), String::new()),
        };
        Ok(Version { name: name.to_owned(), number, created, hash })
    }

    /// A version of a script, compiled.
    fn ready(&self, version: &Version) -> Result<Rc<Ready>, StoreError> {
        if let Some(ready) = self.scripts.ready.borrow().get(version) {
            return Ok(Rc::clone(ready));
        }
        let script_error = |fault: &Fault| StoreError::Script {
            object: String::new(),
            script: version.name.clone(),
            reason: fault.reason(),
            message: fault.message(),
        };
        let ready = self.hooks().own(|| {
            let mut place = self.scripts.version.borrow_mut();
            let own = ensure(&mut place, self.db(), VERSION)?;
            let mut run = own.run(&[ValueRef::Text(&version.name), ValueRef::Integer(version.number)])?;
            if !run.step()? {
                return Err(script_error(&Fault::contract("no version of it is active")));
            }
            let stored = Stored {
                source: run.content(0),
                deterministic: run.integer(1) != 0,
                limits: run.text(2),
                grants: run.text(3),
                columns: run.text(4),
            };
            let sql = |access| Arc::new(Here::new(access)) as Arc<dyn wasgo_wasm::Sql>;
            Ready::new(self.host(), &stored, sql).map_err(|fault| script_error(&fault))
        })?;
        let mut known = self.scripts.ready.borrow_mut();
        if known.len() >= MAX_READY {
            known.clear();
        }
        let ready = Rc::new(ready);
        known.insert(version.clone(), Rc::clone(&ready));
        Ok(ready)
    }

    /// The version of an object's script and its columns; none where there is no such object, or the script names no columns.
    pub(super) fn columns_of(&self, id: &str) -> Result<Option<Scripted>, StoreError> {
        let Some(object) = self.find(&self.scripts.by_object, BY_OBJECT, id)?.pop() else { return Ok(None) };
        let ready = self.ready(&object.version)?;
        Ok((!ready.columns.is_empty()).then_some((object.version, ready)))
    }
}

fn ensure<'o>(place: &'o mut Option<Own>, db: *mut libsql::ffi::sqlite3, sql: &CStr) -> Result<&'o Own, StoreError> {
    match place {
        Some(own) => Ok(own),
        none => Ok(none.insert(Own::prepare(db, sql)?)),
    }
}

fn failed(object: &Object, fault: &Fault) -> StoreError {
    StoreError::Script {
        object: object.id.clone(),
        script: object.version.name.clone(),
        reason: fault.reason(),
        message: fault.message(),
    }
}
