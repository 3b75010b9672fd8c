//! Modules, instances, scripts and services.

mod act;
pub mod cache;
pub mod component;
pub mod host;
pub mod imports;
pub mod instance;
pub mod module;
pub mod network;
pub mod script;
pub mod service;
mod settings;
mod sql;
mod values;

use std::sync::OnceLock;
use std::time::Duration;

use wasgo_wasm::{CallOptions, Engine, EngineOptions, Error, Limits};

/// The engine that all modules of this VM share: its threads are a few, however many libraries use it.
static ENGINE: OnceLock<Result<Engine, Error>> = OnceLock::new();

pub fn engine() -> Result<&'static Engine, &'static Error> {
    ENGINE.get_or_init(|| Engine::new(EngineOptions::default())).as_ref()
}

/// The engine, where it was started.
pub fn running_engine() -> Option<&'static Engine> {
    ENGINE.get()?.as_ref().ok()
}

/// Starts the engine unless it runs; says whether it was this that started it. Takes some milliseconds.
fn start_engine(options: EngineOptions) -> Result<bool, &'static Error> {
    let mut started = false;
    ENGINE
        .get_or_init(|| {
            started = true;
            Engine::new(options)
        })
        .as_ref()
        .map(|_| started)
}

/// Limits as Elixir hands them over: memory, table, input, result.
pub type LimitsTuple = (u64, u64, u64, u64);

fn limits((memory, table, input, result): LimitsTuple) -> Limits {
    Limits { memory, table, input, result }
}

/// Milliseconds that a call may take, nil for any; fuel that it may use, nil for the default.
pub type Bounds = (Option<u64>, Option<u64>);

/// How a guest that only time bounds is called.
fn within(milliseconds: u64) -> CallOptions {
    options((Some(milliseconds), None))
}

fn options((timeout_ms, fuel): Bounds) -> CallOptions {
    CallOptions { timeout: timeout_ms.map(Duration::from_millis), fuel, handler: None }
}
