//! What closes the gap to coarser neighbours: the polygons around the chunk's edges on their border.

use super::cell;
use super::grid::{self, Patch};
use super::mesher::Build;
use super::neighbours::{Element, Neighbours, QUADRANTS, across};
use super::signs::Signs;

const NONE: u32 = u32::MAX;

/// A cell at the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// One of the chunk's lattice: its place among the vertices of the chunk.
    Own(u32),
    /// One of a neighbour: the neighbour's number, and its coordinates in cells of its size.
    Beside(u8, [i32; 3]),
}

/// The polygon of a crossed edge.
#[derive(Clone, Copy, Debug)]
struct Polygon {
    axis: usize,
    /// Counter-clockwise seen from the edge's end; one cell may be there more than once, in a row.
    around: [Cell; 4],
    solid_start: bool,
}

/// The seams of a chunk.
#[derive(Debug, Default)]
pub(super) struct Seam {
    /// By number of the neighbour.
    patches: [Option<Patch>; 18],
    main: Option<Patch>,
    samples: usize,
    polygons: Vec<Polygon>,
    /// Cells of the chunk that polygons need; rows as in `Signs::crossed_cells`. Empty without seams.
    own: Vec<u128>,
    /// The vertex of each cell of the patches, or [`NONE`].
    vertices: Vec<u32>,
}

impl Seam {
    /// Lays out the patches of a chunk whose own samples are the first `samples`.
    pub fn prepare(&mut self, cells: u32, neighbours: &Neighbours, samples: usize) {
        self.patches = if neighbours.coarsest() == 0 { [None; 18] } else { grid::patches(cells, neighbours, samples) };
        self.main = Some(Patch::main(cells));
        self.polygons.clear();
        self.own.clear();
        self.vertices.clear();
        let beside = self.patches.iter().flatten();
        self.samples = samples + beside.clone().map(Patch::samples).sum::<usize>();
        let count = beside.map(Patch::count).sum();
        self.vertices.resize(count, NONE);
    }

    /// How many samples there are with those of the chunk.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Cells of the chunk in a row of cells that need a vertex.
    #[inline]
    pub fn own_cells(&self, y: usize, z: usize) -> u128 {
        let side = self.main.map_or(0, |main| main.cells[0]);
        self.own.get(z * side + y).copied().unwrap_or(0)
    }

    /// Notes the polygons of an element's crossed edges.
    pub fn collect(&mut self, element: &Element, neighbours: &Neighbours, signs: &Signs) {
        let Some(main) = self.main else { return };
        self.own.resize(main.cells[1] * main.cells[2], 0);
        for (start, solid_start) in signs.crossed(element) {
            let mut around = [Cell::Own(0); 4];
            for (cell, (signs, number)) in around.iter_mut().zip(QUADRANTS.into_iter().zip(element.around)) {
                let mut at = start.map(|at| at as i32);
                for (axis, sign) in across(element.axis).into_iter().zip(signs) {
                    at[axis] -= i32::from(!sign);
                }
                *cell = match number.and_then(|number| self.patches[number].map(|_| number)) {
                    Some(number) => Cell::Beside(number as u8, at.map(|at| at >> neighbours.step(number))),
                    None => {
                        let place = main.number_of(at);
                        let (row, x) = (place / main.cells[0], place % main.cells[0]);
                        self.own[row] |= 1 << x;
                        Cell::Own(place as u32)
                    }
                };
            }
            self.polygons.push(Polygon { axis: element.axis, around, solid_start });
        }
    }

    /// Adds the polygons, and the neighbours' vertices that they need. `own` holds those of the chunk's cells.
    pub fn build(&mut self, samples: &[f32], own: &[u32], build: &mut Build<'_>) {
        let before = build.out.mesh.triangles();
        let polygons = std::mem::take(&mut self.polygons);
        for polygon in &polygons {
            let around = polygon.around.map(|cell| match cell {
                Cell::Own(place) => own[place as usize],
                Cell::Beside(number, at) => self.vertex(number, at, samples, build),
            });
            let [p, q, r, s] = around;
            let triangle = match (p == q, q == r, r == s, s == p) {
                (false, false, false, false) => {
                    build.quad(polygon.axis, around, polygon.solid_start);
                    continue;
                }
                (true, false, false, false) | (false, true, false, false) => [p, r, s],
                (false, false, true, false) | (false, false, false, true) => [p, q, r],
                // Two cells: nothing lies between them.
                _ => continue,
            };
            build.triangle(triangle, polygon.solid_start);
        }
        self.polygons = polygons;
        build.out.stats.seam_triangles = (build.out.mesh.triangles() - before) as u32;
    }

    fn vertex(&mut self, number: u8, at: [i32; 3], samples: &[f32], build: &mut Build<'_>) -> u32 {
        let Some(patch) = &self.patches[usize::from(number)] else { return 0 };
        let known = &mut self.vertices[patch.index + patch.number_of(at)];
        if *known == NONE {
            let samples = &samples[patch.offset..patch.offset + patch.samples()];
            let x = (at[0] - patch.first[0]) as usize;
            let start = patch.sample_of(at) - x - 1;
            cell::vertices(samples, start, patch.strides(), 1 << x, |_, vertex| {
                *known = build.vertex(at, patch.step, &vertex);
            });
        }
        *known
    }
}
