//! Calls of an instance's exports: one, or many in one crossing.

use std::future::Future;

use wasmtime::Val;

use crate::core::Core;
use crate::error::Error;
use crate::module::Module;

/// Work to be done with an instance's core, whose future can go to another thread.
pub(crate) trait Job<T>: Send + 'static {
    fn run(self, core: &mut Core) -> impl Future<Output = Result<T, Error>> + Send;
}

/// A call of one export.
pub(crate) struct Call {
    pub(crate) name: Box<str>,
    pub(crate) arguments: Vec<Val>,
}

impl Job<Vec<Val>> for Call {
    async fn run(self, core: &mut Core) -> Result<Vec<Val>, Error> {
        let module = Module::clone(&core.module);
        let export = module.function(&self.name)?;
        let function = core.function(export, &self.name)?;
        let mut results = vec![Val::I32(0); export.results.len()];
        match function.call_async(&mut core.store, &self.arguments, &mut results).await {
            Ok(()) => Ok(results),
            Err(error) => Err(core.guest_error(error)),
        }
    }
}
