//! Procedural generation: a plan and a coordinate in, terrain and scattered things out, the same bytes for the same seed.
//!
//! [`chunk()`] makes one square of an endless world: heights, a mesh, and instances of the meshes that [`props()`] makes.
//! [`scene::of_chunk`] puts both together for a file. [`instance`] has the table in which user scripts change instances.
//!
//! Everything is a function of the seed and of world coordinates: integer hashing, scalar arithmetic in a fixed
//! order, transcendental functions from `libm`. The crate must never look at a clock, a random source, the order of a
//! hash map or what was generated before, and must never use fused multiply-add: any of them would make two
//! machines disagree.
//!
//! Units are metres and radians; axes are those of glTF and Godot: right-handed, +Y up, -Z forward. Colours are linear.

#![forbid(unsafe_code)]

pub mod built;
mod bytes;
mod chunk;
mod hash;
pub mod instance;
mod mesh;
pub mod noise;
mod plan;
mod props;
mod scatter;
pub mod scene;
mod terrain;
mod vector;

pub use bytes::{le_bytes, le_bytes_u32};
pub use chunk::{Chunk, ChunkStats, GenError, chunk};
pub use instance::{Instance, InstanceError, pack_instances, transforms, unpack_instances};
pub use mesh::MeshData;
pub use plan::{
    MAX_HEIGHT, MAX_INSTANCES, MAX_RULES, MAX_WORLD, Palette, Plan, PlanError, PropKind, ScatterRule, Terrain,
};
pub use props::{Prop, creature, props};
