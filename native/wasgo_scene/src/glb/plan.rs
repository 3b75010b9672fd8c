//! Which parts of a scene go into a file. Expects a scene that is sound.

use crate::{Instances, Scene};

/// What of a scene goes into the file, and under which number.
pub(super) struct Plan {
    pub(super) nodes: Numbering,
    pub(super) meshes: Numbering,
    pub(super) materials: Numbering,
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

        let mut meshes = vec![false; scene.meshes.len()];
        let shown = scene.nodes.iter().zip(&nodes).filter(|(_, used)| **used).filter_map(|(node, _)| node.mesh);
        for mesh in shown.chain(sets.iter().map(|set| scene.instances[*set].mesh)) {
            meshes[mesh] = scene.meshes[mesh].surfaces.iter().any(|surface| !surface.is_empty());
        }
        let sets = sets.into_iter().filter(|set| meshes[scene.instances[*set].mesh]).collect();

        let mut materials = vec![false; scene.materials.len()];
        for (mesh, _) in scene.meshes.iter().zip(&meshes).filter(|(_, used)| **used) {
            for material in mesh.surfaces.iter().filter(|s| !s.is_empty()).filter_map(|s| s.material) {
                materials[material] = true;
            }
        }
        Self {
            nodes: Numbering::of(&nodes),
            meshes: Numbering::of(&meshes),
            materials: Numbering::of(&materials),
            sets,
        }
    }
}
