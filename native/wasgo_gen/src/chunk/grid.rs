//! The samples of a chunk.

use crate::chunk::ChunkId;
use crate::field::program::Scratch;
use crate::generator::Generator;
use crate::plan::Plan;
use crate::shaped::cover;

/// Where the samples of a chunk are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lattice {
    /// Side of the chunk in metres.
    pub(crate) size: f64,
    /// Samples along a side.
    pub(crate) samples: usize,
    /// From sample to sample at the chunk's level, in metres.
    pub(crate) step: f64,
    /// The same at level 0.
    pub(crate) finest: f64,
    pub(crate) level: u8,
    /// Number of the first sample in the grid of the whole world, of its level.
    first: [i64; 2],
    chunk: [i32; 2],
}

impl Lattice {
    pub(crate) fn new(plan: &Plan, id: &ChunkId) -> Self {
        let scale = f64::from(1u32 << id.level);
        let squares = i64::from(plan.chunk.samples) - 1;
        let finest = f64::from(plan.chunk.size) / squares as f64;
        Self {
            size: f64::from(plan.chunk.size) * scale,
            samples: plan.chunk.samples as usize,
            step: finest * scale,
            finest,
            level: id.level,
            first: [i64::from(id.x) * squares, i64::from(id.z) * squares],
            chunk: [id.x, id.z],
        }
    }

    /// In metres, of a sample that counts from the chunk's first one and may be outside of it. Computed from its number in the world and not
    /// from the chunk's origin: only so do two chunks get the same bits for a sample that they share. Levels differ by a power of two,
    /// which multiplies without rounding.
    pub(crate) fn world(&self, axis: usize, number: i64) -> f64 {
        (self.first[axis] + number) as f64 * self.step
    }

    /// Metres from the chunk's origin.
    pub(crate) fn local(&self, number: usize) -> f32 {
        (number as f64 * self.step) as f32
    }

    pub(crate) fn origin(&self) -> [f64; 3] {
        [f64::from(self.chunk[0]) * self.size, 0.0, f64::from(self.chunk[1]) * self.size]
    }

    /// The chunk's sides along an axis, in metres. As products, so that both neighbours compare with the same number.
    pub(crate) fn edges(&self, axis: usize) -> (f64, f64) {
        (f64::from(self.chunk[axis]) * self.size, (f64::from(self.chunk[axis]) + 1.0) * self.size)
    }
}

/// The heights of a chunk with one more sample on each side, so that normals need no neighbour.
pub(crate) struct Grid {
    pub(crate) lattice: Lattice,
    heights: Vec<f32>,
    /// How much of a road each is; empty where there is none.
    covers: Vec<f32>,
}

impl Grid {
    pub(crate) fn new(generator: &Generator, lattice: Lattice, scratch: &mut Scratch) -> Self {
        let side = lattice.samples + 2;
        let (mut x, mut z) = (Vec::with_capacity(side * side), Vec::with_capacity(side * side));
        for row in 0..side as i64 {
            for column in 0..side as i64 {
                x.push(lattice.world(0, column - 1));
                z.push(lattice.world(1, row - 1));
            }
        }
        let mut heights = vec![0.0; side * side];
        let mut covers = Vec::new();
        generator.bare_heights(&x, &z, &mut heights, scratch);
        generator.shape(&x, &z, lattice.level, &mut heights, |number, shaped| {
            covers.resize(side * side, 0.0);
            covers[number] = cover(shaped);
        });
        Self { lattice, heights, covers }
    }

    /// How much of a road each sample is, row by row; nothing where there is none.
    pub(crate) fn covers(&self) -> Vec<f32> {
        let rows = self.covers.chunks_exact(self.lattice.samples + 2).skip(1).take(self.lattice.samples);
        rows.flat_map(|row| &row[1..=self.lattice.samples]).copied().collect()
    }

    pub(crate) fn height(&self, column: usize, row: usize) -> f32 {
        self.apron(column + 1, row + 1)
    }

    fn apron(&self, column: usize, row: usize) -> f32 {
        self.heights[row * (self.lattice.samples + 2) + column]
    }

    /// By central differences.
    pub(crate) fn normal(&self, column: usize, row: usize) -> [f32; 3] {
        let west_east = [self.apron(column, row + 1), self.apron(column + 2, row + 1)];
        let north_south = [self.apron(column + 1, row), self.apron(column + 1, row + 2)];
        normal(west_east, north_south, self.lattice.step)
    }

    /// The four heights of the finest square in which a point lies, where the chunk has them.
    pub(crate) fn square(&self, x: i64, z: i64) -> Option<[f32; 4]> {
        let lattice = &self.lattice;
        let (column, row) = (x - lattice.first[0], z - lattice.first[1]);
        let inside = 0..lattice.samples as i64 - 1;
        if lattice.level > 0 || !inside.contains(&column) || !inside.contains(&row) {
            return None;
        }
        let (column, row) = (column as usize, row as usize);
        let at = |c, r| self.height(column + c, row + r);
        Some([at(0, 0), at(1, 0), at(0, 1), at(1, 1)])
    }
}

/// The direction up from the ground, from the heights `step` metres to all sides.
pub(crate) fn normal(west_east: [f32; 2], north_south: [f32; 2], step: f64) -> [f32; 3] {
    let across = f64::from(west_east[0]) - f64::from(west_east[1]);
    let along = f64::from(north_south[0]) - f64::from(north_south[1]);
    unit([across, 2.0 * step, along]).map(|value| value as f32)
}

/// Height and slope (1 - y of the normal) of the mesh of level 0 at a point, from the four heights of its square and how far into it
/// the point is (0..=1): what stands there touches the triangle that is drawn. It is the same at all levels, so that nothing sinks or
/// floats when a viewer comes nearer.
pub(crate) fn ground_at([a, c, b, d]: [f32; 4], u: f64, v: f64, step: f64) -> (f32, f32) {
    let [a, b, c, d] = [a, b, c, d].map(f64::from);
    let (height, across, along) = if u + v <= 1.0 {
        (a + u * (c - a) + v * (b - a), c - a, b - a)
    } else {
        (d + (1.0 - u) * (b - d) + (1.0 - v) * (c - d), d - b, d - c)
    };
    let normal = unit([-across, step, -along]);
    (height as f32, (1.0 - normal[1]) as f32)
}

fn unit(v: [f64; 3]) -> [f64; 3] {
    let length = (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
    [v[0] / length, v[1] / length, v[2] / length]
}
