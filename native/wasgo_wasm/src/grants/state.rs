//! Keys and values that outlive a call, in memory: `state_get`, `state_set`, `state_delete`.
//!
//! What a call changes holds when it succeeds; a call that traps or is stopped has changed nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::{Caller, Linker};

use super::{MODULE, memory};
use crate::core::Host;

/// Bytes of a key.
pub(crate) const MAX_KEY: usize = 1 << 10;

/// Bytes of a value: copying more would hold the caller's thread.
pub(crate) const MAX_VALUE: usize = 256 << 10;

/// What a script's keys and values may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyValuesLimits {
    /// Bytes of all keys and values together. Default 1 MiB.
    pub bytes: usize,
    /// Keys. Default 4,096.
    pub keys: usize,
}

impl Default for KeyValuesLimits {
    fn default() -> Self {
        Self { bytes: 1 << 20, keys: 4_096 }
    }
}

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Default)]
struct Kept {
    map: Map,
    bytes: usize,
}

impl Kept {
    /// Sets a key, or takes it away; says whether there was room.
    fn put(&mut self, limits: &KeyValuesLimits, key: &[u8], value: Option<Vec<u8>>) -> bool {
        let before = self.map.get(key).map_or(0, |value| key.len() + value.len());
        let Some(value) = value else {
            self.map.remove(key);
            self.bytes -= before;
            return true;
        };
        let bytes = self.bytes - before + key.len() + value.len();
        if bytes > limits.bytes || (before == 0 && !self.map.contains_key(key) && self.map.len() >= limits.keys) {
            return false;
        }
        self.map.insert(key.to_vec(), value);
        self.bytes = bytes;
        true
    }
}

/// A script's keys and values; clones are handles on the same ones, which any number of instances may use at once.
#[derive(Clone, Default)]
pub struct KeyValues {
    kept: Arc<Mutex<Kept>>,
    limits: KeyValuesLimits,
}

impl KeyValues {
    /// None yet, with limits.
    pub fn new(limits: KeyValuesLimits) -> Self {
        Self { kept: Arc::default(), limits }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.kept().map.get(key).cloned()
    }

    /// Sets a key, or takes it away; says whether there was room.
    pub fn put(&self, key: &[u8], value: Option<Vec<u8>>) -> bool {
        key.len() <= MAX_KEY
            && value.as_ref().is_none_or(|value| value.len() <= MAX_VALUE)
            && self.kept().put(&self.limits, key, value)
    }

    /// Sets all keys and values, in place of those that there are; says whether there was room, and leaves none if there was not.
    pub fn replace(&self, entries: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> bool {
        let mut kept = self.kept();
        *kept = Kept::default();
        for (key, value) in entries {
            if key.len() > MAX_KEY || value.len() > MAX_VALUE || !kept.put(&self.limits, &key, Some(value)) {
                *kept = Kept::default();
                return false;
            }
        }
        true
    }

    /// All keys and values, in the order of the keys.
    pub fn all(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.kept().map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Bytes of all keys and values together.
    pub fn bytes(&self) -> usize {
        self.kept().bytes
    }
}

/// A call's view: what it wrote over what is kept.
pub(crate) struct Session {
    values: KeyValues,
    written: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Bytes and keys that there are more, or fewer, by what was written.
    bytes: i64,
    keys: i64,
}

impl Session {
    pub(super) fn new(values: KeyValues) -> Self {
        Self { values, written: BTreeMap::new(), bytes: 0, keys: 0 }
    }

    /// Looks at the value of a key.
    pub(crate) fn with<T>(&self, key: &[u8], then: impl FnOnce(Option<&[u8]>) -> T) -> T {
        match self.written.get(key) {
            Some(value) => then(value.as_deref()),
            None => then(self.values.kept().map.get(key).map(Vec::as_slice)),
        }
    }

    /// Sets a key, or takes it away. Says whether there was room; whether there still is when the call ends depends on others.
    pub(crate) fn write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) -> bool {
        let limits = self.values.limits;
        let size = |value: &[u8]| (key.len() + value.len()) as i64;
        let (held, keys, kept) = {
            let kept = self.values.kept();
            (kept.bytes as i64, kept.map.len() as i64, kept.map.get(&key).map(|value| size(value)))
        };
        let before = match self.written.get(&key) {
            Some(value) => value.as_deref().map(size),
            None => kept,
        };
        let after = value.as_deref().map(size);
        let bytes = after.unwrap_or(0) - before.unwrap_or(0);
        let more = i64::from(after.is_some()) - i64::from(before.is_some());
        let full = bytes > 0 && held + self.bytes + bytes > limits.bytes as i64
            || more > 0 && keys + self.keys + more > limits.keys as i64
            // Others may take away what this call has seen, again and again.
            || self.written.len() >= 2 * limits.keys && !self.written.contains_key(&key);
        if value.is_some() && full {
            return false;
        }
        self.bytes += bytes;
        self.keys += more;
        if value.is_none() && kept.is_none() {
            // Nothing is there to be taken away in the end.
            self.written.remove(&key);
        } else {
            self.written.insert(key, value);
        }
        true
    }

    pub(super) fn end(&mut self, succeeded: bool) {
        (self.bytes, self.keys) = (0, 0);
        if self.written.is_empty() {
            return;
        }
        let written = std::mem::take(&mut self.written);
        if succeeded {
            let mut kept = self.values.kept();
            // What is taken away makes room for what is set.
            for (key, _) in written.iter().filter(|(_, value)| value.is_none()) {
                kept.put(&self.values.limits, key, None);
            }
            for (key, value) in written {
                if value.is_some() {
                    kept.put(&self.values.limits, &key, value);
                }
            }
        }
    }
}

/// - `state_get(key, key_length, out, capacity) -> i32`: the value's length, or -1 if there is none; it is written to `out` if it fits.
/// - `state_set(key, key_length, value, value_length) -> i32`: 1, or 0 when there is no room.
/// - `state_delete(key, key_length)`.
pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "state_get",
        |mut caller: Caller<'_, Host>, key: u32, length: u32, out: u32, capacity: u32| {
            let key = memory::read(&mut caller, "wasgo.state_get", key, length, MAX_KEY)?;
            let (memory, range) = memory::place(&mut caller, "wasgo.state_get", out, capacity)?;
            let (data, host) = memory.data_and_store_mut(&mut caller);
            let Some(session) = host.granted.as_ref().and_then(|granted| granted.state.as_ref()) else { return Ok(-1) };
            wasmtime::Result::Ok(session.with(&key, |value| match value {
                Some(value) => {
                    if let Some(room) = data[range].get_mut(..value.len()) {
                        room.copy_from_slice(value);
                    }
                    value.len() as i32
                }
                None => -1,
            }))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "state_set",
        |mut caller: Caller<'_, Host>, key: u32, length: u32, value: u32, value_length: u32| {
            let key = memory::read(&mut caller, "wasgo.state_set", key, length, MAX_KEY)?;
            let value = memory::read(&mut caller, "wasgo.state_set", value, value_length, MAX_VALUE)?;
            let session = caller.data_mut().granted.as_mut().and_then(|granted| granted.state.as_mut());
            wasmtime::Result::Ok(i32::from(session.is_some_and(|session| session.write(key, Some(value)))))
        },
    )?;
    linker.func_wrap(MODULE, "state_delete", |mut caller: Caller<'_, Host>, key: u32, length: u32| {
        let key = memory::read(&mut caller, "wasgo.state_delete", key, length, MAX_KEY)?;
        let session = caller.data_mut().granted.as_mut().and_then(|granted| granted.state.as_mut());
        if let Some(session) = session {
            session.write(key, None);
        }
        wasmtime::Result::Ok(())
    })?;
    Ok(())
}
