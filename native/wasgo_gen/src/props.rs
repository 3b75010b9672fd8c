//! Props: trees, rocks, grass, fences and more, each a function of its parameters and a seed, with levels of detail.
//!
//! [`model()`] makes one of any kind from plain data ([`PropSpec`]); [`fence()`] needs a line too. [`variation()`] makes others of
//! any mesh. Colours are in the vertices, so that no textures are needed; [`leaf_texture`], [`bark_texture`] and
//! [`impostor()`] make some for who has a use for them. Origin at the foot, +Y up. Plants keep wind in the second set of
//! texture coordinates (see [`MeshData`](crate::MeshData)).
//!
//! [`props()`] has what the scatter rules of a plan place: these, and low-poly ones; and [`creature()`] one for agents to be seen as.
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
mod defaults;
mod fault;
mod fence;
mod fern;
mod floor;
mod impostor;
mod meadow;
mod model;
mod paint;
mod placed;
mod plants;
mod shape;
mod spec;
mod stone;
mod texture;
mod tree;
mod variation;

pub use creature::creature;
pub use fault::PropError;
pub use fence::{FenceKind, FenceSpec, MAX_POINTS, MAX_POSTS, fence};
pub use fern::{FernSpec, fern};
pub use floor::{LogSpec, MushroomKind, MushroomSpec, log, mushrooms, stump};
pub use impostor::{Image, impostor, mesh_impostor};
pub use meadow::{GrassKind, GrassSpec, grass};
pub use model::{Collider, Finish, Part, PropLod, PropModel};
pub(crate) use placed::sample;
pub use placed::{Prop, PropMesh, lod_error, meshes, props};
pub use spec::{PropSpec, model};
pub use stone::{CrystalSpec, RockKind, RockSpec, crystals, rock};
pub use texture::{bark_texture, leaf_texture, textures};
pub use tree::{
    Arrangement, Bark, Branches, Crown, Leaves, MAX_LEVELS, MAX_LIMBS, Species, Style, TreeForm, TreeSpec, Trunk, tree,
};
pub use variation::{MAX_VERTICES, Variation, Varied, variation};
