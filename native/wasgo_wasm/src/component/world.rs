//! The empty world that a component gets which asks for WASI: tool-chains link it into every program, used or not.
//!
//! No arguments, environment, files or network. Standard input is at its end; what goes to standard output and error is kept in a
//! small buffer, for error messages. Time stands still and randomness is not random, unless granted.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder};

use crate::grants::{Grants, Seed};

/// Bytes of what a guest wrote that are kept, the last ones: enough for a panic's words.
const KEPT_OUTPUT: usize = 2 << 10;

/// Bytes that one write to an output may have.
const WRITE_SIZE: usize = 4 << 10;

/// Random bytes that a guest may ask for at once.
const MAX_RANDOM: u64 = 1 << 20;

/// Pseudorandom bytes made of a seed. A guest that asks for more gets them again from the beginning.
const SEEDED_BYTES: usize = 64 << 10;

/// Nanoseconds that the clock without time goes on with each look: programs that wait for it to move do not wait for ever.
const FAKE_STEP: u64 = 1_000;

/// What a component is given of WASI.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    /// The real time. Without it the wall clock shows 1970, and the monotonic clock counts how often it was looked at.
    pub(super) clock: bool,
    /// Where random numbers begin: at a fixed seed, unless granted.
    pub(super) random: Option<Seed>,
}

impl Given {
    pub(super) fn of(grants: &Grants) -> Self {
        Self { clock: grants.clock, random: grants.random }
    }

    /// Whether random numbers can begin anew: those of a seed that was granted.
    pub(super) fn has_seed(self) -> bool {
        matches!(self.random, Some(Seed::Fixed(_)))
    }
}

/// WASI for one instance.
pub(super) struct World {
    pub(super) ctx: WasiCtx,
    pub(super) table: ResourceTable,
    pub(super) output: Captured,
}

impl World {
    /// Random numbers of a seed are those of a stream, whose number tells calls and rows apart.
    pub(super) fn new(given: Given, stream: u64) -> Self {
        let output = Captured::default();
        let mut builder = WasiCtxBuilder::new();
        builder
            .stdout(output.clone())
            .stderr(output.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        if !given.clock {
            builder.wall_clock(NoTime::default()).monotonic_clock(NoTime::default());
        }
        add_random(&mut builder, given.random, stream);
        Self { ctx: builder.build(), table: ResourceTable::new(), output }
    }

    /// Begins the random numbers anew.
    pub(super) fn restart_random(&mut self, given: Given, stream: u64) {
        let mut builder = WasiCtxBuilder::new();
        add_random(&mut builder, given.random, stream);
        std::mem::swap(self.ctx.random(), builder.build().random());
    }
}

fn add_random(builder: &mut WasiCtxBuilder, random: Option<Seed>, stream: u64) {
    builder.max_random_size(MAX_RANDOM);
    let seed = match random {
        Some(Seed::System) => return,
        Some(Seed::Fixed(seed)) => seed,
        None => 0,
    };
    let mut generator = ChaCha12Rng::seed_from_u64(seed);
    generator.set_stream(stream);
    let mut bytes = || {
        let mut bytes = vec![0; SEEDED_BYTES];
        generator.fill_bytes(&mut bytes);
        Deterministic::new(bytes)
    };
    builder.secure_random(bytes()).insecure_random(bytes());
    let high = u128::from(generator.next_u64()) << 64;
    builder.insecure_random_seed(high | u128::from(generator.next_u64()));
}

/// A clock that does not tell the time.
#[derive(Default)]
struct NoTime(AtomicU64);

impl HostWallClock for NoTime {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for NoTime {
    fn resolution(&self) -> u64 {
        FAKE_STEP
    }

    fn now(&self) -> u64 {
        self.0.fetch_add(FAKE_STEP, Ordering::Relaxed)
    }
}

/// The end of what a guest wrote to its standard output and error.
#[derive(Clone, Default)]
pub(super) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was written before.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// Adds what was written to an error's message.
    pub(super) fn explain(&self, message: &mut String) {
        let written = self.lock();
        let text = String::from_utf8_lossy(&written);
        let text = text.trim();
        if !text.is_empty() {
            // Writing to a string can't fail.
            let _ = write!(message, "; it wrote: {text}");
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Captured {
    async fn ready(&mut self) {}
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Captured {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut written = self.lock();
        written.extend_from_slice(&bytes);
        let over = written.len().saturating_sub(KEPT_OUTPUT);
        written.drain(..over);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_SIZE)
    }
}

impl IsTerminal for Captured {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Captured {
    /// Only later previews of WASI write by this way, and none is linked.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}
