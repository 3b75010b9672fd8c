//! Simplex noise over blocks of points.
//!
//! After K. Perlin ("Noise hardware", in "Real-Time Shading", SIGGRAPH course notes, 2001) as explained by S. Gustavson ("Simplex
//! noise demystified", 2005), with an integer hash in place of a permutation table. The cell is found in f64, so that noise is as
//! fine a thousand kilometres out as at the origin; what follows is in f32 from the cell's corner.

use super::{direction, floor, hash2, hash3, signed};

/// Skews the plane so that triangles become squares: (sqrt(3) - 1) / 2.
const SKEW_2: f64 = 0.366_025_403_784_438_6;
/// And back: (3 - sqrt(3)) / 6.
pub(crate) const UNSKEW_2: f64 = 0.211_324_865_405_187_13;
const SKEW_3: f64 = 1.0 / 3.0;
const UNSKEW_3: f64 = 1.0 / 6.0;

/// What makes the greatest possible value 1 (see the tests).
const SCALE_2: f32 = 93.5;
const SCALE_3: f32 = 76.0;

/// How much the value may change for each cell of distance (see the tests).
pub(crate) const SLOPE_2: f32 = 13.6;
/// As [`SLOPE_2`], in space.
pub(crate) const SLOPE_3: f32 = 12.3;

#[inline(always)]
fn corner2(seed: u32, i: i32, j: i32, x: f32, y: f32) -> f32 {
    let t = (0.5 - x * x - y * y).max(0.0);
    let (gx, gy) = direction(signed(hash2(seed, i, j)));
    (t * t) * (t * t) * (gx * x + gy * y)
}

/// The square in which a point lies, and where from its first corner.
#[inline(always)]
pub(crate) fn locate2(x: f64, y: f64) -> ([i32; 2], [f32; 2]) {
    let skew = (x + y) * SKEW_2;
    let ((fi, i), (fj, j)) = (floor(x + skew), floor(y + skew));
    let unskew = (fi + fj) * UNSKEW_2;
    ([i, j], [(x - (fi - unskew)) as f32, (y - (fj - unskew)) as f32])
}

/// Noise in the plane at a point that was located: -1..=1, one hill or hollow for about each cell.
#[inline(always)]
pub(crate) fn sample2(seed: u32, [i, j]: [i32; 2], [x, y]: [f32; 2]) -> f32 {
    const BACK: f32 = UNSKEW_2 as f32;
    // Which of the two triangles of the square.
    let right = x > y;
    let (di, dj) = (i32::from(right), i32::from(!right));
    let (sx, sy) = if right { (1.0, 0.0) } else { (0.0, 1.0) };
    let sum = corner2(seed, i, j, x, y)
        + corner2(seed, i.wrapping_add(di), j.wrapping_add(dj), x - sx + BACK, y - sy + BACK)
        + corner2(seed, i.wrapping_add(1), j.wrapping_add(1), x - 1.0 + 2.0 * BACK, y - 1.0 + 2.0 * BACK);
    sum * SCALE_2
}

/// Noise in the plane.
#[inline(always)]
pub(crate) fn simplex2(seed: u32, x: f64, y: f64) -> f32 {
    let (cell, place) = locate2(x, y);
    sample2(seed, cell, place)
}

/// The product with one of the middles of a cube's edges; four of the twelve come twice.
#[inline(always)]
fn edge(hash: u32, x: f32, y: f32, z: f32) -> f32 {
    let h = hash >> 28;
    let u = if h < 8 { x } else { y };
    let v = if h < 4 {
        y
    } else if h == 12 || h == 14 {
        x
    } else {
        z
    };
    f32::from_bits(u.to_bits() ^ (h << 31)) + f32::from_bits(v.to_bits() ^ ((h >> 1) << 31))
}

#[inline(always)]
fn corner3(seed: u32, [i, j, k]: [i32; 3], x: f32, y: f32, z: f32) -> f32 {
    let t = (0.5 - x * x - y * y - z * z).max(0.0);
    (t * t) * (t * t) * edge(hash3(seed, i, j, k), x, y, z)
}

/// The cube in which a point lies, and where from its first corner.
#[inline(always)]
pub(crate) fn locate3(x: f64, y: f64, z: f64) -> ([i32; 3], [f32; 3]) {
    let skew = (x + y + z) * SKEW_3;
    let ((fi, i), (fj, j), (fk, k)) = (floor(x + skew), floor(y + skew), floor(z + skew));
    let unskew = (fi + fj + fk) * UNSKEW_3;
    ([i, j, k], [(x - (fi - unskew)) as f32, (y - (fj - unskew)) as f32, (z - (fk - unskew)) as f32])
}

/// Noise in space.
#[inline(always)]
pub(crate) fn simplex3(seed: u32, x: f64, y: f64, z: f64) -> f32 {
    let (cell, place) = locate3(x, y, z);
    sample3(seed, cell, place)
}

/// Noise in space at a point that was located: -1..=1.
#[inline(always)]
pub(crate) fn sample3(seed: u32, [i, j, k]: [i32; 3], [x0, y0, z0]: [f32; 3]) -> f32 {
    const BACK: f32 = UNSKEW_3 as f32;
    // The corners of the tetrahedron: one step along the longest axis, then one along the next.
    let (xy, yz, xz) = (x0 >= y0, y0 >= z0, x0 >= z0);
    let first = [xy & xz, !xy & yz, !xz & !yz];
    let second = [xy | xz, !xy | yz, !(xz & yz)];
    let near = corner3(seed, [i, j, k], x0, y0, z0);
    let second_one = moved3(seed, [i, j, k], [x0, y0, z0], first, BACK);
    let third = moved3(seed, [i, j, k], [x0, y0, z0], second, 2.0 * BACK);
    let far = moved3(seed, [i, j, k], [x0, y0, z0], [true; 3], 3.0 * BACK);
    (near + second_one + third + far) * SCALE_3
}

/// The corner some steps on from a cell's first.
#[inline(always)]
fn moved3(seed: u32, [i, j, k]: [i32; 3], [x, y, z]: [f32; 3], [a, b, c]: [bool; 3], back: f32) -> f32 {
    let cell = [i.wrapping_add(i32::from(a)), j.wrapping_add(i32::from(b)), k.wrapping_add(i32::from(c))];
    let (a, b, c) = (if a { 1.0 } else { 0.0 }, if b { 1.0 } else { 0.0 }, if c { 1.0 } else { 0.0 });
    corner3(seed, cell, x - a + back, y - b + back, z - c + back)
}

#[cfg(test)]
mod tests {
    use super::super::LONGEST;
    use super::*;

    /// The greatest value and slope there can be, were every corner to have the gradient that adds most.
    fn worst(points: impl Iterator<Item = Vec<f64>>, longest: f64) -> (f64, f64) {
        points.fold((0.0, 0.0), |(value, slope): (f64, f64), distances| {
            let (mut v, mut s) = (0.0, 0.0);
            for d in distances {
                let t = (0.5 - d * d).max(0.0);
                v += t * t * t * t * d * longest;
                s += (t * t * t * t + 8.0 * t * t * t * d * d) * longest;
            }
            (value.max(v), slope.max(s))
        })
    }

    #[test]
    fn the_plane_noise_cannot_leave_its_range_nor_be_steeper_than_stated() {
        const STEPS: i32 = 600;
        let points = (0..=STEPS * STEPS).map(|n| {
            let (i, j) = (f64::from(n % (STEPS + 1)) / f64::from(STEPS), f64::from(n / (STEPS + 1)) / f64::from(STEPS));
            let (x, y) = (i - (i + j) * UNSKEW_2, j - (i + j) * UNSKEW_2);
            let (sx, sy) = if x > y { (1.0, 0.0) } else { (0.0, 1.0) };
            let corners =
                [(x, y), (x - sx + UNSKEW_2, y - sy + UNSKEW_2), (x - 1.0 + 2.0 * UNSKEW_2, y - 1.0 + 2.0 * UNSKEW_2)];
            corners.iter().map(|(x, y)| x.hypot(*y)).collect()
        });
        let (value, slope) = worst(points, f64::from(LONGEST));
        assert!((0.99..=1.0).contains(&(value * f64::from(SCALE_2))), "{}", value * f64::from(SCALE_2));
        assert!((0.9..=0.99).contains(&(slope * f64::from(SCALE_2 / SLOPE_2))), "{}", slope * f64::from(SCALE_2));
    }

    #[test]
    fn the_space_noise_cannot_leave_its_range_nor_be_steeper_than_stated() {
        const STEPS: i32 = 70;
        let side = STEPS + 1;
        let points = (0..side * side * side).filter_map(|n| {
            let at = |k: i32| f64::from(n / side.pow(k as u32) % side) / f64::from(STEPS);
            let (i, j, k) = (at(0), at(1), at(2));
            // One order of the axes stands for all: the tetrahedra are images of each other.
            if !(i >= j && j >= k) {
                return None;
            }
            let back = (i + j + k) * UNSKEW_3;
            let p = [i - back, j - back, k - back];
            let steps = [([0.0; 3], 0.0), ([1.0, 0.0, 0.0], 1.0), ([1.0, 1.0, 0.0], 2.0), ([1.0; 3], 3.0)];
            let distance = |(step, times): ([f64; 3], f64)| {
                (0..3).map(|a| (p[a] - step[a] + times * UNSKEW_3).powi(2)).sum::<f64>().sqrt()
            };
            Some(steps.into_iter().map(distance).collect())
        });
        let (value, slope) = worst(points, std::f64::consts::SQRT_2);
        assert!((0.9..=1.0).contains(&(value * f64::from(SCALE_3))), "{}", value * f64::from(SCALE_3));
        assert!((0.9..=0.99).contains(&(slope * f64::from(SCALE_3 / SLOPE_3))), "{}", slope * f64::from(SCALE_3));
    }

    #[test]
    fn noise_uses_its_range_is_0_on_average_and_smooth_everywhere() {
        let (mut low, mut high, mut sum) = ([0.0f32; 2], [0.0f32; 2], [0.0f64; 2]);
        const COUNT: i32 = 60_000;
        for n in 0..COUNT {
            let (x, y) = (f64::from(n % 300) * 0.37, f64::from(n / 300) * 0.41);
            for (k, value) in [simplex2(1, x, y), simplex3(1, x, y, 0.3)].into_iter().enumerate() {
                low[k] = low[k].min(value);
                high[k] = high[k].max(value);
                sum[k] += f64::from(value) / f64::from(COUNT);
            }
        }
        assert!(low.iter().chain(&high).all(|v| v.abs() > 0.7 && v.abs() <= 1.0), "{low:?} {high:?}");
        assert!(sum.iter().all(|mean| mean.abs() < 0.02), "{sum:?}");
        for offset in [0.0, -1.0e6, 1.0e9] {
            for n in 0..20_000 {
                let x = offset + f64::from(n) * 0.0137;
                let step = simplex2(3, x + 0.001, 0.7) - simplex2(3, x, 0.7);
                assert!(step.abs() < 0.02, "at {x}: {step}");
                let step = simplex3(3, x + 0.001, 0.7, 0.2) - simplex3(3, x, 0.7, 0.2);
                assert!(step.abs() < 0.02, "at {x}: {step}");
            }
        }
    }
}
