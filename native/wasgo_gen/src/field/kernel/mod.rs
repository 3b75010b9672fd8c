//! Loops over whole blocks of points: what programs spend their time in.
//!
//! A kernel is written once, as plain arithmetic without branches on a single point, in a loop that the compiler turns into vector
//! instructions. [`dispatch`] runs it compiled for AVX2 where the processor has that: additions and multiplications are the same
//! IEEE operations there, in the same order and never fused, so that the bits are the same too (a test compares them).

#![allow(clippy::inline_always)] // What isn't inlined isn't compiled for the wider instructions.

pub(crate) mod cellular;
pub(crate) mod gully;
pub(crate) mod lattice;
pub(crate) mod shape;
pub(crate) mod simplex;

/// Points are handled in whole groups of this many: blocks are padded to a multiple of it.
pub(crate) const LANES: usize = 16;

/// The most points of a block.
pub(crate) const BLOCK: usize = 512;

/// A loop over a block. `run` must be `#[inline(always)]`.
pub(crate) trait Kernel {
    /// Runs the loop.
    fn run(self);
}

/// Runs a kernel with the widest instructions there are.
#[inline]
pub(crate) fn dispatch(kernel: impl Kernel) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function was compiled for.
        #[allow(unsafe_code)]
        return unsafe { wide(kernel) };
    }
    kernel.run();
}

/// Not with `fma`: fused operations would round once less than the same kernel elsewhere.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn wide(kernel: impl Kernel) {
    kernel.run();
}

/// The whole number that is not above `value`, as number and as integer. Within 2^31 of 0; beyond, any.
#[inline(always)]
pub(crate) fn floor(value: f64) -> (f64, i32) {
    // Adding 1.5 * 2^52 leaves no room for fractions: what is left is rounded, and its lower bits are the integer.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let shifted = value + ROUND;
    let rounded = shifted - ROUND;
    let above = rounded > value;
    (rounded - if above { 1.0 } else { 0.0 }, (shifted.to_bits() as i32).wrapping_sub(i32::from(above)))
}

const X: u32 = 0x9E37_79B1;
const Y: u32 = 0x85EB_CA77;
const Z: u32 = 0xC2B2_AE3D;

/// The hash of a lattice point. Mixed between the coordinates, so that no shift of the lattice repeats it.
#[inline(always)]
pub(crate) fn hash2(seed: u32, i: i32, j: i32) -> u32 {
    let h = seed.wrapping_add((i as u32).wrapping_mul(X));
    let h = (h ^ (h >> 16)).wrapping_mul(0x7FEB_352D);
    let h = h.wrapping_add((j as u32).wrapping_mul(Y));
    let h = (h ^ (h >> 15)).wrapping_mul(0x846C_A68B);
    h ^ (h >> 16)
}

/// The hash of a lattice point in space.
#[inline(always)]
pub(crate) fn hash3(seed: u32, i: i32, j: i32, k: i32) -> u32 {
    let h = seed.wrapping_add((i as u32).wrapping_mul(X));
    let h = (h ^ (h >> 16)).wrapping_mul(0x7FEB_352D);
    let h = h.wrapping_add((j as u32).wrapping_mul(Y)).wrapping_add((k as u32).wrapping_mul(Z));
    let h = (h ^ (h >> 15)).wrapping_mul(0x846C_A68B);
    h ^ (h >> 16)
}

/// -1..1 from the upper 24 bits: exact.
#[inline(always)]
pub(crate) fn signed(hash: u32) -> f32 {
    ((hash >> 8) as i32 - 0x80_0000) as f32 * (1.0 / 8_388_608.0)
}

/// 0..1 from the upper 24 bits: exact, never 1.
#[inline(always)]
pub(crate) fn fraction(hash: u32) -> f32 {
    (hash >> 8) as i32 as f32 * (1.0 / 16_777_216.0)
}

/// A direction in the plane for a number in -1..1 (half turns), of length 1 to [`LONGEST`]: parabolas in place of sine and cosine.
#[inline(always)]
pub(crate) fn direction(turn: f32) -> (f32, f32) {
    let ahead = if turn >= 0.5 { turn - 1.5 } else { turn + 0.5 };
    (4.0 * ahead * (1.0 - ahead.abs()), 4.0 * turn * (1.0 - turn.abs()))
}

/// The greatest length of a [`direction`]: both parabolas are 3/4 there.
#[cfg(test)]
pub(crate) const LONGEST: f32 = 1.060_660_2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floor_is_floor() {
        for value in [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, 2.5, -2.5, 1.999, -1.001, 2.0e9 + 0.5, -2.0e9 - 0.5] {
            assert_eq!(floor(value), (value.floor(), value.floor() as i32), "{value}");
        }
    }

    #[test]
    fn directions_are_near_the_circle() {
        for n in -1000..1000 {
            let (x, y) = direction(n as f32 / 1000.0);
            let length = (x * x + y * y).sqrt();
            assert!((0.999..=LONGEST).contains(&length), "{n}: {length}");
        }
    }
}
