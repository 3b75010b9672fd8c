//! WASI programs that run beside everything else, shortly or for long, and speak with their host over pipes in memory.
//!
//! A service is a task of the engine like any other: computing, it gets its slices in turn with the other guests; waiting for
//! input, it costs nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use wasmtime::Store;
use wasmtime_wasi::I32Exit;

use crate::Seed;
use crate::engine::Engine;
use crate::error::{Error, LimitKind};
use crate::executor::{Canceller, Started};
use crate::limits::Limits;
use crate::module::Module;
use crate::pipe::{Events, Gathered, Input, Output, Stream};
use crate::trap::translate;
use crate::wasi::{Cable, Clock, Console, DESCRIPTORS, Directory, InRuntime};
pub(crate) use crate::wasi::{ServiceHost, linker};

/// The function that a WASI command begins with.
const START: &str = "_start";

/// What a service tells its host. It is told on the engine's threads, so it must not take long.
#[derive(Debug, Clone)]
pub enum Event {
    /// It wrote to its standard output.
    Stdout(Bytes),
    /// It wrote to its standard error.
    Stderr(Bytes),
    /// Its standard input has room again after a write was refused.
    InputReady,
    /// It ended, with its exit status or by an error.
    Exit(Result<i32, Error>),
}

/// What became of bytes for a service's standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    /// They were taken.
    Written,
    /// Too much is unread already: try again after [`Event::InputReady`].
    Full,
    /// The input was closed, or the program has ended.
    Closed,
}

/// How a service is run.
#[derive(Debug, Clone)]
pub struct ServiceOptions {
    /// The program's arguments, its own name first.
    pub arguments: Vec<String>,
    /// Its environment: nothing of the host's is passed on.
    pub environment: Vec<(String, String)>,
    /// What it may use. Its memory's default is 256 MiB, since a program is larger than a script.
    pub limits: Limits,
    /// Bytes that it may write to standard output, and as many to standard error, before [`Service::give_credit`].
    pub credit: usize,
    /// Directories of the host that it may use.
    pub directories: Vec<Directory>,
    /// Bytes that may be stored in those that it may write to, with what is there already; none for as many as there is room for.
    pub quota: Option<u64>,
    /// Which time of day it is told.
    pub clock: Clock,
    /// Where its random bytes come from.
    pub random: Seed,
    /// How long it may run, by the clock on the wall; none for as long as it wants.
    pub timeout: Option<Duration>,
    /// Whether its standard streams are a terminal's: it is told so, and its input never waits, since such a program looks before it reads.
    pub terminal: bool,
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            arguments: vec!["service".into()],
            environment: Vec::new(),
            limits: Limits { memory: 256 << 20, ..Limits::default() },
            credit: 1 << 20,
            directories: Vec::new(),
            quota: None,
            clock: Clock::Real,
            random: Seed::System,
            timeout: None,
            terminal: false,
        }
    }
}

/// A running WASI program. Dropping the handle stops it.
pub struct Service {
    input: Input,
    stdout: Output,
    stderr: Output,
    canceller: Canceller,
    terminal: bool,
    /// The engine, if the program's slices may run on the thread of who writes to it.
    here: Option<Engine>,
}

impl Service {
    /// Starts `module` as a WASI command; `events` is told what it does. Opening directories may wait for their file system, so
    /// with some this must not be called where nothing may wait.
    ///
    /// # Errors
    /// [`Error::MissingImport`] names what it wants and is not given; [`Error::MissingExport`] if it is no command,
    /// [`Error::Contract`] if it is no WASI program at all, [`Error::Directory`] for a directory that can't be opened,
    /// [`Error::Limit`] for too much of arguments, environment or directories.
    pub fn start(
        module: &Module,
        options: ServiceOptions,
        events: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        Self::start_connected(module, options, None, events)
    }

    /// As [`Self::start`]; with a `cable` the program finds a listening socket ([`listener`](crate::listener) says at which descriptor), on
    /// which it can accept one connection.
    ///
    /// # Errors
    /// As of [`Self::start`].
    pub fn start_connected(
        module: &Module,
        options: ServiceOptions,
        cable: Option<Arc<dyn Cable>>,
        events: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        match &module.0.wasi {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.clone()),
            None => return Err(Error::contract("it imports nothing of WASI, so it is no WASI program")),
        }
        if !module.exports().iter().any(|export| export.kind == "func" && export.name == START) {
            return Err(Error::MissingExport { kind: "function", name: START.into() });
        }
        let events: Events = Arc::new(events);
        let gathered = Arc::new(Gathered::new(events.clone()));
        let input = Input::new(events.clone());
        let stdout = Output::new(gathered.clone(), options.credit, Stream::Stdout);
        let stderr = Output::new(gathered.clone(), options.credit, Stream::Stderr);
        let (timeout, terminal) = (options.timeout, options.terminal);
        let here = module.may_resume_inline(&options.limits).then(|| module.engine().clone());
        let console = Console::new(input.clone(), stdout.clone(), stderr.clone(), options.terminal);
        let host = ServiceHost::new(module.engine(), options, console, cable)?;
        let running = Slices { gathered, program: InRuntime::new(run(module.clone(), host))? };
        let started = module.engine().executor().start_task(running, timeout, false, || {
            let input = input.clone();
            Box::new(move |result| {
                // Who still writes hears that nobody reads.
                input.close();
                events(Event::Exit(result));
            })
        });
        match started {
            Started::Running(canceller) => Ok(Self { input, stdout, stderr, canceller, terminal, here }),
            Started::Done(result) => Err(result.err().unwrap_or(Error::Closed)),
        }
    }

    /// Hands `bytes` to its standard input; never waits.
    pub fn write(&self, bytes: Bytes) -> WriteOutcome {
        self.input.write(bytes)
    }

    /// As [`Self::write`]. A program that waits for its input goes on here, for half a millisecond at most, and what it does is told before this
    /// returns: so no other thread has to be woken for a short answer. One that can't be interrupted so soon goes on where it always does.
    pub fn write_here(&self, bytes: Bytes) -> WriteOutcome {
        let Some(engine) = &self.here else { return self.write(bytes) };
        let mut outcome = WriteOutcome::Closed;
        engine.executor().resume_here(|| outcome = self.input.write(bytes));
        outcome
    }

    /// Ends its standard input: a polite request to finish. A terminal's input has no end.
    pub fn close_input(&self) {
        if !self.terminal {
            self.input.close();
        }
    }

    /// Lets it write `stdout` and `stderr` bytes more.
    pub fn give_credit(&self, stdout: usize, stderr: usize) {
        self.stdout.give_credit(stdout);
        self.stderr.give_credit(stderr);
    }

    /// Stops it wherever it is; [`Event::Exit`] with [`Error::Cancelled`] follows.
    pub fn stop(&self) {
        self.canceller.cancel();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn run(module: Module, host: ServiceHost) -> Result<i32, Error> {
    let Some(Ok(pre)) = &module.0.wasi else { return Err(Error::Closed) };
    let mut store = Store::new(pre.module().engine(), host);
    store.limiter_async(|host| &mut host.limiter);
    store.epoch_deadline_async_yield_and_update(1);
    store.set_epoch_deadline(1);
    let ended = async {
        let instance = pre.instantiate_async(&mut store).await?;
        let start = instance.get_typed_func::<(), ()>(&mut store, START)?;
        start.call_async(&mut store, ()).await
    };
    match ended.await {
        Ok(()) => Ok(0),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(exit) => Ok(exit.0),
            None => Err(failure(error, store.data_mut().limiter.hit.take())),
        },
    }
}

/// What a program's end by an error means.
fn failure(error: wasmtime::Error, hit: Option<Error>) -> Error {
    if error.chain().any(|cause| matches!(cause.downcast_ref(), Some(wasmtime_wasi::ResourceTableError::Full))) {
        return Error::Limit { kind: LimitKind::Descriptors, limit: DESCRIPTORS as u64, asked: None };
    }
    translate(error, hit, None, 0)
}

/// The slices of a program: after each the host is told what was written.
struct Slices<F> {
    gathered: Arc<Gathered>,
    program: InRuntime<F>,
}

impl<F: Future> Future for Slices<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let poll = Pin::new(&mut self.program).poll(context);
        self.gathered.end_slice();
        poll
    }
}
