//! Gradient noise: smooth fields of numbers over the plane and in space, fixed by a seed.
//!
//! Simplex noise after K. Perlin ("Noise hardware", in "Real-Time Shading", SIGGRAPH course notes, 2001) as explained by
//! S. Gustavson ("Simplex noise demystified", 2005), with an integer hash in place of a permutation table, so that it never
//! repeats. [`Fractal`] sums it after F. K. Musgrave (in "Texturing and Modeling: A Procedural Approach", 2003).
//!
//! Coordinates are f64 in cells (about one hill each). Up to 2^32 cells from the origin the fields are smooth;
//! everything is computed in a fixed order with basic arithmetic only, so that the bits are the same everywhere.

use crate::hash::{derive, hash2, hash3};

/// Skews the plane so that triangles become squares: (sqrt(3) - 1) / 2.
const SKEW_2: f64 = 0.366_025_403_784_438_6;
/// And back: (3 - sqrt(3)) / 6.
const UNSKEW_2: f64 = 0.211_324_865_405_187_13;
const SKEW_3: f64 = 1.0 / 3.0;
const UNSKEW_3: f64 = 1.0 / 6.0;

/// What makes the greatest possible value 1 (see the tests).
const SCALE_2: f64 = 99.204;
const SCALE_3: f64 = 108.6;

/// Sixteen directions, evenly spread, none along an axis.
const GRADIENTS_2: [[f64; 2]; 16] = {
    const A: f64 = 0.980_785_280_403_230_4;
    const B: f64 = 0.831_469_612_302_545_2;
    const C: f64 = 0.555_570_233_019_602_2;
    const D: f64 = 0.195_090_322_016_128_28;
    [
        [A, D],
        [B, C],
        [C, B],
        [D, A],
        [-D, A],
        [-C, B],
        [-B, C],
        [-A, D],
        [-A, -D],
        [-B, -C],
        [-C, -B],
        [-D, -A],
        [D, -A],
        [C, -B],
        [B, -C],
        [A, -D],
    ]
};

/// The middles of the edges of a cube, at length 1; four of them twice to make sixteen.
const GRADIENTS_3: [[f64; 3]; 16] = {
    const H: f64 = std::f64::consts::FRAC_1_SQRT_2;
    [
        [H, H, 0.0],
        [-H, H, 0.0],
        [H, -H, 0.0],
        [-H, -H, 0.0],
        [H, 0.0, H],
        [-H, 0.0, H],
        [H, 0.0, -H],
        [-H, 0.0, -H],
        [0.0, H, H],
        [0.0, -H, H],
        [0.0, H, -H],
        [0.0, -H, -H],
        [H, H, 0.0],
        [-H, H, 0.0],
        [0.0, -H, H],
        [0.0, -H, -H],
    ]
};

/// The largest whole number that is not above `value`. Unlike `f64::floor` never a library call.
#[inline]
pub(crate) fn floor(value: f64) -> i64 {
    let whole = value as i64;
    whole.wrapping_sub(i64::from((whole as f64) > value))
}

/// How much a corner at distance (x, y) adds.
#[inline]
fn corner2(seed: u64, i: i64, j: i64, x: f64, y: f64) -> f64 {
    // Without a branch: which corners count is too uneven to be guessed by the processor.
    let t = (0.5 - x * x - y * y).max(0.0);
    let [gx, gy] = GRADIENTS_2[(hash2(seed, i, j) >> 60) as usize];
    (t * t) * (t * t) * (gx * x + gy * y)
}

#[inline]
fn corner3(seed: u64, cell: [i64; 3], x: f64, y: f64, z: f64) -> f64 {
    let t = (0.5 - x * x - y * y - z * z).max(0.0);
    let [gx, gy, gz] = GRADIENTS_3[(hash3(seed, cell[0], cell[1], cell[2]) >> 60) as usize];
    (t * t) * (t * t) * (gx * x + gy * y + gz * z)
}

/// Noise in the plane: -1..=1, 0 on average, one hill or hollow for about each cell.
///
/// ```
/// use wasgo_gen::noise::simplex2;
/// assert_eq!(simplex2(7, 1.25, -3.5), simplex2(7, 1.25, -3.5));
/// assert_ne!(simplex2(7, 1.25, -3.5), simplex2(8, 1.25, -3.5));
/// ```
#[must_use]
#[inline]
pub fn simplex2(seed: u64, x: f64, y: f64) -> f64 {
    let skew = (x + y) * SKEW_2;
    let (i, j) = (floor(x + skew), floor(y + skew));
    let unskew = (i as f64 + j as f64) * UNSKEW_2;
    let (x0, y0) = (x - (i as f64 - unskew), y - (j as f64 - unskew));
    // Which of the two triangles of the square.
    let (di, dj) = if x0 > y0 { (1, 0) } else { (0, 1) };
    let (x1, y1) = (x0 - di as f64 + UNSKEW_2, y0 - dj as f64 + UNSKEW_2);
    let (x2, y2) = (x0 - 1.0 + 2.0 * UNSKEW_2, y0 - 1.0 + 2.0 * UNSKEW_2);
    let sum = corner2(seed, i, j, x0, y0)
        + corner2(seed, i.wrapping_add(di), j.wrapping_add(dj), x1, y1)
        + corner2(seed, i.wrapping_add(1), j.wrapping_add(1), x2, y2);
    sum * SCALE_2
}

/// Noise in space: -1..=1, 0 on average.
#[must_use]
pub fn simplex3(seed: u64, x: f64, y: f64, z: f64) -> f64 {
    let skew = (x + y + z) * SKEW_3;
    let cell = [floor(x + skew), floor(y + skew), floor(z + skew)];
    let unskew = (cell[0] as f64 + cell[1] as f64 + cell[2] as f64) * UNSKEW_3;
    let from = [x - (cell[0] as f64 - unskew), y - (cell[1] as f64 - unskew), z - (cell[2] as f64 - unskew)];
    // The corners of the tetrahedron: one step along the longest axis, then one along the next.
    let [x0, y0, z0] = from;
    let (first, second) = match (x0 >= y0, y0 >= z0, x0 >= z0) {
        (true, true, _) => ([1, 0, 0], [1, 1, 0]),
        (true, false, true) => ([1, 0, 0], [1, 0, 1]),
        (true, false, false) => ([0, 0, 1], [1, 0, 1]),
        (false, false, _) => ([0, 0, 1], [0, 1, 1]),
        (false, true, false) => ([0, 1, 0], [0, 1, 1]),
        (false, true, true) => ([0, 1, 0], [1, 1, 0]),
    };
    let mut sum = 0.0;
    for (step, back) in [([0, 0, 0], 0.0), (first, UNSKEW_3), (second, 2.0 * UNSKEW_3), ([1, 1, 1], 3.0 * UNSKEW_3)] {
        let at = |axis: usize| from[axis] - step[axis] as f64 + back;
        let corner = [cell[0].wrapping_add(step[0]), cell[1].wrapping_add(step[1]), cell[2].wrapping_add(step[2])];
        sum += corner3(seed, corner, at(0), at(1), at(2));
    }
    sum * SCALE_3
}

/// How round crests are, as a share of the noise's range.
const ROUND: f64 = 0.06;

/// The most octaves that a [`Fractal`] sums.
pub const MAX_OCTAVES: u32 = 12;

/// Sums of noise at rising frequencies.
#[derive(Clone, Debug)]
pub struct Fractal {
    seeds: [u64; MAX_OCTAVES as usize],
    octaves: usize,
    lacunarity: f64,
    gain: f64,
    fbm_scale: f64,
}

impl Fractal {
    /// `octaves` (at most [`MAX_OCTAVES`]) layers; each has `lacunarity` times the frequency and `gain` times the height of the one before.
    #[must_use]
    pub fn new(seed: u64, octaves: u32, lacunarity: f64, gain: f64) -> Self {
        let octaves = octaves.clamp(1, MAX_OCTAVES) as usize;
        let mut seeds = [0; MAX_OCTAVES as usize];
        let (mut total, mut height) = (0.0, 1.0);
        for (octave, place) in seeds.iter_mut().enumerate().take(octaves) {
            *place = derive(seed, octave as u64);
            total += height;
            height *= gain;
        }
        Self { seeds, octaves, lacunarity, gain, fbm_scale: 1.0 / total }
    }

    /// Fractional Brownian motion: rolling hills. -1..=1.
    #[must_use]
    #[inline]
    pub fn fbm(&self, x: f64, y: f64) -> f64 {
        let (mut sum, mut height, mut frequency) = (0.0, 1.0, 1.0);
        for seed in &self.seeds[..self.octaves] {
            sum += height * simplex2(*seed, x * frequency, y * frequency);
            height *= self.gain;
            frequency *= self.lacunarity;
        }
        sum * self.fbm_scale
    }

    /// Ridges where the noise crosses 0, finer ones on the flanks of coarse ones. 0..=1.
    #[must_use]
    #[inline]
    pub fn ridged(&self, x: f64, y: f64) -> f64 {
        let (mut sum, mut height, mut frequency, mut weight) = (0.0, 1.0, 1.0, 1.0);
        for seed in &self.seeds[..self.octaves] {
            let n = simplex2(*seed, x * frequency, y * frequency);
            // The absolute value with a round foot: a sharp crest would turn into teeth between samples.
            let crest = 1.0 + ROUND - (n * n + ROUND * ROUND).sqrt();
            let crest = crest * crest * weight;
            sum += height * crest;
            // Valleys stay smooth: detail only where this octave is high.
            weight = if crest < 0.5 { crest * 2.0 } else { 1.0 };
            height *= self.gain;
            frequency *= self.lacunarity;
        }
        sum * self.fbm_scale
    }
}

/// Moves a point by up to `strength` along each axis, so that what is computed there is bent (after I. Quilez, "Domain
/// warping", 2002). `frequency` is that of the bends, in 1 / unit of the point.
#[must_use]
#[inline]
pub fn warp(seed: u64, x: f64, y: f64, frequency: f64, strength: f64) -> (f64, f64) {
    let (u, v) = (x * frequency, y * frequency);
    let dx = simplex2(derive(seed, 1), u, v);
    let dy = simplex2(derive(seed, 2), u, v);
    (x + dx * strength, y + dy * strength)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The greatest value there can be: at each point of a cell, every corner has the gradient that adds most.
    #[test]
    fn the_plane_noise_cannot_leave_its_range() {
        let mut greatest: f64 = 0.0;
        let reach = |x: f64, y: f64| {
            let d = x * x + y * y;
            let t = (0.5 - d).max(0.0);
            t * t * t * t * d.sqrt()
        };
        for a in 0..=1000 {
            for b in 0..=1000 {
                // A point of the unskewed cell.
                let (i, j) = (f64::from(a) / 1000.0, f64::from(b) / 1000.0);
                let unskew = (i + j) * UNSKEW_2;
                let (x, y) = (i - unskew, j - unskew);
                let (di, dj) = if x > y { (1.0, 0.0) } else { (0.0, 1.0) };
                let sum = reach(x, y)
                    + reach(x - di + UNSKEW_2, y - dj + UNSKEW_2)
                    + reach(x - 1.0 + 2.0 * UNSKEW_2, y - 1.0 + 2.0 * UNSKEW_2);
                greatest = greatest.max(sum * SCALE_2);
            }
        }
        assert!((0.998..=1.0).contains(&greatest), "{greatest}");
    }

    #[test]
    fn the_space_noise_cannot_leave_its_range() {
        let mut greatest: f64 = 0.0;
        let reach = |p: [f64; 3], s: [f64; 3], back: f64| {
            let p = [p[0] - s[0] + back, p[1] - s[1] + back, p[2] - s[2] + back];
            let d = p[0] * p[0] + p[1] * p[1] + p[2] * p[2];
            let t = (0.5 - d).max(0.0);
            let most = GRADIENTS_3.iter().map(|g| g[0] * p[0] + g[1] * p[1] + g[2] * p[2]);
            t * t * t * t * most.fold(f64::MIN, f64::max)
        };
        const STEPS: u32 = 60;
        for n in 0..(STEPS + 1).pow(3) {
            let at = |k: u32| f64::from((n / (STEPS + 1).pow(k)) % (STEPS + 1)) / f64::from(STEPS);
            let (i, j, k) = (at(0), at(1), at(2));
            // One order of the axes stands for all: the tetrahedra are images of each other.
            if !(i >= j && j >= k) {
                continue;
            }
            let unskew = (i + j + k) * UNSKEW_3;
            let p = [i - unskew, j - unskew, k - unskew];
            let sum = reach(p, [0.0; 3], 0.0)
                + reach(p, [1.0, 0.0, 0.0], UNSKEW_3)
                + reach(p, [1.0, 1.0, 0.0], 2.0 * UNSKEW_3)
                + reach(p, [1.0; 3], 3.0 * UNSKEW_3);
            greatest = greatest.max(sum * SCALE_3);
        }
        assert!((0.97..=1.0).contains(&greatest), "{greatest}");
    }

    #[test]
    fn noise_uses_its_range_and_is_0_on_average() {
        let fractal = Fractal::new(5, 5, 2.0, 0.5);
        let (mut low, mut high, mut sum) = ([0.0f64; 4], [0.0f64; 4], [0.0f64; 4]);
        const COUNT: i32 = 40_000;
        for n in 0..COUNT {
            let (x, y) = (f64::from(n % 200) * 0.37, f64::from(n / 200) * 0.41);
            let values = [simplex2(1, x, y), simplex3(1, x, y, 0.3), fractal.fbm(x, y), fractal.ridged(x, y)];
            for (k, value) in values.into_iter().enumerate() {
                low[k] = low[k].min(value);
                high[k] = high[k].max(value);
                sum[k] += value / f64::from(COUNT);
            }
        }
        assert!(low.iter().chain(&high).all(|v| (-1.0..=1.0).contains(v)), "{low:?} {high:?}");
        assert!(low[0] < -0.75 && high[0] > 0.75 && low[1] < -0.6 && high[1] > 0.6, "{low:?} {high:?}");
        assert!(low[2] < -0.5 && high[2] > 0.5, "{low:?} {high:?}");
        assert!(low[3] >= 0.0 && high[3] > 0.8, "{low:?} {high:?}");
        assert!(sum[..3].iter().all(|mean| mean.abs() < 0.03), "{sum:?}");
    }

    #[test]
    fn noise_is_smooth_across_cells_and_far_from_the_origin() {
        for offset in [0.0, -1.0e6, 4.0e9] {
            for n in 0..20_000 {
                let x = offset + f64::from(n) * 0.0137;
                let step = simplex2(3, x + 0.001, 0.7) - simplex2(3, x, 0.7);
                assert!(step.abs() < 0.02, "at {x}: {step}");
                if offset == 0.0 {
                    let step = simplex3(3, x + 0.001, 0.7, 0.2) - simplex3(3, x, 0.7, 0.2);
                    assert!(step.abs() < 0.02, "at {x}: {step}");
                }
            }
        }
    }

    #[test]
    fn floor_is_floor() {
        for value in [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.999, -1.001, 4.0e9 + 0.5, -4.0e9 - 0.5] {
            assert_eq!(floor(value), value.floor() as i64, "{value}");
        }
    }
}
