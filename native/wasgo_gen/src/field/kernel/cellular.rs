//! Cellular noise: distances to points strewn one a cell (S. Worley, "A cellular texture basis function", 1996).

use super::{fraction, hash2, hash3};

/// What is found near a point, in cells: distances to the nearest point and to the next, and the hash of the nearest.
pub(crate) struct Near {
    pub(crate) first: f32,
    pub(crate) second: f32,
    pub(crate) hash: u32,
}

/// In the plane. With `jitter` 1 points are anywhere in their cell; the second may then be missed where it is over a cell away.
#[inline(always)]
pub(crate) fn near2(seed: u32, jitter: f32, [i, j]: [i32; 2], [x, y]: [f32; 2]) -> Near {
    let mut near = Near { first: 8.0, second: 8.0, hash: 0 };
    for dj in -1..=1 {
        for di in -1..=1 {
            let hash = hash2(seed, i.wrapping_add(di), j.wrapping_add(dj));
            let px = di as f32 + 0.5 + (fraction(hash) - 0.5) * jitter;
            let py = dj as f32 + 0.5 + (fraction(hash.wrapping_mul(0x2C1B_3C6D)) - 0.5) * jitter;
            let (dx, dy) = (px - x, py - y);
            take(&mut near, dx * dx + dy * dy, hash);
        }
    }
    finish(near)
}

/// In space.
#[inline(always)]
pub(crate) fn near3(seed: u32, jitter: f32, [i, j, k]: [i32; 3], [x, y, z]: [f32; 3]) -> Near {
    let mut near = Near { first: 8.0, second: 8.0, hash: 0 };
    for dk in -1..=1 {
        for dj in -1..=1 {
            for di in -1..=1 {
                let hash = hash3(seed, i.wrapping_add(di), j.wrapping_add(dj), k.wrapping_add(dk));
                let px = di as f32 + 0.5 + (fraction(hash) - 0.5) * jitter;
                let py = dj as f32 + 0.5 + (fraction(hash.wrapping_mul(0x2C1B_3C6D)) - 0.5) * jitter;
                let pz = dk as f32 + 0.5 + (fraction(hash.wrapping_mul(0x297A_2D39)) - 0.5) * jitter;
                let (dx, dy, dz) = (px - x, py - y, pz - z);
                take(&mut near, dx * dx + dy * dy + dz * dz, hash);
            }
        }
    }
    finish(near)
}

#[inline(always)]
fn take(near: &mut Near, distance: f32, hash: u32) {
    let closer = distance < near.first;
    near.second = if closer { near.first } else { near.second.min(distance) };
    near.first = if closer { distance } else { near.first };
    near.hash = if closer { hash } else { near.hash };
}

#[inline(always)]
fn finish(near: Near) -> Near {
    Near { first: near.first.sqrt(), second: near.second.sqrt(), hash: near.hash }
}
