//! A small world of volumes for tests: an octree of chunks, each meshed on its own.

use std::collections::BTreeSet;

use wasgo_gen::noise::simplex3;
use wasgo_gen::volume::{DIRECTIONS, Densities, Mesher, Neighbours, VolumeChunk, VolumeMesh, grids};

/// A chunk of the octree: its level, and where it is in chunks of that level.
pub type Leaf = (u32, [i64; 3]);

pub struct World {
    pub cells: u32,
    pub depth: u32,
    pub leaves: BTreeSet<Leaf>,
}

/// Numbers in a row from a seed; good enough to split trees.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

impl World {
    /// A cube of `cells << depth` of the finest cells, split at random.
    pub fn random(cells: u32, depth: u32, seed: u64) -> Self {
        let mut dice = Dice(seed);
        Self::split(cells, depth, &mut |level, _| level == depth || dice.roll(100) < 50)
    }

    /// A cube of `cells << depth` of the finest cells, split down to level 0 at some places near the middle and nowhere
    /// else: from one chunk to the next, levels differ as far as they can.
    pub fn steep(cells: u32, depth: u32, places: u32, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut place = || [0; 3].map(|_| (1 << (depth - 1)) - 2 + dice.roll(4) as i64);
        let places: Vec<[i64; 3]> = (0..places).map(|_| place()).collect();
        Self::split(cells, depth, &mut |level, at| places.iter().any(|place| place.map(|p| p >> level) == at))
    }

    fn split(cells: u32, depth: u32, decide: &mut impl FnMut(u32, [i64; 3]) -> bool) -> Self {
        let mut leaves = BTreeSet::new();
        let mut nodes = vec![(depth, [0; 3])];
        while let Some((level, at)) = nodes.pop() {
            if level == 0 || !decide(level, at) {
                leaves.insert((level, at));
                continue;
            }
            nodes.extend((0..8).map(|child| (level - 1, [0, 1, 2].map(|axis| at[axis] * 2 + (child >> axis & 1)))));
        }
        Self { cells, depth, leaves }
    }

    /// Side of the world in the finest cells.
    pub fn side(&self) -> i64 {
        i64::from(self.cells) << self.depth
    }

    pub fn neighbours(&self, (level, at): Leaf) -> Neighbours {
        let steps = DIRECTIONS.map(|direction| {
            let place = [0, 1, 2].map(|axis| at[axis] + i64::from(direction[axis]));
            let side = 1 << (self.depth - level);
            if place.iter().any(|p| !(0..side).contains(p)) {
                return 0;
            }
            let coarser =
                (0..=self.depth - level).find(|up| self.leaves.contains(&(level + up, place.map(|p| p >> up))));
            coarser.map_or(-1, |up| up as i8)
        });
        Neighbours::new(steps).unwrap()
    }

    pub fn mesh(&self, leaf: Leaf, density: &impl Fn([i64; 3]) -> f32) -> VolumeMesh {
        let (level, at) = leaf;
        let neighbours = self.neighbours(leaf);
        let chunk = VolumeChunk { cells: self.cells, spacing: (1 << level) as f32, neighbours };
        let mut samples = Vec::new();
        for grid in grids(self.cells, &neighbours).unwrap() {
            assert_eq!(grid.offset, samples.len());
            samples.extend(grid.points().map(|point| density(self.sample(level, at, point))));
        }
        let mut out = VolumeMesh::default();
        Mesher::new().mesh(&chunk, Densities::Sampled(&samples), &mut out).unwrap();
        out
    }

    fn sample(&self, level: u32, at: [i64; 3], point: [i32; 3]) -> [i64; 3] {
        [0, 1, 2].map(|axis| (at[axis] * i64::from(self.cells) + i64::from(point[axis])) << level)
    }
}

/// A density at each point of the finest lattice.
pub type Density = Box<dyn Fn([i64; 3]) -> f32>;

/// Densities by name, with air around the world's inside so that all surfaces close.
pub fn densities(side: i64, margin: i64, seed: u64) -> Vec<(&'static str, Density)> {
    let half = side as f32 / 2.0;
    let within = move |[x, y, z]: [i64; 3]| {
        let inside = |at: i64| (at - margin).min(side - margin - at) as f32;
        inside(x).min(inside(y)).min(inside(z))
    };
    let noise = move |[x, y, z]: [i64; 3], scale: f64| {
        simplex3(seed, x as f64 * scale, y as f64 * scale, z as f64 * scale) as f32
    };
    let from = move |at: [i64; 3], center: [f32; 3]| {
        let [x, y, z] = [0, 1, 2].map(|axis| at[axis] as f32 - center[axis]);
        (x * x + y * y + z * z).sqrt()
    };
    vec![
        ("hills and caves", Box::new(move |at| (noise(at, 0.06) * 8.0).min(within(at)))),
        ("rough", Box::new(move |at| (noise(at, 0.45) * 8.0).min(within(at)))),
        ("ball", Box::new(move |at| half * 0.7 - from(at, [half + 0.3, half - 0.2, half + 0.1]))),
        (
            "sheet thinner than a cell",
            Box::new(move |at| {
                let height = half + 3.7 * noise([at[0], 0, at[2]], 0.05);
                (0.6 - (at[1] as f32 - height).abs()).min(within(at))
            }),
        ),
        (
            "tunnels",
            Box::new(move |at| {
                let [a, b] = [noise(at, 0.05), noise([at[2], at[0], at[1] + 999], 0.05)];
                ((a * a + b * b).sqrt() * 20.0 - 3.0).min(within(at))
            }),
        ),
        ("checkers", Box::new(move |at| (((at[0] ^ at[1] ^ at[2]) & 1) as f32 * 2.0 - 1.0).min(within(at)))),
    ]
}
