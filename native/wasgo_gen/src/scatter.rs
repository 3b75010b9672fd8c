//! Places things so that no two of a rule are too near, across the borders of chunks, without knowing the neighbours.
//!
//! The world is a grid of cells as wide as the spacing, each with at most one candidate at a random point. A candidate
//! stands when its random rank is the highest within the spacing: B. Matérn's second hard-core process ("Spatial
//! Variation", 1960) on a jittered grid. Its fate hangs on the hashes of the nine cells around it and on nothing else,
//! so every chunk that looks comes to the same answer.

use std::f32::consts::TAU;

use crate::chunk::Grid;
use crate::hash::{derive, hash2, mix, unit};
use crate::instance::Instance;
use crate::noise::{floor, simplex2};
use crate::plan::{Plan, ScatterRule};
use crate::terrain::Ground;

/// Rules take their seeds from here on.
const SALT: u64 = 1000;

#[derive(Clone, Copy)]
struct Candidate {
    /// World position in metres.
    x: f64,
    z: f64,
    rank: u64,
    hash: u64,
}

/// All instances of a chunk. Expects a plan that is allowed: that bounds how many there can be.
pub(crate) fn scatter(plan: &Plan, grid: &Grid, ground: &Ground<'_>) -> Vec<Instance> {
    let mut instances = Vec::new();
    let mut cells = Vec::new();
    let mut first_kind = 0;
    for (number, rule) in (SALT..).zip(&plan.scatter) {
        let seed = derive(plan.seed, number);
        place(rule, seed, first_kind, grid, ground, &mut cells, &mut instances);
        first_kind += rule.variants;
    }
    instances
}

fn place(
    rule: &ScatterRule,
    seed: u64,
    first_kind: u32,
    grid: &Grid,
    ground: &Ground<'_>,
    cells: &mut Vec<Option<Candidate>>,
    instances: &mut Vec<Instance>,
) {
    let spacing = f64::from(rule.spacing);
    // Edges as products, so that both neighbours compare with the same number.
    let edges = |chunk: i32| (f64::from(chunk) * grid.size, (f64::from(chunk) + 1.0) * grid.size);
    let ((west, east), (north, south)) = (edges(grid.x), edges(grid.z));
    // One more cell on each side: whoever can win over a candidate in here.
    let span = |low: f64, high: f64| (floor(low / spacing) - 1, floor(high / spacing) + 1);
    let ((left, right), (top, bottom)) = (span(west, east), span(north, south));
    let width = (right - left + 1) as usize;
    cells.clear();
    for cell_z in top..=bottom {
        for cell_x in left..=right {
            cells.push(candidate(rule, seed, cell_x, cell_z));
        }
    }
    let height = cells.len() / width;
    let mask_seed = derive(seed, 1);
    for row in 1..height - 1 {
        for column in 1..width - 1 {
            let Some(candidate) = cells[row * width + column] else { continue };
            let inside = candidate.x >= west && candidate.x < east && candidate.z >= north && candidate.z < south;
            if !inside || !wins(&candidate, cells, width, column, row, spacing) {
                continue;
            }
            if masked(rule, mask_seed, &candidate) {
                continue;
            }
            let (x, z) = (candidate.x - west, candidate.z - north);
            let (y, slope) = grid.ground_at(x, z);
            if !holds(rule.height, y) || !holds(rule.slope, slope) {
                continue;
            }
            let chance = |use_: u64| mix(candidate.hash.wrapping_add(use_));
            let (smallest, largest) = rule.scale;
            instances.push(Instance {
                kind: first_kind + (chance(1) % u64::from(rule.variants)) as u32,
                position: [x as f32, y, z as f32],
                yaw: unit(chance(2)) * TAU,
                scale: smallest + (largest - smallest) * unit(chance(3)),
                slope,
                moisture: ground.moisture(candidate.x, candidate.z),
            });
        }
    }
}

/// The candidate of a cell of the world, when there is one.
fn candidate(rule: &ScatterRule, seed: u64, cell_x: i64, cell_z: i64) -> Option<Candidate> {
    let hash = hash2(seed, cell_x, cell_z);
    if unit(mix(hash)) >= rule.density {
        return None;
    }
    let spacing = f64::from(rule.spacing);
    let inside = |bits: u64| (bits & 0xFF_FFFF) as f64 * (1.0 / 16_777_216.0);
    Some(Candidate {
        x: (cell_x as f64 + inside(hash >> 40)) * spacing,
        z: (cell_z as f64 + inside(hash >> 16)) * spacing,
        rank: mix(hash ^ seed),
        hash,
    })
}

/// Whether no other candidate within the spacing has a higher rank. Of equal ranks (one in 2^64) the later position wins.
fn wins(it: &Candidate, cells: &[Option<Candidate>], width: usize, column: usize, row: usize, spacing: f64) -> bool {
    let own = row * width + column;
    let near = spacing * spacing;
    let beaten = |place: usize| {
        cells[place].is_some_and(|other| {
            let (dx, dz) = (it.x - other.x, it.z - other.z);
            place != own && dx * dx + dz * dz < near && (other.rank, other.x, other.z) > (it.rank, it.x, it.z)
        })
    };
    !(row - 1..=row + 1).any(|r| (column - 1..=column + 1).any(|c| beaten(r * width + c)))
}

fn masked(rule: &ScatterRule, seed: u64, candidate: &Candidate) -> bool {
    if rule.mask_threshold <= -1.0 {
        return false;
    }
    let frequency = f64::from(rule.mask_frequency);
    simplex2(seed, candidate.x * frequency, candidate.z * frequency) <= f64::from(rule.mask_threshold)
}

fn holds((least, greatest): (f32, f32), value: f32) -> bool {
    least <= value && value <= greatest
}
