//! henge: circles of standing stones, some with lintels, around a stone that glows.
//!
//! A generator for plans: `generators: [[script: "henge", parameters: [chance, radius, lowest], level: 2]]`.
//!
//! ```text
//! chance REAL    of a chunk of level 0 to have one, 0 to 1
//! radius REAL    of the circle in metres, 3 to 40
//! lowest REAL    metres: where the ground is lower, above the water say, there is none
//! ```
//!
//! A circle is whole within one chunk of level 0, and there only where the ground is even enough. Coarser chunks, which are
//! several of those, have the same circles at the same places, on the ground as they know it.

use std::f64::consts::TAU;

use wasgo::Row;
use wasgo::generate::{Asked, Chunk, Generation, Geometry, Look, Mesh, hash, unit};

wasgo::script! { generate: henge }

/// Different standing stones, each used again and again.
const STONES: u64 = 5;
/// The share of stones that have fallen long ago.
const FALLEN: f64 = 0.14;
/// The share of gaps between two stones that a lintel spans.
const SPANNED: f64 = 0.55;
/// The most that the ground under a circle rises, in radii.
const EVEN: f64 = 0.35;
/// How deep stones are in the ground, in heights.
const SUNK: f32 = 0.35;

const MOSS: [f32; 3] = [0.09, 0.13, 0.04];
const STONE: [f32; 3] = [0.27, 0.26, 0.24];
const WORN: [f32; 3] = [0.44, 0.42, 0.38];
const GLOW: [f32; 3] = [0.2, 0.7, 0.9];

fn henge(of: Generation, row: Row) -> Vec<u8> {
    let Some(Asked::Chunk(chunk)) = Asked::of(&row) else { return Vec::new() };
    let chance = row.real(1);
    let radius = row.real(2).clamp(3.0, 40.0);
    let lowest = row.real(3);
    let parts = 1i64 << of.lod.min(12);
    let side = chunk.size / parts as f64;
    let room = side - 2.0 * (radius + 2.0);
    if room < 0.0 {
        return Vec::new();
    }
    let mut circles = Circles::default();
    for (column, line) in (0..parts).flat_map(|line| (0..parts).map(move |column| (column, line))) {
        let luck = hash(of.seed, i64::from(of.x) * parts + column, i64::from(of.z) * parts + line);
        if unit(luck, 0) < chance {
            let at = |part: i64, n| part as f64 * side + radius + 2.0 + room * unit(luck, n);
            circles.add(&chunk, [at(column, 1), at(line, 2)], radius, lowest, luck);
        }
    }
    circles.geometry.finish()
}

/// What was made so far.
#[derive(Default)]
struct Circles {
    geometry: Geometry,
    /// Made when the first circle is.
    meshes: Option<Meshes>,
}

struct Meshes {
    stones: Vec<u32>,
    lintel: u32,
    glowing: u32,
}

impl Circles {
    fn add(&mut self, chunk: &Chunk, [x, z]: [f64; 2], radius: f64, lowest: f64, luck: u64) {
        let tall = (radius * 0.42).clamp(2.2, 6.0);
        let count = (TAU * radius / (tall * 0.75)).round() as u64;
        // Of the stone `n`, and half way to the next for `n` and a half.
        let on_circle = |n: f64| {
            let turn = (n + unit(luck, 3)) / count as f64 * TAU;
            (x + radius * turn.cos(), z + radius * turn.sin(), turn)
        };
        let heights = (0..count).map(|n| {
            let (x, z, _) = on_circle(n as f64);
            chunk.ground(x, z)
        });
        let (low, high) = heights.fold((f64::MAX, f64::MIN), |(low, high), at| (low.min(at), high.max(at)));
        if low < lowest || high - low > EVEN * radius {
            return;
        }
        let meshes = self.meshes.get_or_insert_with(|| Meshes::new(&mut self.geometry));
        let stands = |n: u64| unit(luck, 100 + n % count) >= FALLEN;
        let mut place = |mesh: u32, position: [f64; 3], yaw: f64, scale: f64| {
            self.geometry.place(mesh, position, (yaw * 0.5).sin_cos(), scale);
        };
        for n in (0..count).filter(|n| stands(*n)) {
            let (x, z, turn) = on_circle(n as f64);
            let stone = meshes.stones[(unit(luck, 200 + n) * STONES as f64) as usize];
            // All tops are even, so that lintels lie on them: what the ground is lower, the stone is longer, and sunk.
            place(stone, [x, high, z], -turn, tall);
            if stands(n + 1) && unit(luck, 400 + n) < SPANNED {
                let (x, z, turn) = on_circle(n as f64 + 0.5);
                place(meshes.lintel, [x, high + tall * 0.99, z], -turn, tall);
            }
        }
        place(meshes.glowing, [x, chunk.ground(x, z), z], TAU * unit(luck, 4), tall * 0.55);
    }
}

impl Meshes {
    /// Stones of height 1, standing on 0, broad sides along the circle at a turn of 0.
    fn new(geometry: &mut Geometry) -> Self {
        let rough = Look { roughness: 0.95, ..Look::default() };
        let stones = (0..STONES).map(|seed| {
            let width = 0.2 + 0.06 * unit(seed, 7) as f32;
            geometry.mesh(&standing(seed, [0.11, width], -SUNK, 1.0, MOSS, WORN), &rough)
        });
        let stones = stones.collect();
        let lintel = geometry.mesh(&lying(), &rough);
        let light = Look { roughness: 0.3, emission: [0.1, 1.1, 1.6], ..Look::default() };
        let glowing = geometry.mesh(&standing(99, [0.16, 0.16], -0.1, 1.0, STONE, GLOW), &light);
        Self { stones, lintel, glowing }
    }
}

/// A stone of eight uneven sides that narrows upwards, its half depth and half width given.
fn standing(seed: u64, half: [f32; 2], from: f32, to: f32, below: [f32; 3], above: [f32; 3]) -> Mesh {
    const LEVELS: usize = 7;
    let mut rings = [[[0.0f32; 3]; 8]; LEVELS];
    let mut colors = [[0.0f32; 3]; LEVELS];
    for (level, (ring, color)) in rings.iter_mut().zip(&mut colors).enumerate() {
        let share = level as f32 / (LEVELS - 1) as f32;
        let y = from + (to - from) * share;
        // Narrower at the top, rounded over its last part.
        let width = (1.0 - 0.28 * share) * if level + 1 == LEVELS { 0.72 } else { 1.0 };
        *ring = corners(half.map(|side| side * width), y, seed, level as u64);
        *color = mix(mix(below, STONE, (y * 3.0 + 0.4).clamp(0.0, 1.0)), above, (share * share).clamp(0.0, 1.0));
    }
    sides(&rings, &colors)
}

/// A lintel: as long as the gap between two stones is wide, lying along the circle.
fn lying() -> Mesh {
    const LEVELS: usize = 5;
    let mut rings = [[[0.0f32; 3]; 8]; LEVELS];
    for (level, ring) in rings.iter_mut().enumerate() {
        let share = level as f32 / (LEVELS - 1) as f32;
        let width = if level == 0 || level + 1 == LEVELS { 0.86 } else { 1.0 };
        // Made standing, then laid down.
        let upright = corners([0.1 * width, 0.125 * width], -0.5 + share, 77, level as u64);
        *ring = upright.map(|[x, y, z]| [z, x + 0.1, y]);
    }
    sides(&rings, &[STONE, WORN, WORN, WORN, STONE])
}

/// A ring of eight corners, counter-clockwise seen from above: a rectangle without its corners, and no two alike.
fn corners([x, z]: [f32; 2], y: f32, seed: u64, level: u64) -> [[f32; 3]; 8] {
    let (cut_x, cut_z) = (x * 0.55, z * 0.7);
    let plan = [(x, cut_z), (x, -cut_z), (cut_x, -z), (-cut_x, -z), (-x, -cut_z), (-x, cut_z), (-cut_x, z), (cut_x, z)];
    let mut ring = [[0.0; 3]; 8];
    for (n, (corner, (x, z))) in (0u64..).zip(ring.iter_mut().zip(plan)) {
        // Uneven as a whole, and a little more at each level.
        let uneven = |salt: u64| {
            let whole = unit(hash(seed, n as i64, -1), salt) - 0.5;
            let here = unit(hash(seed, n as i64, level as i64), salt) - 0.5;
            (0.035 * whole + 0.03 * here) as f32
        };
        *corner = [x + uneven(1), y + 0.6 * uneven(2), z + uneven(3)];
    }
    ring
}

/// Flat faces between rings, and at both ends.
fn sides<const N: usize>(rings: &[[[f32; 3]; 8]; N], colors: &[[f32; 3]; N]) -> Mesh {
    let mut mesh = Mesh::new();
    for (level, pair) in rings.windows(2).enumerate() {
        let color = mix(colors[level], colors[level + 1], 0.5);
        for n in 0..8 {
            let next = (n + 1) % 8;
            mesh.face(&[pair[0][n], pair[0][next], pair[1][next], pair[1][n]], color);
        }
    }
    let mut bottom = rings[0];
    bottom.reverse();
    mesh.face(&bottom, colors[0]);
    mesh.face(&rings[N - 1], colors[N - 1]);
    mesh
}

fn mix(a: [f32; 3], b: [f32; 3], share: f32) -> [f32; 3] {
    [0, 1, 2].map(|n| a[n] + (b[n] - a[n]) * share)
}
