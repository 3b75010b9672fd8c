//! What was computed lately, kept while there is room for it.
//!
//! Only for values that are pure functions of their keys: then nobody can tell whether one was kept or made anew.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Values by key, of which those that were used longest ago go first.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    /// The greatest sum of weights.
    limit: usize,
    kept: Mutex<Kept<K, V>>,
}

#[derive(Debug)]
struct Kept<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    weight: usize,
    /// Counts uses.
    now: u64,
}

#[derive(Debug)]
struct Entry<V> {
    used: u64,
    weight: usize,
    value: Arc<V>,
}

impl<K: Ord + Clone, V> Cache<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, kept: Mutex::new(Kept { entries: BTreeMap::new(), weight: 0, now: 0 }) }
    }

    /// The value of a key. It is made outside of the lock: two threads may make the same one, and nobody waits for another.
    pub(crate) fn get<E>(
        &self,
        key: &K,
        make: impl FnOnce() -> Result<V, E>,
        weigh: impl FnOnce(&V) -> usize,
    ) -> Result<Arc<V>, E> {
        if let Some(value) = self.kept().find(key) {
            return Ok(value);
        }
        let value = Arc::new(make()?);
        let weight = weigh(&value);
        if weight <= self.limit {
            self.kept().keep(key.clone(), weight, Arc::clone(&value), self.limit);
        }
        Ok(value)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept<K, V>> {
        // Nothing in there is ever half done when something panics.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord + Clone, V> Kept<K, V> {
    fn find(&mut self, key: &K) -> Option<Arc<V>> {
        self.now += 1;
        let entry = self.entries.get_mut(key)?;
        entry.used = self.now;
        Some(Arc::clone(&entry.value))
    }

    fn keep(&mut self, key: K, weight: usize, value: Arc<V>, limit: usize) {
        self.weight += weight;
        if let Some(before) = self.entries.insert(key, Entry { used: self.now, weight, value }) {
            self.weight -= before.weight;
        }
        while self.weight > limit {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            let Some(entry) = oldest.and_then(|key| self.entries.remove(&key)) else { return };
            self.weight -= entry.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(cache: &Cache<u32, u32>, key: u32, made: &mut u32) -> u32 {
        let make = || {
            *made += 1;
            Ok::<_, ()>(key * 10)
        };
        cache.get(&key, make, |_| 1).map_or(0, |value| *value)
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let (cache, mut made) = (Cache::new(2), 0);
        for (key, so_far) in [(1, 1), (2, 2), (1, 2), (3, 3), (1, 3), (2, 4), (3, 5)] {
            assert_eq!(get(&cache, key, &mut made), key * 10);
            assert_eq!(made, so_far, "{key}");
        }
    }

    #[test]
    fn what_is_too_heavy_or_fails_is_not_kept() {
        let cache: Cache<u32, u32> = Cache::new(2);
        for _ in 0..2 {
            assert_eq!(cache.get(&1, || Err("no"), |_| 1), Err("no"));
            assert_eq!(cache.get(&2, || Ok::<_, ()>(5), |_| 3).map(|value| *value), Ok(5));
        }
        assert_eq!(cache.kept().entries.len(), 0);
    }
}
