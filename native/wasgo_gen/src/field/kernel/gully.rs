//! Gullies: furrows that run down a slope and branch, as running water leaves them.
//!
//! Each octave lays waves across the slope around the corners of a lattice of triangles and adds them up as phases (in the manner of
//! T. Tricard and others, "Procedural phasor noise", 2019): where neighbours disagree about the phase two gullies meet. The next, finer
//! octave follows the slope that the waves have made, turned less than it, and fades out on crests and along beds, so that those stay
//! clean. A value depends on the slope at its own point alone, so that chunks agree at their borders, which no simulation of drops
//! that run across them would.

use super::simplex::{UNSKEW_2, locate2};
use super::{BLOCK, Kernel, LANES, dispatch, fraction, hash2};
use crate::field::instr::Gully;
use crate::field::run::{Places, Values};

/// Waves for each cell.
const WAVES: f32 = 0.9;

/// How much finer each octave is than the one before. Not a whole number, so that waves don't lie upon each other.
const FINER: f64 = 1.9;

/// How much of the slope that the waves have made the next octave follows.
const STEER: f32 = 0.8;

/// How much of the finer octaves is left out on crests and beds.
const CLEAN: f32 = 0.85;

/// How round crests are, as a share of the wave: a sharp crest would turn into teeth between samples.
const ROUND: f32 = 0.08;

/// The least part of the waves that counts as agreement about the phase: below, they level out.
const AGREE: f32 = 0.04;

/// Cosine and sine by which each octave's lattice is turned against the one before.
const TURN: (f64, f64) = (0.8, 0.6);

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

/// Weight, and weight times cosine and sine, of the waves around one corner.
#[inline(always)]
fn corner(seed: u32, i: i32, j: i32, (x, y): (f32, f32), across: (f32, f32)) -> (f32, f32, f32) {
    let near = (1.0 - (x * x + y * y) * 2.0).max(0.0);
    let weight = near * near;
    let (sin, cos) = turn((x * across.0 + y * across.1) * WAVES + fraction(hash2(seed, i, j)));
    (weight, weight * cos, weight * sin)
}

/// Cosine and sine of the waves' phase at a point that was located; both near 0 where they don't agree. `across` is the direction square to
/// the slope, of length 1.
#[inline(always)]
fn waves(seed: u32, [i, j]: [i32; 2], [x, y]: [f32; 2], across: (f32, f32)) -> (f32, f32) {
    const BACK: f32 = UNSKEW_2 as f32;
    // Which of the two triangles of the square.
    let right = x > y;
    let (di, dj) = (i32::from(right), i32::from(!right));
    let (sx, sy) = if right { (1.0, 0.0) } else { (0.0, 1.0) };
    let a = corner(seed, i, j, (x, y), across);
    let b = corner(seed, i.wrapping_add(di), j.wrapping_add(dj), (x - sx + BACK, y - sy + BACK), across);
    let far = (x - 1.0 + 2.0 * BACK, y - 1.0 + 2.0 * BACK);
    let c = corner(seed, i.wrapping_add(1), j.wrapping_add(1), far, across);
    let (weight, cos, sin) = (a.0 + b.0 + c.0, a.1 + b.1 + c.1, a.2 + b.2 + c.2);
    let scale = 1.0 / (cos * cos + sin * sin + weight * weight * AGREE).sqrt();
    (cos * scale, sin * scale)
}

/// What gullies add to heights. `heights` are those at the places, a step east and a step south; `count` is a multiple of LANES.
pub(crate) fn gully(gully: &Gully, places: &Places, heights: [&Values; 3], count: usize, out: &mut Values) {
    dispatch(GullyKernel { gully, places, heights, count, out });
}

struct GullyKernel<'a> {
    gully: &'a Gully,
    places: &'a Places,
    heights: [&'a Values; 3],
    count: usize,
    out: &'a mut Values,
}

impl Kernel for GullyKernel<'_> {
    #[inline(always)]
    fn run(self) {
        let g = self.gully;
        let [x, _, z] = self.places;
        let [here, east, south] = self.heights;
        let per_metre = 1.0 / g.step;
        for start in (0..self.count.min(BLOCK)).step_by(LANES) {
            let (mut east_slope, mut south_slope) = ([0.0f32; LANES], [0.0f32; LANES]);
            for l in 0..LANES {
                east_slope[l] = (east[start + l] - here[start + l]) * per_metre;
                south_slope[l] = (south[start + l] - here[start + l]) * per_metre;
            }
            // Where between bed (-1) and crest (1), and how much octaves still to come may change of it.
            let (mut level, mut left) = ([0.0f32; LANES], [1.0f32; LANES]);
            let mut sum = [0.0f32; LANES];
            let (mut height, mut frequency) = (g.strength, g.frequency);
            let (mut cos, mut sin) = (1.0f64, 0.0f64);
            for octave in 0..g.octaves {
                let seed = g.seeds[octave];
                let (mut i, mut j) = ([0i32; LANES], [0i32; LANES]);
                let (mut u, mut v) = ([0.0f32; LANES], [0.0f32; LANES]);
                for l in 0..LANES {
                    let (x, z) = (x[start + l] * frequency, z[start + l] * frequency);
                    let (cell, place) = locate2(x * cos - z * sin, x * sin + z * cos);
                    [i[l], j[l]] = cell;
                    [u[l], v[l]] = place;
                }
                let (turned_x, turned_z) = (cos as f32, sin as f32);
                // 2 pi: what a turn a cell is as a slope.
                let steepness = height * frequency as f32 * (WAVES * STEER * 6.283_185_5);
                for l in 0..LANES {
                    let (sx, sz) = (east_slope[l], south_slope[l]);
                    let steep = (sx * sx + sz * sz).sqrt();
                    let unit = 1.0 / steep.max(1e-9);
                    // No gullies where it is flat, nor a direction for them.
                    let t = (steep / g.slope).min(1.0);
                    let share = t * (2.0 - t) * left[l];
                    let (cx, cz) = (-sz * unit, sx * unit);
                    let across = (cx * turned_x - cz * turned_z, cx * turned_z + cz * turned_x);
                    let (c, s) = waves(seed, [i[l], j[l]], [u[l], v[l]], across);
                    // Round below, edged above: the half angle's sine turns round where the wave is highest.
                    let half = ((1.0 - c) * 0.5 + ROUND * ROUND).sqrt();
                    let profile = (1.0 - (half - ROUND) * (2.0 / (1.0 - ROUND))).clamp(-1.0, 1.0);
                    level[l] += (profile - level[l]) * share;
                    sum[l] += level[l] * height;
                    let pull = -s * steepness * share;
                    east_slope[l] = sx + cx * pull;
                    south_slope[l] = sz + cz * pull;
                    left[l] *= 1.0 - CLEAN + CLEAN * (1.0 - c * c).max(0.0).sqrt();
                }
                height *= g.gain;
                frequency *= FINER;
                (cos, sin) = (cos * TURN.0 - sin * TURN.1, cos * TURN.1 + sin * TURN.0);
            }
            self.out[start..start + LANES].copy_from_slice(&sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_are_as_high_as_they_may_be_and_smooth() {
        let (mut low, mut high) = (0.0f32, 0.0f32);
        for n in 0..200_000 {
            let (x, y) = (f64::from(n % 500) * 0.0317, f64::from(n / 500) * 0.0291);
            let at = |x: f64| {
                let (cell, place) = locate2(x, y);
                waves(9, cell, place, (0.6, 0.8))
            };
            let ((cos, sin), (next, _)) = (at(x), at(x + 0.001));
            assert!(cos * cos + sin * sin <= 1.0);
            assert!((next - cos).abs() < 0.1, "{x} {y}");
            (low, high) = (low.min(cos), high.max(cos));
        }
        assert!(low < -0.9 && high > 0.9, "{low} {high}");
    }

    /// On a machine without the wider instructions both are the same code, and there is nothing to see.
    #[test]
    fn wider_instructions_give_the_same_bits() {
        let x = |n: usize| n as f64 * 1.37 - 300.0 + if n.is_multiple_of(5) { 900_000.0 } else { 0.0 };
        let z = |n: usize| (n * n % 977) as f64 * 0.53 - 100.0;
        let places: Places = [std::array::from_fn(x), [0.0; BLOCK], std::array::from_fn(z)];
        let here: Values = std::array::from_fn(|n| n as f32 * 0.1);
        let east: Values = std::array::from_fn(|n| n as f32 * 0.13);
        let south: Values = std::array::from_fn(|n| (n % 7) as f32);
        let of = Gully { octaves: 5, seeds: [5; 8], frequency: 0.04, strength: 3.0, gain: 0.5, slope: 0.4, step: 2.0 };
        let heights = [&here, &east, &south];
        let (mut wide, mut plain) = ([0.0; BLOCK], [0.0; BLOCK]);
        gully(&of, &places, heights, BLOCK, &mut wide);
        GullyKernel { gully: &of, places: &places, heights, count: BLOCK, out: &mut plain }.run();
        assert_eq!(wide.map(f32::to_bits), plain.map(f32::to_bits));
    }
}
