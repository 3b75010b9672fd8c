//! What a module may consist of.

use crate::error::Error;

/// Limits of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ModuleLimits {}

impl ModuleLimits {
    pub(crate) fn check(&self, _wasm: &[u8]) -> Result<(), Error> {
        Ok(())
    }
}
