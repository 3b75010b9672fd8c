//! The mesh of a chunk: vertices of crossed cells row by row, and the quads around crossed edges.

use super::cell::{self, Vertex};
use super::grid::{self, Patch};
use super::neighbours::{Owner, across, elements};
use super::seam::Seam;
use super::signs::Signs;
use super::{Densities, FRACTION, MAX_DENSITY, MAX_SPACING, VolumeChunk, VolumeError, VolumeMesh};

/// Makes meshes. It holds memory that one chunk after the other uses; what it made before has no influence.
#[derive(Debug, Default)]
pub struct Mesher {
    signs: Signs,
    /// The vertex of each cell from -1 up to the chunk's far faces, where there is one.
    vertices: Vec<u32>,
    seam: Seam,
}

impl Mesher {
    /// With no memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the mesh of a chunk in place of what `out` holds.
    ///
    /// Time and memory are at most proportional to the number of cells, and mostly to that of triangles.
    ///
    /// # Errors
    ///
    /// Any [`VolumeError`]: a chunk that is not allowed, the wrong number of samples, or a sample that is not a number
    /// or beyond [`MAX_DENSITY`]. `out` is empty then.
    pub fn mesh(
        &mut self,
        chunk: &VolumeChunk,
        densities: Densities<'_>,
        out: &mut VolumeMesh,
    ) -> Result<(), VolumeError> {
        out.clear();
        let VolumeChunk { cells, spacing, neighbours } = *chunk;
        grid::check(cells, &neighbours)?;
        if !(spacing > 0.0 && spacing <= MAX_SPACING) {
            return Err(VolumeError::Spacing { spacing, max: MAX_SPACING });
        }
        let samples = match densities {
            Densities::Air => return Ok(()),
            Densities::Solid => {
                out.stats.solid = 1.0;
                return Ok(());
            }
            Densities::Sampled(samples) => samples,
        };
        let main = Patch::main(cells);
        self.seam.prepare(cells, &neighbours, main.samples());
        self.check(chunk, samples)?;

        let solid = self.signs.read(samples, &main);
        let corners = (cells + 1).pow(3);
        out.stats.solid = solid as f32 / corners as f32;
        if solid == 0 || solid == corners {
            return Ok(());
        }
        self.signs.find_edges();
        for element in elements() {
            match element.owner(&neighbours) {
                Owner::Plain => continue,
                Owner::Other => {}
                Owner::Seam => self.seam.collect(&element, &neighbours, &self.signs),
            }
            if !element.is_far() {
                self.signs.remove(&element);
            }
        }
        let mut build = Build { out };
        self.build_inside(samples, &main, &mut build);
        self.seam.build(samples, &self.vertices, &mut build);
        let unit = spacing / FRACTION as f32;
        out.mesh.positions.extend(out.lattice.iter().map(|at| at.map(|at| at as f32 * unit)));
        Ok(())
    }

    fn check(&self, chunk: &VolumeChunk, samples: &[f32]) -> Result<(), VolumeError> {
        let expected = self.seam.samples();
        if samples.len() != expected {
            return Err(VolumeError::Count { found: samples.len(), expected });
        }
        let allowed = |value: &f32| value.abs() <= MAX_DENSITY;
        // All of it at once, which is faster than to stop at the first.
        if samples.iter().fold(true, |all, value| all & allowed(value)) {
            return Ok(());
        }
        let grids = grid::grids(chunk.cells, &chunk.neighbours)?;
        let points = grids.iter().flat_map(grid::Grid::points);
        let found = samples.iter().zip(points).enumerate().find(|(_, (value, _))| !allowed(value));
        found.map_or(Ok(()), |(index, (value, point))| {
            Err(VolumeError::Sample { index, point, value: *value, max: MAX_DENSITY })
        })
    }

    fn build_inside(&mut self, samples: &[f32], main: &Patch, build: &mut Build<'_>) {
        let side = main.cells[0];
        let samples = &samples[..main.samples()];
        // Entries without a vertex keep what was there before: nothing looks at them.
        if self.vertices.len() < main.count() {
            self.vertices.resize(main.count(), 0);
        }
        for z in 0..side {
            for y in 0..side {
                let cells = self.signs.crossed_cells(y, z) | self.seam.own_cells(y, z);
                let first = (z * side + y) * side;
                if cells != 0 {
                    let row = &mut self.vertices[first..first + side];
                    let start = main.sample_of([-1, y as i32 - 1, z as i32 - 1]) - 1;
                    cell::vertices(samples, start, main.strides(), cells, |x, vertex| {
                        row[x] = build.vertex([x as i32 - 1, y as i32 - 1, z as i32 - 1], 0, &vertex);
                    });
                }
                if y > 0 && z > 0 {
                    self.build_quads(y - 1, z - 1, first, build);
                }
            }
        }
    }

    /// The quads of the edges that start in a row of corners. `first` is the place of the cell with that row's y and z, at x = -1.
    fn build_quads(&self, y: usize, z: usize, first: usize, build: &mut Build<'_>) {
        let side = self.vertices_side();
        let steps = [1, side, side * side];
        let solid = self.signs.corners(y, z) as u64;
        let edges = self.signs.edges(y, z);
        for (axis, mut edges) in edges.into_iter().enumerate() {
            let [b, c] = across(axis).map(|axis| steps[axis]);
            while edges != 0 {
                let x = edges.trailing_zeros() as usize;
                edges &= edges - 1;
                let last = first + 1 + x;
                let at = |cell: usize| self.vertices[cell];
                let around = [at(last - b - c), at(last - c), at(last), at(last - b)];
                build.quad(axis, around, solid >> x & 1 == 1);
            }
        }
    }

    fn vertices_side(&self) -> usize {
        self.signs.cells() + 1
    }
}

/// A mesh under construction.
pub(super) struct Build<'o> {
    pub out: &'o mut VolumeMesh,
}

impl Build<'_> {
    /// Adds the vertex of a cell, given in cells 2^step wide.
    #[inline]
    pub fn vertex(&mut self, cell: [i32; 3], step: u32, vertex: &Vertex) -> u32 {
        let index = self.out.lattice.len() as u32;
        let at = |axis: usize| (cell[axis] * FRACTION + vertex.fraction[axis]) << step;
        self.out.lattice.push([at(0), at(1), at(2)]);
        self.out.mesh.normals.push(vertex.normal);
        index
    }

    /// Adds the two triangles of the quad around an edge. The vertices are counter-clockwise seen from the edge's end,
    /// starting with the cell that comes first along both axes.
    #[inline]
    pub fn quad(&mut self, axis: usize, around: [u32; 4], solid_start: bool) {
        let [p, q, r, s] = around;
        let second = self.is_second_diagonal_better(axis, around);
        let triangles = match (second, solid_start) {
            (false, true) => [p, q, r, p, r, s],
            (false, false) => [p, r, q, p, s, r],
            (true, true) => [q, r, s, q, s, p],
            (true, false) => [q, s, r, q, p, s],
        };
        self.out.mesh.indices.extend_from_slice(&triangles);
    }

    /// The shorter diagonal, unless a triangle would then be turned over or without area as seen along the edge.
    #[inline]
    fn is_second_diagonal_better(&self, axis: usize, around: [u32; 4]) -> bool {
        let at = |index: u32| self.out.lattice[index as usize];
        let [p, q, r, s] = [at(around[0]), at(around[1]), at(around[2]), at(around[3])];
        let (first, second) = (sub(r, p), sub(s, q));
        let shorter = square(second) < square(first);
        let area = |u: [i64; 3], v: [i64; 3]| {
            let [b, c] = across(axis);
            u[b] * v[c] - u[c] * v[b]
        };
        let turned = if shorter {
            area(sub(r, q), second) <= 0 || area(second, sub(p, q)) <= 0
        } else {
            area(sub(q, p), first) <= 0 || area(first, sub(s, p)) <= 0
        };
        shorter != turned
    }

    /// Adds a triangle whose vertices are counter-clockwise seen from the edge's end.
    pub fn triangle(&mut self, [p, q, r]: [u32; 3], solid_start: bool) {
        let triangle = if solid_start { [p, q, r] } else { [p, r, q] };
        self.out.mesh.indices.extend_from_slice(&triangle);
    }
}

fn sub(a: [i32; 3], b: [i32; 3]) -> [i64; 3] {
    [i64::from(a[0] - b[0]), i64::from(a[1] - b[1]), i64::from(a[2] - b[2])]
}

fn square(of: [i64; 3]) -> i64 {
    of[0] * of[0] + of[1] * of[1] + of[2] * of[2]
}
