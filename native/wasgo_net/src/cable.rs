//! The cable between the guest and the driver: a queue of bytes each way, and the guest's end of both.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::shared::{Shared, lock};

/// Bytes from the guest that wait for the driver; as many again are with the driver.
const FROM_GUEST: usize = 128 << 10;

/// Bytes to the guest that wait for it to read them.
pub(crate) const TO_GUEST: usize = 256 << 10;

/// Batches of fewer bytes are put together, up to so many: each costs more than its bytes.
const SMALL_BATCH: usize = 16 << 10;

/// Who waits for the cable.
#[derive(Default)]
struct Waiting(Vec<Waker>);

impl Waiting {
    fn add(&mut self, waker: &Waker) {
        if !self.0.iter().any(|other| other.will_wake(waker)) {
            self.0.push(waker.clone());
        }
    }

    fn take(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.0)
    }
}

#[derive(Default)]
pub(crate) struct Cable {
    from_guest: Vec<u8>,
    to_guest: VecDeque<Vec<u8>>,
    /// How much of the first batch was read.
    start: usize,
    unread: usize,
    /// The guest's end is gone.
    unplugged: bool,
    /// The driver's end is.
    over: bool,
    /// The driver is to be woken when at most this many bytes are unread.
    wanted: Option<usize>,
    readers: Waiting,
    writers: Waiting,
}

fn wake(waiting: Vec<Waker>) {
    waiting.into_iter().for_each(Waker::wake);
}

/// The driver's end.
impl Shared {
    /// Exchanges what the guest wrote for an empty buffer; false if the guest's end is gone.
    pub(crate) fn take_from_guest(&self, buffer: &mut Vec<u8>) -> bool {
        debug_assert!(buffer.is_empty());
        let mut cable = lock(&self.cable);
        std::mem::swap(&mut cable.from_guest, buffer);
        let plugged = !cable.unplugged;
        let woken = if buffer.is_empty() { Vec::new() } else { cable.writers.take() };
        drop(cable);
        wake(woken);
        plugged
    }

    /// How many bytes the guest did not read yet.
    pub(crate) fn unread(&self) -> usize {
        lock(&self.cable).unread
    }

    /// Adds to what the guest can read, and leaves `batch` empty.
    pub(crate) fn give_to_guest(&self, batch: &mut Vec<u8>) {
        let mut cable = lock(&self.cable);
        if cable.unplugged {
            return batch.clear();
        }
        cable.unread += batch.len();
        match cable.to_guest.back_mut() {
            Some(last) if last.len() + batch.len() <= SMALL_BATCH => last.append(batch),
            _ => cable.to_guest.push_back(std::mem::take(batch)),
        }
        let woken = cable.readers.take();
        drop(cable);
        wake(woken);
    }

    /// Has the driver woken as soon as at most `unread` bytes are unread; true if that is so already.
    pub(crate) fn want_unread(&self, unread: Option<usize>) -> bool {
        let mut cable = lock(&self.cable);
        let already = unread.is_some_and(|unread| cable.unread <= unread);
        cable.wanted = unread.filter(|_| !already);
        already
    }

    /// Ends the driver's end: whoever waits at the guest's is woken.
    pub(crate) fn end_cable(&self) {
        let mut cable = lock(&self.cable);
        cable.over = true;
        cable.from_guest = Vec::new();
        let mut woken = cable.readers.take();
        woken.append(&mut cable.writers.take());
        drop(cable);
        wake(woken);
    }
}

/// The guest's end of the cable. Each frame has its length before it, in 4 bytes, the most significant first, both ways; bytes may be
/// read and written in whatever pieces. When the last one is dropped the cable is unplugged, as by [`Port::close`].
#[derive(Clone)]
pub struct Port {
    end: Arc<GuestEnd>,
}

struct GuestEnd {
    shared: Arc<Shared>,
}

impl Drop for GuestEnd {
    fn drop(&mut self) {
        unplug(&self.shared);
    }
}

fn unplug(shared: &Shared) {
    let mut cable = lock(&shared.cable);
    cable.unplugged = true;
    cable.from_guest = Vec::new();
    cable.to_guest = VecDeque::new();
    (cable.start, cable.unread) = (0, 0);
    let mut woken = cable.readers.take();
    woken.append(&mut cable.writers.take());
    drop(cable);
    wake(woken);
    shared.bell.ring();
}

impl Port {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { end: Arc::new(GuestEnd { shared }) }
    }

    /// Writes what there is room for; how many bytes that is. 0 means that the cable is full, unless it [is closed](Port::is_closed).
    pub fn send(&self, bytes: &[u8]) -> usize {
        let mut cable = lock(&self.end.shared.cable);
        if cable.unplugged || cable.over {
            return 0;
        }
        let length = bytes.len().min(FROM_GUEST.saturating_sub(cable.from_guest.len()));
        cable.from_guest.extend_from_slice(&bytes[..length]);
        drop(cable);
        if length > 0 {
            self.end.shared.bell.ring();
        }
        length
    }

    /// Reads what there is; how many bytes that is. 0 means that nothing is there.
    pub fn receive(&self, into: &mut [u8]) -> usize {
        let mut guard = lock(&self.end.shared.cable);
        let cable = &mut *guard;
        let mut read = 0;
        while let Some(first) = cable.to_guest.front() {
            let rest = &first[cable.start..];
            let length = rest.len().min(into.len() - read);
            into[read..read + length].copy_from_slice(&rest[..length]);
            read += length;
            cable.start += length;
            if length < rest.len() || into.is_empty() {
                break;
            }
            cable.to_guest.pop_front();
            cable.start = 0;
        }
        cable.unread -= read;
        let tell = cable.wanted.is_some_and(|wanted| cable.unread <= wanted);
        if tell {
            cable.wanted = None;
        }
        drop(guard);
        if tell {
            self.end.shared.bell.ring();
        }
        read
    }

    /// Ready when there is something to read, or will never be. Several may wait at once.
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut cable = lock(&self.end.shared.cable);
        if cable.unread > 0 || cable.unplugged || cable.over {
            return Poll::Ready(());
        }
        cable.readers.add(context.waker());
        Poll::Pending
    }

    /// Ready when there is room for writing, or will never be. Several may wait at once.
    pub fn poll_writable(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut cable = lock(&self.end.shared.cable);
        if cable.from_guest.len() < FROM_GUEST || cable.unplugged || cable.over {
            return Poll::Ready(());
        }
        cable.writers.add(context.waker());
        Poll::Pending
    }

    /// Unplugs the cable: the guest is gone. Every connection is closed, and the driver ends.
    pub fn close(&self) {
        unplug(&self.end.shared);
    }

    /// Whether the cable is of no use any longer: it was unplugged here, or its other end is gone. What that end sent before may
    /// still be read.
    pub fn is_closed(&self) -> bool {
        let cable = lock(&self.end.shared.cable);
        cable.unplugged || cable.over
    }
}
