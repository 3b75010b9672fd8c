//! The functions of WASI that are used.

use smoltcp::time::Instant;

/// Nothing is there yet, or there is no room.
pub(crate) const AGAIN: u16 = 6;

const NONBLOCK: u16 = 4;

#[repr(C)]
struct Part {
    start: *const u8,
    length: usize,
}

#[repr(C)]
struct Subscription {
    userdata: u64,
    kind: u64,
    /// The descriptor, or the clock's number.
    which: u64,
    timeout: u64,
    precision: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Event {
    userdata: u64,
    rest: [u64; 3],
}

const CLOCK: u64 = 0;
const READ: u64 = 1;
const WRITE: u64 = 2;
const MONOTONIC: u32 = 1;

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn args_get(list: *mut *const u8, text: *mut u8) -> u16;
    fn args_sizes_get(count: *mut usize, size: *mut usize) -> u16;
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u16;
    fn fd_read(descriptor: u32, parts: *const Part, count: usize, size: *mut usize) -> u16;
    fn fd_write(descriptor: u32, parts: *const Part, count: usize, size: *mut usize) -> u16;
    fn poll_oneoff(wanted: *const Subscription, events: *mut Event, count: usize, happened: *mut usize) -> u16;
    fn proc_exit(status: u32) -> !;
    fn random_get(bytes: *mut u8, length: usize) -> u16;
    fn sock_accept(listener: u32, flags: u16, descriptor: *mut u32) -> u16;
    fn sock_recv(descriptor: u32, parts: *const Part, count: usize, flags: u16, size: *mut usize, out: *mut u16)
    -> u16;
    fn sock_send(descriptor: u32, parts: *const Part, count: usize, flags: u16, size: *mut usize) -> u16;
}

fn part(bytes: &[u8]) -> Part {
    Part { start: bytes.as_ptr(), length: bytes.len() }
}

pub(crate) fn now() -> Instant {
    let mut time = 0;
    // SAFETY: it writes the time to where it is told.
    unsafe { clock_time_get(MONOTONIC, 1, &mut time) };
    Instant::from_micros((time / 1_000) as i64)
}

pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: it writes so many bytes to where it is told.
    unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) };
    u64::from_le_bytes(bytes)
}

pub(crate) fn exit(status: u32) -> ! {
    // SAFETY: the program ends.
    unsafe { proc_exit(status) }
}

pub(crate) fn arguments() -> Vec<String> {
    let (mut count, mut size) = (0, 0);
    // SAFETY: it writes both numbers to where it is told.
    unsafe { args_sizes_get(&mut count, &mut size) };
    let (mut list, mut text) = (vec![std::ptr::null(); count], vec![0; size]);
    // SAFETY: there is as much room as it said that it needs.
    unsafe { args_get(list.as_mut_ptr(), text.as_mut_ptr()) };
    text.split(|&byte| byte == 0).map(|argument| String::from_utf8_lossy(argument).into_owned()).collect()
}

/// Accepts the connection that carries frames, so that it never waits; the error's number if there is none.
pub(crate) fn accept(listener: u32) -> Result<u32, u16> {
    let mut descriptor = 0;
    // SAFETY: it writes the descriptor to where it is told.
    match unsafe { sock_accept(listener, NONBLOCK, &mut descriptor) } {
        0 => Ok(descriptor),
        errno => Err(errno),
    }
}

pub(crate) fn receive(descriptor: u32, into: &mut [u8]) -> Result<usize, u16> {
    let (parts, mut size, mut flags) = ([part(into)], 0, 0);
    // SAFETY: it writes into the one part, and the two numbers to where it is told.
    match unsafe { sock_recv(descriptor, parts.as_ptr(), 1, 0, &mut size, &mut flags) } {
        0 => Ok(size),
        errno => Err(errno),
    }
}

pub(crate) fn send(descriptor: u32, bytes: &[u8]) -> Result<usize, u16> {
    let (parts, mut size) = ([part(bytes)], 0);
    // SAFETY: it reads the one part, and writes the number to where it is told.
    match unsafe { sock_send(descriptor, parts.as_ptr(), 1, 0, &mut size) } {
        0 => Ok(size),
        errno => Err(errno),
    }
}

/// Reads standard input; 0 at its end.
pub(crate) fn read(into: &mut [u8]) -> usize {
    let (parts, mut size) = ([part(into)], 0);
    // SAFETY: it writes into the one part, and the number to where it is told.
    unsafe { fd_read(0, parts.as_ptr(), 1, &mut size) };
    size
}

/// Writes a line to standard output.
pub(crate) fn print(line: &str) {
    let line = format!("{line}\n");
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        let (parts, mut size) = ([part(rest)], 0);
        // SAFETY: it reads the one part, and writes the number to where it is told.
        if unsafe { fd_write(1, parts.as_ptr(), 1, &mut size) } != 0 {
            exit(70);
        }
        rest = &rest[size..];
    }
}

/// Waits for input, for frames, for room for frames if that is wanted, and so many nanoseconds; whether there is input.
pub(crate) fn wait(cable: u32, room: bool, nanoseconds: Option<u64>) -> bool {
    let about = |userdata, kind, which: u32, timeout| Subscription {
        userdata,
        kind,
        which: which.into(),
        timeout,
        precision: 0,
        flags: 0,
    };
    let mut wanted = vec![about(0, READ, 0, 0), about(1, READ, cable, 0)];
    if room {
        wanted.push(about(2, WRITE, cable, 0));
    }
    if let Some(nanoseconds) = nanoseconds {
        wanted.push(about(3, CLOCK, MONOTONIC, nanoseconds));
    }
    let mut events = [Event { userdata: 9, rest: [0; 3] }; 4];
    let mut happened = 0;
    // SAFETY: there is room for an event for each of what is wanted, of which there are four at most.
    unsafe { poll_oneoff(wanted.as_ptr(), events.as_mut_ptr(), wanted.len(), &mut happened) };
    events[..happened].iter().any(|event| event.userdata == 0)
}
