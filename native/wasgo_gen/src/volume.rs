//! Volumes: triangles of what is solid, with caves, overhangs and arches, from samples of a density.
//!
//! Naive surface nets after S. Gibson ("Constrained elastic surface nets", 1998): each cell that the surface passes
//! through has one vertex, the mean of where its edges are crossed; each crossed edge has one polygon, of the vertices of the cells
//! around it. Where chunks of different levels meet, the cells are the leaves of an octree, and polygons belong to the
//! shortest edges, after T. Ju and others ("Dual contouring of Hermite data", 2002): no cracks between any two levels.
//!
//! A chunk is a cube of cells; its lattice starts at its least corner. A chunk of the next level has as many cells,
//! of twice the size, and starts at a multiple of its own side. Every polygon belongs to exactly one chunk: that of the
//! finest level at its edge, and of several the one furthest along the axes. Together the chunks of a world are closed,
//! except where the world ends. A chunk's mesh changes when a neighbour's level does, for whichever is finer makes
//! what closes the gap, out of its own vertices and the coarser one's, which it finds from the coarser samples.
//!
//! Vertices are on a lattice of 2^-16 of a cell, so that they can be compared and joined without rounding: see
//! [`VolumeMesh::lattice`]. For that, the caller computes the densities from world coordinates alone: a sample that
//! several chunks ask for must have the same bits for all of them.
//!
//! ```
//! use wasgo_gen::volume::{Densities, Mesher, Neighbours, VolumeChunk, VolumeMesh, grids};
//!
//! let chunk = VolumeChunk { cells: 16, spacing: 0.5, neighbours: Neighbours::SAME };
//! let ball = |point: [i32; 3]| {
//!     let [x, y, z] = point.map(|at| at as f32 - 8.0);
//!     6.0 - (x * x + y * y + z * z).sqrt()
//! };
//! let mut samples = Vec::new();
//! for grid in grids(chunk.cells, &chunk.neighbours)? {
//!     samples.extend(grid.points().map(ball));
//! }
//! let mut out = VolumeMesh::default();
//! Mesher::new().mesh(&chunk, Densities::Sampled(&samples), &mut out)?;
//! assert_eq!(out.mesh.vertices() - out.mesh.triangles() / 2, 2); // closed, and without handles
//! # Ok::<(), wasgo_gen::volume::VolumeError>(())
//! ```

mod cell;
mod collapse;
mod collider;
mod geometry;
mod grid;
mod heightfield;
mod mesher;
mod neighbours;
mod seam;
mod signs;

use crate::MeshData;

pub use collider::{Collider, ColliderError, MAX_COLLIDER_SAMPLES, MAX_COLLIDER_VERTICES, collider};
pub use grid::{Grid, grids, samples};
pub use heightfield::heightfield_collider;
pub use mesher::Mesher;
pub use neighbours::{DIRECTIONS, Neighbours};

/// Least number of cells along a side of a chunk.
pub const MIN_CELLS: u32 = 8;

/// Greatest number of cells along a side of a chunk: the signs of a row of corners fit into one word.
pub const MAX_CELLS: u32 = 64;

/// How many levels coarser a neighbour may be: more than that, and fans of triangles at the seam look worse than a chunk more.
pub const MAX_STEP: u32 = 4;

/// The greatest density either way: squares of differences stay far from the bounds of f32.
pub const MAX_DENSITY: f32 = 1e12;

/// Greatest spacing in metres.
pub const MAX_SPACING: f32 = 65_536.0;

/// Parts of a cell's side in [`VolumeMesh::lattice`]: vertices of the largest chunk are exact as f32.
pub const FRACTION: i32 = 1 << 16;

/// A volume that cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum VolumeError {
    /// A chunk too small or too large.
    #[error("a chunk has {cells} cells along a side, allowed: {min} to {max}")]
    Cells {
        /// Along a side.
        cells: u32,
        /// The least allowed.
        min: u32,
        /// The most allowed.
        max: u32,
    },
    /// Cells of a coarser neighbour don't fit into the chunk.
    #[error("a chunk has {cells} cells along a side, allowed beside cells {unit} times as wide: multiples of {unit}")]
    Unaligned {
        /// Along a side.
        cells: u32,
        /// Cells of this chunk that are one of the neighbour's.
        unit: u32,
    },
    /// A spacing that is no length, or too great.
    #[error("spacing is {spacing} m, allowed: above 0, at most {max}")]
    Spacing {
        /// Metres.
        spacing: f32,
        /// The greatest allowed, in metres.
        max: f32,
    },
    /// A neighbour is too coarse.
    #[error("the neighbour at {direction:?} is {step} levels coarser, allowed: at most {max}")]
    Step {
        /// Where it is.
        direction: [i8; 3],
        /// Levels.
        step: i8,
        /// The most allowed.
        max: u32,
    },
    /// Too few or too many samples.
    #[error("there are {found} samples, expected: {expected}")]
    Count {
        /// How many there are.
        found: usize,
        /// How many the grids of the chunk have.
        expected: usize,
    },
    /// A sample is not a number or too great.
    #[error("sample {index}, at {point:?}, is {value}, allowed: -{max:e} to {max:e}")]
    Sample {
        /// Where it is in the array.
        index: usize,
        /// Its coordinates in the chunk's lattice.
        point: [i32; 3],
        /// Its value.
        value: f32,
        /// The greatest allowed.
        max: f32,
    },
}

/// What the mesh of a chunk depends on beside its densities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VolumeChunk {
    /// Along a side: [`MIN_CELLS`] to [`MAX_CELLS`], a multiple of 2 to the power of [`Neighbours::coarsest`].
    pub cells: u32,
    /// Side of a cell, in metres.
    pub spacing: f32,
    /// The levels around.
    pub neighbours: Neighbours,
}

/// The densities of a chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Densities<'a> {
    /// No corner of the chunk's cells is solid. Costs nothing.
    Air,
    /// All corners of the chunk's cells are solid. Costs nothing.
    Solid,
    /// One density for each point of [`grids`]: above 0 is solid, 0 and below is air.
    Sampled(&'a [f32]),
}

/// The surface in a chunk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VolumeMesh {
    /// Positions in metres from the chunk's least corner, normals and indices; no colours. Vertices of cells just outside
    /// the chunk are among them, where its triangles need them.
    pub mesh: MeshData,
    /// The positions as integers, one a vertex: 2^-16 of the chunk's spacing, of which positions are the product,
    /// rounded once; exact when the spacing is a power of two.
    ///
    /// A vertex of a chunk of level `l` (cells of 2^l units) at `c`, in chunks of its own size, is at
    /// `(c * cells * 65536 + lattice) * 2^l` for the whole world. Chunks that share a vertex have the same numbers for it there,
    /// and the same bits for its normal; vertices of different cells have different numbers.
    pub lattice: Vec<[i32; 3]>,
    /// Figures.
    pub stats: VolumeStats,
}

impl VolumeMesh {
    /// Empties it, and keeps the memory.
    pub fn clear(&mut self) {
        let mesh = &mut self.mesh;
        mesh.positions.clear();
        mesh.normals.clear();
        mesh.colors.clear();
        mesh.uvs.clear();
        mesh.uvs2.clear();
        mesh.indices.clear();
        self.lattice.clear();
        self.stats = VolumeStats::default();
    }
}

/// Figures of a [`VolumeMesh`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VolumeStats {
    /// The share of the corners of the chunk's cells that are solid: 0..=1.
    pub solid: f32,
    /// Triangles that join cells of different levels; they are the last ones.
    pub seam_triangles: u32,
}
