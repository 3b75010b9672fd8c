//! GLB, the binary form of glTF 2.0 (Khronos, "glTF 2.0 Specification", 2021), written and read.
//!
//! Written files use no extension but where the scene has what only an extension can say; instances become plain nodes
//! that share a mesh, which every reader knows, unless [`WriteOptions::instancing`] asks otherwise.
//! The same scene is the same bytes.

mod read;
mod write;

pub use read::{ReadError, ReadFault, ReadOptions, Resolver, read, read_with};
pub use write::{WriteOptions, write, write_with};

/// What a file of this crate says that it was made by.
const GENERATOR: &str = concat!("Wasgo ", env!("CARGO_PKG_VERSION"));
const GENERATOR_PREFIX: &str = "Wasgo ";
const MAGIC: u32 = 0x4654_6C67;
const CHUNK_JSON: u32 = 0x4E4F_534A;
const CHUNK_BIN: u32 = 0x004E_4942;
const HEADER_BYTES: u64 = 12;
const CHUNK_HEADER_BYTES: u64 = 8;
/// The extra of a primitive under which its LODs are: a list of `{"indices": accessor, "error": metres}`. Only read from
/// files that this crate wrote: who rewrites a file does not know that the numbers are accessors.
const LODS: &str = "wasgo_lods";
const TARGET_NAMES: &str = "targetNames";
const INSTANCING: &str = "EXT_mesh_gpu_instancing";
const LIGHTS: &str = "KHR_lights_punctual";
const UNLIT: &str = "KHR_materials_unlit";
const EMISSIVE_STRENGTH: &str = "KHR_materials_emissive_strength";
const TEXTURE_TRANSFORM: &str = "KHR_texture_transform";
const WEBP: &str = "EXT_texture_webp";
const BASISU: &str = "KHR_texture_basisu";
const MATERIALS: &str = "KHR_materials_";
