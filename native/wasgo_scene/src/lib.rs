//! Meshes, nodes and scenes, and GLB files of them.
//!
//! The crate holds scene data in the form in which it crosses borders: packed little-endian bytes,
//! borrowed where they can be. It checks such data ([`validate`]), writes it as GLB 2.0 ([`glb`])
//! and holds the small geometry that both generators and sinks need ([`transform`], [`winding`]).
//!
//! It must never trust a length, an index or a number in a scene: all of them may come from a script
//! or a peer. It knows nothing of noise, of the BEAM or of any engine.
//!
//! Units are metres and radians; axes are those of glTF and Godot: right-handed, +Y up, -Z forward.
//! Colours are linear.

#![forbid(unsafe_code)]

mod error;
pub mod glb;
mod model;
pub mod ops;
pub mod transform;
mod validate;
pub mod winding;

pub use error::SceneError;
pub use model::{
    AlphaMode, Animation, Attribute, Camera, Channel, ComponentType, ElementShape, Extra, Extras, Filter, Image,
    ImageFormat, Instances, Interpolation, Light, LightKind, Lod, Material, Mesh, MipFilter, Morph, Node, Path,
    Projection, Sampler, Scene, Skin, Surface, Texture, TextureRef, TextureTransform, Transform, Wrap,
};
pub use validate::{Counts, Limits, NORMAL_TOLERANCE, validate};
