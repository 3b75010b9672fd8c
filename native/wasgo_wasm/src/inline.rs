//! What the current thread knows of the slice that it runs for a caller.
//!
//! A slice on a caller's thread ends in one of three ways: the guest is done, it yielded and goes on in the pool, or it waits for a
//! function of the host that somebody else runs. In the last case the caller can be told at once, and whoever has the function's
//! result can run the guest's next slice on its own thread: no other thread has to be woken.

use std::cell::{Cell, RefCell};

use async_task::Runnable;

struct State {
    /// A slice runs here, on a thread that must not be held for long.
    active: Cell<bool>,
    /// The slice's guest waits for a function of the host.
    waits_for_host: Cell<bool>,
    /// The next task that is woken here is to be run here.
    capturing: Cell<bool>,
    captured: RefCell<Option<Runnable>>,
}

thread_local! {
    static STATE: State = const {
        State {
            active: Cell::new(false),
            waits_for_host: Cell::new(false),
            capturing: Cell::new(false),
            captured: RefCell::new(None),
        }
    };
}

/// Whether a guest that runs on this thread now runs on a caller's.
pub(crate) fn active() -> bool {
    STATE.with(|state| state.active.get())
}

/// Told by a guest's import that it waits for the host.
pub(crate) fn note_waits_for_host() {
    STATE.with(|state| state.waits_for_host.set(true));
}

/// Runs a slice here; says whether its guest waits for the host now.
pub(crate) fn slice<T>(run: impl FnOnce() -> T) -> (T, bool) {
    struct Reset(bool);
    impl Drop for Reset {
        fn drop(&mut self) {
            STATE.with(|state| state.active.set(self.0));
        }
    }
    let before = STATE.with(|state| {
        state.waits_for_host.set(false);
        state.active.replace(true)
    });
    let reset = Reset(before);
    let result = run();
    drop(reset);
    (result, STATE.with(|state| state.waits_for_host.take()))
}

/// Does something that wakes a task, and returns that task if it was asleep and this thread is the one to run it.
pub(crate) fn capture(wake: impl FnOnce()) -> Option<Runnable> {
    STATE.with(|state| state.capturing.set(true));
    wake();
    STATE.with(|state| {
        state.capturing.set(false);
        state.captured.take()
    })
}

/// Offers a task that was woken to whoever wants to run it on this thread; gives it back if nobody does.
pub(crate) fn offer(runnable: Runnable) -> Option<Runnable> {
    STATE.with(|state| {
        if !state.capturing.replace(false) {
            return Some(runnable);
        }
        state.captured.replace(Some(runnable))
    })
}
