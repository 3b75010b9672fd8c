//! Calls of an instance's exports: one, or many in one crossing.

use std::future::Future;

use wasmtime::{Func, Val};

use crate::error::Error;
use crate::instance::Core;

/// Work to be done with an instance's core, whose future can go to another thread.
pub(crate) trait Job<T>: Send + 'static {
    fn run(self, core: &mut Core) -> impl Future<Output = Result<T, Error>> + Send;
}

/// A call of one export.
pub(crate) struct Call {
    pub(crate) function: Func,
    pub(crate) arguments: Vec<Val>,
    pub(crate) results: usize,
}

impl Job<Vec<Val>> for Call {
    async fn run(self, core: &mut Core) -> Result<Vec<Val>, Error> {
        let mut results = vec![Val::I32(0); self.results];
        match self.function.call_async(&mut core.store, &self.arguments, &mut results).await {
            Ok(()) => Ok(results),
            Err(error) => Err(core.guest_error(error)),
        }
    }
}

/// What many calls gave.
#[derive(Debug, Clone, Default)]
pub struct ManyResults {
    /// The results of the rows that succeeded, one row after another.
    pub values: Vec<Val>,
    /// How many results a row has.
    pub width: usize,
    /// For each row, in order: whether it succeeded.
    pub rows: Vec<Result<(), Error>>,
}

/// Calls of one export with many rows of arguments.
pub(crate) struct CallMany {
    pub(crate) function: Func,
    pub(crate) arguments: Vec<Val>,
    pub(crate) arity: usize,
    pub(crate) rows: usize,
    pub(crate) results: usize,
}

impl Job<ManyResults> for CallMany {
    async fn run(self, core: &mut Core) -> Result<ManyResults, Error> {
        let mut many = ManyResults {
            values: Vec::with_capacity(self.rows * self.results),
            width: self.results,
            rows: Vec::with_capacity(self.rows),
        };
        let mut results = vec![Val::I32(0); self.results];
        for row in 0..self.rows {
            core.begin_row();
            let arguments = &self.arguments[row * self.arity..(row + 1) * self.arity];
            many.rows.push(match self.function.call_async(&mut core.store, arguments, &mut results).await {
                Ok(()) => {
                    many.values.extend_from_slice(&results);
                    Ok(())
                }
                Err(error) => Err(core.guest_error(error)),
            });
        }
        Ok(many)
    }
}
