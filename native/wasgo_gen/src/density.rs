//! Cubes of the world: densities, and the surface of what is solid.

use crate::chunk::GenError;
use crate::field::compile::{Compiler, Scope};
use crate::field::program::{Points, Program, Scratch};
use crate::field::range::{self, Range, Span};
use crate::generator::{Generator, check_bounds, with_job};
use crate::mesh::MeshData;
use crate::plan::{MAX_WORLD, Plan, PlanError, Volume};
use crate::script::Scripts;
use crate::volume::{Densities, Grid, Mesher, Neighbours, VolumeChunk, VolumeMesh, VolumeStats, grids};

/// Which cube: coordinates count in chunks of its own level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VolumeId {
    /// East.
    pub x: i32,
    /// Up.
    pub y: i32,
    /// South.
    pub z: i32,
    /// Level of detail: cubes of level n are 2^n times as wide as those of level 0, with as many cells.
    pub level: u8,
    /// How much coarser the cubes around it are.
    pub neighbours: Neighbours,
}

impl VolumeId {
    /// A cube of level 0 among others.
    #[must_use]
    pub fn new(x: i32, y: i32, z: i32) -> Self {
        Self { x, y, z, ..Self::default() }
    }
}

/// What is in a cube.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumePart {
    /// Which it is.
    pub id: VolumeId,
    /// World position of the corner with the least coordinates, in metres.
    pub origin: [f64; 3],
    /// Side in metres.
    pub size: f64,
    /// The surface, with colours; positions in metres from the origin. Empty where all is solid, or nothing.
    pub mesh: MeshData,
    /// Figures.
    pub stats: VolumeStats,
}

/// The programs of a plan's density.
#[derive(Debug)]
pub(crate) struct Density {
    /// All of it, for bounds.
    whole: Program,
    /// What is the same all the way up, and the rest, made of it.
    flat: Program,
    full: Program,
}

/// Samples along a side of a brick: what is bounded together, and computed or left out.
const BRICK: usize = 8;

/// How many samples from a crossing densities still matter: for normals, and where cells are found from coarser ones.
const REACH: usize = 3;

impl Density {
    pub(crate) fn new(plan: &Plan, volume: &Volume, scripts: &Scripts) -> Result<Self, PlanError> {
        let mut compiler = Compiler::new(&plan.nodes, scripts, plan.seed, Scope::Terrain);
        compiler.output("volume.density", &volume.density)?;
        let code = compiler.finish();
        let whole = Program::new(&code);
        check_bounds(&whole, "volume.density")?;
        let (flat, full) = Program::split(&code);
        Ok(Self { whole, flat, full })
    }
}

/// Where the lattice of a cube is.
struct Frame {
    /// Number of the corner in the lattice of the whole world, of the cube's level.
    first: [i64; 3],
    step: f64,
}

impl Frame {
    /// In metres. From the number in the world: cubes that share a point have the same bits for it.
    fn world(&self, axis: usize, number: i64) -> f64 {
        (self.first[axis] + number) as f64 * self.step
    }
}

impl Generator {
    /// Makes a cube of the plan's volume. The same plan and cube give the same bits on every machine; cubes meet without cracks, whatever
    /// their levels, when each is told of its neighbours.
    ///
    /// # Errors
    ///
    /// When the plan has no volume, or the cube is outside of the world, or its level or its neighbours are none.
    pub fn volume(&self, id: VolumeId) -> Result<VolumePart, GenError> {
        let (density, volume, frame) = self.frame(&id)?;
        let size = f64::from(volume.cells) * frame.step;
        let origin = [0, 1, 2].map(|axis| frame.world(axis, 0));
        let chunk = VolumeChunk { cells: volume.cells, spacing: frame.step as f32, neighbours: id.neighbours };
        let grids = grids(volume.cells, &id.neighbours)?;
        with_job(|scratch| {
            let mut out = VolumeMesh::default();
            match density.uniform(&frame, &grids[0], scratch) {
                Some(true) => Mesher::new().mesh(&chunk, Densities::Solid, &mut out)?,
                Some(false) => Mesher::new().mesh(&chunk, Densities::Air, &mut out)?,
                None => {
                    let mut samples = vec![0.0; grids.iter().map(Grid::samples).sum()];
                    for grid in &grids {
                        let part = &mut samples[grid.offset..grid.offset + grid.samples()];
                        density.sample(&frame, grid, true, part, scratch);
                    }
                    Mesher::new().mesh(&chunk, Densities::Sampled(&samples), &mut out)?;
                }
            }
            let VolumeMesh { mut mesh, stats, .. } = out;
            self.paint(&mut mesh, origin, scratch);
            Ok(VolumePart { id, origin, size, mesh, stats })
        })?
    }

    /// The densities of a cube at the corners of its cells: (cells + 1)^3 values, x fastest, then y, then z.
    ///
    /// # Errors
    ///
    /// Those of [`Generator::volume`].
    pub fn densities(&self, id: VolumeId) -> Result<Vec<f32>, GenError> {
        let (density, volume, frame) = self.frame(&id)?;
        let side = volume.cells + 1;
        let grid = Grid { origin: [0; 3], stride: 1, size: [side; 3], offset: 0 };
        let mut samples = vec![0.0; grid.samples()];
        with_job(|scratch| density.sample(&frame, &grid, false, &mut samples, scratch))?;
        Ok(samples)
    }

    fn frame(&self, id: &VolumeId) -> Result<(&Density, &Volume, Frame), GenError> {
        let plan = self.plan();
        let (Some(density), Some(volume)) = (&self.density, &plan.volume) else {
            return Err(GenError::Nothing { what: "volume" });
        };
        if id.level > plan.chunk.levels {
            return Err(GenError::NoLevel { level: id.level, max: plan.chunk.levels });
        }
        let step = f64::from(volume.spacing) * f64::from(1u32 << id.level);
        let size = step * f64::from(volume.cells);
        let limit = ((MAX_WORLD / size) as i32 - 1).max(0);
        for (axis, value) in [('x', id.x), ('y', id.y), ('z', id.z)] {
            if value < -limit || value > limit {
                return Err(GenError::OutOfWorld { axis, value, limit, size });
            }
        }
        let first = [id.x, id.y, id.z].map(|at| i64::from(at) * i64::from(volume.cells));
        Ok((density, volume, Frame { first, step }))
    }

    /// Colours of the ground, of which a vertex's own height and slope are asked.
    fn paint(&self, mesh: &mut MeshData, origin: [f64; 3], scratch: &mut Scratch) {
        let at = |axis: usize| -> Vec<f64> {
            mesh.positions.iter().map(|position| origin[axis] + f64::from(position[axis])).collect()
        };
        let (x, y, z) = (at(0), at(1), at(2));
        let heights: Vec<f32> = y.iter().map(|y| *y as f32).collect();
        // What faces down is as steep as can be.
        let slopes: Vec<f32> = mesh.normals.iter().map(|normal| (1.0 - normal[1]).clamp(0.0, 1.0)).collect();
        let mut colors = Vec::new();
        self.colors((&x, Some(&y), &z), (&heights, &slopes), &mut colors, scratch);
        mesh.colors = colors.as_chunks::<4>().0.to_vec();
    }
}

impl Density {
    /// All of it in one program.
    pub(crate) fn whole(&self) -> &Program {
        &self.whole
    }

    /// Whether all of a grid is solid, or none of it, as far as bounds can tell.
    fn uniform(&self, frame: &Frame, grid: &Grid, scratch: &mut Scratch) -> Option<bool> {
        let spans = [0, 1, 2].map(|axis| {
            let first = i64::from(grid.origin[axis]);
            let last = first + i64::from((grid.size[axis] - 1) * grid.stride);
            Span { low: frame.world(axis, first), high: frame.world(axis, last) }
        });
        sign(self.whole.bounds(spans, &[], scratch)[0])
    }

    /// The densities at a grid's points. With `surface`, those that no surface is near to are only right about what is solid.
    fn sample(&self, frame: &Frame, grid: &Grid, surface: bool, out: &mut [f32], scratch: &mut Scratch) {
        let size = grid.size.map(|side| side as usize);
        let axis = |axis: usize| -> Vec<f64> {
            let number = |n: usize| i64::from(grid.origin[axis]) + n as i64 * i64::from(grid.stride);
            (0..size[axis]).map(|n| frame.world(axis, number(n))).collect()
        };
        let (x, y, z) = (axis(0), axis(1), axis(2));
        let planes = self.planes(&x, &z, scratch);
        for bz in (0..size[2]).step_by(BRICK) {
            for by in (0..size[1]).step_by(BRICK) {
                for bx in (0..size[0]).step_by(BRICK) {
                    let brick = Brick::new([bx, by, bz], size);
                    let solid = if surface { self.sign_around(&brick, [&x, &y, &z], &planes, scratch) } else { None };
                    match solid {
                        Some(solid) => brick.fill(size, if solid { 1.0 } else { -1.0 }, out),
                        None => self.run(&brick, [&x, &y, &z], &planes, size, out, scratch),
                    }
                }
            }
        }
    }

    /// Everything that is the same all the way up, at each column of a grid.
    fn planes(&self, x: &[f64], z: &[f64], scratch: &mut Scratch) -> Vec<Vec<f32>> {
        let mut planes = vec![vec![0.0; x.len() * z.len()]; self.flat.outputs()];
        if planes.is_empty() {
            return planes;
        }
        let rows = (crate::field::kernel::BLOCK / x.len()).max(1);
        for first in (0..z.len()).step_by(rows) {
            let last = (first + rows).min(z.len());
            let wide: Vec<f64> = (first..last).flat_map(|_| x.iter().copied()).collect();
            let deep: Vec<f64> = z[first..last].iter().flat_map(|z| std::iter::repeat_n(*z, x.len())).collect();
            let level = vec![0.0; wide.len()];
            let mut out: Vec<&mut [f32]> =
                planes.iter_mut().map(|plane| &mut plane[first * x.len()..last * x.len()]).collect();
            self.flat.run(&Points { x: &wide, y: &level, z: &deep }, &[], scratch, &mut out);
        }
        planes
    }

    /// What is solid in a brick and as far around it as matters, where that is all of it or none.
    fn sign_around(
        &self,
        brick: &Brick,
        axes: [&[f64]; 3],
        planes: &[Vec<f32>],
        scratch: &mut Scratch,
    ) -> Option<bool> {
        let wider = brick.wider(REACH, [axes[0].len(), axes[1].len(), axes[2].len()]);
        let spans =
            [0, 1, 2].map(|axis| Span { low: axes[axis][wider.first[axis]], high: axes[axis][wider.last[axis] - 1] });
        let ranges: Vec<Range> = planes
            .iter()
            .map(|plane| {
                let rows = (wider.first[2]..wider.last[2]).map(|z| {
                    let row = z * axes[0].len();
                    range::of(&plane[row + wider.first[0]..row + wider.last[0]])
                });
                rows.reduce(Range::hull).unwrap_or(Range::point(0.0))
            })
            .collect();
        sign(self.full.bounds(spans, &ranges, scratch)[0])
    }

    fn run(
        &self,
        brick: &Brick,
        axes: [&[f64]; 3],
        planes: &[Vec<f32>],
        size: [usize; 3],
        out: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let places = || brick.places();
        let x: Vec<f64> = places().map(|place| axes[0][place[0]]).collect();
        let y: Vec<f64> = places().map(|place| axes[1][place[1]]).collect();
        let z: Vec<f64> = places().map(|place| axes[2][place[2]]).collect();
        let inputs: Vec<Vec<f32>> =
            planes.iter().map(|plane| places().map(|place| plane[place[2] * size[0] + place[0]]).collect()).collect();
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let mut values = vec![0.0; x.len()];
        self.full.run(&Points { x: &x, y: &y, z: &z }, &inputs, scratch, &mut [&mut values]);
        for (place, value) in places().zip(values) {
            out[(place[2] * size[1] + place[1]) * size[0] + place[0]] = value;
        }
    }
}

/// Solid where all values are above 0, air where none is.
pub(crate) fn sign(range: Range) -> Option<bool> {
    if range.low > 0.0 {
        Some(true)
    } else if range.high <= 0.0 {
        Some(false)
    } else {
        None
    }
}

/// A part of a grid.
struct Brick {
    first: [usize; 3],
    /// Not in it any more.
    last: [usize; 3],
}

impl Brick {
    fn new(first: [usize; 3], size: [usize; 3]) -> Self {
        Self { first, last: [0, 1, 2].map(|axis| (first[axis] + BRICK).min(size[axis])) }
    }

    fn wider(&self, by: usize, size: [usize; 3]) -> Self {
        Self {
            first: self.first.map(|first| first.saturating_sub(by)),
            last: [0, 1, 2].map(|axis| (self.last[axis] + by).min(size[axis])),
        }
    }

    /// x fastest, then y, then z.
    fn places(&self) -> impl Iterator<Item = [usize; 3]> + use<> {
        let (first, last) = (self.first, self.last);
        (first[2]..last[2])
            .flat_map(move |z| (first[1]..last[1]).flat_map(move |y| (first[0]..last[0]).map(move |x| [x, y, z])))
    }

    fn fill(&self, size: [usize; 3], value: f32, out: &mut [f32]) {
        for z in self.first[2]..self.last[2] {
            for y in self.first[1]..self.last[1] {
                let row = (z * size[1] + y) * size[0];
                out[row + self.first[0]..row + self.last[0]].fill(value);
            }
        }
    }
}
