//! Random numbers: `random() -> i64` and `random_fill(pointer: i32, length: i32)`, by ChaCha8: the same numbers from the same seed
//! on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use wasmtime::{Caller, Linker};

use super::{MODULE, memory};
use crate::core::Host;

/// Bytes that one call of `random_fill` fills at most: more would hold the caller's thread.
const MAX_FILL: u32 = 64 << 10;

/// Where random numbers begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    /// The same each time.
    Fixed(u64),
    /// Another each time, from the system.
    System,
}

pub(super) struct Random {
    numbers: ChaCha8Rng,
    seed: Seed,
}

impl Random {
    pub(super) fn new(seed: Seed) -> Self {
        let numbers = match seed {
            Seed::Fixed(seed) => ChaCha8Rng::seed_from_u64(seed),
            Seed::System => {
                let mut bytes = [0; 32];
                // A system without randomness is broken; the numbers are then those of the seed 0.
                let _ = getrandom::fill(&mut bytes);
                ChaCha8Rng::from_seed(bytes)
            }
        };
        Self { numbers, seed }
    }

    pub(super) fn restart(&mut self, stream: u64) {
        if let Seed::Fixed(seed) = self.seed {
            self.numbers = ChaCha8Rng::seed_from_u64(seed);
            self.numbers.set_stream(stream);
        }
    }
}

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(MODULE, "random", |mut caller: Caller<'_, Host>| -> i64 {
        let random = caller.data_mut().granted.as_mut().and_then(|granted| granted.random.as_mut());
        random.map_or(0, |random| random.numbers.next_u64() as i64)
    })?;
    linker.func_wrap(MODULE, "random_fill", |mut caller: Caller<'_, Host>, pointer: u32, length: u32| {
        if length > MAX_FILL {
            let message = format!("it fills {MAX_FILL} bytes at most, and was asked for {length}");
            let error = crate::error::Error::import("wasgo.random_fill", message);
            return Err(crate::host_call::fail(&mut caller, error));
        }
        let (memory, range) = memory::place(&mut caller, "wasgo.random_fill", pointer, length)?;
        let (data, host) = memory.data_and_store_mut(&mut caller);
        if let Some(random) = host.granted.as_mut().and_then(|granted| granted.random.as_mut()) {
            random.numbers.fill_bytes(&mut data[range]);
        }
        wasmtime::Result::Ok(())
    })?;
    Ok(())
}
