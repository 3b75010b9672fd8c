//! `poll_oneoff`: waits for the first of several events, and reports those that have come.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use wasmtime::Caller;
use wasmtime_wasi::p1::wasi_snapshot_preview1;
use wasmtime_wasi::{HostWallClock, ResourceTableError};
use wiggle::GuestMemory;

use super::guest::{Answer, Errno, memory, offset, part, put, split, u8_at, u16_at, u32_at, u64_at, wait};
use super::sockets::Cable;
use super::{DESCRIPTORS, ServiceHost};
use crate::pipe::{Input, Output};

/// Bytes of a subscription and of an event.
const SUBSCRIPTION: u32 = 48;
const EVENT: u32 = 32;

/// WASI's kinds of events.
const CLOCK: u8 = 0;
const READ: u8 = 1;
const WRITE: u8 = 2;

/// WASI's clocks.
const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;

/// The flag of a time that is not a length of time.
const ABSOLUTE: u16 = 1;

/// The flag of a stream that has ended.
const HANGUP: u16 = 1;

/// The longest that is waited: longer than any host runs.
const FOREVER: Duration = Duration::from_secs(1 << 32);

/// A machine that sleeps whole milliseconds looks again and again for what is left of one: looks in a row with no more than this between them,
/// after so many of them, wait for so long.
const BETWEEN: Duration = Duration::from_micros(50);
const LOOKS: u32 = 8;
const PAUSE: Duration = Duration::from_micros(250);

/// Looks in a row: polls of a program on a terminal for what is so already.
#[derive(Default)]
pub(super) struct Looks {
    count: u32,
    last: Option<Instant>,
}

impl Looks {
    /// Another one, at `now`. Whether it is one too many.
    fn again(&mut self, now: Instant) -> bool {
        let soon = self.last.is_some_and(|last| now.duration_since(last) < BETWEEN);
        self.count = if soon { self.count.saturating_add(1) } else { 0 };
        self.count >= LOOKS
    }
}

struct Subscription {
    user: u64,
    kind: u8,
    what: What,
}

enum What {
    At(Instant),
    Input(Input),
    Output(Output),
    Readable(Arc<dyn Cable>),
    Writable(Arc<dyn Cable>),
    /// Files are always ready.
    Always,
    Refused(Errno),
}

/// What there is to say of an event that has come.
#[derive(Default)]
struct Outcome {
    error: u16,
    bytes: u64,
    flags: u16,
}

impl What {
    /// The event, if it has come; else whoever waits is told of it.
    fn poll(&self, context: &mut Context<'_>) -> Poll<Outcome> {
        let outcome = match self {
            Self::At(at) if Instant::now() >= *at => Outcome::default(),
            Self::At(_) => return Poll::Pending,
            Self::Input(input) => {
                std::task::ready!(input.poll_ready(context));
                match input.available() {
                    Some(bytes) => Outcome { bytes: bytes as u64, ..Outcome::default() },
                    None => Outcome { flags: HANGUP, ..Outcome::default() },
                }
            }
            Self::Output(output) => {
                std::task::ready!(output.poll_ready(context));
                Outcome { bytes: output.credit() as u64, ..Outcome::default() }
            }
            Self::Readable(cable) => {
                std::task::ready!(cable.poll_readable(context));
                Outcome { bytes: 1, ..Outcome::default() }
            }
            Self::Writable(cable) => {
                std::task::ready!(cable.poll_writable(context));
                Outcome { bytes: 1, ..Outcome::default() }
            }
            Self::Always => Outcome { bytes: 1, ..Outcome::default() },
            Self::Refused(error) => Outcome { error: *error as u16, ..Outcome::default() },
        };
        Poll::Ready(outcome)
    }
}

/// Waits until at least one of the events has come.
pub(super) async fn poll(
    caller: &mut Caller<'_, ServiceHost>,
    subscriptions: u32,
    events: u32,
    count: u32,
    size: u32,
) -> wasmtime::Result<Answer<()>> {
    // Without anything to wait for a program would sleep for ever.
    if count == 0 {
        return Ok(Err(Errno::Invalid));
    }
    // What is waited for counts as what is open.
    if count as usize > DESCRIPTORS {
        return Err(ResourceTableError::Full.into());
    }
    let memory = memory(caller)?;
    let now = Instant::now();
    let mut all = Vec::with_capacity(count.min(8) as usize);
    for number in 0..count {
        let (data, host) = split(caller, memory);
        match offset(subscriptions, number * SUBSCRIPTION).and_then(|at| subscription(data, host, at, now)) {
            Ok((subscription, None)) => all.push(subscription),
            Ok((subscription, Some(descriptor))) => {
                let what = file(host, descriptor).await?;
                all.push(Subscription { what, ..subscription });
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    let (data, host) = split(caller, memory);
    // All that will be written fits, whatever comes.
    if let Err(error) = part(data, events, count * EVENT).and_then(|_| put(data, size, &[0; 4])) {
        return Ok(Err(error));
    }
    let looks = host.console.is_terminal() && all.iter().any(|one| matches!(one.what, What::At(at) if at <= now));
    if looks && host.looks.again(now) {
        for subscription in &mut all {
            if let What::At(at) = &mut subscription.what {
                *at = (*at).max(now + PAUSE);
            }
        }
    }
    let engine = host.engine.clone();
    let mut alarm = None;
    let come = wait(caller, |context| {
        let mut come: Vec<(usize, Outcome)> = Vec::new();
        for (number, subscription) in all.iter().enumerate() {
            if let Poll::Ready(outcome) = subscription.what.poll(context) {
                come.push((number, outcome));
            }
        }
        if !come.is_empty() {
            return Poll::Ready(come);
        }
        let first = all.iter().filter_map(|subscription| match subscription.what {
            What::At(at) => Some(at),
            _ => None,
        });
        if let Some(at) = first.min() {
            let alarm = alarm.get_or_insert_with(|| engine.wake_at(at, context.waker().clone()));
            if alarm.poll(context).is_ready() {
                context.waker().wake_by_ref();
            }
        }
        Poll::Pending
    })
    .await;
    let (data, host) = split(caller, memory);
    host.looks.last = looks.then(Instant::now);
    Ok(report(data, events, size, &all, &come))
}

fn report(data: &mut [u8], events: u32, size: u32, all: &[Subscription], come: &[(usize, Outcome)]) -> Answer<()> {
    for (at, (number, outcome)) in (0..).zip(come) {
        let Some(subscription) = all.get(*number) else { continue };
        let mut event = [0; EVENT as usize];
        event[..8].copy_from_slice(&subscription.user.to_le_bytes());
        event[8..10].copy_from_slice(&outcome.error.to_le_bytes());
        event[10] = subscription.kind;
        event[16..24].copy_from_slice(&outcome.bytes.to_le_bytes());
        event[24..26].copy_from_slice(&outcome.flags.to_le_bytes());
        put(data, offset(events, at * EVENT)?, &event)?;
    }
    put(data, size, &(come.len() as u32).to_le_bytes())
}

/// Reads a subscription. With a descriptor it is one of a file, which has to be asked for.
fn subscription(data: &[u8], host: &ServiceHost, at: u32, now: Instant) -> Answer<(Subscription, Option<u32>)> {
    let user = u64_at(data, at)?;
    let kind = u8_at(data, offset(at, 8)?)?;
    let (what, file) = match kind {
        CLOCK => {
            let clock = u32_at(data, offset(at, 16)?)?;
            let time = Duration::from_nanos(u64_at(data, offset(at, 24)?)?);
            let absolute = u16_at(data, offset(at, 40)?)? & ABSOLUTE != 0;
            let left = match clock {
                MONOTONIC | REALTIME if !absolute => time,
                MONOTONIC => time.saturating_sub(host.monotonic.now()),
                REALTIME => time.saturating_sub(host.clock.now()),
                _ => return Err(Errno::Invalid),
            };
            (What::At(now + left.min(FOREVER)), None)
        }
        READ | WRITE => {
            let descriptor = u32_at(data, offset(at, 16)?)?;
            match stream(host, descriptor, kind == READ) {
                Some(what) => (what, None),
                None => (What::Always, Some(descriptor)),
            }
        }
        _ => return Err(Errno::Invalid),
    };
    Ok((Subscription { user, kind, what }, file))
}

/// One of the standard streams, or a socket.
fn stream(host: &ServiceHost, descriptor: u32, read: bool) -> Option<What> {
    if host.console.has(descriptor) {
        let what = match (host.console.output(descriptor), read) {
            (None, true) => What::Input(host.console.input.clone()),
            (Some(output), false) => What::Output(output.clone()),
            _ => What::Refused(Errno::BadDescriptor),
        };
        return Some(what);
    }
    let sockets = host.sockets.as_ref().filter(|sockets| sockets.has(descriptor))?;
    Some(match (sockets.is_connection(descriptor), read) {
        (true, true) => What::Readable(sockets.cable()),
        (true, false) => What::Writable(sockets.cable()),
        (false, true) if sockets.can_accept() => What::Always,
        // Nobody will ever connect again, which is nothing to be woken for.
        (false, true) => What::At(Instant::now() + FOREVER),
        (false, false) => What::Refused(Errno::BadDescriptor),
    })
}

/// A file is always ready, if there is one.
async fn file(host: &mut ServiceHost, descriptor: u32) -> wasmtime::Result<What> {
    let mut status = [0; 24];
    let mut memory = GuestMemory::Unshared(&mut status);
    let known = wasi_snapshot_preview1::fd_fdstat_get(&mut host.wasi, &mut memory, descriptor.cast_signed(), 0).await?;
    Ok(if known == 0 { What::Always } else { What::Refused(Errno::BadDescriptor) })
}
