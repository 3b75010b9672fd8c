//! Refuses queries that wait in vain: for a reading thread to be free by a deadline that passes.
//!
//! One thread for all stores, begun when it is first needed. What the writer's queue holds up the writer refuses itself.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Instant;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use crate::StoreError;
use crate::readers::ReadJob;

/// Further ones wait without being watched until there is room: they are refused when a thread takes them.
const ROOM: usize = 4096;

/// A job in a queue, until a thread takes it or its time is over.
pub(crate) struct Slot(Mutex<Option<ReadJob>>);

impl Slot {
    pub(crate) fn new(job: ReadJob) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(job))))
    }

    pub(crate) fn take(&self) -> Option<ReadJob> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

struct Alarm {
    at: Instant,
    slot: Weak<Slot>,
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}

/// Has what still waits in `slot` at `at` refused then.
pub(crate) fn watch(at: Instant, slot: &Arc<Slot>) {
    static CLOCK: OnceLock<Sender<Alarm>> = OnceLock::new();
    let clock = CLOCK.get_or_init(|| {
        let (alarms, set) = bounded(ROOM);
        // Without the thread the channel is closed, and nothing is watched.
        let _ = std::thread::Builder::new().name("wasgo-store-clock".into()).spawn(move || {
            crate::store::mark_as_own_thread();
            let mut pending: BinaryHeap<Reverse<Alarm>> = BinaryHeap::new();
            let mut swept_at = ROOM;
            loop {
                let next = match pending.peek() {
                    Some(Reverse(alarm)) => set.recv_deadline(alarm.at),
                    None => set.recv().map_err(|_| RecvTimeoutError::Disconnected),
                };
                match next {
                    Ok(alarm) => pending.push(Reverse(alarm)),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                // Most were taken long before their time.
                if pending.len() >= 2 * swept_at {
                    pending.retain(|Reverse(alarm)| alarm.slot.strong_count() > 0);
                    swept_at = pending.len().max(ROOM);
                }
                ring(&mut pending);
            }
        });
        alarms
    });
    let _ = clock.try_send(Alarm { at, slot: Arc::downgrade(slot) });
}

fn ring(pending: &mut BinaryHeap<Reverse<Alarm>>) {
    let now = Instant::now();
    while pending.peek().is_some_and(|Reverse(alarm)| alarm.at <= now) {
        let Some(Reverse(alarm)) = pending.pop() else { return };
        if let Some(ReadJob { place, done, .. }) = alarm.slot.upgrade().and_then(|slot| slot.take()) {
            drop(place);
            done.answer(Err(StoreError::Timeout { begun: false, late: now - alarm.at }));
        }
    }
}
