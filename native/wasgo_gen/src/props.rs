//! Props: trees, rocks, grass, fences and more, each a function of its parameters and a seed, with levels of detail.
//!
//! [`model()`] makes one of any kind from plain data ([`PropSpec`]); [`fence()`] needs a line too. [`variation()`] makes others of
//! any mesh. Colours are in the vertices, so that no textures are needed; [`leaf_texture`], [`bark_texture`] and
//! [`impostor()`] make some for who has a use for them. Origin at the foot, +Y up. Plants keep wind in the second set of
//! texture coordinates (see [`MeshData`](crate::MeshData)).
//!
//! [`props()`] has the low-poly meshes that the scatter rules of a plan place, and [`creature()`] one for agents to be seen as.
//!
//! ```
//! use wasgo_gen::props::{Finish, PropSpec, model};
//! let spec: PropSpec = serde_json::from_str(r#"{"tree": {"species": "oak", "height": 9}}"#)?;
//! let oak = model(&spec, 42)?;
//! let near = &oak.lods[0];
//! assert!(near.triangles() <= 5000);
//! assert_eq!(near.parts.iter().map(|part| part.finish).collect::<Vec<_>>(), [Finish::Bark, Finish::Leaf]);
//! let far = &oak.lods[oak.lod_at(400.0, 0.003)];
//! assert_eq!(far.parts[0].finish, Finish::Card);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod boulder;
mod build;
mod cards;
mod color;
mod creature;
mod fault;
mod fence;
mod fern;
mod floor;
mod impostor;
mod meadow;
mod model;
mod paint;
mod plants;
mod shape;
mod spec;
mod stone;
mod texture;
mod tree;
mod variation;

use wasgo_scene::Mesh;

pub use creature::creature;
pub use fault::PropError;
pub use fence::{FenceKind, FenceSpec, MAX_POINTS, MAX_POSTS, fence};
pub use fern::{FernSpec, fern};
pub use floor::{LogSpec, MushroomKind, MushroomSpec, log, mushrooms, stump};
pub use impostor::{Image, impostor};
pub use meadow::{GrassKind, GrassSpec, grass};
pub use model::{Collider, Finish, Part, PropLod, PropModel};
pub use spec::{PropSpec, model};
pub use stone::{CrystalSpec, RockKind, RockSpec, crystals, rock};
pub use texture::{bark_texture, leaf_texture};
pub use tree::{
    Arrangement, Bark, Branches, Crown, Leaves, MAX_LEVELS, MAX_LIMBS, Species, Style, TreeForm, TreeSpec, Trunk, tree,
};
pub use variation::{MAX_VERTICES, Variation, Varied, variation};

use crate::hash::derive;
use crate::plan::{Plan, PlanError, PropKind};

/// Props take their seeds from here on: 1,024 numbers for each kind.
const SALT: u64 = 1_000_000;

/// A mesh that instances place.
#[derive(Clone, Debug, PartialEq)]
pub struct Prop {
    /// Kind and number, as in `tree_0`; no two props of a plan have the same.
    pub name: String,
    /// What it is.
    pub kind: PropKind,
    /// How it looks: 100 to 400 triangles. The material is [`PAINTED`](crate::scene::PAINTED).
    pub mesh: Mesh<'static>,
}

/// The meshes that a plan's chunks place, in the order of [`Instance::kind`](crate::Instance::kind). They are the same for all chunks.
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
    let mut made = [0u64; PropKind::ALL.len()];
    for rule in &plan.scatter {
        for _ in 0..rule.variants {
            let number = &mut made[rule.kind as usize];
            props.push(prop(plan.seed, rule.kind, *number));
            *number += 1;
        }
    }
    Ok(props)
}

fn prop(seed: u64, kind: PropKind, number: u64) -> Prop {
    // At most 32 rules of 16 variants: 512 of a kind.
    let seed = derive(seed, SALT + 1024 * kind as u64 + number);
    let surface = match kind {
        PropKind::Tree => plants::tree(seed),
        PropKind::Conifer => plants::conifer(seed),
        PropKind::Rock => boulder::rock(seed),
        PropKind::Bush => plants::bush(seed),
    };
    let name = format!("{}_{number}", kind.name());
    Prop { name: name.clone(), kind, mesh: Mesh { name, surfaces: vec![surface], ..Mesh::default() } }
}
