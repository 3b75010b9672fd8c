//! Models of objects, kept by their content.

use std::sync::Arc;

use wasgo_scene::Mesh;

use super::ObjectModel;
use super::wanted::What;
use crate::built::{
    BoxCollider, BuildingSpec, BuiltError, SettlementPropKind, Style, Surface, building_lod, dungeon, furniture,
    tile_scene,
};
use crate::cache::Cache;
use crate::plan::DungeonSpec;
use crate::props::{
    Collider, FenceKind, FenceSpec, PropError, PropModel, PropSpec, Species, TreeSpec, fence, model as prop_model,
};
use crate::scene;

/// Models are kept while they have at most so many bytes together.
const KEPT: usize = 96 << 20;

/// The models that were made lately.
#[derive(Debug)]
pub(crate) struct Models(Cache<[u8; 32], ObjectModel>);

impl Default for Models {
    fn default() -> Self {
        Self(Cache::new(KEPT))
    }
}

impl Models {
    /// The model of something. `lod` is that of buildings, `allowed` how far props may be from their finest levels, in metres.
    pub(super) fn get(
        &self,
        what: &What<'_>,
        lod: usize,
        level: u8,
        allowed: f32,
    ) -> Result<Arc<ObjectModel>, BuiltError> {
        let key = key(what, lod, level, allowed);
        self.0.get(&key, || make(what, key, lod, level, allowed), weigh)
    }
}

fn weigh(model: &ObjectModel) -> usize {
    let bytes = model.mesh.surfaces.iter().map(|surface| surface.positions.len() * 5 + surface.indices.len());
    bytes.sum::<usize>() + 512
}

/// Whether models of a level have something to bump into.
fn solid(level: u8) -> bool {
    level == 0
}

/// Of everything that a model is made of.
fn key(what: &What<'_>, lod: usize, level: u8, allowed: f32) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut add = |kind: &str, spec: &[u8], numbers: &[u64]| {
        hasher
            .update(b"wasgo object\0")
            .update(&[u8::from(solid(level))])
            .update(kind.as_bytes())
            .update(&[0])
            .update(spec);
        for number in numbers {
            hasher.update(&number.to_le_bytes());
        }
    };
    // Plain data without maps whose keys are no text: what could fail isn't in a plan.
    let text = |json: Result<Vec<u8>, serde_json::Error>| json.unwrap_or_default();
    match what {
        What::Building(spec, seed) => add("building", &text(serde_json::to_vec(spec)), &[*seed, lod as u64]),
        What::Prop(spec, seed) => add("prop", &text(serde_json::to_vec(spec)), &[*seed, allowed.to_bits().into()]),
        What::Dungeon(spec, seed) => add("dungeon", &text(serde_json::to_vec(spec)), &[*seed]),
        What::Furniture(kind, variant) => add(kind.name(), &[], &[*variant, allowed.to_bits().into()]),
        What::Bridge(road, run) => {
            let points = road.points[run.clone()].iter();
            let numbers: Vec<u64> = points
                .flat_map(|point| [point.x.to_bits(), point.z.to_bits(), u64::from(point.height.to_bits())])
                .chain([u64::from(road.width.to_bits())])
                .collect();
            add("bridge", &[], &numbers);
        }
    }
    hasher.finalize().into()
}

fn make(what: &What<'_>, key: [u8; 32], lod: usize, level: u8, allowed: f32) -> Result<ObjectModel, BuiltError> {
    let (kind, mesh, boxes) = match what {
        What::Building(spec, seed) => {
            let (made, boxes) = building_lod(spec, *seed, lod)?;
            (building_kind(spec), built_mesh(made.surfaces), boxes)
        }
        What::Dungeon(spec, seed) => {
            let (surfaces, boxes) = dungeon_at_middle(spec, *seed)?;
            ("dungeon", built_mesh(surfaces), boxes)
        }
        What::Prop(spec, seed) => {
            let (mesh, boxes) = of_prop(&prop(prop_model(spec, *seed))?, allowed);
            ("prop", mesh, boxes)
        }
        What::Furniture(kind, variant) => match furniture::furniture(*kind, *variant) {
            Some(made) => (kind.name(), built_mesh(made.surfaces), made.boxes),
            None => {
                let (mesh, boxes) = of_prop(&prop(grown(*kind, *variant))?, allowed);
                (kind.name(), mesh, boxes)
            }
        },
        What::Bridge(road, run) => {
            let made = furniture::bridge(road, run);
            ("bridge", built_mesh(made.surfaces), made.boxes)
        }
    };
    let digits: String = key[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{kind}_{digits}");
    let boxes = if solid(level) { boxes } else { Vec::new() };
    Ok(ObjectModel { key, kind, mesh: Mesh { name: name.clone(), ..mesh }, name, boxes })
}

/// What a building is called.
pub(super) fn building_kind(spec: &BuildingSpec) -> &'static str {
    match &spec.style {
        Style::Preset(preset) => preset.name(),
        Style::Grammar(_) => "building",
    }
}

/// A mesh of surfaces by their materials, with materials of [`scene::materials`].
#[must_use]
pub fn built_mesh(surfaces: Vec<Surface>) -> Mesh<'static> {
    let of_one = |Surface { material, mesh }: Surface| mesh.into_surface(Some(scene::built_material(material)));
    Mesh { surfaces: surfaces.into_iter().map(of_one).collect(), ..Mesh::default() }
}

/// A dungeon around its middle.
fn dungeon_at_middle(spec: &DungeonSpec, seed: u64) -> Result<(Vec<Surface>, Vec<BoxCollider>), BuiltError> {
    let set = spec.tiles.set();
    let tiles = dungeon(&set, &spec.grid, seed)?;
    let made = tile_scene(&set, &tiles, &spec.look, seed)?;
    let middle = [0, 1].map(|axis: usize| spec.grid.size[2 * axis] as f32 * spec.look.cell[axis] / 2.0);
    let (mut surfaces, mut boxes) = (made.surfaces, made.colliders);
    let points = surfaces.iter_mut().flat_map(|surface| &mut surface.mesh.positions);
    for point in points.chain(boxes.iter_mut().map(|it| &mut it.center)) {
        point[0] -= middle[0];
        point[2] -= middle[1];
    }
    Ok((surfaces, boxes))
}

/// Those things of settlements that are props.
fn grown(kind: SettlementPropKind, variant: u64) -> Result<PropModel, PropError> {
    let tree = |species, height| {
        let spec = TreeSpec { height: Some(height), triangles: Some(3000), ..TreeSpec::new(species) };
        prop_model(&PropSpec::Tree(spec), 40 + variant)
    };
    match kind {
        SettlementPropKind::Fence => {
            let line = [[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]];
            fence(&line, &FenceSpec { height: 1.0, ..FenceSpec::new(FenceKind::Rails) }, variant)
        }
        SettlementPropKind::FruitTree => tree(Species::Cherry, 3.8),
        _ if variant.is_multiple_of(2) => tree(Species::Oak, 9.0),
        _ => tree(Species::Maple, 8.0),
    }
}

/// A prop in the coarsest level of detail that is at most so many metres from the finest.
fn of_prop(model: &PropModel, allowed: f32) -> (Mesh<'static>, Vec<BoxCollider>) {
    let fits = model.lods.iter().rposition(|lod| lod.error <= allowed);
    let lod = model.lods[fits.unwrap_or(0)].clone();
    let mesh = lod.into_mesh("", |finish| Some(scene::material(finish)));
    (mesh, model.colliders.iter().map(boxed).collect())
}

/// The box around a collider.
fn boxed(collider: &Collider) -> BoxCollider {
    let around = |points: &mut dyn Iterator<Item = [f32; 3]>, by: f32| {
        let mut corners = [[f32::MAX; 3], [f32::MIN; 3]];
        for point in points {
            for axis in 0..3 {
                corners[0][axis] = corners[0][axis].min(point[axis] - by);
                corners[1][axis] = corners[1][axis].max(point[axis] + by);
            }
        }
        let [low, high] = corners;
        BoxCollider {
            center: [0, 1, 2].map(|axis| (low[axis] + high[axis]) / 2.0),
            half: [0, 1, 2].map(|axis| (high[axis] - low[axis]) / 2.0),
        }
    };
    match collider {
        Collider::Capsule { from, to, radius } => around(&mut [*from, *to].into_iter(), *radius),
        Collider::Box { center, half } => BoxCollider { center: *center, half: *half },
        Collider::Hull { points } => around(&mut points.iter().copied(), 0.0),
    }
}

/// Props here are of specs that were checked.
fn prop(made: Result<PropModel, PropError>) -> Result<PropModel, BuiltError> {
    made.map_err(|error| match error {
        PropError::OutOfRange { field, value, min, max } => {
            BuiltError::OutOfRange { field, value: value.into(), min: min.into(), max: max.into() }
        }
        _ => BuiltError::Invalid { field: "prop".into(), reason: "it can't be made" },
    })
}
