//! What a WASI program is given: pipes, arguments, and of directories, clock and randomness what was granted.
//!
//! Paths are resolved beneath the directory that they start from: nothing outside of it can be named, by `..`, by an absolute
//! path or through a symbolic link.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tokio::runtime::{Builder, Handle, Runtime};
use wasmtime::{AsContextMut, Caller, Linker, Trap};
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self, WasiSnapshotPreview1};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::{FsPerms, HostMonotonicClock, I32Exit, WasiCtxBuilder, WasiView};
use wiggle::GuestMemory;

mod clock;
mod console;
mod guest;
mod poll;
mod quota;
mod sockets;

use crate::background::enter_background;
use crate::engine::Engine;
use crate::error::{Error, LimitKind};
use crate::executor::yield_to_pool;
use crate::grants::Seed;
use crate::limits::Limiter;
use crate::service::ServiceOptions;
pub use clock::Clock;
pub(crate) use console::Console;
pub(crate) use guest::Part;
use guest::{Answer, Errno};
use quota::Quota;
pub(crate) use sockets::Sockets;
use sockets::Way;
pub use sockets::{Cable, listener};

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

/// WASI's flags of opening what is made if it is not there, and what must not be there.
const CREATE: u32 = 1;
const EXCLUSIVE: u32 = 4;

/// WASI's number for what is not there.
const NO_ENTRY: i32 = 44;

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
    pub(crate) console: Console,
    pub(crate) sockets: Option<Sockets>,
    pub(crate) engine: Engine,
    clock: Clock,
    monotonic: Monotonic,
    quota: Option<Quota>,
    looks: poll::Looks,
}

/// The time since a program's start.
#[derive(Clone, Copy)]
struct Monotonic(Instant);

impl Monotonic {
    fn now(self) -> Duration {
        self.0.elapsed()
    }
}

impl HostMonotonicClock for Monotonic {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl ServiceHost {
    /// A program's host, with its directories opened.
    pub(crate) fn new(
        engine: &Engine,
        options: ServiceOptions,
        console: Console,
        cable: Option<std::sync::Arc<dyn Cable>>,
    ) -> Result<Self, Error> {
        let monotonic = Monotonic(Instant::now());
        let writable = options.directories.iter().filter(|directory| directory.writable);
        let roots = writable.map(|directory| directory.host.clone().into()).collect();
        Ok(Self {
            wasi: context(&options, monotonic)?,
            quota: options.quota.map(|limit| Quota::new(limit, roots)),
            sockets: cable.map(|cable| Sockets::new(cable, !options.directories.is_empty())),
            limiter: Limiter::new(options.limits, 0),
            random: options.random.into(),
            console,
            engine: engine.clone(),
            clock: options.clock,
            monotonic,
            looks: poll::Looks::default(),
        })
    }

    fn has_socket(&self, descriptor: u32) -> bool {
        self.sockets.as_ref().is_some_and(|sockets| sockets.has(descriptor))
    }

    fn has_connection(&self, descriptor: u32) -> bool {
        self.sockets.as_ref().is_some_and(|sockets| sockets.is_connection(descriptor))
    }
}

/// What [`wasmtime_wasi`] knows of a program, with its directories opened.
fn context(options: &ServiceOptions, monotonic: Monotonic) -> Result<WasiP1Ctx, Error> {
    check(options)?;
    let mut builder = WasiCtxBuilder::new();
    builder
        .args(&options.arguments)
        .envs(&options.environment)
        .wall_clock(options.clock)
        .monotonic_clock(monotonic)
        .allow_tcp(false)
        .allow_udp(false);
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

/// The answer of one of WASI's functions as the number that a program gets. One that points at what is not its own traps.
fn number(answer: Answer<()>) -> wasmtime::Result<i32> {
    match answer {
        Ok(()) => Ok(Errno::Success as i32),
        Err(Errno::Fault) => Err(wasmtime::Error::msg("Pointer out of bounds of the program's memory")),
        Err(error) => Ok(error as i32),
    }
}

/// Has [`wasmtime_wasi`]'s own function do it.
macro_rules! theirs {
    ($caller:ident, $function:ident, $($argument:expr),*) => {{
        let memory = guest::memory(&mut $caller)?;
        let fuel = $caller.as_context_mut().hostcall_fuel();
        let (data, host) = guest::split(&mut $caller, memory);
        host.wasi.set_hostcall_fuel(fuel);
        let mut data = GuestMemory::Unshared(data);
        wasi_snapshot_preview1::$function(&mut host.wasi, &mut data, $($argument.cast_signed()),*).await
    }};
}

/// WASI's functions. Our own are those of the standard streams, of sockets and of waiting; a program may end with any status, and
/// its random bytes are made in pieces.
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
    streams(&mut linker)?;
    descriptors(&mut linker)?;
    storage(&mut linker)?;
    network(&mut linker)?;
    linker.func_wrap_async(
        WASI_MODULE,
        "poll_oneoff",
        |mut caller: Caller<'_, ServiceHost>, (subscriptions, events, count, size): (u32, u32, u32, u32)| {
            Box::new(async move { poll::poll(&mut caller, subscriptions, events, count, size).await.and_then(number) })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(linker)
}

/// Reading and writing.
fn streams(linker: &mut Linker<ServiceHost>) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        WASI_MODULE,
        "fd_read",
        |mut caller: Caller<'_, ServiceHost>, (fd, list, count, size): (u32, u32, u32, u32)| {
            Box::new(async move {
                if fd == 0 && caller.data().console.has(fd) {
                    return console::read(&mut caller, list, count, size).await.and_then(number);
                }
                if caller.data().has_connection(fd) {
                    return sockets::transfer(&mut caller, Way::ToProgram, list, count, size).await.and_then(number);
                }
                theirs!(caller, fd_read, fd, list, count, size)
            })
        },
    )?;
    linker.func_wrap_async(
        WASI_MODULE,
        "fd_write",
        |mut caller: Caller<'_, ServiceHost>, (fd, list, count, size): (u32, u32, u32, u32)| {
            Box::new(async move {
                if caller.data().console.has(fd) {
                    return console::write(&mut caller, fd, list, count, size).await.and_then(number);
                }
                if caller.data().has_connection(fd) {
                    return sockets::transfer(&mut caller, Way::FromProgram, list, count, size).await.and_then(number);
                }
                if let Err(error) = account(&mut caller, Stored::Parts(list, count)).await? {
                    return number(Err(error));
                }
                theirs!(caller, fd_write, fd, list, count, size)
            })
        },
    )?;
    Ok(())
}

/// The state and the end of descriptors.
fn descriptors(linker: &mut Linker<ServiceHost>) -> wasmtime::Result<()> {
    linker.func_wrap_async(WASI_MODULE, "fd_close", |mut caller: Caller<'_, ServiceHost>, (fd,): (u32,)| {
        Box::new(async move {
            let host = caller.data_mut();
            host.console.let_go(fd);
            if let Some(sockets) = host.sockets.as_mut().filter(|sockets| sockets.has(fd)) {
                sockets.close(fd);
                return Ok(Errno::Success as i32);
            }
            theirs!(caller, fd_close, fd)
        })
    })?;
    linker.func_wrap_async(
        WASI_MODULE,
        "fd_renumber",
        |mut caller: Caller<'_, ServiceHost>, (from, to): (u32, u32)| {
            Box::new(async move {
                let host = caller.data_mut();
                if host.console.has(from) || host.has_socket(from) || host.has_socket(to) {
                    return Ok(if from == to { Errno::Success } else { Errno::NotSupported } as i32);
                }
                let renumbered = theirs!(caller, fd_renumber, from, to)?;
                if renumbered == 0 {
                    caller.data_mut().console.let_go(to);
                }
                Ok(renumbered)
            })
        },
    )?;
    linker.func_wrap_async(
        WASI_MODULE,
        "fd_fdstat_get",
        |mut caller: Caller<'_, ServiceHost>, (fd, status): (u32, u32)| {
            Box::new(async move {
                let host = caller.data();
                let found = match &host.sockets {
                    _ if host.console.has(fd) => Some(host.console.status(fd)),
                    Some(sockets) if sockets.has(fd) => Some(sockets.status(fd)),
                    _ => None,
                };
                match found {
                    Some(found) => {
                        let memory = guest::memory(&mut caller)?;
                        number(guest::put(memory.data_mut(&mut caller), status, &found))
                    }
                    None => theirs!(caller, fd_fdstat_get, fd, status),
                }
            })
        },
    )?;
    linker.func_wrap_async(
        WASI_MODULE,
        "fd_fdstat_set_flags",
        |mut caller: Caller<'_, ServiceHost>, (fd, flags): (u32, u32)| {
            Box::new(async move {
                let host = caller.data_mut();
                if host.console.has(fd) {
                    host.console.set_flags(fd, flags as u16);
                    return Ok(Errno::Success as i32);
                }
                if let Some(sockets) = host.sockets.as_mut().filter(|sockets| sockets.has(fd)) {
                    sockets.set_flags(fd, flags as u16);
                    return Ok(Errno::Success as i32);
                }
                let memory = guest::memory(&mut caller)?;
                let (data, host) = guest::split(&mut caller, memory);
                let mut data = GuestMemory::Unshared(data);
                let (fd, flags) = (fd.cast_signed(), flags.cast_signed());
                wasi_snapshot_preview1::fd_fdstat_set_flags(&mut host.wasi, &mut data, fd, flags)
            })
        },
    )?;
    Ok(())
}

/// What a program is about to store.
enum Stored {
    /// The first of some parts of its memory that is not empty: more is not written by one call.
    Parts(u32, u32),
    Bytes(u64),
    /// A file, directory or link.
    Entry,
}

/// Counts what is stored, if there is a limit.
async fn account(caller: &mut Caller<'_, ServiceHost>, stored: Stored) -> wasmtime::Result<Answer<()>> {
    if caller.data().quota.is_none() {
        return Ok(Ok(()));
    }
    let memory = guest::memory(caller)?;
    let (data, host) = guest::split(caller, memory);
    let Some(quota) = &mut host.quota else { return Ok(Ok(())) };
    let bytes = match stored {
        Stored::Entry => return Ok(quota.take_entry().await),
        Stored::Bytes(bytes) => bytes,
        Stored::Parts(list, count) => match guest::parts(data, list, count, usize::MAX) {
            Ok(parts) => parts.first().map_or(0, |part| part.length as u64),
            Err(error) => return Ok(Err(error)),
        },
    };
    Ok(quota.take(bytes).await)
}

/// What fills directories.
fn storage(linker: &mut Linker<ServiceHost>) -> wasmtime::Result<()> {
    /// Has [`wasmtime_wasi`] do it if what it stores may be stored.
    macro_rules! counted {
        ($name:ident, $stored:expr, |$($argument:ident: $type:ty),*|) => {
            linker.func_wrap_async(
                WASI_MODULE,
                stringify!($name),
                |mut caller: Caller<'_, ServiceHost>, ($($argument,)*): ($($type,)*)| {
                    Box::new(async move {
                        if let Err(error) = account(&mut caller, $stored).await? {
                            return number(Err(error));
                        }
                        theirs!(caller, $name, $($argument),*)
                    })
                },
            )?;
        };
    }
    counted!(fd_pwrite, Stored::Parts(list, count), |fd: u32, list: u32, count: u32, at: u64, size: u32|);
    counted!(fd_filestat_set_size, Stored::Bytes(bytes), |fd: u32, bytes: u64|);
    counted!(path_create_directory, Stored::Entry, |fd: u32, path: u32, length: u32|);
    counted!(path_symlink, Stored::Entry, |from: u32, from_length: u32, fd: u32, to: u32, to_length: u32|);
    counted!(
        path_link,
        Stored::Entry,
        |fd: u32, flags: u32, from: u32, from_length: u32, other: u32, to: u32, to_length: u32|
    );
    linker.func_wrap_async(
        WASI_MODULE,
        "path_open",
        |mut caller: Caller<'_, ServiceHost>,
         (fd, lookup, path, length, flags, rights, inherited, state, descriptor): (
            u32,
            u32,
            u32,
            u32,
            u32,
            u64,
            u64,
            u32,
            u32,
        )| {
            Box::new(async move {
                let mut flags = flags;
                let mut answer = Ok(());
                if flags & CREATE != 0 {
                    answer = account(&mut caller, Stored::Entry).await?;
                    if answer.is_err() && flags & EXCLUSIVE != 0 {
                        return number(answer);
                    }
                }
                // What is there already can be opened all the same.
                if answer.is_err() {
                    flags &= !CREATE;
                }
                let opened =
                    theirs!(caller, path_open, fd, lookup, path, length, flags, rights, inherited, state, descriptor)?;
                if answer.is_err() && opened == NO_ENTRY { number(answer) } else { Ok(opened) }
            })
        },
    )?;
    Ok(())
}

/// Sockets: those that the host made. There is no way to make others.
fn network(linker: &mut Linker<ServiceHost>) -> wasmtime::Result<()> {
    linker.func_wrap(
        WASI_MODULE,
        "sock_accept",
        |mut caller: Caller<'_, ServiceHost>, fd: u32, flags: u32, descriptor: u32| -> wasmtime::Result<i32> {
            let memory = guest::memory(&mut caller)?;
            let (data, host) = guest::split(&mut caller, memory);
            match &host.sockets {
                Some(sockets) if sockets.is_listener(fd) => number(sockets::accept(data, host, flags, descriptor)),
                _ => number(Err(Errno::BadDescriptor)),
            }
        },
    )?;
    linker.func_wrap_async(
        WASI_MODULE,
        "sock_recv",
        |mut caller: Caller<'_, ServiceHost>, (fd, list, count, _, size, flags): (u32, u32, u32, u32, u32, u32)| {
            Box::new(async move {
                if !caller.data().has_connection(fd) {
                    return Ok(Errno::BadDescriptor as i32);
                }
                let memory = guest::memory(&mut caller)?;
                if let Err(error) = guest::put(memory.data_mut(&mut caller), flags, &[0; 2]) {
                    return number(Err(error));
                }
                sockets::transfer(&mut caller, Way::ToProgram, list, count, size).await.and_then(number)
            })
        },
    )?;
    linker.func_wrap_async(
        WASI_MODULE,
        "sock_send",
        |mut caller: Caller<'_, ServiceHost>, (fd, list, count, _, size): (u32, u32, u32, u32, u32)| {
            Box::new(async move {
                if !caller.data().has_connection(fd) {
                    return Ok(Errno::BadDescriptor as i32);
                }
                sockets::transfer(&mut caller, Way::FromProgram, list, count, size).await.and_then(number)
            })
        },
    )?;
    linker.func_wrap(
        WASI_MODULE,
        "sock_shutdown",
        |mut caller: Caller<'_, ServiceHost>, fd: u32, _how: u32| -> i32 {
            let Some(sockets) = caller.data_mut().sockets.as_mut().filter(|sockets| sockets.is_connection(fd)) else {
                return Errno::BadDescriptor as i32;
            };
            sockets.close(fd);
            Errno::Success as i32
        },
    )?;
    Ok(())
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
