//! Modules, instances, scripts and services.

pub mod component;
pub mod instance;
pub mod module;
pub mod script;
pub mod service;

use std::sync::OnceLock;
use std::time::Duration;

use wasgo_wasm::{CallOptions, Engine, EngineOptions, Error, Limits};

/// The engine that all modules of this VM share: its threads are a few, however many libraries use it.
static ENGINE: OnceLock<Result<Engine, Error>> = OnceLock::new();

pub fn engine() -> Result<&'static Engine, &'static Error> {
    ENGINE.get_or_init(|| Engine::new(EngineOptions::default())).as_ref()
}

/// Limits as Elixir hands them over: memory, table, input, result.
pub type LimitsTuple = (u64, u64, u64, u64);

fn limits((memory, table, input, result): LimitsTuple) -> Limits {
    Limits { memory, table, input, result }
}

fn within(milliseconds: u64) -> CallOptions {
    CallOptions { timeout: Duration::from_millis(milliseconds) }
}
