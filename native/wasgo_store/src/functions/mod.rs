//! SQL functions written in WebAssembly: their grammar, what a module has to export, and how values go in and out.
//!
//! Here is nothing of SQLite's C interface: `sqlite::functions` is what calls this.

pub(crate) mod code;
pub(crate) mod grammar;
pub(crate) mod guest;

use std::fmt;
use std::time::Duration;

use wasgo_wasm::{CallOptions, DEFAULT_TIMEOUT, Engine, Limits};

/// What SQL functions written in WebAssembly run on.
#[derive(Clone)]
pub struct FunctionHost {
    /// The engine that compiles and runs them.
    pub engine: Engine,
    /// What each instance may use: there is one for each connection and function.
    pub limits: Limits,
    /// How long one call of a function may take. The time limit of the statement holds beside it.
    pub timeout: Duration,
}

impl FunctionHost {
    /// With the engine's default limits.
    pub fn new(engine: Engine) -> Self {
        Self { engine, limits: Limits::default(), timeout: DEFAULT_TIMEOUT }
    }

    pub(crate) fn call_options(&self) -> CallOptions {
        CallOptions { timeout: Some(self.timeout), ..CallOptions::default() }
    }
}

impl fmt::Debug for FunctionHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionHost")
            .field("limits", &self.limits)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Why a function gave no result.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The guest's, or the engine's.
    Wasm(wasgo_wasm::Error),
    /// It, or who calls it, does not keep to the contract.
    Contract(String),
}

impl From<wasgo_wasm::Error> for Fault {
    fn from(error: wasgo_wasm::Error) -> Self {
        Self::Wasm(error)
    }
}

impl Fault {
    pub(crate) fn contract(message: impl Into<String>) -> Self {
        Self::Contract(message.into())
    }

    /// Whether the guest was stopped because the statement is.
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self, Self::Wasm(wasgo_wasm::Error::Cancelled))
    }

    /// A stable lower-case name.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Wasm(wasgo_wasm::Error::Trap { reason, .. }) => reason,
            Self::Wasm(wasgo_wasm::Error::Limit { kind, .. }) => kind.name(),
            Self::Wasm(wasgo_wasm::Error::Compile { .. } | wasgo_wasm::Error::CompileComponent { .. }) => "compile",
            Self::Wasm(wasgo_wasm::Error::MissingImport { .. }) => "missing_import",
            Self::Wasm(wasgo_wasm::Error::MissingExport { .. }) => "missing_export",
            Self::Wasm(wasgo_wasm::Error::WrongType { .. }) => "wrong_type",
            Self::Wasm(_) => "engine",
            Self::Contract(_) => "contract",
        }
    }

    pub(crate) fn message(&self) -> String {
        match self {
            Self::Wasm(error) => error.to_string(),
            Self::Contract(message) => message.clone(),
        }
    }
}
