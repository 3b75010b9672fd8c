//! What was built or placed, in pictures: triangle by triangle, with roads in the ground.

use wasgo_scene::{Mesh, Surface};

use super::light::{self, MAP_SUN, SIDE_SUN};
use super::things::chunks;
use super::{ANGLES, Canvas, View};
use crate::chunk::{ChunkId, GenError, Grid, Lattice};
use crate::generator::{Generator, with_job};
use crate::objects::{self, Placement};
use crate::plan::Plan;
use crate::shaped::cover;

/// The widest view in which settlements are drawn, in metres: in others a road would be a part of a pixel.
const WIDEST: f64 = 8192.0;

/// Chunks that are drawn at a time.
const SLICE: usize = 8;

impl View {
    /// The level of detail whose ground is drawn.
    pub(super) fn level(&self) -> u8 {
        if self.metres <= WIDEST { 0 } else { u8::MAX }
    }
}

impl Generator {
    /// Puts roads into a row of colours.
    pub(super) fn pave_row(&self, level: u8, x: &[f64], z: &[f64], colors: &mut [f32]) {
        let (mut heights, mut covers) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        self.shape(x, z, level, &mut heights, |number, shaped| covers[number] = cover(shaped));
        self.pave(&covers, colors);
    }
}

/// Buildings and objects on their way into a picture.
pub(super) struct Built {
    chunks: Vec<(i32, i32)>,
    next: usize,
    level: u8,
    /// With as few samples as will do.
    plan: Plan,
    below: Option<f32>,
}

impl Built {
    /// None where nothing of the kind can be seen.
    pub(super) fn new(plan: &Plan, view: &View) -> Option<Self> {
        if (plan.settlements.is_none() && plan.objects.is_empty()) || view.metres > WIDEST {
            return None;
        }
        // What is about a pixel large is left out, as it is in coarser chunks.
        let pixel = view.metres / f64::from(view.size);
        let level = [0.15, 0.6].iter().filter(|step| pixel > **step).count() as u8;
        let level = level.min(plan.chunk.levels);
        let chunks = chunks(plan, view, level)?;
        let mut plan = plan.clone();
        plan.chunk.samples = 3;
        Some(Self { chunks, next: 0, level, plan, below: view.below.map(|below| below as f32) })
    }

    pub(super) fn step(&mut self, generator: &Generator, canvas: &mut Canvas) -> Result<bool, GenError> {
        let last = (self.next + SLICE).min(self.chunks.len());
        for (x, z) in &self.chunks[self.next..last] {
            let lattice = Lattice::new(&self.plan, &ChunkId { level: self.level, ..ChunkId::new(*x, *z) });
            let sets = with_job(|scratch| {
                let grid = Grid::new(generator, lattice, scratch);
                objects::of_chunk(generator, &grid, scratch)
            })??;
            for set in &sets {
                for placement in &set.placements {
                    canvas.mesh(&set.model.mesh, placement, lattice.origin(), self.below);
                }
            }
        }
        self.next = last;
        Ok(self.next == self.chunks.len())
    }
}

/// Vectors of a surface's attribute.
fn vectors<const N: usize>(bytes: &[u8]) -> Vec<[f32; N]> {
    let floats: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    floats.as_chunks::<N>().0.to_vec()
}

/// A vertex of a triangle: where it is in the picture, and how far away.
type Corner = [f64; 3];

impl Canvas {
    fn mesh(&mut self, mesh: &Mesh<'_>, placement: &Placement, origin: [f64; 3], below: Option<f32>) {
        for surface in &mesh.surfaces {
            self.surface(surface, placement, origin, below);
        }
    }

    fn surface(&mut self, surface: &Surface<'_>, placement: &Placement, origin: [f64; 3], below: Option<f32>) {
        let (sin, cos) = libm::sincosf(placement.yaw);
        let turn = |[x, y, z]: [f32; 3]| [x * cos + z * sin, y, z * cos - x * sin];
        let [dx, dy, dz] = placement.position;
        let places: Vec<[f32; 3]> = vectors(&surface.positions)
            .into_iter()
            .map(|at| turn(at.map(|value| value * placement.scale)))
            .map(|[x, y, z]| [x + dx, y + dy, z + dz])
            .collect();
        let corners: Vec<Corner> = places
            .iter()
            .map(|at| self.camera.project([0, 1, 2].map(|axis| origin[axis] + f64::from(at[axis]))))
            .collect();
        let normals: Vec<[f32; 3]> = vectors(&surface.normals);
        let colors: Vec<[f32; 4]> = vectors(&surface.colors);
        let sun = if self.camera.cos == 0.0 { MAP_SUN } else { SIDE_SUN };
        let indices: Vec<usize> =
            surface.indices.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four) as usize).collect();
        for triangle in indices.as_chunks::<3>().0 {
            let Some(at) = corner_of(&corners, triangle) else { continue };
            if below.is_some_and(|below| triangle.iter().all(|n| places[*n][1] >= below)) {
                continue;
            }
            let normal = normals.get(triangle[0]).copied().unwrap_or([0.0, 1.0, 0.0]);
            let color = colors.get(triangle[0]).map_or([0.5; 3], |[r, g, b, _]| [*r, *g, *b]);
            let light = light::brightness(turn(normal), sun, 1.0, 1.0);
            self.triangle(at, color.map(|value| value * light));
        }
    }

    /// Paints what of a triangle is nearer than what is there.
    fn triangle(&mut self, [a, b, c]: [Corner; 3], color: [f32; 3]) {
        let area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
        if area.abs() < 1e-9 {
            return;
        }
        let size = self.picture.size as f64;
        // Pixels by their middles.
        let span = |axis: usize| {
            let (low, high) = (a[axis].min(b[axis]).min(c[axis]), a[axis].max(b[axis]).max(c[axis]));
            ((low - 0.5).ceil().max(0.0) as usize, (high - 0.5).floor().min(size - 1.0))
        };
        let ((left, right), (top, bottom)) = (span(0), span(1));
        if right < 0.0 || bottom < 0.0 {
            return;
        }
        for row in top..=bottom as usize {
            for column in left..=right as usize {
                let (x, y) = (column as f64 + 0.5, row as f64 + 0.5);
                let share = |from: Corner, to: Corner| {
                    ((to[0] - from[0]) * (y - from[1]) - (to[1] - from[1]) * (x - from[0])) / area
                };
                let (u, v, w) = (share(b, c), share(c, a), share(a, b));
                if u < 0.0 || v < 0.0 || w < 0.0 {
                    continue;
                }
                let depth = (u * a[2] + v * b[2] + w * c[2]) as f32;
                let at = row * self.picture.size as usize + column;
                if self.depths.get(at).is_some_and(|there| depth < *there) {
                    self.depths[at] = depth;
                    self.put(column, row, color);
                }
            }
        }
    }
}

fn corner_of(corners: &[Corner], triangle: &[usize; 3]) -> Option<[Corner; 3]> {
    let [a, b, c] = triangle.map(|n| corners.get(n).copied());
    Some([a?, b?, c?])
}

/// Whether the picture needs to know how far away everything is.
pub(super) fn needs_depths(view: &View, built: Option<&Built>) -> bool {
    view.angle < ANGLES.1 || built.is_some()
}
