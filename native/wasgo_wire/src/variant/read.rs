//! A place in the input, and the few things that are read there. Everything is checked against what is left.

use super::error::{DecodeError, DecodeReason, Reading};

pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What errors say was being read.
    pub(super) reading: Reading,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, reading: Reading::Input }
    }

    /// Bytes used so far.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Bytes not used yet.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// An error here.
    pub(super) fn error(&self, reason: DecodeReason) -> DecodeError {
        self.error_at(self.at, reason)
    }

    pub(super) fn error_at(&self, offset: usize, reason: DecodeReason) -> DecodeError {
        DecodeError { offset, reading: self.reading, reason }
    }

    /// The next `size` bytes.
    pub(super) fn take(&mut self, size: u64) -> Result<&'a [u8], DecodeError> {
        let left = self.left();
        match usize::try_from(size) {
            Ok(size) if size <= left => {
                let taken = &self.bytes[self.at..self.at + size];
                self.at += size;
                Ok(taken)
            }
            _ => Err(self.error(DecodeReason::Truncated { needed: size, left })),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn i32(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub(super) fn f32(&mut self) -> Result<f32, DecodeError> {
        Ok(f32::from_le_bytes(self.array()?))
    }

    pub(super) fn f64(&mut self) -> Result<f64, DecodeError> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// `size` bytes and the padding that makes them a multiple of four. What is in the padding does not matter.
    pub(super) fn padded(&mut self, size: u32) -> Result<&'a [u8], DecodeError> {
        let padded = u64::from(size).next_multiple_of(4);
        Ok(&self.take(padded)?[..size as usize])
    }

    /// A string with its length. As in the engine it ends at the first NUL, whatever its length says.
    pub(super) fn string(&mut self) -> Result<&'a str, DecodeError> {
        let size = self.u32()?;
        let start = self.at;
        let bytes = self.padded(size)?;
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        std::str::from_utf8(&bytes[..end])
            .map_err(|wrong| self.error_at(start + wrong.valid_up_to(), DecodeReason::NotUtf8))
    }

    /// Refuses `count` things of `each` bytes or more if the rest of the input is too short for them.
    pub(super) fn room_for(&self, count: u64, each: u64) -> Result<(), DecodeError> {
        match count.checked_mul(each) {
            Some(size) if size <= self.left() as u64 => Ok(()),
            _ => Err(self.error(DecodeReason::Count { count, left: self.left() })),
        }
    }
}
