//! In-memory pipes between a WASI program and its host: standard input with a bounded buffer, standard output by credit.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use bytes::Bytes;
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

use crate::service::{Event, WriteOutcome};

/// Bytes that wait in a program's standard input before its host is told to wait.
const INPUT_BUFFER: usize = 1 << 20;

/// Writes that wait in a program's standard input, likewise: each costs its host more than its bytes.
const INPUT_CHUNKS: usize = 4_096;

/// Bytes that one write to an output may have, and that an event of an output has at most.
const WRITE_SIZE: usize = 64 << 10;

/// Bytes that a program writes before others have their turn, even if its host reads as fast as it writes.
const SLICE_OUTPUT: usize = 512 << 10;

pub(crate) type Events = Arc<dyn Fn(Event) + Send + Sync>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who waits for a pipe.
#[derive(Default)]
struct Waiting(Vec<Waker>);

impl Waiting {
    fn add(&mut self, waker: &Waker) {
        if !self.0.iter().any(|other| other.will_wake(waker)) {
            self.0.push(waker.clone());
        }
    }
}

#[derive(Default)]
struct InputState {
    chunks: VecDeque<Bytes>,
    length: usize,
    closed: bool,
    /// The host found the pipe full and is to be told when there is room.
    host_waits: bool,
    waiting: Waiting,
}

impl InputState {
    fn full(&self) -> bool {
        self.length >= INPUT_BUFFER || self.chunks.len() >= INPUT_CHUNKS
    }
}

/// A program's standard input.
#[derive(Clone)]
pub(crate) struct Input {
    state: Arc<Mutex<InputState>>,
    events: Events,
}

impl Input {
    pub(crate) fn new(events: Events) -> Self {
        Self { state: Arc::default(), events }
    }

    /// Adds to what the program can read. Bytes are taken whole as long as the buffer is not full before, so that it holds at
    /// most its size and one write.
    pub(crate) fn write(&self, bytes: Bytes) -> WriteOutcome {
        let mut state = lock(&self.state);
        if state.closed {
            return WriteOutcome::Closed;
        }
        if state.full() {
            state.host_waits = true;
            return WriteOutcome::Full;
        }
        if !bytes.is_empty() {
            state.length += bytes.len();
            state.chunks.push_back(bytes);
        }
        let woken = std::mem::take(&mut state.waiting.0);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        WriteOutcome::Written
    }

    /// The program reads what is there, then finds the end of its input. Writes are refused from now on.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let woken = std::mem::take(&mut state.waiting.0);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        std::future::poll_fn(|context| {
            let mut state = lock(&self.state);
            if state.length > 0 || state.closed {
                return Poll::Ready(());
            }
            state.waiting.add(context.waker());
            Poll::Pending
        })
        .await;
    }
}

#[wasmtime_wasi::async_trait]
impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let mut state = lock(&self.state);
        let Some(front) = state.chunks.front_mut() else {
            return if state.closed { Err(StreamError::Closed) } else { Ok(Bytes::new()) };
        };
        let bytes = front.split_to(size.min(front.len()));
        if front.is_empty() {
            state.chunks.pop_front();
        }
        state.length -= bytes.len();
        let tell = !state.full() && std::mem::take(&mut state.host_waits);
        drop(state);
        if tell {
            (self.events)(Event::InputReady);
        }
        Ok(bytes)
    }
}

impl IsTerminal for Input {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Input {
    /// Only later previews of WASI read by this way, and services are of the first.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncRead + Send + Sync> {
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

/// What a program wrote in its current slice and its host was not told of yet: programs write little at a time, and an event costs
/// the same for a few bytes as for many.
pub(crate) struct Gathered {
    events: Events,
    state: Mutex<GatheredState>,
}

#[derive(Default)]
struct GatheredState {
    bytes: Vec<u8>,
    stream: Option<Stream>,
    /// Bytes written in this slice.
    written: usize,
}

/// Which of its outputs a program writes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

impl Gathered {
    pub(crate) fn new(events: Events) -> Self {
        Self { events, state: Mutex::default() }
    }

    /// To be called when a slice of the program is over.
    pub(crate) fn end_slice(&self) {
        let mut state = lock(&self.state);
        state.written = 0;
        self.tell(&mut state);
    }

    /// Events come in the order of writing, whichever output it was.
    fn add(&self, stream: Stream, bytes: Bytes) {
        let mut state = lock(&self.state);
        if state.stream != Some(stream) || state.bytes.len() + bytes.len() > WRITE_SIZE {
            self.tell(&mut state);
        }
        state.stream = Some(stream);
        state.written += bytes.len();
        if state.bytes.is_empty() {
            state.bytes = bytes.into();
        } else {
            if state.bytes.capacity() < WRITE_SIZE && state.bytes.len() > WRITE_SIZE / 32 {
                let more = WRITE_SIZE - state.bytes.len();
                state.bytes.reserve_exact(more);
            }
            state.bytes.extend_from_slice(&bytes);
        }
    }

    fn tell(&self, state: &mut GatheredState) {
        let bytes = Bytes::from(std::mem::take(&mut state.bytes));
        match state.stream.take() {
            Some(Stream::Stdout) => (self.events)(Event::Stdout(bytes)),
            Some(Stream::Stderr) => (self.events)(Event::Stderr(bytes)),
            None => {}
        }
    }

    fn had_its_turn(&self) -> bool {
        lock(&self.state).written >= SLICE_OUTPUT
    }
}

struct OutputState {
    credit: usize,
    waiting: Waiting,
}

/// A program's standard output or error: it may write as many bytes as its host gave credit for, then waits.
#[derive(Clone)]
pub(crate) struct Output {
    state: Arc<Mutex<OutputState>>,
    gathered: Arc<Gathered>,
    stream: Stream,
}

impl Output {
    pub(crate) fn new(gathered: Arc<Gathered>, credit: usize, stream: Stream) -> Self {
        Self { state: Arc::new(Mutex::new(OutputState { credit, waiting: Waiting::default() })), gathered, stream }
    }

    /// Lets the program write `bytes` more.
    pub(crate) fn give_credit(&self, bytes: usize) {
        let mut state = lock(&self.state);
        state.credit = state.credit.saturating_add(bytes);
        let woken = std::mem::take(&mut state.waiting.0);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        std::future::poll_fn(|context| {
            if self.gathered.had_its_turn() {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let mut state = lock(&self.state);
            if state.credit > 0 {
                return Poll::Ready(());
            }
            state.waiting.add(context.waker());
            Poll::Pending
        })
        .await;
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut state = lock(&self.state);
        // What was checked is what is written, unless two handles on the same output were checked at once.
        state.credit = state.credit.saturating_sub(bytes.len());
        drop(state);
        self.gathered.add(self.stream, bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(lock(&self.state).credit.min(WRITE_SIZE))
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    /// Only later previews of WASI write by this way, and services are of the first.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether an output can be written to just now.
    fn ready(output: &mut Output) -> bool {
        let mut context = std::task::Context::from_waker(Waker::noop());
        output.ready().as_mut().poll(&mut context).is_ready()
    }

    #[test]
    fn whoever_writes_much_lets_others_have_their_turn() {
        let gathered = Arc::new(Gathered::new(Arc::new(|_| ())));
        let mut output = Output::new(gathered.clone(), usize::MAX, Stream::Stdout);
        let mut other = Output::new(gathered.clone(), usize::MAX, Stream::Stderr);
        for _ in 0..SLICE_OUTPUT / 4096 {
            assert!(ready(&mut output) && ready(&mut other));
            output.write(Bytes::from(vec![1; 4096])).unwrap();
        }
        assert!(!ready(&mut output) && !ready(&mut other));
        gathered.end_slice();
        assert!(ready(&mut output) && ready(&mut other));
    }

    #[test]
    fn no_more_is_gathered_than_one_event_may_have() {
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let told = sizes.clone();
        let gathered = Gathered::new(Arc::new(move |event| match event {
            Event::Stdout(bytes) => lock(&told).push(bytes.len()),
            other => panic!("{other:?}"),
        }));
        for _ in 0..20 {
            gathered.add(Stream::Stdout, Bytes::from(vec![1; 10_000]));
        }
        assert_eq!(*lock(&sizes), [60_000; 3]);
        gathered.end_slice();
        gathered.end_slice();
        assert_eq!(*lock(&sizes), [60_000, 60_000, 60_000, 20_000]);
    }
}
