//! Noise at single points, for what isn't computed in blocks: the same that fields are made of.

use crate::field::kernel::simplex;
use crate::hash::mix;

/// Noise in the plane: -1..=1, 0 on average, one hill or hollow for about each cell. Coordinates are in cells, within 2^30 of 0.
///
/// ```
/// use wasgo_gen::noise::simplex2;
/// assert_eq!(simplex2(7, 1.25, -3.5), simplex2(7, 1.25, -3.5));
/// assert_ne!(simplex2(7, 1.25, -3.5), simplex2(8, 1.25, -3.5));
/// ```
#[must_use]
pub fn simplex2(seed: u64, x: f64, y: f64) -> f64 {
    f64::from(simplex::simplex2(mix(seed) as u32, x, y))
}

/// Noise in space: -1..=1, 0 on average.
#[must_use]
pub fn simplex3(seed: u64, x: f64, y: f64, z: f64) -> f64 {
    f64::from(simplex::simplex3(mix(seed) as u32, x, y, z))
}
