//! How much may be done before it is too long for a normal scheduler.

use rustler::Env;

/// Units of work that a normal scheduler does in one go. One is about what a small term takes, at most some 90 nanoseconds
/// where this was measured; so these are a quarter of the millisecond that there is, and leave room for slower machines.
const SLICE: usize = 3_000;

/// Units in one percent of a time slice, which is 10 microseconds.
const UNITS_PER_PERCENT: usize = 128;

/// Bytes that are copied, or checked to be UTF-8, in the time of one unit.
const BYTES_PER_UNIT: usize = 64;

/// Work that may still be done.
pub struct Budget {
    at_first: usize,
    left: usize,
}

/// There is no more of it.
pub struct OverBudget;

impl Budget {
    pub fn of_a_slice() -> Self {
        Self { at_first: SLICE, left: SLICE }
    }

    pub fn unlimited() -> Self {
        Self { at_first: usize::MAX, left: usize::MAX }
    }

    /// Asks for so many units, before the work.
    pub fn spend(&mut self, units: usize) -> Result<(), OverBudget> {
        self.left = self.left.checked_sub(units).ok_or(OverBudget)?;
        Ok(())
    }

    /// Asks for a unit and what so many bytes take.
    pub fn spend_bytes(&mut self, bytes: usize) -> Result<(), OverBudget> {
        self.spend(1 + bytes / BYTES_PER_UNIT)
    }

    /// Whether so many units are left.
    pub fn has(&self, units: usize) -> bool {
        units <= self.left
    }

    /// Tells the scheduler how much of the caller's time slice was used.
    pub fn tell(&self, env: Env<'_>) {
        let percent = ((self.at_first - self.left) / UNITS_PER_PERCENT).clamp(1, 100);
        rustler::schedule::consume_timeslice(env, percent as i32);
    }
}
