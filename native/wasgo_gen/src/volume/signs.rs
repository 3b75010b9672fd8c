//! Which corners are solid, and which edges are crossed: one bit each, so that what is uniform is passed over by rows.

use super::grid::Patch;
use super::neighbours::{Element, Place};

/// Signs and edges of a chunk of `cells` along a side. Rows run along x; a row's bit i is the corner or edge at x = i.
#[derive(Debug, Default)]
pub(super) struct Signs {
    cells: usize,
    /// Corners with y and z in 0..=cells: solid is 1.
    corners: Vec<u128>,
    /// Edges that start at corners with y and z in -1..=cells, those outside 0..cells being empty: along x, y, z.
    edges: Vec<[u64; 3]>,
}

impl Signs {
    /// Reads the signs of the chunk's corners. Returns how many are solid.
    pub fn read(&mut self, samples: &[f32], main: &Patch) -> u32 {
        self.cells = main.cells[0] - 1;
        let corners = self.cells + 1;
        self.corners.clear();
        let mut solid = 0;
        for z in 0..corners {
            for y in 0..corners {
                let start = main.sample_of([0, y as i32, z as i32]);
                let row = pack(&samples[start..start + corners]);
                solid += row.count_ones();
                self.corners.push(row);
            }
        }
        solid
    }

    /// Finds the edges that start in the chunk: the least faces included, the greatest not.
    pub fn find_edges(&mut self) {
        let (cells, corners) = (self.cells, self.cells + 1);
        let own = u64::MAX >> (64 - cells);
        self.edges.clear();
        self.edges.resize((cells + 2) * (cells + 2), [0; 3]);
        for z in 0..cells {
            for y in 0..cells {
                let at = z * corners + y;
                let row = self.corners[at];
                let crossed = [row >> 1, self.corners[at + 1], self.corners[at + corners]];
                let to = self.edge_row(y, z);
                self.edges[to] = crossed.map(|other| (row ^ other) as u64 & own);
            }
        }
    }

    /// Cells along a side.
    pub fn cells(&self) -> usize {
        self.cells
    }

    fn edge_row(&self, y: usize, z: usize) -> usize {
        (z + 1) * (self.cells + 2) + y + 1
    }

    /// The edges along x, y and z that start in a row of corners.
    pub fn edges(&self, y: usize, z: usize) -> [u64; 3] {
        self.edges[self.edge_row(y, z)]
    }

    /// The corners of a row.
    pub fn corners(&self, y: usize, z: usize) -> u128 {
        self.corners[z * (self.cells + 1) + y]
    }

    fn is_solid(&self, [x, y, z]: [usize; 3]) -> bool {
        self.corners(y, z) >> x & 1 == 1
    }

    /// The cells of a row that have a vertex because of the edges; bit 0 is the cell at x = -1. `y` and `z` count from
    /// the cells at -1, too.
    pub fn crossed_cells(&self, y: usize, z: usize) -> u128 {
        // Edge rows count from -1 as these cells do; a cell's corners are in its own row and the next.
        let at = z * (self.cells + 2) + y;
        let next = at + self.cells + 2;
        let [near, far, above, beyond] = [at, at + 1, next, next + 1].map(|row| self.edges[row]);
        let along = u128::from(near[0] | far[0] | above[0] | beyond[0]) << 1;
        let across = u128::from(near[1] | above[1] | near[2] | far[2]);
        along | across | across << 1
    }

    /// Takes the edges of an element of the least faces out, for others than the hot path to emit.
    pub fn remove(&mut self, element: &Element) {
        let axis = element.axis;
        let bits = match element.range(0, self.cells) {
            (0, 1) => 1,
            (0, _) => u64::MAX,
            _ => u64::MAX << 1,
        };
        let (from_y, to_y) = element.range(1, self.cells);
        let (from_z, to_z) = element.range(2, self.cells);
        for z in from_z..to_z {
            for y in from_y..to_y {
                let row = self.edge_row(y, z);
                self.edges[row][axis] &= !bits;
            }
        }
    }

    /// The crossed edges of an element: where each starts, and whether it starts in what is solid.
    pub fn crossed<'s>(&'s self, element: &Element) -> impl Iterator<Item = ([usize; 3], bool)> + use<'s> {
        let axis = element.axis;
        let [x, y, z] = [0, 1, 2].map(|of| element.range(of, self.cells));
        let starts = (z.0..z.1).flat_map(move |z| (y.0..y.1).flat_map(move |y| (x.0..x.1).map(move |x| [x, y, z])));
        starts.filter_map(move |start| {
            let mut end = start;
            end[axis] += 1;
            let solid = self.is_solid(start);
            (solid != self.is_solid(end)).then_some((start, solid))
        })
    }
}

impl Element {
    /// From where up to where the edges start along an axis.
    fn range(&self, along: usize, cells: usize) -> (usize, usize) {
        if along == self.axis {
            return (0, cells);
        }
        match self.places[(along + 2 - self.axis) % 3] {
            Place::Min => (0, 1),
            Place::Inside => (1, cells),
            Place::Max => (cells, cells + 1),
        }
    }
}

/// The signs of a row of samples.
fn pack(row: &[f32]) -> u128 {
    let (eights, rest) = row.as_chunks::<8>();
    let mut words = [0u64; 2];
    for (number, eight) in eights.iter().enumerate() {
        words[number / 8] |= u64::from(byte(eight)) << (number % 8 * 8);
    }
    let rest = rest.iter().rev().fold(0, |bits, value| bits << 1 | u128::from(*value > 0.0));
    u128::from(words[0]) | u128::from(words[1]) << 64 | rest << (eights.len() * 8)
}

fn byte(eight: &[f32; 8]) -> u8 {
    // Bytes of 0 or 1, which one multiplication gathers in the highest.
    let ones = eight.map(|value| u8::from(value > 0.0));
    (u64::from_le_bytes(ones).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}
