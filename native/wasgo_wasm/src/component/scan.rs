//! Whether a component may run on its caller's thread at all: what its modules' code could do between two checks of the epoch
//! ([`Bulk`]), and whether anything is copied by others than its own code.

use wasmparser::{CanonicalFunction, Instance, Parser, Payload};

use crate::bulk::Bulk;
use crate::limits::Limits;

/// Instances of modules that are made on a caller's thread: each takes some microseconds.
const INLINE_INSTANCES: u64 = 16;

/// Bytes of a scan that is written down, after those of its [`Bulk`].
const NOTES: usize = 9;

/// What was found in a component.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan {
    bulk: Bulk,
    parts: Parts,
}

impl Scan {
    /// Reads a component that is known to be valid. Anything unreadable never runs on a caller's thread.
    pub(super) fn of(wasm: &[u8]) -> Self {
        Self { bulk: Bulk::of(wasm), parts: parts(wasm).unwrap_or(Parts::UNBOUNDED) }
    }

    /// The largest memory with which its functions may run on a caller's thread; none if they never may.
    pub(super) fn inline_memory(&self, limits: &Limits) -> Option<u64> {
        // What a component lowers is a function of its host or of another component in it: copies between two memories, as long as the
        // guest likes and not interruptible.
        if self.parts.lowers { None } else { self.bulk.inline_memory(limits) }
    }

    /// Whether an instance may be made on a caller's thread.
    pub(super) fn starts_inline(&self, limits: &Limits) -> bool {
        // A module may be instantiated many times.
        let memory = self.bulk.initial_memory.saturating_mul(self.parts.instances);
        self.parts.instances <= INLINE_INSTANCES
            && self.bulk.starts_inline(limits)
            && self.inline_memory(limits).is_some_and(|most| most >= memory)
    }

    /// For the cache's notes.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.bulk.to_bytes().to_vec();
        bytes.push(self.parts.lowers.into());
        bytes.extend_from_slice(&self.parts.instances.to_le_bytes());
        bytes
    }

    /// What [`Self::to_bytes`] wrote; after anything else it never runs on a caller's thread.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let (bulk, parts) = bytes.split_at(bytes.len().saturating_sub(NOTES));
        let parts = match parts.split_first() {
            Some((lowers, instances)) if instances.len() == NOTES - 1 => {
                Parts { lowers: *lowers != 0, instances: instances.try_into().map_or(u64::MAX, u64::from_le_bytes) }
            }
            _ => Parts::UNBOUNDED,
        };
        Self { bulk: Bulk::from_bytes(bulk), parts }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Parts {
    /// Whether functions are lowered.
    lowers: bool,
    /// How many instances of modules it makes.
    instances: u64,
}

impl Parts {
    const UNBOUNDED: Self = Self { lowers: true, instances: u64::MAX };
}

fn parts(wasm: &[u8]) -> wasmparser::Result<Parts> {
    let mut parts = Parts::default();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    parts.lowers |= matches!(function?, CanonicalFunction::Lower { .. });
                }
            }
            Payload::InstanceSection(instances) => {
                for instance in instances {
                    parts.instances += u64::from(matches!(instance?, Instance::Instantiate { .. }));
                }
            }
            _ => {}
        }
    }
    Ok(parts)
}
