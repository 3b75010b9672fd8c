//! One square of the world: its ground as a mesh, and what stands on it.

mod grid;
mod neighbours;

use std::borrow::Cow;

use wasgo_scene::Surface;

pub(crate) use grid::{Grid, Lattice, ground_at, normal};
pub use neighbours::{DIRECTIONS, Neighbours};

use crate::built::BuiltError;
use crate::generator::{Generator, with_job};
use crate::instance::Instance;
use crate::objects::{self, ObjectSet};
use crate::plan::{MAX_WORLD, Plan, PlanError};
use crate::script::{Generated, ScriptError};
use crate::volume::VolumeError;
use crate::{le_bytes, le_bytes_u32, scatter};

/// Which chunk: coordinates count in chunks of its own level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChunkId {
    /// West-east coordinate.
    pub x: i32,
    /// North-south coordinate.
    pub z: i32,
    /// Level of detail: chunks of level n are 2^n times as wide as those of level 0, with as many samples.
    pub level: u8,
    /// How much coarser the chunks around it are: its border is made to fit theirs.
    pub neighbours: Neighbours,
}

impl ChunkId {
    /// A chunk of level 0 among others.
    #[must_use]
    pub fn new(x: i32, z: i32) -> Self {
        Self { x, z, ..Self::default() }
    }

    /// What a chunk's content depends on besides the plan, as bytes.
    fn key(&self) -> [u8; 17] {
        let mut key = [0; 17];
        key[..4].copy_from_slice(&self.x.to_le_bytes());
        key[4..8].copy_from_slice(&self.z.to_le_bytes());
        key[8] = self.level;
        key[9..].copy_from_slice(&self.neighbours.0);
        key
    }
}

/// A chunk that cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GenError {
    /// The plan is not allowed.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The chunk is beyond [`MAX_WORLD`].
    #[error("chunk {axis} is {value}, allowed: -{limit} to {limit} with chunks of {size} m")]
    OutOfWorld {
        /// `x` or `z`.
        axis: char,
        /// The coordinate asked for, in chunks.
        value: i32,
        /// The greatest allowed, in chunks.
        limit: i32,
        /// Side of a chunk of that level in metres.
        size: f64,
    },
    /// A level that the plan hasn't got.
    #[error("level is {level}, allowed: 0 to {max}")]
    NoLevel {
        /// The level asked for.
        level: u8,
        /// The plan's coarsest.
        max: u8,
    },
    /// A chunk of the ground of a plan that has none, or a volume.
    #[error("the plan has no {what}")]
    Nothing {
        /// What was asked for: `terrain` or `volume`.
        what: &'static str,
    },
    /// A script of the plan that fails, or answers what it may not.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// A volume that can't be made.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// An object of the plan that can't be made: its rules make too much, or no way was found to fill its grid.
    #[error("objects[{object}]: {error}")]
    Object {
        /// Its number.
        object: usize,
        /// Why.
        error: BuiltError,
    },
    /// A building of a settlement that can't be made.
    #[error("settlements: {0}")]
    Settlement(BuiltError),
    /// A neighbour so much coarser that its samples aren't on the border.
    #[error("the neighbour {direction} is {steps} levels coarser, allowed: 0 to {max} with {samples} samples a side")]
    TooCoarse {
        /// Which neighbour.
        direction: &'static str,
        /// How much coarser it is said to be.
        steps: u8,
        /// The most allowed.
        max: u8,
        /// Samples of a chunk.
        samples: u32,
    },
}

/// Figures of a chunk.
#[derive(Clone, Debug, PartialEq)]
pub struct ChunkStats {
    /// Least height of a sample, in metres.
    pub min_height: f32,
    /// Greatest height of a sample, in metres.
    pub max_height: f32,
    /// Mean height of the samples, in metres.
    pub mean_height: f32,
    /// Mean slope (1 - y of the normal) of the samples.
    pub mean_slope: f32,
    /// The share of the samples that are below the water: 0..=1; 0 where the plan has none.
    pub water_share: f32,
    /// How many instances there are of each kind: one entry for each mesh of [`props`](crate::props()).
    pub counts: Vec<u32>,
}

/// One square of the world. Vectors are in the order of the samples: row by row, x first, then z.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Which it is.
    pub id: ChunkId,
    /// World position of the corner with the least x and z, in metres: (x * size, 0, z * size).
    pub origin: [f64; 3],
    /// Side in metres.
    pub size: f64,
    /// Samples along a side.
    pub samples: u32,
    /// Height of every sample: absolute metres.
    pub heights: Vec<f32>,
    /// Three for every sample: metres from the origin.
    pub positions: Vec<f32>,
    /// Three for every sample: of length 1.
    pub normals: Vec<f32>,
    /// Four for every sample: linear red, green, blue, alpha.
    pub colors: Vec<f32>,
    /// Three for every triangle, counter-clockwise seen from above. Samples on the border that a coarser neighbour hasn't got are in none.
    pub indices: Vec<u32>,
    /// What stands on the ground: by rule, then by place.
    pub instances: Vec<Instance>,
    /// Buildings and other things that were built or placed here: those whose origins are in the chunk.
    pub objects: Vec<ObjectSet>,
    /// What scripts made, in the order of the plan's generators; those that made nothing here are left out.
    pub generated: Vec<Generated>,
    /// Figures.
    pub stats: ChunkStats,
}

impl Chunk {
    /// The ground, borrowing from the chunk on little-endian machines. Without a material.
    #[must_use]
    pub fn surface(&self) -> Surface<'_> {
        Surface {
            positions: le_bytes(&self.positions),
            normals: le_bytes(&self.normals),
            colors: le_bytes(&self.colors),
            indices: le_bytes_u32(&self.indices),
            ..Surface::default()
        }
    }

    /// The heights as little-endian f32, row by row: what a height-map collider takes.
    #[must_use]
    pub fn height_bytes(&self) -> Cow<'_, [u8]> {
        le_bytes(&self.heights)
    }
}

impl Generator {
    /// The name of a chunk's content: a digest of the plan and of which chunk it is. Where it is the same, so are all bytes of the chunk.
    ///
    /// # Errors
    ///
    /// Those of [`Generator::chunk`]: what can't be made has no name.
    pub fn key(&self, id: &ChunkId) -> Result<[u8; 32], GenError> {
        self.check(id)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"wasgo chunk\0").update(&self.digest()).update(&id.key());
        Ok(hasher.finalize().into())
    }

    /// Makes a chunk. The same plan and chunk give the same bits on every machine. Neighbours of one level agree on their common border in
    /// every bit of heights, normals and colours; so do those of different levels in all samples that both have, when the finer is
    /// told of the coarser.
    ///
    /// ```
    /// use wasgo_gen::{ChunkId, Generator, Plan};
    /// let generator = Generator::new(Plan::new(42))?;
    /// let chunk = generator.chunk(ChunkId::new(-3, 8))?;
    /// assert_eq!(chunk.heights.len(), 65 * 65);
    /// assert_eq!(chunk.origin, [-192.0, 0.0, 512.0]);
    /// # Ok::<(), wasgo_gen::GenError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`GenError::OutOfWorld`] when the chunk reaches beyond [`MAX_WORLD`], what is wrong with its level or its neighbours, and
    /// [`GenError::Script`] when a script of the plan fails.
    pub fn chunk(&self, id: ChunkId) -> Result<Chunk, GenError> {
        self.make(id, true)
    }

    /// The chunk; without what the plan's generators make, where nobody looks at that.
    pub(crate) fn make(&self, id: ChunkId, generators: bool) -> Result<Chunk, GenError> {
        self.check(&id)?;
        with_job(|scratch| {
            let plan = self.plan();
            let lattice = Lattice::new(plan, &id);
            let grid = Grid::new(self, lattice, scratch);
            let samples = lattice.samples;
            let count = samples * samples;

            let mut normals = Vec::with_capacity(count * 3);
            let mut heights = Vec::with_capacity(count);
            let (mut x, mut z) = (Vec::with_capacity(count), Vec::with_capacity(count));
            for row in 0..samples {
                for column in 0..samples {
                    heights.push(grid.height(column, row));
                    normals.extend(grid.normal(column, row));
                    x.push(lattice.world(0, column as i64));
                    z.push(lattice.world(1, row as i64));
                }
            }
            let mut covers = grid.covers();
            neighbours::fit_heights(self, &lattice, &id.neighbours, &mut heights, &mut covers, scratch);
            let mut positions = Vec::with_capacity(count * 3);
            for (number, height) in heights.iter().enumerate() {
                positions.extend([lattice.local(number % samples), *height, lattice.local(number / samples)]);
            }
            neighbours::fit_normals(self, &lattice, &id.neighbours, &mut normals, scratch);
            let slopes: Vec<f32> = normals.chunks_exact(3).map(|normal| 1.0 - normal[1]).collect();
            let mut colors = Vec::new();
            self.colors((&x, None, &z), (&heights, &slopes), &mut colors, scratch);
            self.pave(&covers, &mut colors);
            let mut indices = triangles(samples as u32);
            neighbours::fit_triangles(samples as u32, &id.neighbours, &mut indices);
            let instances = scatter::scatter(self, &grid, scratch);
            let objects = objects::of_chunk(self, &grid, scratch)?;
            let stats = stats(plan, &heights, &slopes, &instances);
            let generated = if generators { self.generated(&id, &lattice, &heights) } else { Vec::new() };
            let (origin, size) = (lattice.origin(), lattice.size);
            let samples = plan.chunk.samples;
            Ok(Chunk {
                id,
                origin,
                size,
                samples,
                heights,
                positions,
                normals,
                colors,
                indices,
                instances,
                objects,
                generated,
                stats,
            })
        })?
    }

    fn check(&self, id: &ChunkId) -> Result<(), GenError> {
        let shape = &self.plan().chunk;
        if self.plan().terrain.is_none() {
            return Err(GenError::Nothing { what: "terrain" });
        }
        if id.level > shape.levels {
            return Err(GenError::NoLevel { level: id.level, max: shape.levels });
        }
        let size = f64::from(shape.size) * f64::from(1u32 << id.level);
        // The far edge of the last chunk is still in the world.
        let limit = ((MAX_WORLD / size) as i32 - 1).max(0);
        for (axis, value) in [('x', id.x), ('z', id.z)] {
            if value < -limit || value > limit {
                return Err(GenError::OutOfWorld { axis, value, limit, size });
            }
        }
        let max = (shape.samples - 1).trailing_zeros().min(u32::from(shape.levels - id.level)) as u8;
        match id.neighbours.0.iter().position(|steps| *steps > max) {
            Some(at) => {
                let (direction, steps) = (DIRECTIONS[at], id.neighbours.0[at]);
                Err(GenError::TooCoarse { direction, steps, max, samples: shape.samples })
            }
            None => Ok(()),
        }
    }
}

/// Two triangles for every square. The diagonal goes from (x + 1, z) to (x, z + 1), as `ground_at` expects.
fn triangles(samples: u32) -> Vec<u32> {
    let squares = (samples - 1) as usize;
    let mut indices = Vec::with_capacity(squares * squares * 6);
    for row in 0..samples - 1 {
        for column in 0..samples - 1 {
            let a = row * samples + column;
            let (b, c, d) = (a + samples, a + 1, a + samples + 1);
            indices.extend([a, b, c, c, b, d]);
        }
    }
    indices
}

fn stats(plan: &Plan, heights: &[f32], slopes: &[f32], instances: &[Instance]) -> ChunkStats {
    let count = heights.len() as f64;
    let water = plan.terrain.as_ref().and_then(|terrain| terrain.water).unwrap_or(f32::NEG_INFINITY);
    let mean = |values: &[f32]| (values.iter().map(|value| f64::from(*value)).sum::<f64>() / count) as f32;
    let mut counts = vec![0; plan.kinds()];
    for instance in instances {
        counts[instance.kind as usize] += 1;
    }
    ChunkStats {
        min_height: heights.iter().copied().fold(f32::INFINITY, f32::min),
        max_height: heights.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        mean_height: mean(heights),
        mean_slope: mean(slopes),
        water_share: (heights.iter().filter(|height| **height < water).count() as f64 / count) as f32,
        counts,
    }
}
