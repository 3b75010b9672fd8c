//! What a WASI program is given: pipes, arguments, and of directories, clock and randomness what was granted.
//!
//! Paths are resolved beneath the directory that they start from: nothing outside of it can be named, by `..`, by an absolute
//! path or through a symbolic link.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tokio::runtime::{Builder, Handle, Runtime};
use wasmtime::{Caller, Linker, Trap};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::{FsPerms, HostWallClock, I32Exit, WasiCtxBuilder, WasiView};

use crate::background::enter_background;
use crate::error::{Error, LimitKind};
use crate::executor::yield_to_pool;
use crate::grants::Seed;
use crate::limits::Limiter;
use crate::pipe::{Input, Output};
use crate::service::ServiceOptions;

/// The module name that a WASI program's imports bear.
pub(crate) const WASI_MODULE: &str = "wasi_snapshot_preview1";

/// What a program has open at once: its three streams, its directories, files, and for the time of a wait the events waited
/// for. A server's programs share the host's own descriptors, of which there are a few thousand at least.
pub(crate) const DESCRIPTORS: usize = 256;

/// Arguments and variables of a program: WASI's functions copy them at each call, in one go.
const ARGUMENTS: usize = 4_096;

/// Bytes of arguments and variables, with the zeros that end them. Linux gives an argument 128 KiB.
const ARGUMENT_BYTES: usize = 256 << 10;

/// Threads that wait for file systems. Programs whose turn has not come wait for one without holding a worker.
const FILE_THREADS: usize = 8;

/// Random bytes made at a time.
const RANDOM_CHUNK: usize = 64 << 10;

/// A directory of the host that a program may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Its path on the host.
    pub host: String,
    /// The path by which the program knows it.
    pub guest: String,
    /// Whether the program may change what is in it.
    pub writable: bool,
}

/// A program's random generator.
pub(crate) enum RandomSource {
    System,
    Seeded(Box<ChaCha8Rng>),
}

impl From<Seed> for RandomSource {
    fn from(seed: Seed) -> Self {
        match seed {
            Seed::System => Self::System,
            Seed::Fixed(seed) => Self::Seeded(Box::new(ChaCha8Rng::seed_from_u64(seed))),
        }
    }
}

impl RandomSource {
    fn fill(&mut self, bytes: &mut [u8]) -> wasmtime::Result<()> {
        match self {
            Self::System => getrandom::fill(bytes).map_err(|error| wasmtime::Error::msg(error.to_string())),
            Self::Seeded(generator) => {
                generator.fill_bytes(bytes);
                Ok(())
            }
        }
    }
}

/// What a program's store holds beside the program.
pub(crate) struct ServiceHost {
    pub(crate) wasi: WasiP1Ctx,
    pub(crate) limiter: Limiter,
    pub(crate) random: RandomSource,
}

/// A clock on the wall that stands still.
struct Stopped;

impl HostWallClock for Stopped {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

/// A program's context, with its directories opened.
pub(crate) fn context(
    options: &ServiceOptions,
    input: Input,
    stdout: Output,
    stderr: Output,
) -> Result<WasiP1Ctx, Error> {
    check(options)?;
    let mut builder = WasiCtxBuilder::new();
    builder
        .args(&options.arguments)
        .envs(&options.environment)
        .stdin(input)
        .stdout(stdout)
        .stderr(stderr)
        .allow_tcp(false)
        .allow_udp(false);
    if !options.clock {
        builder.wall_clock(Stopped);
    }
    for directory in &options.directories {
        let access = if directory.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
        builder
            .preopened_dir(Path::new(&directory.host), &directory.guest, access)
            .map_err(|error| unopened(directory, &error))?;
    }
    let mut wasi = builder.build_p1();
    wasi.ctx().table.set_max_capacity(DESCRIPTORS);
    Ok(wasi)
}

fn check(options: &ServiceOptions) -> Result<(), Error> {
    let within = |kind, limit: usize, asked: usize| {
        if asked <= limit { Ok(()) } else { Err(Error::Limit { kind, limit: limit as u64, asked: Some(asked as u64) }) }
    };
    let arguments = options.arguments.iter().map(|argument| argument.len() + 1);
    let variables = options.environment.iter().map(|(name, value)| name.len() + value.len() + 2);
    within(LimitKind::Arguments, ARGUMENTS, arguments.len() + variables.len())?;
    within(LimitKind::ArgumentBytes, ARGUMENT_BYTES, arguments.chain(variables).sum())?;
    within(LimitKind::Descriptors, DESCRIPTORS, options.directories.len() + 3)
}

fn unopened(directory: &Directory, error: &wasmtime::Error) -> Error {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    let reason = match kind {
        Some(ErrorKind::NotFound) => "enoent",
        Some(ErrorKind::PermissionDenied) => "eacces",
        Some(ErrorKind::NotADirectory) => "enotdir",
        Some(ErrorKind::InvalidFilename) => "enametoolong",
        Some(ErrorKind::InvalidInput) => "einval",
        _ => "eio",
    };
    Error::Directory { path: directory.host.clone(), reason, message: error.to_string() }
}

/// WASI's functions, two of them our own: a program may end with any status, and its random bytes are made in pieces.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<ServiceHost>> {
    let mut linker = Linker::new(engine);
    p1::add_to_linker_async(&mut linker, |host: &mut ServiceHost| &mut host.wasi)?;
    linker.allow_shadowing(true);
    linker
        .func_wrap(WASI_MODULE, "proc_exit", |status: i32| -> wasmtime::Result<()> { Err(I32Exit(status).into()) })?;
    linker.func_wrap_async(
        WASI_MODULE,
        "random_get",
        |mut caller: Caller<'_, ServiceHost>, (pointer, length): (u32, u32)| {
            Box::new(async move { random_get(&mut caller, pointer as usize, length as usize).await })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(linker)
}

/// Fills a program's memory with random bytes; answers WASI's number for success.
async fn random_get(caller: &mut Caller<'_, ServiceHost>, pointer: usize, length: usize) -> wasmtime::Result<u32> {
    let Some(memory) = caller.get_export("memory").and_then(|export| export.into_memory()) else {
        return Err(wasmtime::Error::msg("the program exports no memory"));
    };
    let end = pointer + length;
    if end > memory.data_size(&*caller) {
        return Err(Trap::MemoryOutOfBounds.into());
    }
    let mut at = pointer;
    while at < end {
        let next = end.min(at + RANDOM_CHUNK);
        let (data, host) = memory.data_and_store_mut(&mut *caller);
        let Some(bytes) = data.get_mut(at..next) else { return Err(Trap::MemoryOutOfBounds.into()) };
        host.random.fill(bytes)?;
        at = next;
        if at < end {
            yield_to_pool().await;
        }
    }
    Ok(0)
}

/// The runtime of WASI's clocks and files: one thread for the clocks, a few that wait for file systems.
pub(crate) fn runtime() -> Result<&'static Handle, Error> {
    static RUNTIME: OnceLock<Result<Runtime, Error>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(FILE_THREADS)
            .thread_name("wasgo-wasi")
            .on_thread_start(enter_background)
            .enable_time()
            .build()
            .map_err(Error::engine)
    });
    made.as_ref().map(Runtime::handle).map_err(Clone::clone)
}

/// Polls a future where WASI finds the runtime that its clocks and files need.
pub(crate) struct InRuntime<F> {
    runtime: &'static Handle,
    future: Pin<Box<F>>,
}

impl<F> InRuntime<F> {
    pub(crate) fn new(future: F) -> Result<Self, Error> {
        Ok(Self { runtime: runtime()?, future: Box::pin(future) })
    }
}

impl<F: Future> Future for InRuntime<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _within = self.runtime.enter();
        self.future.as_mut().poll(context)
    }
}
