//! Time, which whoever runs the driver provides.

use std::task::Waker;
use std::time::Instant;

/// Wakes a driver at a certain time.
pub trait Timers: Send + Sync {
    /// A wake-up that was ordered. Dropping it takes the order back.
    type Timer: Send;

    /// Orders `waker` to be woken at `at`, or soon after.
    fn wake_at(&self, at: Instant, waker: Waker) -> Self::Timer;

    /// What time it is. Tests may have a clock of their own.
    fn now(&self) -> Instant {
        Instant::now()
    }
}
