//! A scene without what it does not show.

use std::collections::BTreeMap;

use crate::{Extra, Limits, Material, Mesh, Path, Scene, SceneError, Surface, validate};

/// The scene without nodes that no root leads to, surfaces that draw nothing, and meshes, materials, textures, images, skins,
/// cameras, lights and movements that nothing uses. References are moved along.
///
/// # Errors
///
/// What [`validate`] finds.
pub fn compact<'a>(scene: Scene<'a>) -> Result<Scene<'a>, SceneError> {
    validate(&scene, &Limits::NONE)?;
    Ok(dropped(scene))
}

/// Where things went: their new places by their old ones.
struct Moves(Vec<Option<usize>>);

impl Moves {
    /// Keeps the items that are used.
    fn keep<T>(items: &mut Vec<T>, used: &[bool]) -> Self {
        let mut next = 0;
        let places = used.iter().map(|used| {
            next += usize::from(*used);
            used.then(|| next - 1)
        });
        let moves = Self(places.collect());
        let mut at = 0;
        items.retain(|_| {
            at += 1;
            used[at - 1]
        });
        moves
    }

    fn get(&self, old: Option<usize>) -> Option<usize> {
        self.0[old?]
    }

    fn all(&self, old: &mut Vec<usize>) {
        *old = old.iter().filter_map(|old| self.0[*old]).collect();
    }
}

fn mark(used: &mut [bool], index: Option<usize>) {
    if let Some(index) = index {
        used[index] = true;
    }
}

/// As [`compact`], of a scene that is sound but for what was just taken out of it.
pub(super) fn dropped<'a>(mut scene: Scene<'a>) -> Scene<'a> {
    for mesh in &mut scene.meshes {
        mesh.surfaces.retain(|surface| !surface.is_empty());
    }
    drop_nodes(&mut scene);
    drop_meshes(&mut scene);
    let mut used = vec![false; scene.skins.len()];
    scene.nodes.iter().for_each(|node| mark(&mut used, node.skin));
    let skins = Moves::keep(&mut scene.skins, &used);
    let mut used = vec![false; scene.cameras.len()];
    scene.nodes.iter().for_each(|node| mark(&mut used, node.camera));
    let cameras = Moves::keep(&mut scene.cameras, &used);
    let mut used = vec![false; scene.lights.len()];
    scene.nodes.iter().for_each(|node| mark(&mut used, node.light));
    let lights = Moves::keep(&mut scene.lights, &used);
    for node in &mut scene.nodes {
        (node.skin, node.camera, node.light) = (skins.get(node.skin), cameras.get(node.camera), lights.get(node.light));
    }
    drop_materials(&mut scene);
    scene
}

fn drop_nodes(scene: &mut Scene<'_>) {
    let mut used = vec![false; scene.nodes.len()];
    let mut open = scene.roots.clone();
    while let Some(index) = open.pop() {
        used[index] = true;
        open.extend(&scene.nodes[index].children);
    }
    let nodes = Moves::keep(&mut scene.nodes, &used);
    scene.nodes.iter_mut().for_each(|node| nodes.all(&mut node.children));
    nodes.all(&mut scene.roots);
    scene.instances.retain(|set| set.count() > 0 && set.parent.is_none_or(|parent| used[parent]));
    scene.instances.iter_mut().for_each(|set| set.parent = nodes.get(set.parent));
    for skin in &mut scene.skins {
        // All of a skin's joints are below one root, so that all go or none.
        nodes.all(&mut skin.joints);
        skin.skeleton = nodes.get(skin.skeleton);
    }
    for animation in &mut scene.animations {
        animation.channels.retain(|channel| used[channel.node]);
        for channel in &mut animation.channels {
            channel.node = nodes.0[channel.node].unwrap_or_default();
        }
    }
}

fn drop_meshes(scene: &mut Scene<'_>) {
    let mut used = vec![false; scene.meshes.len()];
    scene.nodes.iter().for_each(|node| mark(&mut used, node.mesh));
    scene.instances.iter().for_each(|set| used[set.mesh] = true);
    for (used, mesh) in used.iter_mut().zip(&scene.meshes) {
        *used &= !mesh.surfaces.is_empty();
    }
    let meshes = Moves::keep(&mut scene.meshes, &used);
    for node in &mut scene.nodes {
        node.mesh = meshes.get(node.mesh);
        if node.mesh.is_none() {
            node.skin = None;
            node.weights.clear();
        }
    }
    scene.instances.retain(|set| used[set.mesh]);
    for set in &mut scene.instances {
        set.mesh = meshes.0[set.mesh].unwrap_or_default();
    }
    for animation in &mut scene.animations {
        animation.channels.retain(|channel| channel.path != Path::Weights || scene.nodes[channel.node].mesh.is_some());
    }
    scene.animations.retain(|animation| !animation.channels.is_empty());
}

fn surfaces<'s, 'a>(meshes: &'s mut [Mesh<'a>]) -> impl Iterator<Item = &'s mut Surface<'a>> {
    meshes.iter_mut().flat_map(|mesh| &mut mesh.surfaces)
}

fn drop_materials(scene: &mut Scene<'_>) {
    let mut used = vec![false; scene.materials.len()];
    surfaces(&mut scene.meshes).for_each(|surface| mark(&mut used, surface.material));
    let materials = Moves::keep(&mut scene.materials, &used);
    surfaces(&mut scene.meshes).for_each(|surface| surface.material = materials.get(surface.material));

    let mut used = vec![false; scene.textures.len()];
    for material in &mut scene.materials {
        references(material, |texture| used[*texture] = true);
    }
    let textures = Moves::keep(&mut scene.textures, &used);
    for material in &mut scene.materials {
        references(material, |texture| *texture = textures.0[*texture].unwrap_or_default());
    }

    let mut used = vec![false; scene.images.len()];
    for texture in &scene.textures {
        used[texture.image] = true;
        mark(&mut used, texture.fallback);
    }
    let images = Moves::keep(&mut scene.images, &used);
    for texture in &mut scene.textures {
        texture.image = images.0[texture.image].unwrap_or_default();
        texture.fallback = images.get(texture.fallback);
    }
}

/// Does something with each reference to a texture.
fn references(material: &mut Material, mut each: impl FnMut(&mut usize)) {
    let own = [
        &mut material.base_color_texture,
        &mut material.metallic_roughness_texture,
        &mut material.normal_texture,
        &mut material.occlusion_texture,
        &mut material.emissive_texture,
    ];
    own.into_iter().flatten().for_each(|texture| each(&mut texture.texture));
    let known = material.extensions.iter_mut().filter(|(name, _)| name.starts_with("KHR_materials_"));
    for (_, extension) in known {
        let Extra::Map(fields) = extension else { continue };
        for (_, field) in fields.iter_mut().filter(|(key, _)| key.ends_with("Texture")) {
            if let Extra::Map(texture) = field {
                extended(texture, &mut each);
            }
        }
    }
}

fn extended(texture: &mut BTreeMap<String, Extra>, each: &mut impl FnMut(&mut usize)) {
    if let Some(Extra::Integer(index)) = texture.get_mut("index") {
        let mut place = usize::try_from(*index).unwrap_or_default();
        each(&mut place);
        *index = i64::try_from(place).unwrap_or_default();
    }
}
