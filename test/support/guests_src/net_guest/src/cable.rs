//! The cable: frames, each after its length, over one connection that WASI has.

use std::collections::VecDeque;

use smoltcp::phy::{Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

use crate::wasi;

/// The listening socket's descriptor in a program without directories, and in one with some.
const LISTENERS: [u32; 2] = [3, 512];

/// The longest frame.
const FRAME: usize = 1_514;

/// Bytes that wait to be sent, beyond which the stack sends nothing.
const ROOM: usize = 128 << 10;

pub(crate) struct Cable {
    descriptor: u32,
    input: Vec<u8>,
    /// How much of it the stack has taken.
    taken: usize,
    output: VecDeque<u8>,
    full: bool,
    buffer: Vec<u8>,
}

impl Cable {
    /// None if there is no network.
    pub(crate) fn plug_in() -> Option<Self> {
        let descriptor = LISTENERS.into_iter().find_map(|listener| wasi::accept(listener).ok())?;
        Some(Self {
            descriptor,
            input: Vec::new(),
            taken: 0,
            output: VecDeque::new(),
            full: false,
            buffer: vec![0; 64 << 10],
        })
    }

    pub(crate) fn descriptor(&self) -> u32 {
        self.descriptor
    }

    /// Reads what there is, up to a limit; whether there was something.
    pub(crate) fn fill(&mut self) -> bool {
        match wasi::receive(self.descriptor, &mut self.buffer) {
            Ok(0) | Err(wasi::AGAIN) => false,
            Ok(length) => {
                self.input.drain(..self.taken);
                self.taken = 0;
                self.input.extend_from_slice(&self.buffer[..length]);
                true
            }
            Err(errno) => {
                wasi::print(&format!("unplugged {errno}"));
                wasi::exit(71)
            }
        }
    }

    fn next(&self) -> Option<usize> {
        let rest = &self.input[self.taken..];
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        (rest.len() >= length).then_some(length)
    }

    pub(crate) fn has_frame(&self) -> bool {
        self.next().is_some()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.output.len() < ROOM
    }

    /// Whether there is something to be sent that there was no room for.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Puts bytes into the cable as they are.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.output.extend(bytes);
    }

    /// Sends what there is room for.
    pub(crate) fn flush(&mut self) {
        self.full = false;
        while !self.output.is_empty() {
            match wasi::send(self.descriptor, self.output.make_contiguous()) {
                Ok(length) => drop(self.output.drain(..length)),
                Err(wasi::AGAIN) => {
                    self.full = true;
                    return;
                }
                // The network is over, and this program is not.
                Err(_) => self.output.clear(),
            }
        }
    }
}

pub(crate) struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(&self.0)
    }
}

pub(crate) struct Sent<'a>(&'a mut Cable);

impl TxToken for Sent<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, make: F) -> R {
        let mut frame = vec![0; length];
        let result = make(&mut frame);
        self.0.output.extend((length as u32).to_be_bytes());
        self.0.output.extend(&frame);
        result
    }
}

impl Device for Cable {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sent<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Received, Sent<'_>)> {
        let length = self.next()?;
        let start = self.taken + 4;
        let frame = self.input[start..start + length].to_vec();
        self.taken = start + length;
        Some((Received(frame), Sent(self)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Sent<'_>> {
        self.has_room().then_some(Sent(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME;
        // What comes can't have been damaged on the way; what goes is looked at.
        let mut checksum = ChecksumCapabilities::default();
        (checksum.ipv4, checksum.tcp, checksum.udp) = (Checksum::Tx, Checksum::Tx, Checksum::Tx);
        capabilities.checksum = checksum;
        capabilities
    }
}
