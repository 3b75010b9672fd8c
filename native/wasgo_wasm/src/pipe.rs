//! In-memory pipes between a WASI program and its host: standard input with a bounded buffer, standard output by credit.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::service::{Event, WriteOutcome};
use crate::wasi::Part;

/// Bytes that wait in a program's standard input before its host is told to wait.
const INPUT_BUFFER: usize = 1 << 20;

/// Writes that wait in a program's standard input, likewise: each costs its host more than its bytes.
const INPUT_CHUNKS: usize = 4_096;

/// Bytes that an event of an output has at most.
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

impl Input {
    /// Ready when there is something to read, or nothing will be any more.
    pub(crate) fn poll_ready(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.length > 0 || state.closed {
            return Poll::Ready(());
        }
        state.waiting.add(context.waker());
        Poll::Pending
    }

    /// Bytes that can be read at once; none at the end.
    pub(crate) fn available(&self) -> Option<usize> {
        let state = lock(&self.state);
        if state.length == 0 && state.closed { None } else { Some(state.length) }
    }

    /// Fills `parts` of `data` as far as there is something; nothing at the end.
    pub(crate) fn read(&self, data: &mut [u8], parts: &[Part]) -> Read {
        let mut state = lock(&self.state);
        if state.length == 0 {
            return if state.closed { Read::End } else { Read::Empty };
        }
        let mut read = 0;
        for part in parts {
            let mut at = part.start;
            while at < part.end() {
                let Some(front) = state.chunks.front_mut() else { break };
                let bytes = front.split_to((part.end() - at).min(front.len()));
                if front.is_empty() {
                    state.chunks.pop_front();
                }
                data[at..at + bytes.len()].copy_from_slice(&bytes);
                at += bytes.len();
            }
            read += at - part.start;
        }
        state.length -= read;
        let tell = !state.full() && std::mem::take(&mut state.host_waits);
        drop(state);
        if tell {
            (self.events)(Event::InputReady);
        }
        Read::Bytes(read)
    }
}

/// What reading gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Bytes(usize),
    /// There is nothing yet.
    Empty,
    /// There will be nothing any more.
    End,
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
    fn add(&self, stream: Stream, mut bytes: &[u8]) {
        let mut state = lock(&self.state);
        state.written += bytes.len();
        while !bytes.is_empty() {
            if state.stream != Some(stream) || state.bytes.len() == WRITE_SIZE {
                self.tell(&mut state);
            }
            state.stream = Some(stream);
            let (now, later) = bytes.split_at(bytes.len().min(WRITE_SIZE - state.bytes.len()));
            if state.bytes.capacity() < WRITE_SIZE && state.bytes.len() + now.len() > WRITE_SIZE / 32 {
                let more = WRITE_SIZE - state.bytes.len();
                state.bytes.reserve_exact(more);
            }
            state.bytes.extend_from_slice(now);
            bytes = later;
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

impl Output {
    /// Ready when the program may write.
    pub(crate) fn poll_ready(&self, context: &Context<'_>) -> Poll<()> {
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
    }

    /// Bytes that the program may write at once.
    pub(crate) fn credit(&self) -> usize {
        lock(&self.state).credit
    }

    /// Writes the beginning of what `parts` of `data` hold, as far as there is credit and `most` bytes; how much that was.
    pub(crate) fn write(&self, data: &[u8], parts: &[Part], most: usize) -> usize {
        let asked = parts.iter().map(|part| part.length).sum::<usize>().min(most);
        let taken = {
            let mut state = lock(&self.state);
            let taken = asked.min(state.credit);
            state.credit -= taken;
            taken
        };
        let mut left = taken;
        for part in parts {
            let now = part.length.min(left);
            self.gathered.add(self.stream, &data[part.start..part.start + now]);
            left -= now;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether an output can be written to just now.
    fn ready(output: &Output) -> bool {
        output.poll_ready(&Context::from_waker(Waker::noop())).is_ready()
    }

    fn whole(data: &[u8]) -> [Part; 1] {
        [Part { start: 0, length: data.len() }]
    }

    #[test]
    fn whoever_writes_much_lets_others_have_their_turn() {
        let gathered = Arc::new(Gathered::new(Arc::new(|_| ())));
        let output = Output::new(gathered.clone(), usize::MAX, Stream::Stdout);
        let other = Output::new(gathered.clone(), usize::MAX, Stream::Stderr);
        let block = [1; 4096];
        for _ in 0..SLICE_OUTPUT / 4096 {
            assert!(ready(&output) && ready(&other));
            assert_eq!(output.write(&block, &whole(&block), usize::MAX), 4096);
        }
        assert!(!ready(&output) && !ready(&other));
        gathered.end_slice();
        assert!(ready(&output) && ready(&other));
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
            gathered.add(Stream::Stdout, &[1; 10_000]);
        }
        assert_eq!(*lock(&sizes), [WRITE_SIZE; 3]);
        gathered.end_slice();
        gathered.end_slice();
        assert_eq!(*lock(&sizes), [WRITE_SIZE, WRITE_SIZE, WRITE_SIZE, 200_000 - 3 * WRITE_SIZE]);
    }

    #[test]
    fn what_is_written_stops_in_the_middle_of_a_part_when_there_is_no_more_credit() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let gathered = Arc::new(Gathered::new(Arc::new({
            let told = told.clone();
            move |event| match event {
                Event::Stdout(bytes) => lock(&told).extend_from_slice(&bytes),
                other => panic!("{other:?}"),
            }
        })));
        let output = Output::new(gathered.clone(), 5, Stream::Stdout);
        let parts = [Part { start: 0, length: 3 }, Part { start: 6, length: 4 }];
        assert_eq!(output.write(b"abc---defg", &parts, 100), 5);
        assert_eq!(output.write(b"abc---defg", &parts, 100), 0);
        assert!(!ready(&output));
        gathered.end_slice();
        assert_eq!(*lock(&told), b"abcde");
    }

    #[test]
    fn what_is_read_goes_on_where_it_stopped() {
        let input = Input::new(Arc::new(|_| ()));
        let mut data = [0; 8];
        assert_eq!(input.read(&mut data, &[Part { start: 0, length: 8 }]), Read::Empty);
        input.write(Bytes::from_static(b"abc"));
        input.write(Bytes::from_static(b"defg"));
        assert_eq!(input.available(), Some(7));
        let parts = [Part { start: 1, length: 2 }, Part { start: 5, length: 3 }];
        assert_eq!(input.read(&mut data, &parts), Read::Bytes(5));
        assert_eq!(&data, b"\0ab\0\0cde");
        input.close();
        assert_eq!(input.read(&mut data, &parts), Read::Bytes(2));
        assert_eq!(input.read(&mut data, &parts), Read::End);
        assert_eq!(input.available(), None);
    }
}
