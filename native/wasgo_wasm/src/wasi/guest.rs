//! A program's memory as WASI's functions see it: everything a program points at is checked, and its mistakes are error numbers.

use std::future::poll_fn;
use std::task::{Context, Poll};

use wasmtime::{AsContextMut, Caller, Memory};

use super::ServiceHost;

/// WASI's error numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Errno {
    Success = 0,
    Again = 6,
    BadDescriptor = 8,
    Fault = 21,
    Invalid = 28,
    Io = 29,
    NoSpace = 51,
    NotSupported = 58,
}

/// What WASI's functions answer to a program; an error of the outer kind ends it.
pub(super) type Answer<T> = Result<T, Errno>;

/// Parts that one read or write may be made of.
const MAX_PARTS: u32 = 1_024;

/// A piece of a program's memory that was checked to be there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) start: usize,
    pub(crate) length: usize,
}

impl Part {
    pub(crate) fn end(self) -> usize {
        self.start + self.length
    }
}

/// The memory that a program exports.
pub(super) fn memory(caller: &mut Caller<'_, ServiceHost>) -> wasmtime::Result<Memory> {
    let export = caller.get_export("memory").and_then(wasmtime::Extern::into_memory);
    export.ok_or_else(|| wasmtime::Error::msg("the program exports no memory"))
}

/// The program's bytes and what its store holds.
pub(super) fn split<'a>(
    caller: &'a mut Caller<'_, ServiceHost>,
    memory: Memory,
) -> (&'a mut [u8], &'a mut ServiceHost) {
    memory.data_and_store_mut(caller.as_context_mut())
}

/// Waits until `ready` says so. A program that waited begins a new slice: its time before does not count against it.
pub(super) async fn wait<T>(
    caller: &mut Caller<'_, ServiceHost>,
    mut ready: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> T {
    let mut waited = false;
    let result = poll_fn(|context| {
        let poll = ready(context);
        waited |= poll.is_pending();
        poll
    })
    .await;
    if waited {
        caller.as_context_mut().set_epoch_deadline(1);
    }
    result
}

pub(super) fn part(data: &[u8], start: u32, length: u32) -> Answer<Part> {
    let part = Part { start: start as usize, length: length as usize };
    if part.end() <= data.len() { Ok(part) } else { Err(Errno::Fault) }
}

fn array<const N: usize>(data: &[u8], at: u32) -> Answer<[u8; N]> {
    let part = part(data, at, N as u32)?;
    data[part.start..part.end()].try_into().map_err(|_| Errno::Fault)
}

pub(super) fn u8_at(data: &[u8], at: u32) -> Answer<u8> {
    array::<1>(data, at).map(u8::from_le_bytes)
}

pub(super) fn u16_at(data: &[u8], at: u32) -> Answer<u16> {
    array(data, at).map(u16::from_le_bytes)
}

pub(super) fn u32_at(data: &[u8], at: u32) -> Answer<u32> {
    array(data, at).map(u32::from_le_bytes)
}

pub(super) fn u64_at(data: &[u8], at: u32) -> Answer<u64> {
    array(data, at).map(u64::from_le_bytes)
}

pub(super) fn put(data: &mut [u8], at: u32, bytes: &[u8]) -> Answer<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| Errno::Fault)?;
    let part = part(data, at, length)?;
    data[part.start..part.end()].copy_from_slice(bytes);
    Ok(())
}

/// Where one more than `at` is, unless it is past the end of the address space.
pub(super) fn offset(at: u32, by: u32) -> Answer<u32> {
    at.checked_add(by).ok_or(Errno::Fault)
}

/// The parts of a read or write that have any bytes, of which together no more than `most` bytes.
pub(super) fn parts(data: &[u8], list: u32, count: u32, most: usize) -> Answer<Vec<Part>> {
    if count > MAX_PARTS {
        return Err(Errno::Invalid);
    }
    let mut parts = Vec::with_capacity(count.min(8) as usize);
    let mut left = most;
    for number in 0..count {
        let at = offset(list, number * 8)?;
        let mut part = part(data, u32_at(data, at)?, u32_at(data, offset(at, 4)?)?)?;
        part.length = part.length.min(left);
        left -= part.length;
        if part.length > 0 {
            parts.push(part);
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_outside_of_the_memory_is_refused() {
        let data = [0_u8; 64];
        assert!(part(&data, 60, 4).is_ok());
        assert_eq!(part(&data, 60, 5).unwrap_err(), Errno::Fault);
        assert_eq!(part(&data, u32::MAX, u32::MAX).unwrap_err(), Errno::Fault);
        assert_eq!(u64_at(&data, 57).unwrap_err(), Errno::Fault);
        assert_eq!(put(&mut [0; 4], 1, &[0; 4]).unwrap_err(), Errno::Fault);
        assert_eq!(parts(&data, u32::MAX - 3, 1, 10).unwrap_err(), Errno::Fault);
        assert_eq!(parts(&data, 0, MAX_PARTS + 1, 10).unwrap_err(), Errno::Invalid);
    }

    #[test]
    fn parts_have_no_more_bytes_than_may_be_read() {
        let mut data = [0_u8; 64];
        for (at, word) in [(0, 32_u32), (4, 0), (8, 32), (12, 10), (16, 40), (20, 10), (24, 50), (28, 4)] {
            put(&mut data, at, &word.to_le_bytes()).unwrap();
        }
        let found = parts(&data, 0, 4, 15).unwrap();
        assert_eq!(found.iter().map(|part| (part.start, part.length)).collect::<Vec<_>>(), [(32, 10), (40, 5)]);
    }
}
