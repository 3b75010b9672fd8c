//! Borders with coarser chunks.
//!
//! A finer chunk uses only those of its border samples that the coarser one has too: the others' triangles are drawn to those. What is left has the heights that both compute anyway; normals, and with them colours, are made from the
//! coarser chunk's distances.

use crate::chunk::grid::{Lattice, normal};
use crate::field::program::Scratch;
use crate::generator::Generator;

/// The names of the neighbours, in the order of [`Neighbours`].
pub const DIRECTIONS: [&str; 8] =
    ["north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"];

/// How many levels coarser the chunks around a chunk are, in the order of [`DIRECTIONS`] (north is towards -z): 0 where they are as fine or
/// finer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbours(pub [u8; 8]);

impl Neighbours {
    /// The same for all sides.
    #[must_use]
    pub const fn all(steps: u8) -> Self {
        Self([steps; 8])
    }

    /// How much coarser the coarsest chunk is that has a sample too, where only `last` is known: columns and rows count from 0 to it.
    fn at(&self, column: usize, row: usize, last: usize) -> u8 {
        let (north, south, west, east) = (row == 0, row == last, column == 0, column == last);
        let touching = [north, north && east, east, south && east, south, south && west, west, north && west];
        self.0.iter().zip(touching).filter(|(_, touches)| *touches).map(|(steps, _)| *steps).max().unwrap_or(0)
    }
}

/// Gives samples that coarser neighbours have the normals that those have there.
pub(crate) fn fit_normals(
    generator: &Generator,
    lattice: &Lattice,
    neighbours: &Neighbours,
    normals: &mut [f32],
    scratch: &mut Scratch,
) {
    if *neighbours == Neighbours::default() {
        return;
    }
    let last = lattice.samples - 1;
    let border = (0..=last).flat_map(|n| [(n, 0), (n, last), (0, n), (last, n)]);
    let shared = |(column, row): &(usize, usize)| {
        let steps = neighbours.at(*column, *row, last);
        let wide = 1usize << steps;
        steps > 0 && column % wide == 0 && row % wide == 0
    };
    let samples: Vec<(usize, usize)> = border.filter(shared).collect();
    for steps in 1..=neighbours.0.into_iter().max().unwrap_or(0) {
        let wide = 1i64 << steps;
        let of_these = samples.iter().filter(|(column, row)| neighbours.at(*column, *row, last) == steps);
        let these: Vec<(usize, usize)> = of_these.copied().collect();
        let (mut x, mut z) = (Vec::with_capacity(these.len() * 4), Vec::with_capacity(these.len() * 4));
        for (column, row) in &these {
            let (column, row) = (*column as i64, *row as i64);
            for (dx, dz) in [(-wide, 0), (wide, 0), (0, -wide), (0, wide)] {
                x.push(lattice.world(0, column + dx));
                z.push(lattice.world(1, row + dz));
            }
        }
        let mut heights = vec![0.0; x.len()];
        generator.heights_in(&x, &z, lattice.level + steps, &mut heights, scratch);
        let step = lattice.step * wide as f64;
        for ((column, row), around) in these.iter().zip(heights.chunks_exact(4)) {
            let at = (row * lattice.samples + column) * 3;
            normals[at..at + 3].copy_from_slice(&normal([around[0], around[1]], [around[2], around[3]], step));
        }
    }
}

/// Gives samples that coarser neighbours have the heights that those have there, where the ground is another one at their level, and
/// takes roads away from them.
pub(crate) fn fit_heights(
    generator: &Generator,
    lattice: &Lattice,
    neighbours: &Neighbours,
    heights: &mut [f32],
    covers: &mut [f32],
    scratch: &mut Scratch,
) {
    let last = lattice.samples - 1;
    let differ = |steps: u8| steps > 0 && generator.changes.differ(lattice.level, lattice.level + steps);
    if !neighbours.0.into_iter().any(differ) {
        return;
    }
    let border = (0..=last).flat_map(|n| [(n, 0), (n, last), (0, n), (last, n)]);
    let samples: Vec<(usize, usize)> = border
        .filter(|(column, row)| {
            let steps = neighbours.at(*column, *row, last);
            let wide = 1usize << steps;
            differ(steps) && column % wide == 0 && row % wide == 0
        })
        .collect();
    let x: Vec<f64> = samples.iter().map(|(column, _)| lattice.world(0, *column as i64)).collect();
    let z: Vec<f64> = samples.iter().map(|(_, row)| lattice.world(1, *row as i64)).collect();
    let mut found = vec![0.0; samples.len()];
    // All levels that have no settlements have the same ground.
    generator.heights_in(&x, &z, u8::MAX, &mut found, scratch);
    for ((column, row), height) in samples.into_iter().zip(found) {
        let at = row * lattice.samples + column;
        heights[at] = height;
        if let Some(cover) = covers.get_mut(at) {
            *cover = 0.0;
        }
    }
}

/// Draws triangles at the border to the samples that coarser neighbours have.
pub(crate) fn fit_triangles(samples: u32, neighbours: &Neighbours, indices: &mut Vec<u32>) {
    let [north, _, east, _, south, _, west, _] = neighbours.0;
    if [north, east, south, west] == [0; 4] {
        return;
    }
    let last = samples - 1;
    let fit = |index: u32| {
        let (column, row) = (index % samples, index / samples);
        // Towards the nearer corner: two coarse sides would else meet in a triangle without area.
        let near = |number: u32, steps: u8| {
            let up = if 2 * number < last { 0 } else { (1 << steps) - 1 };
            (number + up) >> steps << steps
        };
        let column = match row {
            0 => near(column, north),
            row if row == last => near(column, south),
            _ => column,
        };
        let row = match column {
            0 => near(row, west),
            column if column == last => near(row, east),
            _ => row,
        };
        row * samples + column
    };
    let mut kept = 0;
    for at in (0..indices.len()).step_by(3) {
        let [a, b, c] = [indices[at], indices[at + 1], indices[at + 2]].map(fit);
        if a != b && b != c && c != a {
            indices[kept..kept + 3].copy_from_slice(&[a, b, c]);
            kept += 3;
        }
    }
    indices.truncate(kept);
}
