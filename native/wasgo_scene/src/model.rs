//! The data of a scene. Plain values; what makes them sound is in `validate`.

mod animation;
mod extra;
mod material;
mod mesh;
mod node;

use std::borrow::Cow;

pub use animation::{Animation, Channel, Interpolation, Path};
pub use extra::{Extra, Extras};
pub use material::{
    AlphaMode, Filter, Image, ImageFormat, Material, MipFilter, Sampler, Texture, TextureRef, TextureTransform, Wrap,
};
pub use mesh::{Attribute, ComponentType, ElementShape, Lod, Mesh, Morph, Surface};
pub use node::{Camera, Instances, Light, LightKind, Node, Projection, Skin, Transform};

/// A tree of nodes with what they show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene<'a> {
    /// A name for people.
    pub name: String,
    /// All nodes; those that no root leads to are not written to files.
    pub nodes: Vec<Node>,
    /// All meshes; those that nothing uses are not written to files.
    pub meshes: Vec<Mesh<'a>>,
    /// All materials; those that nothing uses are not written to files.
    pub materials: Vec<Material>,
    /// All textures; those that nothing uses are not written to files.
    pub textures: Vec<Texture>,
    /// All images; those that nothing uses are not written to files.
    pub images: Vec<Image<'a>>,
    /// What bends meshes with their nodes.
    pub skins: Vec<Skin<'a>>,
    /// What can be looked through.
    pub cameras: Vec<Camera>,
    /// What shines.
    pub lights: Vec<Light>,
    /// What moves nodes over time.
    pub animations: Vec<Animation<'a>>,
    /// Meshes placed many times.
    pub instances: Vec<Instances<'a>>,
    /// Indices of the nodes without a parent.
    pub roots: Vec<usize>,
    /// Whom the scene belongs to, for people; may be empty.
    pub copyright: String,
    /// For whoever reads the scene.
    pub extras: Extras,
    /// Extensions of the whole file that this crate does not know, by their names.
    pub extensions: Extras,
}

impl Scene<'_> {
    /// The same scene, borrowing its bytes from this one.
    #[must_use]
    pub fn borrow(&self) -> Scene<'_> {
        Scene {
            name: self.name.clone(),
            nodes: self.nodes.clone(),
            meshes: self.meshes.iter().map(Mesh::borrow).collect(),
            materials: self.materials.clone(),
            textures: self.textures.clone(),
            images: self.images.iter().map(Image::borrow).collect(),
            skins: self.skins.iter().map(Skin::borrow).collect(),
            cameras: self.cameras.clone(),
            lights: self.lights.clone(),
            animations: self.animations.iter().map(Animation::borrow).collect(),
            instances: self.instances.iter().map(Instances::borrow).collect(),
            roots: self.roots.clone(),
            copyright: self.copyright.clone(),
            extras: self.extras.clone(),
            extensions: self.extensions.clone(),
        }
    }

    /// The same scene with its bytes owned.
    #[must_use]
    pub fn into_owned(self) -> Scene<'static> {
        Scene {
            name: self.name,
            nodes: self.nodes,
            meshes: self.meshes.into_iter().map(Mesh::into_owned).collect(),
            materials: self.materials,
            textures: self.textures,
            images: self.images.into_iter().map(Image::into_owned).collect(),
            skins: self.skins.into_iter().map(Skin::into_owned).collect(),
            cameras: self.cameras,
            lights: self.lights,
            animations: self.animations.into_iter().map(Animation::into_owned).collect(),
            instances: self.instances.into_iter().map(Instances::into_owned).collect(),
            roots: self.roots,
            copyright: self.copyright,
            extras: self.extras,
            extensions: self.extensions,
        }
    }
}

/// The same bytes, owned.
fn own(bytes: Cow<'_, [u8]>) -> Cow<'static, [u8]> {
    Cow::Owned(bytes.into_owned())
}
