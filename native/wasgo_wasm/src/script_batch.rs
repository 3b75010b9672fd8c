//! A script's notifications with many rows, entered once: see `batch.rs` for why.
//!
//! Here the rows differ in length and lie where the guest makes room for them, so that the driver has no memory: it asks the host for the next
//! row, the guest for room, has the host put the row there, calls `_notification`, and hands what it returned to the host.

use std::sync::Arc;

use wasmtime::{Caller, Memory, TypedFunc};

use crate::abi::{Answers, Rows, check_place, check_span};
use crate::core::{Core, Host};
use crate::error::{Error, LimitKind};
use crate::host_call::fail;

/// Longer rows are copied one by one, where the copy can leave for the pool first.
const LONGEST_ROW: usize = 64 << 10;

/// Fewer rows are not worth the driver.
const WORTH_IT: usize = 4;

const SOURCE: &str = r#"(module
  (import "guest" "alloc" (func $alloc (param i32) (result i32)))
  (import "guest" "notification" (func $notification (param i32 i32 i32) (result i64)))
  (import "host" "next" (func $next (result i32)))
  (import "host" "place" (func $place (param i32)))
  (import "host" "take" (func $take (param i64)))
  (func (export "run") (param $what i32) (local $length i32) (local $at i32)
    (loop $more
      (local.set $length (call $next))
      (if (i32.ge_s (local.get $length) (i32.const 0)) (then
        (local.set $at (call $alloc (local.get $length)))
        (call $place (local.get $at))
        (call $take (call $notification (local.get $what) (local.get $at) (local.get $length)))
        (br $more))))))"#;

/// The rows of a run, and the answers so far.
pub(crate) struct ScriptBatch {
    rows: Arc<Rows>,
    /// The row that runs is the one before.
    next: usize,
    first: usize,
    answers: Answers,
    memory: Memory,
    /// Bytes that all answers together may have.
    limit: u64,
}

/// How a run ended.
pub(crate) enum Ran {
    /// All rows are answered.
    All,
    /// A row failed; those before it are answered, those after it have not run.
    Failed(Error),
    /// The answers are too many.
    TooMuch(Error),
}

impl Core {
    /// Whether so many rows, the longest of them so long, are better run by a driver.
    pub(crate) fn wants_driver(&self, rows: usize, longest: usize) -> bool {
        rows >= WORTH_IT && longest <= LONGEST_ROW && !self.drivers.is_full()
    }

    /// Calls `_notification` with the rows from `first` on, until one fails; answers are appended to `answers`. None when there is no place for
    /// a driver.
    pub(crate) async fn notify_rows(
        &mut self,
        what: i32,
        rows: &Arc<Rows>,
        first: usize,
        answers: &mut Answers,
    ) -> Result<Option<Ran>, Error> {
        let Some(driver) = self.script_driver().await? else { return Ok(None) };
        let memory = self.memory.ok_or(Error::MissingExport { kind: "memory", name: "memory".into() })?;
        let limit = self.store.data().limiter.limits.result;
        let answers_so_far = std::mem::take(answers);
        let batch = ScriptBatch { rows: Arc::clone(rows), next: first, first, answers: answers_so_far, memory, limit };
        self.store.data_mut().batch = Some(Box::new(batch));
        let ran = driver.call_async(&mut self.store, what).await;
        let batch = self.store.data_mut().batch.take();
        let too_much = batch.as_ref().is_some_and(|batch| batch.answers.bytes.len() as u64 > batch.limit);
        if let Some(batch) = batch {
            *answers = batch.answers;
        }
        Ok(Some(match ran {
            Ok(()) => Ran::All,
            Err(error) => match self.guest_error(error) {
                error if too_much => Ran::TooMuch(error),
                error => Ran::Failed(error),
            },
        }))
    }

    async fn script_driver(&mut self) -> Result<Option<TypedFunc<i32, ()>>, Error> {
        if let Some(driver) = self.drivers.script() {
            return Ok(Some(driver));
        }
        let (alloc, notification) = self.notification_functions()?;
        let flavour = self.module.engine().flavour_of(self.store.engine());
        let module = match self.module.engine().drivers().script(flavour) {
            Some(module) => module,
            None => {
                self.leave_for_pool().await;
                self.module.engine().drivers().compile_script(flavour, self.store.engine(), SOURCE)?
            }
        };
        let instance = self
            .instantiate_driver(&module, |linker, store| {
                linker.define(&mut *store, "guest", "alloc", alloc)?;
                linker.define(&mut *store, "guest", "notification", notification)?;
                linker.func_wrap("host", "next", next)?;
                linker.func_wrap("host", "place", place)?;
                linker.func_wrap("host", "take", take)?;
                Ok(())
            })
            .await?;
        let Some(instance) = instance else { return Ok(None) };
        let run = instance.get_typed_func::<i32, ()>(&mut self.store, "run").map_err(Error::engine)?;
        self.drivers.set_script(run.clone());
        Ok(Some(run))
    }
}

/// The length of the next row, or -1 when there is none.
fn next(mut caller: Caller<'_, Host>) -> i32 {
    let host = caller.data_mut();
    let Some(batch) = &mut host.batch else { return -1 };
    if let Some(granted) = &mut host.granted {
        if batch.next > batch.first {
            granted.end(true);
            granted.take_emitted();
        }
        granted.restart_random(batch.next as u64);
    }
    let length = batch.rows.spans.get(batch.next).map_or(-1, |(_, length)| *length as i32);
    batch.next += 1;
    host.begin_row();
    length
}

/// Puts the row where the guest made room for it.
fn place(mut caller: Caller<'_, Host>, pointer: u32) -> wasmtime::Result<()> {
    let Some(batch) = &caller.data().batch else { return Ok(()) };
    let (memory, rows) = (batch.memory, Arc::clone(&batch.rows));
    let (start, length) = rows.spans.get(batch.next - 1).copied().unwrap_or_default();
    let row = rows.bytes.get(start..start.saturating_add(length)).unwrap_or_default();
    let data = memory.data_mut(&mut caller);
    match check_place(pointer, row.len() as u32, data.len() as u64) {
        Ok(range) => {
            data[range].copy_from_slice(row);
            Ok(())
        }
        Err(error) => Err(fail(&mut caller, error)),
    }
}

/// Takes what the guest returned for the row.
fn take(mut caller: Caller<'_, Host>, span: u64) -> wasmtime::Result<()> {
    let Some(batch) = &caller.data().batch else { return Ok(()) };
    let memory = batch.memory;
    let (data, host) = memory.data_and_store_mut(&mut caller);
    let Some(batch) = &mut host.batch else { return Ok(()) };
    if span == 0 {
        batch.answers.rows.push(Ok(None));
        return Ok(());
    }
    let error = match check_span(span, crate::row::MAX_BYTES as u64, data.len() as u64) {
        Ok(range) => {
            let at = batch.answers.bytes.len();
            let length = range.len();
            batch.answers.bytes.extend_from_slice(&data[range]);
            batch.answers.rows.push(Ok(Some((at, length))));
            let (limit, asked) = (batch.limit, batch.answers.bytes.len() as u64);
            if asked <= limit {
                return Ok(());
            }
            Error::Limit { kind: LimitKind::ResultSize, limit, asked: Some(asked) }
        }
        Err(error) => error,
    };
    Err(fail(&mut caller, error))
}
