//! Calls of an instance's exports: one, or many in one crossing.

use std::future::Future;

use smallvec::SmallVec;
use wasmtime::Val;

use crate::core::Core;
use crate::error::Error;

/// Arguments or results of a call: few, so that most need no allocation.
pub type Values = SmallVec<[Val; 2]>;

/// Work to be done with an instance's core, whose future can go to another thread.
pub(crate) trait Job<T>: Send + 'static {
    /// Runs it, once. It is borrowed so that it is not moved again: what a call's future holds is copied when the call begins.
    fn run(&mut self, core: &mut Core) -> impl Future<Output = Result<T, Error>> + Send;
}

/// A call of one export.
pub(crate) struct Call {
    /// The export's number: a reference to it would be counted by all who call functions of the same module.
    pub(crate) export: u32,
    pub(crate) arguments: Values,
}

impl Job<Values> for Call {
    fn run(&mut self, core: &mut Core) -> impl Future<Output = Result<Values, Error>> + Send {
        core.call(self.export, &self.arguments)
    }
}
