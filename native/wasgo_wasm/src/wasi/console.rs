//! A program's three standard streams: reading and writing go straight between its memory and the pipes.
//!
//! WASI's other functions take the streams for what they are in [`wasmtime_wasi`]'s table. A program that closes one of them, or puts a file in
//! its place, has no stream of ours there any more.

use std::time::{Duration, Instant};

use wasmtime::Caller;

use super::ServiceHost;
use super::guest::{Answer, Errno, Part, memory, parts, put, split, wait};
use crate::pipe::{Input, Output, Read};

/// Bytes that one call reads or writes at most: copying them takes a fraction of a slice.
pub(super) const MOST: usize = 1 << 20;

/// Bytes that one call of writing takes in all: what WASI's number of them can say.
const ONE_CALL: usize = 1 << 30;

/// Writes to a terminal without a pause after which one is made, and its length. The kernel in an emulated machine takes 100,000 interrupts of
/// its console in a row for a fault, and stops listening to it; a pause of 100 ms begins the count anew.
const WRITES_IN_A_ROW: u32 = 80_000;
const PAUSE: Duration = Duration::from_millis(120);
const LONG_ENOUGH: Duration = Duration::from_millis(110);

/// WASI's kinds of files.
const UNKNOWN: u8 = 0;
const CHARACTER_DEVICE: u8 = 2;

/// WASI's flag of descriptors that do not wait.
pub(super) const NONBLOCK: u16 = 4;

/// What may be done with a stream: read, set flags, write, ask for its state, wait for it.
const RIGHTS: u64 = 1 << 1 | 1 << 3 | 1 << 6 | 1 << 21 | 1 << 27;

/// A program's standard streams.
pub(crate) struct Console {
    pub(super) input: Input,
    outputs: [Output; 2],
    /// Which of the descriptors 0 to 2 are still these streams.
    own: [bool; 3],
    /// Which of them do not wait.
    nonblocking: [bool; 3],
    /// Whether the streams say that they are a terminal's.
    terminal: bool,
    /// Writes to the terminal without a pause, and when the last was.
    in_a_row: u32,
    written: Instant,
}

impl Console {
    pub(crate) fn new(input: Input, stdout: Output, stderr: Output, terminal: bool) -> Self {
        // Programs that take their input for a terminal's, and were made to look before they read, must never find its end.
        Self {
            input,
            outputs: [stdout, stderr],
            own: [true; 3],
            nonblocking: [terminal, false, false],
            terminal,
            in_a_row: 0,
            written: Instant::now(),
        }
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether `descriptor` is one of these streams.
    pub(super) fn has(&self, descriptor: u32) -> bool {
        self.own.get(descriptor as usize).copied().unwrap_or(false)
    }

    /// The output of a descriptor that [`Self::has`].
    pub(super) fn output(&self, descriptor: u32) -> Option<&Output> {
        self.outputs.get((descriptor as usize).checked_sub(1)?)
    }

    /// The descriptor is closed, or becomes another file.
    pub(super) fn let_go(&mut self, descriptor: u32) {
        if let Some(own) = self.own.get_mut(descriptor as usize) {
            *own = false;
        }
    }

    pub(super) fn is_nonblocking(&self, descriptor: u32) -> bool {
        self.nonblocking[descriptor as usize]
    }

    pub(super) fn set_flags(&mut self, descriptor: u32, flags: u16) {
        self.nonblocking[descriptor as usize] = flags & NONBLOCK != 0;
    }

    /// Counts a write; when the program is to go on, if it has to make a pause before.
    fn count(&mut self) -> Option<Instant> {
        if !self.terminal {
            return None;
        }
        let now = Instant::now();
        let paused = now.duration_since(self.written) >= LONG_ENOUGH;
        self.written = now;
        self.in_a_row = if paused { 0 } else { self.in_a_row + 1 };
        (self.in_a_row >= WRITES_IN_A_ROW).then(|| now + PAUSE)
    }

    /// WASI's `fdstat` of a stream.
    pub(super) fn status(&self, descriptor: u32) -> [u8; 24] {
        let kind = if self.terminal { CHARACTER_DEVICE } else { UNKNOWN };
        let flags = if self.is_nonblocking(descriptor) { NONBLOCK } else { 0 };
        status(kind, flags, RIGHTS)
    }
}

/// WASI's `fdstat`.
pub(super) fn status(kind: u8, flags: u16, rights: u64) -> [u8; 24] {
    let mut status = [0; 24];
    status[0] = kind;
    status[2..4].copy_from_slice(&flags.to_le_bytes());
    status[8..16].copy_from_slice(&rights.to_le_bytes());
    status
}

/// Reads from the standard input. Waits for something to read unless the program wanted not to.
pub(super) async fn read(
    caller: &mut Caller<'_, ServiceHost>,
    list: u32,
    count: u32,
    size: u32,
) -> wasmtime::Result<Answer<()>> {
    let memory = memory(caller)?;
    loop {
        let (data, host) = split(caller, memory);
        let found = match read_now(data, host, list, count, size) {
            Err(Errno::Again) if !host.console.is_nonblocking(0) => None,
            found => Some(found),
        };
        if let Some(found) = found {
            return Ok(found);
        }
        let input = host.console.input.clone();
        wait(caller, |context| input.poll_ready(context)).await;
    }
}

fn read_now(data: &mut [u8], host: &ServiceHost, list: u32, count: u32, size: u32) -> Answer<()> {
    // Nothing is taken from the pipe unless all of the answer can be given.
    put(data, size, &[0; 4])?;
    let parts = parts(data, list, count, MOST)?;
    if parts.is_empty() {
        return Ok(());
    }
    match host.console.input.read(data, &parts) {
        Read::Bytes(read) => put(data, size, &(read as u32).to_le_bytes()),
        Read::End => Ok(()),
        Read::Empty => Err(Errno::Again),
    }
}

/// Writes to the standard output or error. Waits until all is written, as a pipe does, unless the program wanted not to: then it is as much as there
/// is credit for.
pub(super) async fn write(
    caller: &mut Caller<'_, ServiceHost>,
    descriptor: u32,
    list: u32,
    count: u32,
    size: u32,
) -> wasmtime::Result<Answer<()>> {
    let memory = memory(caller)?;
    let (data, host) = split(caller, memory);
    let Some(output) = host.console.output(descriptor).cloned() else { return Ok(Err(Errno::BadDescriptor)) };
    let waits = !host.console.is_nonblocking(descriptor);
    let pause = host.console.count();
    let mut parts = match put(data, size, &[0; 4]).and_then(|()| parts(data, list, count, ONE_CALL)) {
        Ok(parts) => parts,
        Err(error) => return Ok(Err(error)),
    };
    if let Some(at) = pause {
        let engine = host.engine.clone();
        let mut alarm = None;
        wait(caller, |context| alarm.get_or_insert_with(|| engine.wake_at(at, context.waker().clone())).poll(context))
            .await;
    }
    let mut written = 0;
    while !parts.is_empty() {
        if waits {
            wait(caller, |context| output.poll_ready(context)).await;
        }
        let (data, _) = split(caller, memory);
        let now = output.write(data, &parts, MOST);
        written += now;
        if !waits {
            break;
        }
        skip(&mut parts, now);
    }
    if written == 0 && !parts.is_empty() {
        return Ok(Err(Errno::Again));
    }
    let (data, _) = split(caller, memory);
    Ok(put(data, size, &(written as u32).to_le_bytes()))
}

/// Takes so many bytes from the front.
fn skip(parts: &mut Vec<Part>, mut bytes: usize) {
    let mut whole = 0;
    for part in parts.iter_mut() {
        let now = part.length.min(bytes);
        part.start += now;
        part.length -= now;
        bytes -= now;
        if part.length > 0 {
            break;
        }
        whole += 1;
    }
    parts.drain(..whole);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_not_written_again() {
        let all = || vec![Part { start: 0, length: 3 }, Part { start: 10, length: 4 }];
        for (bytes, left) in [(0, vec![(0, 3), (10, 4)]), (2, vec![(2, 1), (10, 4)]), (3, vec![(10, 4)]), (7, vec![])] {
            let mut parts = all();
            skip(&mut parts, bytes);
            assert_eq!(parts.iter().map(|part| (part.start, part.length)).collect::<Vec<_>>(), left);
        }
    }
}
