//! The one socket that a program may have: the end of a cable that carries Ethernet frames as a stream of bytes.
//!
//! The program finds a listening socket and accepts one connection on it. What goes over that is the [`Cable`]'s business; here bytes go between
//! it and the program's memory.

use std::sync::Arc;
use std::task::{Context, Poll};

use wasmtime::Caller;

use super::ServiceHost;
use super::console::{MOST, NONBLOCK, status};
use super::guest::{Answer, Errno, memory, parts, put, split, wait};

/// The host's end of what a program believes to be a socket.
pub trait Cable: Send + Sync {
    /// Takes bytes from the program; how many. 0 when there is no room for any.
    fn send(&self, bytes: &[u8]) -> usize;
    /// Gives bytes to the program; how many. 0 when there are none.
    fn receive(&self, into: &mut [u8]) -> usize;
    /// Ready when [`Self::receive`] has something.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()>;
    /// Ready when [`Self::send`] takes something.
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<()>;
    /// The program closed its end, or is gone.
    fn close(&self);
}

/// The descriptor of the listening socket of a program that has no directories: the first after its standard streams.
const LISTENER: u32 = 3;

/// The descriptor of the listening socket of a program that has directories: far above all that it can open, below what `select` takes.
const HIGH_LISTENER: u32 = 512;

/// WASI's kind of a stream socket.
const STREAM_SOCKET: u8 = 6;

/// What may be done with a socket: read, set flags, write, ask for its state, wait for it, shut it down, accept.
const RIGHTS: u64 = 1 << 1 | 1 << 3 | 1 << 6 | 1 << 21 | 1 << 27 | 1 << 28 | 1 << 29;

/// The listening socket's descriptor for a program with or without directories.
pub fn listener(with_directories: bool) -> u32 {
    if with_directories { HIGH_LISTENER } else { LISTENER }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Listening,
    Connected { nonblocking: bool },
    Closed,
}

/// A program's sockets.
pub(crate) struct Sockets {
    cable: Arc<dyn Cable>,
    listener: u32,
    state: State,
}

impl Sockets {
    pub(crate) fn new(cable: Arc<dyn Cable>, with_directories: bool) -> Self {
        Self { cable, listener: listener(with_directories), state: State::Listening }
    }

    pub(super) fn is_listener(&self, descriptor: u32) -> bool {
        descriptor == self.listener
    }

    /// Whether `descriptor` is the connection.
    pub(super) fn is_connection(&self, descriptor: u32) -> bool {
        descriptor == self.listener + 1 && matches!(self.state, State::Connected { .. })
    }

    pub(super) fn has(&self, descriptor: u32) -> bool {
        self.is_listener(descriptor) || self.is_connection(descriptor)
    }

    pub(super) fn cable(&self) -> Arc<dyn Cable> {
        Arc::clone(&self.cable)
    }

    /// Whether a connection waits to be accepted.
    pub(super) fn can_accept(&self) -> bool {
        self.state == State::Listening
    }

    pub(super) fn status(&self, descriptor: u32) -> [u8; 24] {
        let nonblocking = self.is_listener(descriptor) || self.state == State::Connected { nonblocking: true };
        status(STREAM_SOCKET, if nonblocking { NONBLOCK } else { 0 }, RIGHTS)
    }

    pub(super) fn set_flags(&mut self, descriptor: u32, flags: u16) {
        if self.is_connection(descriptor) {
            self.state = State::Connected { nonblocking: flags & NONBLOCK != 0 };
        }
    }

    pub(super) fn close(&mut self, descriptor: u32) {
        if self.is_connection(descriptor) {
            self.state = State::Closed;
            self.cable.close();
        }
    }

    fn waits(&self) -> bool {
        self.state == State::Connected { nonblocking: false }
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        self.cable.close();
    }
}

/// Accepts the connection: the first time there is one, then never again.
pub(super) fn accept(data: &mut [u8], host: &mut ServiceHost, flags: u32, descriptor: u32) -> Answer<()> {
    let Some(sockets) = &mut host.sockets else { return Err(Errno::BadDescriptor) };
    if !sockets.can_accept() {
        return Err(Errno::Again);
    }
    put(data, descriptor, &(sockets.listener + 1).to_le_bytes())?;
    sockets.state = State::Connected { nonblocking: flags & u32::from(NONBLOCK) != 0 };
    Ok(())
}

/// Which way bytes go.
#[derive(Clone, Copy)]
pub(super) enum Way {
    ToProgram,
    FromProgram,
}

/// Moves as much as there is, or as there is room for. Waits for some unless the program wanted not to.
pub(super) async fn transfer(
    caller: &mut Caller<'_, ServiceHost>,
    way: Way,
    list: u32,
    count: u32,
    size: u32,
) -> wasmtime::Result<Answer<()>> {
    let memory = memory(caller)?;
    loop {
        let (data, host) = split(caller, memory);
        let Some(sockets) = &host.sockets else { return Ok(Err(Errno::BadDescriptor)) };
        match transfer_now(data, &*sockets.cable, way, list, count, size) {
            Err(Errno::Again) if sockets.waits() => {}
            done => return Ok(done),
        }
        let cable = sockets.cable();
        wait(caller, |context| match way {
            Way::ToProgram => cable.poll_readable(context),
            Way::FromProgram => cable.poll_writable(context),
        })
        .await;
    }
}

/// Moves part after part until one is not moved whole.
fn transfer_now(data: &mut [u8], cable: &dyn Cable, way: Way, list: u32, count: u32, size: u32) -> Answer<()> {
    put(data, size, &[0; 4])?;
    let parts = parts(data, list, count, MOST)?;
    let mut moved = 0;
    for part in &parts {
        let bytes = &mut data[part.start..part.end()];
        let now = match way {
            Way::ToProgram => cable.receive(bytes),
            Way::FromProgram => cable.send(bytes),
        };
        moved += now;
        if now < part.length {
            break;
        }
    }
    if moved == 0 && !parts.is_empty() { Err(Errno::Again) } else { put(data, size, &(moved as u32).to_le_bytes()) }
}
