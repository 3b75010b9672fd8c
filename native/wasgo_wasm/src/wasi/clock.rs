//! The time of day that a program is told.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasmtime_wasi::HostWallClock;

/// Which time of day a program is told. The time since its start it can always measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// The host's.
    #[default]
    Real,
    /// Always the same: so many nanoseconds after the beginning of 1970.
    Frozen(u64),
    /// The host's, so many nanoseconds later, or earlier if negative.
    Offset(i64),
}

impl Clock {
    /// The time since the beginning of 1970.
    fn time(self) -> Duration {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        match self {
            Self::Real => now(),
            Self::Frozen(nanoseconds) => Duration::from_nanos(nanoseconds),
            Self::Offset(by) => {
                let distance = Duration::from_nanos(by.unsigned_abs());
                if by < 0 { now().saturating_sub(distance) } else { now().saturating_add(distance) }
            }
        }
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        match self {
            Self::Frozen(_) => Duration::from_secs(1),
            _ => Duration::from_nanos(1),
        }
    }

    fn now(&self) -> Duration {
        self.time()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_moves_the_time_and_stops_at_the_beginning() {
        let hour = 3_600_000_000_000;
        let now = Clock::Real.time();
        assert!(Clock::Offset(hour).time() >= now + Duration::from_secs(3_600));
        assert!(Clock::Offset(-hour).time() < now);
        assert_eq!(Clock::Offset(i64::MIN).time(), Duration::ZERO);
        assert_eq!(Clock::Frozen(7).time(), Duration::from_nanos(7));
    }
}
