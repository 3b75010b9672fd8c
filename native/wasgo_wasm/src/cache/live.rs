//! What is compiled, or being compiled, in this process.

use std::collections::HashMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use wasmtime::{Engine, EngineWeak};

use super::{Artefact, Compiled};
use crate::error::{Error, LimitKind};
use crate::executor::Callback;

/// Callers that may wait for others' compiling.
const MAX_WAITING: usize = 4_096;

/// Slots of freed artefacts are cleared away when there are so many slots, and twice as many as were left the last time.
const PRUNE_AT: usize = 64;

type Answer<A> = Result<Arc<Compiled<A>>, Error>;

enum State<A> {
    Live(Weak<Compiled<A>>),
    UnderWay(Vec<Callback<Answer<A>>>),
}

/// The same bytes may be compiled for engines that differ only in how they run them: their artefacts are not interchangeable.
struct Slot<A> {
    engine: EngineWeak,
    state: State<A>,
}

impl<A> Slot<A> {
    fn live(&self) -> Option<Arc<Compiled<A>>> {
        match &self.state {
            State::Live(weak) => weak.upgrade(),
            State::UnderWay(_) => None,
        }
    }
}

struct Slots<A> {
    map: HashMap<blake3::Hash, Vec<Slot<A>>>,
    waiting: usize,
    prune_at: usize,
}

/// Artefacts by key, as long as somebody uses them.
pub(super) struct Live<A>(Mutex<Slots<A>>);

impl<A: Artefact> Live<A> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Slots { map: HashMap::new(), waiting: 0, prune_at: PRUNE_AT }))
    }

    /// Gives `done` the artefact, made by `make` on this thread unless another has it or is making it: `shared` is called then, before
    /// `done`. Is another making it, this returns, and `done` is called on the other's thread.
    pub(super) fn obtain(
        &self,
        engine: &Engine,
        key: blake3::Hash,
        make: impl FnOnce() -> Answer<A>,
        shared: impl FnOnce(),
        done: Callback<Answer<A>>,
    ) {
        let mut slots = self.lock();
        let of_key = slots.map.entry(key).or_default();
        match of_key.iter_mut().find(|slot| belongs(&slot.engine, engine)).map(|slot| &mut slot.state) {
            Some(State::Live(weak)) => {
                if let Some(live) = weak.upgrade() {
                    drop(slots);
                    shared();
                    done(Ok(live));
                    return;
                }
            }
            Some(State::UnderWay(waiting)) => {
                shared();
                waiting.push(done);
                slots.waiting += 1;
                if slots.waiting > MAX_WAITING {
                    let refused = slots.take_last(&key, engine);
                    drop(slots);
                    if let Some(done) = refused {
                        done(Err(Error::Limit { kind: LimitKind::Compiles, limit: MAX_WAITING as u64, asked: None }));
                    }
                }
                return;
            }
            None => {}
        }
        slots.put(key, engine, State::UnderWay(Vec::new()));
        drop(slots);
        // Who waits must hear of it whatever happens.
        let answer = panic::catch_unwind(AssertUnwindSafe(make))
            .unwrap_or_else(|_| Err(Error::engine("compiling failed; this is a fault of Wasgo")));
        let mut slots = self.lock();
        let waiting = match slots.remove(&key, engine) {
            Some(State::UnderWay(waiting)) => waiting,
            _ => Vec::new(),
        };
        slots.waiting -= waiting.len();
        if let Ok(live) = &answer {
            slots.put(key, engine, State::Live(Arc::downgrade(live)));
        }
        drop(slots);
        for waiting in waiting.into_iter().chain([done]) {
            let answer = answer.clone();
            // One that fails must not take the others' answers.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| waiting(answer)));
        }
    }

    /// How many there are, and bytes of their machine code.
    pub(super) fn held(&self) -> (usize, u64) {
        let live: Vec<_> = self.lock().map.values().flatten().filter_map(Slot::live).collect();
        (live.len(), live.iter().map(|compiled| compiled.artefact.code_bytes()).sum())
    }

    fn lock(&self) -> MutexGuard<'_, Slots<A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A> Slots<A> {
    fn put(&mut self, key: blake3::Hash, engine: &Engine, state: State<A>) {
        self.remove(&key, engine);
        self.map.entry(key).or_default().push(Slot { engine: engine.weak(), state });
        if self.map.len() >= self.prune_at {
            self.map.retain(|_, slots| {
                slots.retain(|slot| match &slot.state {
                    State::Live(weak) => weak.strong_count() > 0,
                    State::UnderWay(_) => true,
                });
                !slots.is_empty()
            });
            self.prune_at = PRUNE_AT.max(2 * self.map.len());
        }
    }

    fn remove(&mut self, key: &blake3::Hash, engine: &Engine) -> Option<State<A>> {
        let slots = self.map.get_mut(key)?;
        let at = slots.iter().position(|slot| belongs(&slot.engine, engine))?;
        let state = slots.swap_remove(at).state;
        if slots.is_empty() {
            self.map.remove(key);
        }
        Some(state)
    }

    /// Takes back who began to wait last.
    fn take_last(&mut self, key: &blake3::Hash, engine: &Engine) -> Option<Callback<Answer<A>>> {
        let slot = self.map.get_mut(key)?.iter_mut().find(|slot| belongs(&slot.engine, engine))?;
        let State::UnderWay(waiting) = &mut slot.state else { return None };
        self.waiting -= 1;
        waiting.pop()
    }
}

fn belongs(weak: &EngineWeak, engine: &Engine) -> bool {
    weak.upgrade().is_some_and(|own| Engine::same(&own, engine))
}
