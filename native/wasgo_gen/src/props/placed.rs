//! The props that a plan places.

use std::collections::BTreeMap;

use wasgo_scene::{Mesh, Surface};

use super::model::{Collider, Finish, PropLod, PropModel};
use super::spec::{PropSpec, model};
use super::variation::{Variation, floats, mesh_bounds, variation};
use super::{PropError, boulder, plants};
use crate::hash::derive;
use crate::plan::{Plan, PlanError, PropKind, ScatterKind, ScatterRule};
use crate::scene;

/// Low-poly props take their seeds from here on: 1,024 numbers for each kind.
const SALT: u64 = 1_000_000;

/// Other props take theirs from here on: 1,024 numbers for each name.
const MODELS: u64 = 2_000_000;

/// Variations take their seeds from that of their prop.
const VARIATION: u64 = 0x7A;

/// How far what is drawn in a chunk may be from the finest level of a prop, as a share of the distance of the chunk's samples.
///
/// Chunks of level n are seen from about half their side on; with the usual 64 squares along it that is a thousandth of the
/// distance, about a pixel.
const LOD_SHARE: f32 = 1.0 / 16.0;

/// A level of detail of a prop.
#[derive(Clone, Debug, PartialEq)]
pub struct PropMesh {
    /// A surface for each finish. The materials are those of [`scene::materials`]. The finest has the name of the prop.
    pub mesh: Mesh<'static>,
    /// About how far what is seen is from the finest level, in metres: 0 for the finest, never less than that of the level before.
    pub error: f32,
}

/// What instances place.
#[derive(Clone, Debug, PartialEq)]
pub struct Prop {
    /// Kind and number, as in `tree_0` or `tree_oak_0`; no two props of a plan have the same.
    pub name: String,
    /// What it is.
    pub kind: ScatterKind,
    /// How it looks, the finest first; at least one, each with fewer triangles than the one before.
    pub lods: Vec<PropMesh>,
    /// What it collides with, in its own space; none for what one walks through, and for low-poly kinds.
    pub colliders: Vec<Collider>,
    /// The box around the finest level in metres: least and greatest corner.
    pub bounds: [[f32; 3]; 2],
    /// The greatest scale at which its rule places it.
    pub max_scale: f32,
}

impl Prop {
    /// The finest level.
    #[must_use]
    pub fn mesh(&self) -> &Mesh<'static> {
        &self.lods[0].mesh
    }

    /// The level of detail that chunks of a level place: the coarsest whose error, at the greatest scale, is at most
    /// [`lod_error`].
    #[must_use]
    pub fn lod_for(&self, plan: &Plan, level: u8) -> usize {
        let allowed = lod_error(plan, level);
        self.lods.iter().rposition(|lod| lod.error * self.max_scale <= allowed).unwrap_or(0)
    }

    /// The mean of the linear colours of its finest level's vertices; of what isn't wood where there is something else.
    #[must_use]
    pub fn mean_color(&self) -> [f32; 3] {
        let wooden = |surface: &&Surface<'_>| surface.material == Some(scene::material(Finish::Bark));
        let surfaces = &self.mesh().surfaces;
        let only_wood = surfaces.iter().all(|surface| wooden(&surface));
        let mut sum = ([0.0f64; 3], 0.0f64);
        for surface in surfaces.iter().filter(|surface| only_wood || !wooden(surface)) {
            for color in floats(&surface.colors).collect::<Vec<f32>>().chunks_exact(4) {
                sum.0 = std::array::from_fn(|part| sum.0[part] + f64::from(color[part]));
                sum.1 += 1.0;
            }
        }
        sum.0.map(|value| (value / sum.1.max(1.0)) as f32)
    }

    fn of_model(name: String, rule: &ScatterRule, model: PropModel) -> Self {
        let PropModel { lods, colliders, bounds } = model;
        let lods = meshes(lods, &name);
        Self { name, kind: rule.kind.clone(), lods, colliders, bounds, max_scale: rule.scale.1 }
    }

    fn of_mesh(name: String, rule: &ScatterRule, mesh: Mesh<'static>) -> Self {
        let bounds = mesh_bounds(&mesh);
        let lods = vec![PropMesh { mesh, error: 0.0 }];
        Self { name, kind: rule.kind.clone(), lods, colliders: Vec::new(), bounds, max_scale: rule.scale.1 }
    }
}

/// Levels of detail as meshes with the materials of [`scene::materials`]: the first of this name, the others `tree_oak_0_lod1` and so on.
#[must_use]
pub fn meshes(lods: Vec<PropLod>, name: &str) -> Vec<PropMesh> {
    let mesh = |(number, lod): (usize, PropLod)| {
        let error = lod.error;
        let name = if number == 0 { name.to_owned() } else { format!("{name}_lod{number}") };
        PropMesh { mesh: lod.into_mesh(name, |finish| Some(scene::material(finish))), error }
    };
    lods.into_iter().enumerate().map(mesh).collect()
}

/// How far the props that a chunk of a level places may be from their finest levels, in metres: a sixteenth of the distance of the
/// chunk's samples. Viewers stand among chunks of level 0, where it is 0.
#[must_use]
pub fn lod_error(plan: &Plan, level: u8) -> f32 {
    if level == 0 {
        return 0.0;
    }
    let finest = plan.chunk.size / plan.chunk.samples.saturating_sub(1).max(1) as f32;
    finest * (1u64 << level.min(crate::plan::MAX_LEVEL)) as f32 * LOD_SHARE
}

/// What a plan's chunks place, in the order of [`Instance::kind`](crate::Instance::kind). They are the same for all chunks.
///
/// ```
/// let plan = wasgo_gen::Plan::new(42);
/// let props = wasgo_gen::props(&plan)?;
/// assert_eq!(props.len(), plan.kinds());
/// assert_eq!(props[0].name, "tree_0");
/// # Ok::<(), wasgo_gen::PlanError>(())
/// ```
///
/// # Errors
///
/// When the plan is not allowed.
pub fn props(plan: &Plan) -> Result<Vec<Prop>, PlanError> {
    plan.validate()?;
    let mut props = Vec::with_capacity(plan.kinds());
    // Two rules may place the same kind: their meshes count on.
    let mut made: BTreeMap<String, u64> = BTreeMap::new();
    for (at, rule) in plan.scatter.iter().enumerate() {
        let number = made.entry(rule.kind.name()).or_default();
        for _ in 0..rule.variants {
            let prop = prop(plan.seed, rule, *number);
            props.push(prop.map_err(|error| PlanError::of_prop(&format!("scatter[{at}]"), error))?);
            *number += 1;
        }
    }
    Ok(props)
}

/// The first prop that a rule would place if no other rule were there: what the kind looks like.
pub(crate) fn sample(plan: &Plan, rule: &ScatterRule) -> Result<Prop, PropError> {
    prop(plan.seed, rule, 0)
}

fn prop(seed: u64, rule: &ScatterRule, number: u64) -> Result<Prop, PropError> {
    let name = format!("{}_{number}", rule.kind.name());
    match &rule.kind {
        ScatterKind::LowPoly(kind) => low_poly(seed, rule, *kind, name, number),
        // At most 32 rules of 16 variants: 512 of a kind.
        ScatterKind::Model(spec) => of_spec(derive(seed, MODELS + 1024 * spec.number() + number), rule, spec, name),
    }
}

fn of_spec(seed: u64, rule: &ScatterRule, spec: &PropSpec, name: String) -> Result<Prop, PropError> {
    let mut made = model(spec, seed)?;
    if let Some(amounts) = &rule.variation {
        made = amounts.choose(made.bounds, derive(seed, VARIATION))?.model(&made);
    }
    Ok(Prop::of_model(name, rule, made))
}

fn low_poly(seed: u64, rule: &ScatterRule, kind: PropKind, name: String, number: u64) -> Result<Prop, PropError> {
    let seed = derive(seed, SALT + 1024 * kind as u64 + number);
    let surface = match kind {
        PropKind::Tree => plants::tree(seed),
        PropKind::Conifer => plants::conifer(seed),
        PropKind::Rock => boulder::rock(seed),
        PropKind::Bush => plants::bush(seed),
    };
    let mesh = Mesh { name: name.clone(), surfaces: vec![surface], ..Mesh::default() };
    let vary = |amounts: &Variation| variation(&mesh, amounts, derive(seed, VARIATION));
    let mesh = match rule.variation.as_ref().map(vary) {
        Some(varied) => varied?,
        None => mesh,
    };
    Ok(Prop::of_mesh(name, rule, mesh))
}
