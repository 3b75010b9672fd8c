//! Buffers that are used again. A batch of rows has a megabyte or so; memory fresh from the system costs a page fault for each 4 KiB of
//! it, which was a quarter of a batch's time.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Bytes of a buffer from which on it is worth keeping: smaller ones the allocator keeps itself.
const SMALLEST: usize = 64 << 10;

/// Bytes of a buffer up to which it is kept.
const LARGEST: usize = 4 << 20;

/// Buffers that are kept; at most 32 MiB together.
const KEPT: usize = 8;

static FREE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Bytes, in memory that goes back to be used again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scratch(Vec<u8>);

impl Scratch {
    /// Empty, with room for so many bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        if (SMALLEST..=LARGEST).contains(&capacity) {
            let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = free.iter().position(|buffer| buffer.capacity() >= capacity) {
                return Self(free.swap_remove(at));
            }
        }
        Self(Vec::with_capacity(capacity))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !(SMALLEST..=LARGEST).contains(&self.0.capacity()) {
            return;
        }
        let mut buffer = std::mem::take(&mut self.0);
        // What guests returned is nobody else's to see by mistake.
        buffer.clear();
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            free.push(buffer);
        }
    }
}

impl From<Vec<u8>> for Scratch {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Deref for Scratch {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}
