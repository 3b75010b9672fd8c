//! Wakes tasks at an instant: exactly, and without a thread that ticks in the meantime.
//!
//! The engine's [`ticker`](crate::ticker) is a coarse clock that runs while guests compute. A program that waits most of its time and looks
//! at the clock every few milliseconds needs the opposite: nothing that runs while it waits, and no half millisecond more than it asked for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

/// When, and a number that tells those of the same instant apart.
type Key = (Instant, u64);

#[derive(Default)]
struct State {
    wakers: BTreeMap<Key, Waker>,
    stop: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when an earlier alarm than all others was set, or the thread is to end.
    changed: Condvar,
    numbers: AtomicU64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's handle; dropping it ends the thread.
pub(crate) struct Alarms(Arc<Shared>);

/// A waker that waits for its time. Dropping it takes it away.
pub struct Alarm {
    key: Key,
    shared: Arc<Shared>,
}

impl Alarm {
    /// Ready when its time has come; until then the waker of `context` waits for it.
    pub(crate) fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        if Instant::now() >= self.key.0 {
            return Poll::Ready(());
        }
        let former = self.shared.state().wakers.insert(self.key, context.waker().clone());
        drop(former);
        // Its time may have come in between, and its waker been taken before this one was there.
        if Instant::now() >= self.key.0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let waker = self.shared.state().wakers.remove(&self.key);
        // A waker's end may free its task: not under the lock.
        drop(waker);
    }
}

impl Alarms {
    pub(crate) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name("wasgo-alarms".into()).spawn(move || run(&theirs))?;
        Ok(Self(shared))
    }

    /// Has `waker` woken at `at`, never before.
    pub(crate) fn wake_at(&self, at: Instant, waker: Waker) -> Alarm {
        let key = (at, self.0.numbers.fetch_add(1, Ordering::Relaxed));
        let mut state = self.0.state();
        let is_first = state.wakers.first_key_value().is_none_or(|((first, _), _)| at < *first);
        state.wakers.insert(key, waker);
        drop(state);
        if is_first {
            self.0.changed.notify_one();
        }
        Alarm { key, shared: Arc::clone(&self.0) }
    }
}

impl Drop for Alarms {
    fn drop(&mut self) {
        self.0.state().stop = true;
        self.0.changed.notify_one();
    }
}

fn run(shared: &Shared) {
    let mut state = shared.state();
    while !state.stop {
        let now = Instant::now();
        let later = state.wakers.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut state.wakers, later);
        if !due.is_empty() {
            drop(state);
            due.into_values().for_each(Waker::wake);
            state = shared.state();
            continue;
        }
        let next = state.wakers.first_key_value().map(|((at, _), _)| *at);
        state = match next {
            Some(at) => {
                let left = at.saturating_duration_since(now);
                shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            }
            None => shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_lite::future::{block_on, poll_fn};

    use super::*;

    fn wait(alarms: &Alarms, time: Duration) -> Instant {
        let at = Instant::now() + time;
        block_on(async {
            let mut alarm = poll_fn(|context| Poll::Ready(alarms.wake_at(at, context.waker().clone()))).await;
            poll_fn(|context| alarm.poll(context)).await;
        });
        at
    }

    #[test]
    fn nobody_is_woken_too_early() {
        let alarms = Alarms::start().unwrap();
        for micros in [0, 1, 100, 999, 5_000] {
            let at = wait(&alarms, Duration::from_micros(micros));
            assert!(Instant::now() >= at);
        }
    }

    #[test]
    fn an_earlier_alarm_does_not_wait_for_a_later_one() {
        let alarms = Alarms::start().unwrap();
        let far = alarms.wake_at(Instant::now() + Duration::from_secs(3_600), Waker::noop().clone());
        wait(&alarms, Duration::from_millis(1));
        drop(far);
        assert!(alarms.0.state().wakers.is_empty());
    }

    #[test]
    fn those_of_the_same_instant_are_all_woken() {
        let alarms = Alarms::start().unwrap();
        let at = Instant::now() + Duration::from_millis(2);
        block_on(async {
            let mut set: Vec<_> = poll_fn(|context| {
                Poll::Ready((0..100).map(|_| alarms.wake_at(at, context.waker().clone())).collect::<Vec<_>>())
            })
            .await;
            for alarm in &mut set {
                poll_fn(|context| alarm.poll(context)).await;
            }
        });
        assert!(Instant::now() >= at);
    }
}
