//! Which parts of a scene go into a file. Expects a scene that is sound.

use crate::{Extra, Instances, Material, Path, Scene};

use super::super::MATERIALS;

/// What of a scene goes into the file, and under which number.
pub(super) struct Plan {
    pub(super) nodes: Numbering,
    pub(super) meshes: Numbering,
    pub(super) materials: Numbering,
    pub(super) textures: Numbering,
    pub(super) images: Numbering,
    pub(super) skins: Numbering,
    pub(super) cameras: Numbering,
    pub(super) lights: Numbering,
    /// For each mesh, whether a node shows it with a skin.
    pub(super) skinned: Vec<bool>,
    /// Indices of the sets of instances that are written.
    pub(super) sets: Vec<usize>,
}

/// Old indices to new ones, in the old order.
pub(super) struct Numbering {
    pub(super) new: Vec<Option<u64>>,
}

impl Numbering {
    fn of(used: &[bool]) -> Self {
        let mut next = 0;
        let number = |used: &bool| {
            used.then(|| {
                next += 1;
                next - 1
            })
        };
        Self { new: used.iter().map(number).collect() }
    }

    pub(super) fn len(&self) -> u64 {
        self.new.iter().flatten().count() as u64
    }

    /// The new number of what an optional reference names.
    pub(super) fn get(&self, old: Option<usize>) -> Option<u64> {
        old.and_then(|old| self.new[old])
    }

    pub(super) fn kept<'s, T>(&self, items: &'s [T]) -> impl Iterator<Item = (usize, &'s T)> {
        let pairs = items.iter().enumerate().zip(&self.new);
        pairs.filter(|(_, new)| new.is_some()).map(|(pair, _)| pair)
    }
}

impl Plan {
    pub(super) fn of(scene: &Scene<'_>) -> Self {
        let mut nodes = vec![false; scene.nodes.len()];
        let mut open = scene.roots.clone();
        while let Some(index) = open.pop() {
            nodes[index] = true;
            open.extend(&scene.nodes[index].children);
        }
        let written = |set: &Instances<'_>| set.count() > 0 && set.parent.is_none_or(|parent| nodes[parent]);
        let sets: Vec<usize> = (0..scene.instances.len()).filter(|i| written(&scene.instances[*i])).collect();
        let kept = || scene.nodes.iter().zip(&nodes).filter(|(_, used)| **used).map(|(node, _)| node);

        let mut meshes = vec![false; scene.meshes.len()];
        for mesh in kept().filter_map(|node| node.mesh).chain(sets.iter().map(|set| scene.instances[*set].mesh)) {
            meshes[mesh] = scene.meshes[mesh].surfaces.iter().any(|surface| !surface.is_empty());
        }
        let sets = sets.into_iter().filter(|set| meshes[scene.instances[*set].mesh]).collect();

        let (mut skins, mut skinned) = (vec![false; scene.skins.len()], vec![false; scene.meshes.len()]);
        let (mut cameras, mut lights) = (vec![false; scene.cameras.len()], vec![false; scene.lights.len()]);
        for node in kept() {
            if let (Some(mesh), Some(skin)) = (node.mesh, node.skin)
                && meshes[mesh]
            {
                skins[skin] = true;
                skinned[mesh] = true;
            }
            if let Some(camera) = node.camera {
                cameras[camera] = true;
            }
            if let Some(light) = node.light {
                lights[light] = true;
            }
        }

        let mut materials = vec![false; scene.materials.len()];
        for (mesh, _) in scene.meshes.iter().zip(&meshes).filter(|(_, used)| **used) {
            for material in mesh.surfaces.iter().filter(|s| !s.is_empty()).filter_map(|s| s.material) {
                materials[material] = true;
            }
        }
        let mut textures = vec![false; scene.textures.len()];
        for (material, _) in scene.materials.iter().zip(&materials).filter(|(_, used)| **used) {
            material.textures().for_each(|(_, texture)| textures[texture.texture] = true);
            extended_textures(material).for_each(|texture| textures[texture] = true);
        }
        let mut images = vec![false; scene.images.len()];
        for (texture, _) in scene.textures.iter().zip(&textures).filter(|(_, used)| **used) {
            images[texture.image] = true;
            if let Some(fallback) = texture.fallback {
                images[fallback] = true;
            }
        }
        Self {
            nodes: Numbering::of(&nodes),
            meshes: Numbering::of(&meshes),
            materials: Numbering::of(&materials),
            textures: Numbering::of(&textures),
            images: Numbering::of(&images),
            skins: Numbering::of(&skins),
            cameras: Numbering::of(&cameras),
            lights: Numbering::of(&lights),
            skinned,
            sets,
        }
    }

    /// Whether a channel's node is written, with what it moves.
    pub(super) fn moves(&self, scene: &Scene<'_>, node: usize, path: Path) -> bool {
        let shown = || self.meshes.get(scene.nodes[node].mesh).is_some();
        self.nodes.new[node].is_some() && (path != Path::Weights || shown())
    }
}

/// The textures that a material's extensions refer to.
fn extended_textures(material: &Material) -> impl Iterator<Item = usize> {
    let known = material.extensions.iter().filter(|(name, _)| name.starts_with(MATERIALS));
    known.flat_map(|(_, extension)| match extension {
        Extra::Map(fields) => fields.iter().filter_map(|(key, field)| texture_index(key, field)).collect(),
        _ => Vec::new(),
    })
}

/// The texture that a field of a material's extension refers to.
pub(super) fn texture_index(key: &str, field: &Extra) -> Option<usize> {
    let Extra::Map(texture) = field else { return None };
    match texture.get("index") {
        Some(Extra::Integer(index)) if key.ends_with("Texture") => usize::try_from(*index).ok(),
        _ => None,
    }
}
