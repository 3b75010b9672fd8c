//! What was built or placed: buildings, wells, bridges and trees of settlements, and the objects of a plan.
//!
//! Each thing belongs to the chunk that its origin is in, at every level that has it. A chunk tells of them by model, each with all the
//! places where it stands: models are known by their content, so that what looks the same is stored once.

mod model;
mod wanted;

use std::collections::BTreeMap;
use std::sync::Arc;

use wasgo_scene::Mesh;
use wasgo_scene::transform::{row_bytes, rows_from_yaw};

pub(crate) use model::Models;
pub use model::built_mesh;

use crate::built::BoxCollider;
use crate::chunk::{GenError, Grid};
use crate::field::program::Scratch;
use crate::generator::Generator;
use crate::props::lod_error;
use crate::scatter;
use wanted::{Wanted, What};

/// The most buildings of a chunk; those of settlements that are more are left out.
pub const MAX_CHUNK_BUILDINGS: usize = 4096;

/// The most objects of a chunk; things of settlements that are more are left out.
pub const MAX_CHUNK_OBJECTS: usize = 65_536;

/// So many buildings of a chunk may be of the finest level, and so many of the second: chunks that have more have coarser ones.
const FINE: [usize; 2] = [256, 1024];

/// A model: everything that is needed to draw it and to bump into it.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectModel {
    /// Of its content: models with the same key have the same bytes.
    pub key: [u8; 32],
    /// Its kind and the beginning of its key.
    pub name: String,
    /// What it is: the name of a preset (`cottage`, ...) or `building`, that of a thing of settlements (`well`, `tree`, ...), `bridge`,
    /// `prop` or `dungeon`.
    pub kind: &'static str,
    /// What it looks like, with materials of [`scene::materials`](crate::scene::materials).
    pub mesh: Mesh<'static>,
    /// What one can't walk through, in its own space. Coarse levels of detail have none.
    pub boxes: Vec<BoxCollider>,
}

/// Where a model stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Metres: x and z from the chunk's origin, y absolute.
    pub position: [f32; 3],
    /// Radians about +Y.
    pub yaw: f32,
    /// A factor.
    pub scale: f32,
    /// Number of the object in the plan, if it is one.
    pub object: Option<u32>,
}

/// A model and all places of a chunk where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectSet {
    /// What stands there. Chunks share it.
    pub model: Arc<ObjectModel>,
    /// Where; at least once.
    pub placements: Vec<Placement>,
}

impl ObjectSet {
    /// The places as the buffer that engines take: 48 bytes each, 12 f32 little-endian, a 3x4 matrix row by row, in the space of the chunk.
    #[must_use]
    pub fn transforms(&self) -> Vec<u8> {
        self.placements.iter().flat_map(|it| row_bytes(&rows_from_yaw(it.position, it.yaw, it.scale))).collect()
    }
}

/// The objects of a chunk: of settlements in the order of their sites, then those of the plan.
pub(crate) fn of_chunk(generator: &Generator, grid: &Grid, scratch: &mut Scratch) -> Result<Vec<ObjectSet>, GenError> {
    let level = grid.lattice.level;
    let edges = [grid.lattice.edges(0), grid.lattice.edges(1)];
    let here = |[x, z]: [f64; 2]| x >= edges[0].0 && x < edges[0].1 && z >= edges[1].0 && z < edges[1].1;
    let tiles = if generator.changes.settled_at(level) { wanted::tiles(generator, edges) } else { Vec::new() };
    let mut wanted: Vec<Wanted<'_>> = Vec::new();
    for (id, tile) in &tiles {
        wanted::of_tile(*id, &tile.region, level, here, &mut wanted);
    }
    for (number, object) in (0u32..).zip(&generator.plan().objects) {
        if object.level >= level && here([object.x, object.z]) {
            wanted.push(Wanted::object(number, object));
        }
    }
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    on_ground(generator, grid, &mut wanted, scratch);
    let buildings = wanted.iter().filter(|it| matches!(it.what, What::Building(..))).count();
    let lod = FINE.iter().filter(|most| buildings > **most).count().max(usize::from(level).min(2));
    let allowed = lod_error(generator.plan(), level);
    let origin = grid.lattice.origin();
    let mut sets: Vec<ObjectSet> = Vec::new();
    let mut numbers: BTreeMap<[u8; 32], usize> = BTreeMap::new();
    for it in &wanted {
        let made = generator.models.get(&it.what, lod, level, allowed);
        let model = made.map_err(|error| match it.object {
            Some(number) => GenError::Object { object: number as usize, error },
            None => GenError::Settlement(error),
        })?;
        let position = [0, 1, 2].map(|axis| (it.position[axis] - origin[axis]) as f32);
        let placement = Placement { position, yaw: it.yaw, scale: it.scale, object: it.object };
        let number = *numbers.entry(model.key).or_insert_with(|| {
            sets.push(ObjectSet { model, placements: Vec::new() });
            sets.len() - 1
        });
        sets[number].placements.push(placement);
    }
    Ok(sets)
}

/// Puts what has no height of its own onto the triangles of the finest level, where it stands at all levels.
fn on_ground(generator: &Generator, grid: &Grid, wanted: &mut [Wanted<'_>], scratch: &mut Scratch) {
    let loose = |it: &Wanted<'_>| it.grounded;
    let places: Vec<(f64, f64)> =
        wanted.iter().filter(|it| loose(it)).map(|it| (it.position[0], it.position[2])).collect();
    let heights = scatter::heights_at(generator, grid, &places, scratch);
    for (it, height) in wanted.iter_mut().filter(|it| loose(it)).zip(heights) {
        it.position[1] = f64::from(height);
    }
}
