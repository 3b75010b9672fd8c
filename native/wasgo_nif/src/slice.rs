//! Tells the scheduler how much of a process's slice a NIF used, so that guests count against the process that runs them.
//!
//! Looking at a clock twice would be a tenth of a small call. The engine's ticks cost nothing: a call of a microsecond sees one pass in
//! one of 500 times, and then counts for all of them.

use rustler::Env;

use crate::wasm::engine;

/// What a tick counts for, in percent of a process's slice of about a millisecond.
const TICK_PERCENT: u64 = 50;

/// From its beginning to its drop.
pub struct Slice<'a> {
    env: Env<'a>,
    began: u64,
}

impl<'a> Slice<'a> {
    pub fn begin(env: Env<'a>) -> Self {
        Self { env, began: ticks() }
    }
}

impl Drop for Slice<'_> {
    fn drop(&mut self) {
        let passed = ticks().saturating_sub(self.began);
        if passed > 0 {
            rustler::schedule::consume_timeslice(self.env, (passed * TICK_PERCENT).min(100) as i32);
        }
    }
}

fn ticks() -> u64 {
    engine().map_or(0, |engine| engine.ticks())
}
