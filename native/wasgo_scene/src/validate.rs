//! Checks a scene before anything is made of it. Reads every byte once; takes memory for the nodes only.

mod buffer;
mod extras;
mod material;
mod movement;
mod surface;
mod tree;

pub(crate) use self::buffer::{floats, not_unit};
pub(crate) use self::surface::check_surface;

use crate::{Mesh, Scene, SceneError};

/// How far the length of a normal or of a rotation may be from 1. Rounding to f32 is far below it; what is
/// above it has forgotten to normalize.
pub const NORMAL_TOLERANCE: f32 = 0.005;

/// How much of everything a scene may hold.
///
/// The defaults are what a game server can be handed at once without stalling; [`Limits::NONE`] leaves
/// only the checks of form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Meshes. Default 65,536.
    pub meshes: usize,
    /// Surfaces of all meshes. Default 65,536: each is a draw call.
    pub surfaces: usize,
    /// Vertices of all surfaces. Default 16,777,216: 640 MiB with normals and colours.
    pub vertices: usize,
    /// Triangles of all surfaces. Default 16,777,216.
    pub triangles: usize,
    /// Nodes. Default 262,144.
    pub nodes: usize,
    /// Instances of all sets. Default 1,048,576: 48 MiB of transforms.
    pub instances: usize,
    /// Materials. Default 4,096.
    pub materials: usize,
    /// Textures, and images, each. Default 4,096.
    pub textures: usize,
    /// Bytes of all images. Default 512 MiB.
    pub image_bytes: usize,
    /// Skins. Default 4,096.
    pub skins: usize,
    /// Joints of a skin. Default 1,024.
    pub joints: usize,
    /// Morphs of a surface. Default 512.
    pub morphs: usize,
    /// LODs of a surface. Default 16.
    pub lods: usize,
    /// Cameras, and lights, each. Default 4,096.
    pub cameras: usize,
    /// Animations. Default 4,096.
    pub animations: usize,
    /// Channels of all animations. Default 65,536.
    pub channels: usize,
    /// Keys of all channels. Default 4,194,304.
    pub keys: usize,
    /// Nodes from a root to a leaf. Default 256: readers walk the tree by recursion.
    pub depth: usize,
    /// Bytes of a name, and of the text and key of an extra. Default 1,024.
    pub text: usize,
    /// Extras of one thing, however deep. Default 4,096.
    pub extras: usize,
    /// Lists and maps around an extra. Default 16.
    pub extra_depth: usize,
    /// Other attributes of a surface. Default 16.
    pub attributes: usize,
}

impl Limits {
    /// No limits but those of memory and of the stack.
    pub const NONE: Self = Self {
        meshes: usize::MAX,
        surfaces: usize::MAX,
        vertices: usize::MAX,
        triangles: usize::MAX,
        nodes: usize::MAX,
        instances: usize::MAX,
        materials: usize::MAX,
        textures: usize::MAX,
        image_bytes: usize::MAX,
        skins: usize::MAX,
        joints: usize::MAX,
        morphs: usize::MAX,
        lods: usize::MAX,
        cameras: usize::MAX,
        animations: usize::MAX,
        channels: usize::MAX,
        keys: usize::MAX,
        depth: usize::MAX,
        text: usize::MAX,
        extras: usize::MAX,
        extra_depth: 64,
        attributes: usize::MAX,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            meshes: 65_536,
            surfaces: 65_536,
            vertices: 16_777_216,
            triangles: 16_777_216,
            nodes: 262_144,
            instances: 1_048_576,
            materials: 4_096,
            textures: 4_096,
            image_bytes: 512 << 20,
            skins: 4_096,
            joints: 1_024,
            morphs: 512,
            lods: 16,
            cameras: 4_096,
            animations: 4_096,
            channels: 65_536,
            keys: 4_194_304,
            depth: 256,
            text: 1_024,
            extras: 4_096,
            extra_depth: 16,
            attributes: 16,
        }
    }
}

/// What a scene holds. Each mesh counts once, however often it is placed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Meshes.
    pub meshes: usize,
    /// Surfaces of all meshes.
    pub surfaces: usize,
    /// Vertices of all surfaces.
    pub vertices: usize,
    /// Triangles of all surfaces.
    pub triangles: usize,
    /// Nodes, without instances.
    pub nodes: usize,
    /// Instances of all sets.
    pub instances: usize,
}

/// Checks that a scene is sound: lengths match, indices and references are in range, numbers are finite,
/// normals and rotations have a length of about 1, materials are in their ranges, every node has at most one parent
/// and none is its own ancestor, and there is no more of anything than `limits` allow.
///
/// # Errors
///
/// The first fault found, with the name of the thing at fault.
pub fn validate(scene: &Scene<'_>, limits: &Limits) -> Result<Counts, SceneError> {
    check(scene, limits, true)
}

/// As [`validate`], of a scene whose surfaces were checked by [`check_surface`].
pub(crate) fn validate_but_surfaces(scene: &Scene<'_>, limits: &Limits) -> Result<Counts, SceneError> {
    check(scene, limits, false)
}

fn check(scene: &Scene<'_>, limits: &Limits, surfaces: bool) -> Result<Counts, SceneError> {
    let counts = count(scene, limits)?;
    extras::check(&scene.extras, limits, || "the scene".into())?;
    extras::check(&scene.extensions, limits, || "the scene".into())?;
    material::check(scene, limits)?;
    for (index, mesh) in scene.meshes.iter().enumerate() {
        surface::check_mesh(index, mesh, scene, limits, surfaces)?;
    }
    tree::check(scene, limits)?;
    movement::check(scene, limits)?;
    Ok(counts)
}

/// `3 "rock_0"`.
pub(crate) fn label(index: usize, name: &str) -> String {
    format!("{index} {name:?}")
}

fn at_most(what: &'static str, count: usize, limit: usize) -> Result<usize, SceneError> {
    if count > limit {
        return Err(SceneError::TooMany { what, count, limit });
    }
    Ok(count)
}

fn within(what: &'static str, index: usize, count: usize, whose: impl Fn() -> String) -> Result<(), SceneError> {
    if index >= count {
        return Err(SceneError::NoSuch { whose: whose(), what, index, count });
    }
    Ok(())
}

/// A number that must be in a range, which `allowed` says in words. NaN is in none.
fn in_range(
    right: bool,
    field: &'static str,
    value: f32,
    allowed: &'static str,
    whose: impl Fn() -> String,
) -> Result<(), SceneError> {
    if right && value.is_finite() {
        return Ok(());
    }
    Err(SceneError::BadValue { whose: whose(), field, value, allowed })
}

/// Counts first, from lengths alone, so that nothing is read of a scene that is too large.
fn count(scene: &Scene<'_>, limits: &Limits) -> Result<Counts, SceneError> {
    let mut counts = Counts {
        meshes: at_most("meshes", scene.meshes.len(), limits.meshes)?,
        nodes: at_most("nodes", scene.nodes.len(), limits.nodes)?,
        ..Counts::default()
    };
    at_most("materials", scene.materials.len(), limits.materials)?;
    at_most("textures", scene.textures.len(), limits.textures)?;
    at_most("images", scene.images.len(), limits.textures)?;
    at_most("skins", scene.skins.len(), limits.skins)?;
    at_most("cameras", scene.cameras.len(), limits.cameras)?;
    at_most("lights", scene.lights.len(), limits.cameras)?;
    at_most("animations", scene.animations.len(), limits.animations)?;
    at_most("roots", scene.roots.len(), limits.nodes)?;
    // A set without instances still costs a node.
    at_most("sets of instances", scene.instances.len(), limits.nodes)?;
    at_most("bytes of a name", longest_name(scene), limits.text)?;
    for surface in scene.meshes.iter().flat_map(|mesh: &Mesh<'_>| &mesh.surfaces) {
        counts.surfaces = at_most("surfaces", counts.surfaces + 1, limits.surfaces)?;
        at_most("morphs of a surface", surface.morphs.len(), limits.morphs)?;
        at_most("LODs of a surface", surface.lods.len(), limits.lods)?;
        at_most("other attributes of a surface", surface.attributes.len(), limits.attributes)?;
        // A morph costs what a vertex costs.
        let vertices = surface.vertices().saturating_mul(1 + surface.morphs.len());
        at_most("vertices", counts.vertices.saturating_add(vertices), limits.vertices)?;
        counts.vertices = counts.vertices.saturating_add(surface.vertices());
        counts.triangles =
            at_most("triangles", counts.triangles.saturating_add(surface.triangles()), limits.triangles)?;
    }
    for set in &scene.instances {
        counts.instances = at_most("instances", counts.instances.saturating_add(set.count()), limits.instances)?;
    }
    let mut bytes = 0usize;
    for image in &scene.images {
        bytes = at_most("bytes of images", bytes.saturating_add(image.bytes.len()), limits.image_bytes)?;
    }
    Ok(counts)
}

fn longest_name(scene: &Scene<'_>) -> usize {
    let names = scene.nodes.iter().map(|node| &node.name);
    let names = names.chain(scene.meshes.iter().map(|mesh| &mesh.name));
    let names = names.chain(scene.materials.iter().map(|material| &material.name));
    let names = names.chain(scene.instances.iter().map(|set| &set.name));
    let names = names.chain(scene.textures.iter().map(|texture| &texture.name));
    let names = names.chain(scene.images.iter().map(|image| &image.name));
    let names = names.chain(scene.skins.iter().map(|skin| &skin.name));
    let names = names.chain(scene.cameras.iter().map(|camera| &camera.name));
    let names = names.chain(scene.lights.iter().map(|light| &light.name));
    let names = names.chain(scene.animations.iter().map(|animation| &animation.name));
    let surfaces = scene.meshes.iter().flat_map(|mesh| &mesh.surfaces);
    let morphs = surfaces.flat_map(|surface| &surface.morphs).map(|morph| &morph.name);
    names.chain(morphs).chain([&scene.name, &scene.copyright]).map(String::len).max().unwrap_or(0)
}
