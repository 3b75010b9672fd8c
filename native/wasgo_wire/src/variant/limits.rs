//! How deep and how large a value may be.

/// The deepest nesting of arrays and dictionaries that [`Limits`] can allow: the engine's own bound.
pub const MAX_DEPTH: u32 = 1024;

/// The nesting allowed unless told otherwise. Scenes and property rows nest under ten levels.
pub const DEFAULT_MAX_DEPTH: u32 = 64;

/// The largest encoded value, in bytes, that [`Limits`] can allow: the engine counts bytes in a signed 32-bit integer.
pub const MAX_BYTES: usize = i32::MAX as usize;

/// The encoded size, in bytes, allowed unless told otherwise: the largest frame of the wire protocol.
pub const DEFAULT_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Bounds on one value, for encoding and decoding alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    max_depth: u32,
    max_bytes: usize,
}

impl Limits {
    /// Allows `max_depth` containers one within another (0: none at all) and `max_bytes` encoded bytes.
    /// What is over [`MAX_DEPTH`] or [`MAX_BYTES`] is lowered to it.
    pub const fn new(max_depth: u32, max_bytes: usize) -> Self {
        Self {
            max_depth: if max_depth > MAX_DEPTH { MAX_DEPTH } else { max_depth },
            max_bytes: if max_bytes > MAX_BYTES { MAX_BYTES } else { max_bytes },
        }
    }

    /// Containers that may be open one within another.
    pub const fn max_depth(&self) -> u32 {
        self.max_depth
    }

    /// Encoded bytes of the whole value.
    pub const fn max_bytes(&self) -> usize {
        self.max_bytes
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_DEPTH, DEFAULT_MAX_BYTES)
    }
}
