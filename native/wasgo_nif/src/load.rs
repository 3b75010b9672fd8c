//! What the native half has done and has now, for whoever watches.

use rustler::{Encoder, Env, Term};

use crate::{atoms, jobs, store, wasm};

/// A map of maps: `engine` (nil where no module was ever compiled), `jobs`, `stores`. Times are in nanoseconds.
#[rustler::nif(schedule = "DirtyCpu")]
fn native_load(env: Env<'_>) -> Term<'_> {
    let engine = wasm::running_engine().map(|engine| {
        let load = engine.load();
        map(
            env,
            &[
                (atoms::calls(), load.calls),
                (atoms::pooled(), load.pooled),
                (atoms::traps(), load.traps),
                (atoms::limits(), load.limits),
                (atoms::slices(), load.slices),
                (atoms::queue_time(), nanos(load.queue_time)),
                (atoms::run_time(), nanos(load.run_time)),
                (atoms::under_way(), load.under_way as u64),
                (atoms::waiting(), load.waiting as u64),
                (atoms::instances(), load.instances),
                (atoms::max_instances(), engine.options().instances),
                (atoms::pool(), u64::from(engine.pool_size())),
                (atoms::workers(), engine.options().workers as u64),
                (atoms::garbage(), load.garbage as u64),
                (atoms::compiles(), load.compiles as u64),
                (atoms::modules(), load.compiled as u64),
                (atoms::code_bytes(), load.code_bytes),
                (atoms::memory(), load.memory),
            ],
        )
    });
    let jobs = jobs::load();
    let jobs = map(
        env,
        &[
            (atoms::waiting(), jobs.waiting as u64),
            (atoms::running(), jobs.running as u64),
            (atoms::done(), jobs.done),
            (atoms::queue_time(), nanos(jobs.queue_time)),
            (atoms::run_time(), nanos(jobs.run_time)),
        ],
    );
    let stores = map(env, &[(atoms::open(), store::open_now() as u64)]);
    let parts = [(atoms::engine(), engine.encode(env)), (atoms::jobs(), jobs), (atoms::stores(), stores)];
    Term::map_from_pairs(env, &parts).unwrap_or_else(|_| Term::map_new(env))
}

/// What the native half is made of: `{version, SQLite's version, features, whether it is optimised}`.
#[rustler::nif]
fn native_build() -> (&'static str, String, Vec<&'static str>, bool) {
    let features =
        [cfg!(feature = "remote").then_some("remote"), cfg!(feature = "replication").then_some("replication")];
    (
        env!("CARGO_PKG_VERSION"),
        wasgo_store::sqlite_version(),
        features.into_iter().flatten().collect(),
        !cfg!(debug_assertions),
    )
}

fn map<'a>(env: Env<'a>, pairs: &[(rustler::Atom, u64)]) -> Term<'a> {
    // No key is there twice, so that this can't fail.
    Term::map_from_pairs(env, pairs).unwrap_or_else(|_| Term::map_new(env))
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
