//! Calls of an instance's exports: one, or many in one crossing.

use std::future::Future;
use std::sync::Arc;

use smallvec::SmallVec;
use wasmtime::Val;

use crate::core::Core;
use crate::error::Error;
use crate::module::FunctionExport;

/// Arguments or results of a call: few, so that most need no allocation.
pub type Values = SmallVec<[Val; 4]>;

/// Work to be done with an instance's core, whose future can go to another thread.
pub(crate) trait Job<T>: Send + 'static {
    fn run(self, core: &mut Core) -> impl Future<Output = Result<T, Error>> + Send;
}

/// A call of one export.
pub(crate) struct Call {
    pub(crate) export: Arc<FunctionExport>,
    pub(crate) arguments: Values,
}

impl Job<Values> for Call {
    async fn run(self, core: &mut Core) -> Result<Values, Error> {
        core.call(&self.export, &self.arguments).await
    }
}
