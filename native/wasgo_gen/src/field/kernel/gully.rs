//! Gullies: furrows that run down a slope and branch, as running water leaves them.
//!
//! Each octave lays stripes along the slope around points strewn one a cell, and blends them (in the manner of "phasor" and Gabor
//! noise: T. Tricard and others, "Procedural phasor noise", 2019); the next, finer octave follows the slope that the stripes have
//! made. A value depends on the slope at its own point alone, so that chunks agree at their borders, which no simulation of drops that run
//! across them would.

use super::{fraction, hash2};

/// How far a stripe's point reaches, in cells. With points within a quarter of a cell from its middle, none beyond the
/// next cells is that near.
const REACH: f32 = 1.25;
const JITTER: f32 = 0.5;

/// Sine and cosine of a number of turns, within 0.0012: parabolas, twice.
#[inline(always)]
fn turn(turns: f32) -> (f32, f32) {
    // 1.5 * 2^23 leaves no room for fractions.
    let whole = (turns + 12_582_912.0) - 12_582_912.0;
    // -1..=1: half turns.
    let a = (turns - whole) * 2.0;
    let ahead = if a >= 0.5 { a - 1.5 } else { a + 0.5 };
    (wave(a), wave(ahead))
}

#[inline(always)]
fn wave(a: f32) -> f32 {
    let y = 4.0 * a * (1.0 - a.abs());
    0.225 * (y * y.abs() - y) + y
}

/// The stripes at a point of the plane, in cells: height in -1..=1 and its change along both axes for a cell. `across` is the direction square
/// to the slope, of length 1.
#[inline(always)]
pub(crate) fn stripes(seed: u32, [i, j]: [i32; 2], [x, y]: [f32; 2], across: (f32, f32)) -> (f32, f32, f32) {
    let (mut height, mut slope, mut total) = (0.0f32, 0.0f32, 1e-6f32);
    for dj in -1..=1 {
        for di in -1..=1 {
            let hash = hash2(seed, i.wrapping_add(di), j.wrapping_add(dj));
            let px = di as f32 + 0.5 + (fraction(hash) - 0.5) * JITTER;
            let py = dj as f32 + 0.5 + (fraction(hash.wrapping_mul(0x2C1B_3C6D)) - 0.5) * JITTER;
            let (dx, dy) = (x - px, y - py);
            let near = (1.0 - (dx * dx + dy * dy) * (1.0 / (REACH * REACH))).max(0.0);
            let weight = near * near;
            let (sin, cos) = turn(dx * across.0 + dy * across.1);
            height += weight * cos;
            slope -= weight * sin;
            total += weight;
        }
    }
    let scale = 1.0 / total;
    // 2 pi: what a turn a cell is as a slope.
    let slope = slope * scale * 6.283_185_5;
    (height * scale, slope * across.0, slope * across.1)
}
