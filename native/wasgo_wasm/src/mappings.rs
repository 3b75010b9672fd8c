//! Mappings of memory: Linux gives a process so many (`vm.max_map_count`, 65,530 unless somebody changed it), and one that has none left can't
//! even start a thread. Instances take most of them, so that their number is held to what the system has.
//!
//! An instance of the pool has a stack, which is mapped with the pool, and a place for its memory, which keeps its mappings when the instance
//! is gone; so what counts is how many there were at once. Any other instance has all of its own and gives them back.

use std::sync::atomic::{AtomicU64, Ordering};

/// A stack, and what guards it.
const STACK: u64 = 2;

/// The memory of an instance of the pool: what it has, and the room to grow.
const POOLED_MEMORY: u64 = 2;

/// Any other memory: the same, and what guards it in front.
const MEMORY: u64 = 3;

/// Its data, where they are mapped: they split it in three.
const IMAGE: u64 = 2;

/// Places that the pool's allocator takes beside those in use, so that the next instance of a module finds its own.
const WARM: u64 = 100;

/// Mappings that are left for the rest of the process: a BEAM that has just started has some two hundred.
const OTHERS: u64 = 5_000;

/// What is taken of the mappings that there are.
pub(crate) struct Mappings {
    most: u64,
    taken: AtomicU64,
    pooled: AtomicU64,
    /// The most instances of the pool that there were at once.
    peak: AtomicU64,
}

/// Mappings that an instance has taken.
#[derive(Debug)]
pub(crate) enum Taken {
    Pooled,
    Own(u64),
}

impl Mappings {
    /// Those of the system, beside a pool of so many places.
    pub(crate) fn of_the_system(pool: u32) -> Self {
        let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
        // Elsewhere there is no such limit.
        Self::new(text.and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX), pool)
    }

    fn new(most: u64, pool: u32) -> Self {
        let pool = u64::from(pool);
        let taken = if pool == 0 { OTHERS } else { OTHERS + STACK * pool + POOLED_MEMORY * WARM.min(pool) };
        Self { most, taken: AtomicU64::new(taken), pooled: AtomicU64::new(0), peak: AtomicU64::new(0) }
    }

    /// For an instance of the pool; none if there are too few left.
    pub(crate) fn take_pooled(&self) -> Option<Taken> {
        let pooled = self.pooled.fetch_add(1, Ordering::Relaxed) + 1;
        let mut peak = self.peak.load(Ordering::Relaxed);
        while pooled > peak {
            let new = POOLED_MEMORY * (pooled - peak);
            if !self.take(new) {
                self.pooled.fetch_sub(1, Ordering::Relaxed);
                return None;
            }
            match self.peak.compare_exchange(peak, pooled, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break,
                Err(other) => {
                    self.taken.fetch_sub(new, Ordering::Relaxed);
                    peak = other;
                }
            }
        }
        Some(Taken::Pooled)
    }

    /// For any other instance, with so many memories whose data are mapped or not; none if there are too few left.
    pub(crate) fn take_own(&self, memories: u64, mapped: bool) -> Option<Taken> {
        let mappings = STACK + (MEMORY + if mapped { IMAGE } else { 0 }) * memories;
        self.take(mappings).then_some(Taken::Own(mappings))
    }

    fn take(&self, mappings: u64) -> bool {
        let add = |taken: u64| taken.checked_add(mappings).filter(|taken| *taken <= self.most);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }

    pub(crate) fn give_back(&self, taken: &Taken) {
        match taken {
            Taken::Pooled => self.pooled.fetch_sub(1, Ordering::Relaxed),
            Taken::Own(mappings) => self.taken.fetch_sub(*mappings, Ordering::Relaxed),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Linux gives a process.
    const USUAL: u64 = 65_530;

    fn count(take: impl FnMut() -> Option<Taken>) -> Vec<Taken> {
        std::iter::from_fn(take).collect()
    }

    #[test]
    fn ten_thousand_instances_of_the_pool_fit_what_linux_gives_a_process() {
        let mappings = Mappings::new(USUAL, 10_000);
        for _ in 0..10_000 {
            assert!(mappings.take_pooled().is_some());
        }
    }

    #[test]
    fn what_the_pool_once_had_stays_its_own() {
        let mappings = Mappings::new(USUAL, 10_000);
        let before = mappings.taken.load(Ordering::Relaxed);
        let pooled: Vec<_> = (0..9_000).map(|_| mappings.take_pooled().unwrap()).collect();
        let full = mappings.taken.load(Ordering::Relaxed);
        assert_eq!(full - before, 9_000 * POOLED_MEMORY);
        pooled.iter().for_each(|taken| mappings.give_back(taken));
        assert!((0..9_000).all(|_| mappings.take_pooled().is_some()));
        assert_eq!(mappings.taken.load(Ordering::Relaxed), full);
    }

    #[test]
    fn what_others_take_they_give_back() {
        for (mapped, each) in [(false, STACK + MEMORY), (true, STACK + MEMORY + IMAGE)] {
            let mappings = Mappings::new(USUAL, 0);
            let own = count(|| mappings.take_own(1, mapped));
            assert_eq!(own.len() as u64, (USUAL - OTHERS) / each);
            own.iter().for_each(|taken| mappings.give_back(taken));
            assert_eq!(count(|| mappings.take_own(1, mapped)).len(), own.len());
        }
    }

    #[test]
    fn a_pool_that_was_full_once_leaves_room_for_thousands_of_others() {
        let mappings = Mappings::new(USUAL, 10_000);
        let pooled: Vec<_> = (0..10_000).map(|_| mappings.take_pooled().unwrap()).collect();
        assert!(count(|| mappings.take_own(1, true)).len() > 2_500);
        pooled.iter().for_each(|taken| mappings.give_back(taken));
    }

    #[test]
    fn who_was_refused_has_taken_nothing() {
        // Room for three beside those that the allocator keeps.
        let mappings = Mappings::new(OTHERS + STACK * 10 + POOLED_MEMORY * 13, 10);
        let pooled = count(|| mappings.take_pooled());
        assert_eq!(pooled.len(), 3);
        assert_eq!(mappings.pooled.load(Ordering::Relaxed), 3);
        assert!(mappings.take_own(1, false).is_none());
        pooled.iter().for_each(|taken| mappings.give_back(taken));
        assert_eq!(count(|| mappings.take_pooled()).len(), 3);
    }
}
