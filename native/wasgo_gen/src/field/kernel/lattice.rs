//! Value noise and gradient noise on a square lattice.

use super::{direction, floor, fraction, hash2, hash3, signed};

/// What makes the greatest possible value of gradient noise 1: at a cell's middle, where all four gradients point to or from it.
const PERLIN_2: f32 = 1.32;
const PERLIN_3: f32 = 0.99;

/// The square in which a point lies, and where in it: 0..=1.
#[inline(always)]
pub(crate) fn locate2(x: f64, y: f64) -> ([i32; 2], [f32; 2]) {
    let ((fi, i), (fj, j)) = (floor(x), floor(y));
    ([i, j], [(x - fi) as f32, (y - fj) as f32])
}

/// The cube in which a point lies, and where in it: 0..=1.
#[inline(always)]
pub(crate) fn locate3(x: f64, y: f64, z: f64) -> ([i32; 3], [f32; 3]) {
    let ((fi, i), (fj, j), (fk, k)) = (floor(x), floor(y), floor(z));
    ([i, j, k], [(x - fi) as f32, (y - fj) as f32, (z - fk) as f32])
}

/// 0..=1 with no slope and no bend at the ends.
#[inline(always)]
fn fade(t: f32) -> f32 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

#[inline(always)]
fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Value noise in the plane: -1..=1.
#[inline(always)]
pub(crate) fn value2(seed: u32, [i, j]: [i32; 2], [x, y]: [f32; 2]) -> f32 {
    let (i1, j1) = (i.wrapping_add(1), j.wrapping_add(1));
    let (u, v) = (fade(x), fade(y));
    let north = lerp(signed(hash2(seed, i, j)), signed(hash2(seed, i1, j)), u);
    let south = lerp(signed(hash2(seed, i, j1)), signed(hash2(seed, i1, j1)), u);
    lerp(north, south, v)
}

/// Value noise in space: -1..=1.
#[inline(always)]
pub(crate) fn value3(seed: u32, [i, j, k]: [i32; 3], [x, y, z]: [f32; 3]) -> f32 {
    let (j1, k1) = (j.wrapping_add(1), k.wrapping_add(1));
    let (u, v, w) = (fade(x), fade(y), fade(z));
    let near = lerp(value_row(seed, [i, j, k], u), value_row(seed, [i, j1, k], u), v);
    let far = lerp(value_row(seed, [i, j, k1], u), value_row(seed, [i, j1, k1], u), v);
    lerp(near, far, w)
}

#[inline(always)]
fn value_row(seed: u32, [i, j, k]: [i32; 3], u: f32) -> f32 {
    lerp(signed(hash3(seed, i, j, k)), signed(hash3(seed, i.wrapping_add(1), j, k)), u)
}

/// Gradient noise in the plane: -1..=1.
#[inline(always)]
pub(crate) fn perlin2(seed: u32, [i, j]: [i32; 2], [x, y]: [f32; 2]) -> f32 {
    let (i1, j1) = (i.wrapping_add(1), j.wrapping_add(1));
    let (u, v) = (fade(x), fade(y));
    let north = lerp(pull2(hash2(seed, i, j), x, y), pull2(hash2(seed, i1, j), x - 1.0, y), u);
    let south = lerp(pull2(hash2(seed, i, j1), x, y - 1.0), pull2(hash2(seed, i1, j1), x - 1.0, y - 1.0), u);
    lerp(north, south, v) * PERLIN_2
}

#[inline(always)]
fn pull2(hash: u32, x: f32, y: f32) -> f32 {
    let (gx, gy) = direction(signed(hash));
    gx * x + gy * y
}

/// Gradient noise in space: -1..=1.
#[inline(always)]
pub(crate) fn perlin3(seed: u32, [i, j, k]: [i32; 3], [x, y, z]: [f32; 3]) -> f32 {
    let (j1, k1) = (j.wrapping_add(1), k.wrapping_add(1));
    let (u, v, w) = (fade(x), fade(y), fade(z));
    let near = lerp(perlin_row(seed, [i, j, k], [x, y, z], u), perlin_row(seed, [i, j1, k], [x, y - 1.0, z], u), v);
    let far = lerp(
        perlin_row(seed, [i, j, k1], [x, y, z - 1.0], u),
        perlin_row(seed, [i, j1, k1], [x, y - 1.0, z - 1.0], u),
        v,
    );
    (lerp(near, far, w) * PERLIN_3).clamp(-1.0, 1.0)
}

#[inline(always)]
fn perlin_row(seed: u32, [i, j, k]: [i32; 3], [x, y, z]: [f32; 3], u: f32) -> f32 {
    let (near, far) = (hash3(seed, i, j, k), hash3(seed, i.wrapping_add(1), j, k));
    lerp(pull3(near, x, y, z), pull3(far, x - 1.0, y, z), u)
}

/// With gradients whose components are -1..=1: evener than few directions, and cheap.
#[inline(always)]
fn pull3(hash: u32, x: f32, y: f32, z: f32) -> f32 {
    component(hash) * x + component(hash >> 10) * y + component(hash >> 20) * z
}

#[inline(always)]
fn component(hash: u32) -> f32 {
    (hash & 0x3FF) as i32 as f32 * (2.0 / 1023.0) - 1.0
}

/// White noise: a value in -1..1 for each cell of the lattice.
#[inline(always)]
pub(crate) fn white2(seed: u32, [i, j]: [i32; 2], _: [f32; 2]) -> f32 {
    fraction(hash2(seed, i, j)) * 2.0 - 1.0
}

/// As [`white2`], in space.
#[inline(always)]
pub(crate) fn white3(seed: u32, [i, j, k]: [i32; 3], _: [f32; 3]) -> f32 {
    fraction(hash3(seed, i, j, k)) * 2.0 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lattice_noise_stays_in_its_range_uses_it_and_is_0_on_average() {
        let (mut low, mut high, mut sum) = ([0.0f32; 6], [0.0f32; 6], [0.0f64; 6]);
        const COUNT: i32 = 250_000;
        for n in 0..COUNT {
            let (x, y, z) = (f64::from(n % 500) * 0.317, f64::from(n / 500) * 0.291, f64::from(n) * 0.001);
            let ((square, flat), (cube, deep)) = (locate2(x, y), locate3(x, y, z));
            let values = [
                value2(1, square, flat),
                value3(1, cube, deep),
                perlin2(1, square, flat),
                perlin3(1, cube, deep),
                white2(1, square, flat),
                white3(1, cube, deep),
            ];
            for (k, value) in values.into_iter().enumerate() {
                low[k] = low[k].min(value);
                high[k] = high[k].max(value);
                sum[k] += f64::from(value) / f64::from(COUNT);
            }
        }
        assert!(low.iter().chain(&high).all(|v| v.abs() > 0.6 && v.abs() <= 1.0), "{low:?} {high:?}");
        assert!(sum.iter().all(|mean| mean.abs() < 0.03), "{sum:?}");
    }

    /// Each corner's gradient pulling as hard as it can: the plane noise needs no clamping.
    #[test]
    fn gradient_noise_in_the_plane_cannot_leave_its_range() {
        let mut greatest = 0.0f32;
        for a in 0..=200 {
            for b in 0..=200 {
                let (x, y) = (a as f32 / 200.0, b as f32 / 200.0);
                let reach = |x: f32, y: f32| (x * x + y * y).sqrt() * super::super::LONGEST;
                let (u, v) = (fade(x), fade(y));
                let sum = lerp(
                    lerp(reach(x, y), reach(x - 1.0, y), u),
                    lerp(reach(x, y - 1.0), reach(x - 1.0, y - 1.0), u),
                    v,
                );
                greatest = greatest.max(sum * PERLIN_2);
            }
        }
        assert!((0.95..=1.0).contains(&greatest), "{greatest}");
    }
}
