//! How deep, how large and of how many values an encoded term may be.

/// The deepest nesting that [`Limits`] can allow. These formats are read and written by recursion, as serde has it: a level takes some
/// 0.8 KiB of stack, of which the dirty schedulers of the BEAM have 320 KiB, and 160 KiB where they are set to the least.
pub const MAX_DEPTH: u32 = 128;

/// The nesting allowed unless told otherwise, as for Variants.
pub const DEFAULT_MAX_DEPTH: u32 = 64;

/// The encoded size, in bytes, allowed unless told otherwise, as for Variants.
pub const DEFAULT_MAX_BYTES: usize = 64 * 1024 * 1024;

/// The values allowed unless told otherwise. As terms they take some hundred megabytes at worst.
pub const DEFAULT_MAX_VALUES: u64 = 4_000_000;

/// Bounds on one encoded term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Lists, maps and tags one within another.
    pub max_depth: u32,
    /// Encoded bytes.
    pub max_bytes: usize,
    /// Values, of which each key is one and a container is one besides those in it. Bounds decoding only.
    pub max_values: u64,
}

impl Limits {
    /// The defaults with another depth, lowered to [`MAX_DEPTH`].
    #[must_use]
    pub fn with_depth(self, max_depth: u32) -> Self {
        Self { max_depth: max_depth.min(MAX_DEPTH), ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_depth: DEFAULT_MAX_DEPTH, max_bytes: DEFAULT_MAX_BYTES, max_values: DEFAULT_MAX_VALUES }
    }
}
