//! The engine's settings, taken when it starts.

use rustler::{Env, Term};
use wasgo_wasm::EngineOptions;

use super::{engine, start_engine};
use crate::fault;

/// Starts the engine, unless it runs, with so many workers and instances; 0 for the default. Answers whether it was this that started it.
#[rustler::nif(schedule = "DirtyCpu")]
fn wasm_engine_start(env: Env<'_>, workers: usize, instances: u64) -> Term<'_> {
    let mut options = EngineOptions::default();
    if workers > 0 {
        options.workers = workers;
    }
    if instances > 0 {
        options.instances = instances;
    }
    match start_engine(options) {
        Ok(started) => fault::ok(env, started),
        Err(error) => fault::err(env, fault::wasm(env, error)),
    }
}

/// `{workers, instances, most instances, places of the pool}`.
#[rustler::nif]
fn wasm_engine_info(env: Env<'_>) -> Term<'_> {
    match engine() {
        Ok(engine) => {
            let options = engine.options();
            fault::ok(env, (options.workers, engine.instances(), options.instances, engine.pool_size()))
        }
        Err(error) => fault::err(env, fault::wasm(env, error)),
    }
}
