//! Calls of an instance's exports: one, or many in one crossing.

use std::future::Future;

use wasmtime::{Func, Val};

use crate::error::{ERRORS_AT_LENGTH, Error, LimitKind};
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

/// Bytes that a result counts for.
const RESULT_BYTES: u64 = 8;

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
        // How many results a row has, the guest decides; memory for all of them is taken at once.
        let limit = core.store.data().limiter.limits.result;
        let asked = (self.rows as u64).saturating_mul(self.results as u64).saturating_mul(RESULT_BYTES);
        if asked > limit {
            return Err(Error::Limit { kind: LimitKind::ResultSize, limit, asked: Some(asked) });
        }
        let mut failed = 0;
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
                Err(error) => {
                    failed += 1;
                    let error = core.guest_error(error);
                    Err(if failed > ERRORS_AT_LENGTH { error.brief() } else { error })
                }
            });
        }
        Ok(many)
    }
}
