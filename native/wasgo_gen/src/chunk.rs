//! One square of the world: its ground as a mesh, and what stands on it.

use std::borrow::Cow;

use wasgo_scene::Surface;

use crate::instance::Instance;
use crate::plan::{MAX_WORLD, Plan, PlanError};
use crate::terrain::Ground;
use crate::{le_bytes, le_bytes_u32, scatter};

/// A chunk that cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GenError {
    /// The plan is not allowed.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The chunk is beyond [`MAX_WORLD`].
    #[error("chunk {axis} is {value}, allowed: -{limit} to {limit} with chunks of {chunk_size} m")]
    OutOfWorld {
        /// `x` or `z`.
        axis: char,
        /// The coordinate asked for, in chunks.
        value: i32,
        /// The greatest allowed, in chunks.
        limit: i32,
        /// Side of a chunk in metres.
        chunk_size: f32,
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
    /// How many instances there are of each kind: one entry for each mesh of [`props`](crate::props).
    pub counts: Vec<u32>,
}

/// One square of the world. Vectors are in the order of the samples: row by row, x first, then z.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// West-east coordinate, in chunks.
    pub x: i32,
    /// North-south coordinate, in chunks.
    pub z: i32,
    /// World position of the corner with the least x and z, in metres: (x * size, 0, z * size).
    pub origin: [f64; 3],
    /// Side in metres.
    pub size: f32,
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
    /// Three for every triangle, counter-clockwise seen from above.
    pub indices: Vec<u32>,
    /// What stands on the ground: by rule, then by place.
    pub instances: Vec<Instance>,
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

/// Makes the chunk at these coordinates. The same plan and coordinates give the same bits on every machine, and
/// neighbours agree on their common border in every bit of heights, normals and colours.
///
/// ```
/// let plan = wasgo_gen::Plan::new(42);
/// let chunk = wasgo_gen::chunk(&plan, -3, 8)?;
/// assert_eq!(chunk.heights.len(), 65 * 65);
/// assert_eq!(chunk.origin, [-192.0, 0.0, 512.0]);
/// # Ok::<(), wasgo_gen::GenError>(())
/// ```
///
/// # Errors
///
/// [`GenError::Plan`] when the plan is not allowed, [`GenError::OutOfWorld`] when the chunk reaches beyond
/// [`MAX_WORLD`].
pub fn chunk(plan: &Plan, x: i32, z: i32) -> Result<Chunk, GenError> {
    plan.validate()?;
    check_coordinates(plan, x, z)?;
    let ground = Ground::new(plan);
    let grid = Grid::new(plan, x, z, &ground);

    let samples = grid.samples;
    let count = samples * samples;
    let mut heights = Vec::with_capacity(count);
    let mut positions = Vec::with_capacity(count * 3);
    let mut normals = Vec::with_capacity(count * 3);
    let mut colors = Vec::with_capacity(count * 4);
    let mut sums = Sums::new(plan);
    for row in 0..samples {
        for column in 0..samples {
            let height = grid.height(column, row);
            let normal = grid.normal(column, row);
            let slope = 1.0 - normal[1];
            let (world_x, world_z) = grid.world(column, row);
            heights.push(height);
            positions.extend([grid.local(column), height, grid.local(row)]);
            normals.extend(normal);
            colors.extend(ground.color(world_x, world_z, height, slope));
            sums.add(height, slope);
        }
    }
    let instances = scatter::scatter(plan, &grid, &ground);
    let stats = sums.stats(count, plan, &instances);
    Ok(Chunk {
        x,
        z,
        origin: grid.origin,
        size: plan.chunk_size,
        samples: plan.samples,
        heights,
        positions,
        normals,
        colors,
        indices: triangles(plan.samples),
        instances,
        stats,
    })
}

fn check_coordinates(plan: &Plan, x: i32, z: i32) -> Result<(), GenError> {
    let chunk_size = plan.chunk_size;
    // The far edge of the last chunk is still in the world. At least 255 with the largest chunks.
    let limit = (MAX_WORLD / f64::from(chunk_size)) as i32 - 1;
    for (axis, value) in [('x', x), ('z', z)] {
        if value < -limit || value > limit {
            return Err(GenError::OutOfWorld { axis, value, limit, chunk_size });
        }
    }
    Ok(())
}

/// Two triangles for every square. The diagonal goes from (x + 1, z) to (x, z + 1), as [`Grid::ground_at`] expects.
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

/// The heights of a chunk with one more sample on each side, so that normals need no neighbour.
pub(crate) struct Grid {
    pub(crate) origin: [f64; 3],
    pub(crate) size: f64,
    pub(crate) x: i32,
    pub(crate) z: i32,
    samples: usize,
    step: f64,
    /// Number of the first sample (not of the apron) in the grid of the whole world.
    first: [i64; 2],
    heights: Vec<f32>,
}

impl Grid {
    fn new(plan: &Plan, x: i32, z: i32, ground: &Ground<'_>) -> Self {
        let size = f64::from(plan.chunk_size);
        let squares = i64::from(plan.samples) - 1;
        let samples = plan.samples as usize;
        let mut grid = Self {
            origin: [f64::from(x) * size, 0.0, f64::from(z) * size],
            size,
            x,
            z,
            samples,
            step: size / squares as f64,
            first: [i64::from(x) * squares, i64::from(z) * squares],
            heights: Vec::new(),
        };
        let side = samples + 2;
        grid.heights.reserve_exact(side * side);
        for row in 0..side as i64 {
            let world_z = grid.world_coordinate(1, row - 1);
            for column in 0..side as i64 {
                let height = ground.height(grid.world_coordinate(0, column - 1), world_z);
                grid.heights.push(height);
            }
        }
        grid
    }

    /// From the number of the sample in the world, not from the chunk's origin: only so do two chunks get the
    /// same bits for a sample that they share.
    fn world_coordinate(&self, axis: usize, number: i64) -> f64 {
        (self.first[axis] + number) as f64 * self.step
    }

    fn world(&self, column: usize, row: usize) -> (f64, f64) {
        (self.world_coordinate(0, column as i64), self.world_coordinate(1, row as i64))
    }

    fn local(&self, number: usize) -> f32 {
        (number as f64 * self.step) as f32
    }

    fn height(&self, column: usize, row: usize) -> f32 {
        self.apron(column + 1, row + 1)
    }

    fn apron(&self, column: usize, row: usize) -> f32 {
        self.heights[row * (self.samples + 2) + column]
    }

    /// By central differences.
    fn normal(&self, column: usize, row: usize) -> [f32; 3] {
        let across = f64::from(self.apron(column, row + 1)) - f64::from(self.apron(column + 2, row + 1));
        let along = f64::from(self.apron(column + 1, row)) - f64::from(self.apron(column + 1, row + 2));
        unit([across, 2.0 * self.step, along]).map(|value| value as f32)
    }

    /// Height and slope (1 - y of the normal) of the mesh itself at a point in metres from the origin: what
    /// stands there touches the triangle that is drawn.
    pub(crate) fn ground_at(&self, x: f64, z: f64) -> (f32, f32) {
        let last = self.samples - 2;
        let (u, v) = (x / self.step, z / self.step);
        let (column, row) = ((u as usize).min(last), (v as usize).min(last));
        let (u, v) = (u - column as f64, v - row as f64);
        let at = |c, r| f64::from(self.height(column + c, row + r));
        let (b, c) = (at(0, 1), at(1, 0));
        let (height, across, along) = if u + v <= 1.0 {
            let a = at(0, 0);
            (a + u * (c - a) + v * (b - a), c - a, b - a)
        } else {
            let d = at(1, 1);
            (d + (1.0 - u) * (b - d) + (1.0 - v) * (c - d), d - b, d - c)
        };
        let normal = unit([-across, self.step, -along]);
        (height as f32, (1.0 - normal[1]) as f32)
    }
}

fn unit(v: [f64; 3]) -> [f64; 3] {
    let length = (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
    [v[0] / length, v[1] / length, v[2] / length]
}

/// Running figures.
struct Sums {
    min: f32,
    max: f32,
    height: f64,
    slope: f64,
    under_water: u32,
    water_level: f32,
}

impl Sums {
    fn new(plan: &Plan) -> Self {
        Self {
            min: f32::INFINITY,
            max: f32::NEG_INFINITY,
            height: 0.0,
            slope: 0.0,
            under_water: 0,
            water_level: plan.terrain.water_level.unwrap_or(f32::NEG_INFINITY),
        }
    }

    fn add(&mut self, height: f32, slope: f32) {
        self.min = self.min.min(height);
        self.max = self.max.max(height);
        self.height += f64::from(height);
        self.slope += f64::from(slope);
        self.under_water += u32::from(height < self.water_level);
    }

    fn stats(self, count: usize, plan: &Plan, instances: &[Instance]) -> ChunkStats {
        let count = count as f64;
        let mut counts = vec![0; plan.kinds()];
        for instance in instances {
            counts[instance.kind as usize] += 1;
        }
        ChunkStats {
            min_height: self.min,
            max_height: self.max,
            mean_height: (self.height / count) as f32,
            mean_slope: (self.slope / count) as f32,
            water_share: (f64::from(self.under_water) / count) as f32,
            counts,
        }
    }
}
