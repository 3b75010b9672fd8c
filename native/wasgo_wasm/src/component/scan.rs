//! Whether a component may run on its caller's thread at all: what its modules' code could do between two checks of the epoch
//! ([`Bulk`]), and whether anything is copied by others than its own code.

use wasmparser::{CanonicalFunction, Instance, Parser, Payload};

use crate::bulk::Bulk;

/// Instances of modules that are made on a caller's thread: each takes some microseconds.
const INLINE_INSTANCES: usize = 16;

/// What was found in a component.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scan {
    /// The largest memory with which its functions may run on a caller's thread; none if they never may.
    pub(super) inline_memory: Option<u64>,
    /// Bytes of memory that it begins with, as far as is known beforehand.
    pub(super) initial_memory: u64,
}

impl Scan {
    /// Reads a component that is known to be valid. Anything unreadable never runs on a caller's thread.
    pub(super) fn of(wasm: &[u8]) -> Self {
        let bulk = Bulk::of(wasm);
        match parts(wasm) {
            Ok(parts) => Self {
                // What a component lowers is a function of its host or of another component in it: copies between two
                // memories, as long as the guest likes and not interruptible.
                inline_memory: if parts.lowers { None } else { bulk.inline_memory() },
                // A module may be instantiated many times.
                initial_memory: match parts.instances {
                    0..=INLINE_INSTANCES => bulk.initial_memory.saturating_mul(parts.instances as u64),
                    _ => u64::MAX,
                },
            },
            Err(_) => Self::default(),
        }
    }
}

#[derive(Default)]
struct Parts {
    lowers: bool,
    instances: usize,
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
                    parts.instances += usize::from(matches!(instance?, Instance::Instantiate { .. }));
                }
            }
            _ => {}
        }
    }
    Ok(parts)
}
