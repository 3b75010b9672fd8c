//! What is done with whole scenes. Every operation checks the scene first, and gives the same bytes on every machine.

mod bounds;
mod compact;
#[cfg(feature = "simplify")]
mod simplify;
mod split;
mod tangents;
mod transform;

pub use bounds::{Bounds, bounds};
pub use compact::compact;
#[cfg(feature = "simplify")]
pub use simplify::{SimplifyOptions, lods, optimize, simplify};
pub use split::{SplitBy, split};
pub use tangents::tangents;
pub use transform::transform;

/// The f32 vectors of a little-endian buffer.
fn vectors<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [f32; N]> + '_ {
    bytes.as_chunks::<4>().0.as_chunks::<N>().0.iter().map(|words| words.map(f32::from_le_bytes))
}

/// The u32 of a little-endian buffer.
fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word))
}

/// The little-endian bytes of u32.
#[cfg(feature = "simplify")]
fn word_bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
