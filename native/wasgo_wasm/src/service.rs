//! WASI programs that run for long beside everything else, and speak with their host over pipes in memory.
//!
//! A service is a task of the engine like any other: computing, it gets its slices in turn with the other guests; waiting for
//! input, it costs nothing.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use wasmtime::{Linker, Store};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::runtime::with_ambient_tokio_runtime;
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};

use crate::error::Error;
use crate::executor::{Canceller, Started};
use crate::limits::{Limiter, Limits};
use crate::module::Module;
use crate::pipe::{Events, Input, Output};
use crate::trap::translate;

/// The module name that a WASI program's imports bear.
pub(crate) const WASI_MODULE: &str = "wasi_snapshot_preview1";

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
    /// The input was closed.
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
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            arguments: vec!["service".into()],
            environment: Vec::new(),
            limits: Limits { memory: 256 << 20, ..Limits::default() },
            credit: 1 << 20,
        }
    }
}

/// What a service's store holds beside the program.
pub(crate) struct ServiceHost {
    wasi: WasiP1Ctx,
    limiter: Limiter,
}

/// A running WASI program. Dropping the handle stops it.
pub struct Service {
    input: Input,
    stdout: Output,
    stderr: Output,
    canceller: Canceller,
}

impl Service {
    /// Starts `module` as a WASI command; `events` is told what it does.
    ///
    /// # Errors
    /// [`Error::MissingImport`] names what it wants and is not given; [`Error::MissingExport`] if it is no command, and
    /// [`Error::Contract`] if it is no WASI program at all.
    pub fn start(
        module: &Module,
        options: ServiceOptions,
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
        let events: Events = std::sync::Arc::new(events);
        let input = Input::new(events.clone());
        let stdout = Output::new(events.clone(), options.credit, Event::Stdout);
        let stderr = Output::new(events.clone(), options.credit, Event::Stderr);
        let wasi = WasiCtxBuilder::new()
            .args(&options.arguments)
            .envs(&options.environment)
            .stdin(input.clone())
            .stdout(stdout.clone())
            .stderr(stderr.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .build_p1();
        let host = ServiceHost { wasi, limiter: Limiter::new(options.limits, 0) };
        let running = InTokio(Box::pin(run(module.clone(), host)));
        let started = module
            .engine()
            .executor()
            .start_task(running, None, false, || Box::new(move |result| events(Event::Exit(result))));
        match started {
            Started::Running(canceller) => Ok(Self { input, stdout, stderr, canceller }),
            Started::Done(result) => Err(result.err().unwrap_or(Error::Closed)),
        }
    }

    /// Hands `bytes` to its standard input; never waits.
    pub fn write(&self, bytes: Bytes) -> WriteOutcome {
        self.input.write(bytes)
    }

    /// Ends its standard input: a polite request to finish.
    pub fn close_input(&self) {
        self.input.close();
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
            None => Err(translate(error, store.data_mut().limiter.hit.take(), None, 0)),
        },
    }
}

pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<ServiceHost>> {
    let mut linker = Linker::new(engine);
    p1::add_to_linker_async(&mut linker, |host: &mut ServiceHost| &mut host.wasi)?;
    Ok(linker)
}

/// Polls a future where tokio's timers are at hand: WASI's clocks need them.
struct InTokio<F>(Pin<Box<F>>);

impl<F: Future> Future for InTokio<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        with_ambient_tokio_runtime(|| self.0.as_mut().poll(context))
    }
}
