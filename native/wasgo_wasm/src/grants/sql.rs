//! SQL on a database that was granted: `sql(text, text_length, row, row_length) -> i64`, `sql_error(out, capacity) -> i32`.
//!
//! This crate knows no database: whoever grants one brings the way to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::{Caller, Extern, Linker};

use super::{MODULE, memory};
use crate::core::Host;
use crate::error::{Error, LimitKind};
use crate::executor::yield_to_pool;
use crate::host_call::{MAX_DEPTH, fail};
use crate::row::{self, RowError};

/// Bytes of a statement.
pub(crate) const MAX_STATEMENT: usize = 64 << 10;

/// What is said where there is no database behind the grant.
pub(crate) const NO_DATABASE: &str = "no database is granted";

/// What is said of parameters that are none.
pub(crate) fn no_row(error: &RowError) -> String {
    format!("the parameters are no row: {error}")
}

/// What a statement gave: the rows, one after another, each as `wasgo_wasm::row` encodes it; or why it failed.
pub type SqlAnswer = Result<Vec<u8>, String>;

/// What a guest asks its database.
#[derive(Debug, Clone)]
pub struct Statement {
    /// One statement.
    pub text: String,
    /// A row of parameters, as `wasgo_wasm::row` encodes it; empty for none.
    pub parameters: Vec<u8>,
    /// Bytes of rows that are wanted at most.
    pub limit: u64,
    /// When it must be over, because the guest's call is; none for a call without a time limit. The guest chose the statement: one that
    /// nobody stops would hold the database for ever.
    pub deadline: Option<Instant>,
}

/// A way to a database.
pub trait Sql: Send + Sync {
    /// Runs a statement; `done` gets the answer, at any time and on any thread. Must not block.
    fn run(&self, statement: Statement, done: Box<dyn FnOnce(SqlAnswer) + Send>);
}

/// A way to nothing.
pub(super) fn nowhere() -> Arc<dyn Sql> {
    struct Nowhere;
    impl Sql for Nowhere {
        fn run(&self, _: Statement, done: Box<dyn FnOnce(SqlAnswer) + Send>) {
            done(Err(NO_DATABASE.into()));
        }
    }
    Arc::new(Nowhere)
}

/// A guest's way to its database.
pub(crate) struct Port {
    sql: Arc<dyn Sql>,
    /// Why the last statement failed.
    error: String,
    /// When the current call must be over.
    deadline: Option<Instant>,
}

impl Port {
    pub(super) fn new(sql: Arc<dyn Sql>) -> Self {
        Self { sql, error: String::new(), deadline: None }
    }

    /// A call of the guest begins, which may take so long.
    pub(super) fn begin(&mut self, timeout: Option<Duration>) {
        self.deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    }

    /// Asks for rows of at most `limit` bytes. What comes is to be awaited in the pool: a database answers from another thread.
    pub(crate) fn ask(
        &self,
        text: String,
        parameters: Vec<u8>,
        limit: u64,
    ) -> impl Future<Output = SqlAnswer> + Send + use<> {
        let (send, receive) = tokio::sync::oneshot::channel();
        let statement = Statement { text, parameters, limit, deadline: self.deadline };
        let sql = Arc::clone(&self.sql);
        async move {
            // It fails when the call was stopped meanwhile, and then nobody waits.
            sql.run(statement, Box::new(move |answer| drop(send.send(answer))));
            receive.await.unwrap_or_else(|_| Err("the database gave no answer".into()))
        }
    }
}

/// - `sql(text, text_length, row, row_length) -> i64`: runs one statement with the values of a row as its parameters (a length of 0: none).
///   The packed span of the answer, which lies where `wasgo_alloc` made room: rows, one after another. 0 when it failed.
/// - `sql_error(out, capacity) -> i32`: the length of what the last failure said, which is written to `out` as far as it fits.
pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        MODULE,
        "sql",
        |mut caller: Caller<'_, Host>, (text, text_length, row, row_length): (u32, u32, u32, u32)| {
            Box::new(async move {
                let text = memory::read(&mut caller, "wasgo.sql", text, text_length, MAX_STATEMENT)?;
                let parameters = memory::read(&mut caller, "wasgo.sql", row, row_length, row::MAX_BYTES)?;
                match answer(&mut caller, text, parameters).await {
                    Ok(rows) => place(&mut caller, &rows).await,
                    Err(error) => {
                        if let Some(port) = caller.data_mut().granted.as_mut().and_then(|granted| granted.sql.as_mut())
                        {
                            port.error = error;
                        }
                        Ok(0u64)
                    }
                }
            })
        },
    )?;
    linker.func_wrap(MODULE, "sql_error", |mut caller: Caller<'_, Host>, out: u32, capacity: u32| {
        let (memory, range) = memory::place(&mut caller, "wasgo.sql_error", out, capacity)?;
        let (data, host) = memory.data_and_store_mut(&mut caller);
        let Some(port) = host.granted.as_ref().and_then(|granted| granted.sql.as_ref()) else { return Ok(0) };
        let error = port.error.as_bytes();
        let length = error.len().min(range.len());
        data[range][..length].copy_from_slice(&error[..length]);
        wasmtime::Result::Ok(error.len() as i32)
    })?;
    Ok(())
}

async fn answer(caller: &mut Caller<'_, Host>, text: Vec<u8>, parameters: Vec<u8>) -> SqlAnswer {
    let text = String::from_utf8(text).map_err(|_| "the statement is not UTF-8".to_owned())?;
    if !parameters.is_empty() {
        row::decode(&parameters).map_err(|error| no_row(&error))?;
    }
    let limit = caller.data().limiter.limits.result;
    let Some(sql) = caller.data().granted.as_ref().and_then(|granted| granted.sql.as_ref()) else {
        return Err(NO_DATABASE.into());
    };
    let answer = sql.ask(text, parameters, limit);
    if caller.data().limiter.inline {
        caller.data_mut().limiter.inline = false;
        yield_to_pool().await;
    }
    answer.await
}

/// Has the guest make room for the rows and copies them there.
async fn place(caller: &mut Caller<'_, Host>, rows: &[u8]) -> wasmtime::Result<u64> {
    let Some(Extern::Func(alloc)) = caller.get_export("wasgo_alloc") else {
        let error = Error::import("wasgo.sql", "the module exports no wasgo_alloc to put the answer at");
        return Err(fail(caller, error));
    };
    let alloc = alloc.typed::<u32, u32>(&*caller)?;
    // It may ask the database again, which has it make room again ...
    if caller.data().depth >= MAX_DEPTH {
        let error = Error::Limit { kind: LimitKind::Depth, limit: MAX_DEPTH.into(), asked: None };
        return Err(fail(caller, error));
    }
    caller.data_mut().depth += 1;
    let length = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let pointer = alloc.call_async(&mut *caller, length).await;
    caller.data_mut().depth -= 1;
    let pointer = pointer?;
    let (memory, range) = memory::place(caller, "wasgo.sql", pointer, length)?;
    if pointer == 0 || pointer % 8 != 0 {
        let error = Error::import("wasgo.sql", format!("wasgo_alloc({length}) returned {pointer}"));
        return Err(fail(caller, error));
    }
    memory.data_mut(&mut *caller)[range].copy_from_slice(rows);
    Ok((u64::from(pointer) << 32) | u64::from(length))
}
