//! Places things so that no two of a rule are too near, across the borders of chunks, without knowing the neighbours.
//!
//! The world is a grid of cells as wide as the spacing, each with a candidate at a random point. A candidate
//! stands when its random rank is the highest within the spacing: B. Matérn's second hard-core process ("Spatial
//! Variation", 1960) on a jittered grid. Two more rounds of candidates fill the gaps between those that stand. A candidate's fate
//! hangs on the hashes of the cells around it and on nothing else, so every chunk that looks comes to the same answer.

mod ground;
mod near;

use std::f32::consts::TAU;

use crate::chunk::Grid;
use crate::field::kernel::floor;
use crate::field::program::Scratch;
use crate::generator::Generator;
use crate::hash::{derive, hash2, mix, unit};
use crate::instance::Instance;
use crate::plan::ScatterRule;
use ground::Standing;
use near::Near;

/// Rules take their seeds from here on.
const SALT: u64 = 1000;

/// How often gaps are filled. The first round takes a third of what there is room for, three take nearly two thirds; more add little.
const ROUNDS: usize = 3;

/// How far a candidate of the last round can be influenced, in cells: each round asks the one before, two cells on.
const MARGIN: i64 = 2 * ROUNDS as i64 - 1;

/// A place that was taken.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// World position in metres.
    x: f64,
    z: f64,
    rank: u64,
    hash: u64,
}

/// A rectangle of the world, in metres; of its sides only west and north are in it.
#[derive(Clone, Copy, Debug)]
struct Area {
    west: f64,
    east: f64,
    north: f64,
    south: f64,
}

impl Area {
    fn wider(self, by: f64) -> Self {
        Self { west: self.west - by, east: self.east + by, north: self.north - by, south: self.south + by }
    }

    fn holds(&self, x: f64, z: f64) -> bool {
        x >= self.west && x < self.east && z >= self.north && z < self.south
    }
}

/// All instances of a chunk.
pub(crate) fn scatter(generator: &Generator, grid: &Grid, scratch: &mut Scratch) -> Vec<Instance> {
    let rules = &generator.plan().scatter;
    let ((west, east), (north, south)) = (grid.lattice.edges(0), grid.lattice.edges(1));
    let chunk = Area { west, east, north, south };
    let margins = margins(rules);
    let mut taken: Vec<Near> = Vec::with_capacity(rules.len());
    let mut instances = Vec::new();
    let mut first_kind = 0;
    for (number, rule) in rules.iter().enumerate() {
        let mut standing = Vec::new();
        // A rule that isn't here may still be kept away from: where things stand is the same at all levels.
        if rule.level >= grid.lattice.level {
            let area = chunk.wider(margins[number]);
            let places = places(rule, derive(generator.plan().seed, SALT + number as u64), area);
            standing = ground::stand(generator, grid, number, places, scratch);
            for avoid in &rule.avoid {
                if let Some(other) = rules[..number].iter().position(|other| other.name == avoid.rule) {
                    let distance = f64::from(avoid.distance);
                    standing.retain(|it| !taken[other].any_within(it.place.x, it.place.z, distance));
                }
            }
            let here = standing.iter().filter(|it| chunk.holds(it.place.x, it.place.z));
            place(generator, grid, rule, first_kind, here, &mut instances, scratch);
        }
        taken.push(Near::new(standing.iter().map(|it| (it.place.x, it.place.z))));
        first_kind += rule.variants;
    }
    instances
}

/// The heights of the finest mesh at places (x and z in world metres), which is where things stand at all levels.
pub(crate) fn heights_at(generator: &Generator, grid: &Grid, places: &[(f64, f64)], scratch: &mut Scratch) -> Vec<f32> {
    let places = places.iter().map(|(x, z)| Place { x: *x, z: *z, rank: 0, hash: 0 }).collect();
    ground::on_ground(generator, grid, places, scratch).into_iter().map(|it| it.height).collect()
}

/// How far outside of the chunk each rule's things must be known, in metres: as far as those that keep away from them reach.
fn margins(rules: &[ScatterRule]) -> Vec<f64> {
    let mut margins = vec![0.0f64; rules.len()];
    for number in (0..rules.len()).rev() {
        for avoid in &rules[number].avoid {
            if let Some(other) = rules[..number].iter().position(|other| other.name == avoid.rule) {
                margins[other] = margins[other].max(margins[number] + f64::from(avoid.distance));
            }
        }
    }
    margins
}

/// One round's candidates or winners: one for each cell of a rectangle.
struct Cells {
    width: usize,
    cells: Vec<Option<Place>>,
}

impl Cells {
    /// Whether something in here is nearer to a candidate of the cell than `square` (of the distance), and `beats` it.
    fn any_near(&self, it: &Place, (column, row): (usize, usize), square: f64, beats: impl Fn(&Place) -> bool) -> bool {
        (row - 1..=row + 1).any(|row| {
            let first = row * self.width + column - 1;
            self.cells[first..first + 3].iter().flatten().any(|other| {
                let (dx, dz) = (it.x - other.x, it.z - other.z);
                dx * dx + dz * dz < square && beats(other)
            })
        })
    }
}

/// Places no two of which are nearer than the spacing, thinned to the rule's density.
fn places(rule: &ScatterRule, seed: u64, area: Area) -> Vec<Place> {
    let spacing = f64::from(rule.spacing);
    let square = spacing * spacing;
    let cell = |metres: f64| i64::from(floor(metres / spacing).1);
    let (left, right) = (cell(area.west) - MARGIN, cell(area.east) + MARGIN);
    let (top, bottom) = (cell(area.north) - MARGIN, cell(area.south) + MARGIN);
    let (width, height) = ((right - left + 1) as usize, (bottom - top + 1) as usize);
    let mut rounds: Vec<Cells> = Vec::with_capacity(ROUNDS);
    let mut places = Vec::new();
    for round in 0..ROUNDS {
        let seed = derive(seed, round as u64);
        // Those of the edge can't be decided: each round knows one cell less of the one before, twice.
        let edge = 2 * round;
        let mut alive = Cells { width, cells: vec![None; width * height] };
        for row in edge..height - edge {
            for column in edge..width - edge {
                let it = candidate(seed, spacing, left + column as i64, top + row as i64);
                let filled = rounds.iter().any(|round| round.any_near(&it, (column, row), square, |_| true));
                alive.cells[row * width + column] = (!filled).then_some(it);
            }
        }
        let mut winners = Cells { width, cells: vec![None; width * height] };
        for row in edge + 1..height - edge - 1 {
            for column in edge + 1..width - edge - 1 {
                let Some(it) = alive.cells[row * width + column] else { continue };
                // Of equal ranks (one in 2^64) the later position wins.
                let beaten = |other: &Place| (other.rank, other.x, other.z) > (it.rank, it.x, it.z);
                if alive.any_near(&it, (column, row), square, beaten) {
                    continue;
                }
                winners.cells[row * width + column] = Some(it);
                if area.holds(it.x, it.z) && unit(mix(it.hash)) < rule.density {
                    places.push(it);
                }
            }
        }
        rounds.push(winners);
    }
    places
}

fn candidate(seed: u64, spacing: f64, cell_x: i64, cell_z: i64) -> Place {
    let hash = hash2(seed, cell_x, cell_z);
    let inside = |bits: u64| (bits & 0xFF_FFFF) as f64 * (1.0 / 16_777_216.0);
    Place {
        x: (cell_x as f64 + inside(hash >> 40)) * spacing,
        z: (cell_z as f64 + inside(hash >> 16)) * spacing,
        rank: mix(hash ^ seed),
        hash,
    }
}

/// Makes instances of what stands in the chunk.
fn place<'s>(
    generator: &Generator,
    grid: &Grid,
    rule: &ScatterRule,
    first_kind: u32,
    here: impl Iterator<Item = &'s Standing>,
    instances: &mut Vec<Instance>,
    scratch: &mut Scratch,
) {
    let here: Vec<&Standing> = here.collect();
    let (x, z): (Vec<f64>, Vec<f64>) = here.iter().map(|it| (it.place.x, it.place.z)).unzip();
    let (heights, slopes): (Vec<f32>, Vec<f32>) = here.iter().map(|it| (it.height, it.slope)).unzip();
    let mut moistures = vec![0.0; here.len()];
    generator.moistures(&x, &z, (&heights, &slopes), &mut moistures, scratch);
    let [origin_x, _, origin_z] = grid.lattice.origin();
    for (it, moisture) in here.iter().zip(moistures) {
        let chance = |salt: u64| unit(derive(it.place.hash, salt));
        let (small, large) = rule.scale;
        instances.push(Instance {
            kind: first_kind + (derive(it.place.hash, 1) % u64::from(rule.variants)) as u32,
            position: [(it.place.x - origin_x) as f32, it.height, (it.place.z - origin_z) as f32],
            yaw: chance(2) * TAU,
            scale: (small + (large - small) * chance(3)).clamp(small, large),
            slope: it.slope.clamp(0.0, 1.0),
            moisture,
        });
    }
}
