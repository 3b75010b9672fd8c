//! Procedural generation: a plan and a coordinate in, terrain and scattered things out, the same bytes for the same seed.
//!
//! A [`Plan`] says what a world is like; a [`Generator`] makes chunks of it: heights, a mesh, and instances of the meshes that [`props()`] makes.
//! [`scene::of_chunk`] puts both together for a file. [`instance`] has the table in which user scripts change instances.
//!
//! Everything is a function of the seed and of world coordinates: integer hashing, scalar arithmetic in a fixed
//! order, transcendental functions from `libm`. The crate must never look at a clock, a random source, the order of a
//! hash map or what was generated before, and must never use fused multiply-add: any of them would make two
//! machines disagree.
//!
//! Units are metres and radians; axes are those of glTF and Godot: right-handed, +Y up, -Z forward. Colours are linear.

#![deny(unsafe_code)]

pub mod built;
mod bytes;
mod cache;
mod chunk;
mod density;
pub mod field;
mod generator;
mod hash;
pub mod instance;
mod mesh;
pub mod noise;
pub mod objects;
mod plan;
mod png_file;
pub mod preview;
pub mod props;
mod river_water;
mod scatter;
pub mod scene;
pub mod script;
mod shaped;
mod splat;
mod vector;
pub mod volume;

pub use bytes::{le_bytes, le_bytes_u32};
pub use chunk::{Chunk, ChunkId, ChunkStats, DIRECTIONS, GenError, Neighbours};
pub use density::{VolumeId, VolumePart};
pub use generator::Generator;
pub use instance::{Instance, InstanceError, pack_instances, transforms, unpack_instances};
pub use mesh::MeshData;
pub use objects::{MAX_CHUNK_BUILDINGS, MAX_CHUNK_OBJECTS, ObjectModel, ObjectSet, Placement, built_mesh};
pub use plan::{
    Avoid, ChunkShape, DungeonSpec, Fault, GeneratorRule, Layer, MAX_CHUNK_FUEL, MAX_GENERATORS, MAX_HEIGHT,
    MAX_INSTANCES, MAX_LAYERS, MAX_LEVEL, MAX_NODES, MAX_OBJECT_CELLS, MAX_OBJECTS, MAX_PARAMETER_TEXT, MAX_PARAMETERS,
    MAX_PLACE_FUEL, MAX_PROP_TRIANGLES, MAX_RULES, MAX_SCRIPTS, MAX_WORLD, Object, ObjectPad, ObjectSpec, Plan,
    PlanError, PropKind, ScatterKind, ScatterRule, ScriptSource, ScriptValue, Terrain, TileStyle, VERSION, Volume,
};
pub use props::{Prop, PropMesh, creature, props};
pub use splat::Splat;
