//! Tells the scheduler how much of a process's slice a NIF used, so that guests count against the process that runs them.

use std::time::Instant;

use rustler::Env;

/// From its beginning to its drop.
pub struct Slice<'a> {
    env: Env<'a>,
    began: Instant,
}

impl<'a> Slice<'a> {
    pub fn begin(env: Env<'a>) -> Self {
        Self { env, began: Instant::now() }
    }
}

impl Drop for Slice<'_> {
    fn drop(&mut self) {
        // A process's whole slice is about a millisecond. Less than a percent of it need not be told.
        let percent = self.began.elapsed().as_micros() / 10;
        if percent > 0 {
            rustler::schedule::consume_timeslice(self.env, percent.min(100) as i32);
        }
    }
}
