//! Checks of nodes and of what hangs in them.

use std::collections::BTreeSet;

use super::buffer::not_finite;
use super::{Limits, NORMAL_TOLERANCE, at_most, extras, in_range, label, within};
use crate::{Instances, LightKind, Node, Projection, Scene, SceneError, Skin, Transform};

pub(super) fn check(scene: &Scene<'_>, limits: &Limits) -> Result<(), SceneError> {
    for (index, node) in scene.nodes.iter().enumerate() {
        check_node(index, node, scene, limits)?;
    }
    for (index, instances) in scene.instances.iter().enumerate() {
        check_instances(index, instances, scene)?;
    }
    let tree = check_parents(scene, limits)?;
    for (index, skin) in scene.skins.iter().enumerate() {
        check_skin(index, skin, scene, &tree, limits)?;
    }
    check_skinned(scene, &tree)?;
    check_cameras(scene, limits)?;
    check_lights(scene, limits)
}

fn check_node(index: usize, node: &Node, scene: &Scene<'_>, limits: &Limits) -> Result<(), SceneError> {
    let whose = || format!("node {}", label(index, &node.name));
    let misfit = |fault| Err(SceneError::Misfit { whose: whose(), fault });
    let references = [
        ("mesh", node.mesh, scene.meshes.len()),
        ("skin", node.skin, scene.skins.len()),
        ("camera", node.camera, scene.cameras.len()),
        ("light", node.light, scene.lights.len()),
    ];
    for (what, reference, count) in references {
        if let Some(reference) = reference {
            within(what, reference, count, whose)?;
        }
    }
    for child in &node.children {
        within("node", *child, scene.nodes.len(), whose)?;
    }
    let bad = |fault| SceneError::BadTransform { whose: whose(), fault };
    match &node.transform {
        Transform::Rows(rows) if rows.iter().any(|v| !v.is_finite()) => {
            return Err(bad("the matrix is not finite"));
        }
        Transform::Rows(_) => {}
        Transform::Trs { translation, rotation, scale } => {
            if translation.iter().any(|v| !v.is_finite()) {
                return Err(bad("the translation is not finite"));
            }
            if scale.iter().any(|v| !v.is_finite()) {
                return Err(bad("the scale is not finite"));
            }
            let square: f32 = rotation.iter().map(|v| v * v).sum();
            let unit = 1.0 - NORMAL_TOLERANCE..=1.0 + NORMAL_TOLERANCE;
            if !unit.contains(&square.sqrt()) {
                return Err(bad("the rotation is not a unit quaternion"));
            }
        }
    }
    if node.skin.is_some() && node.mesh.is_none() {
        return misfit("it has a skin, and no mesh");
    }
    if !node.weights.is_empty() {
        at_most("weights of a node", node.weights.len(), limits.morphs)?;
        let drawn = node.mesh.and_then(|mesh| scene.meshes[mesh].surfaces.iter().find(|surface| !surface.is_empty()));
        if drawn.is_none_or(|surface| surface.morphs.len() != node.weights.len()) {
            return misfit("it has not as many weights as its mesh has morphs");
        }
        for weight in &node.weights {
            in_range(true, "a weight", *weight, "finite numbers", whose)?;
        }
    }
    extras::check(&node.extensions, limits, whose)?;
    extras::check(&node.extras, limits, whose)
}

fn check_instances(index: usize, set: &Instances<'_>, scene: &Scene<'_>) -> Result<(), SceneError> {
    let whose = || format!("instances {}", label(index, &set.name));
    within("mesh", set.mesh, scene.meshes.len(), whose)?;
    if let Some(parent) = set.parent {
        within("node", parent, scene.nodes.len(), whose)?;
    }
    if !set.transforms.len().is_multiple_of(48) {
        let instances = label(index, &set.name);
        return Err(SceneError::InstancesLength { instances, bytes: set.transforms.len() });
    }
    if let Some(place) = not_finite(&set.transforms) {
        let whose = format!("{}, instance {}", whose(), place / 12);
        return Err(SceneError::BadTransform { whose, fault: "the matrix is not finite" });
    }
    Ok(())
}

/// What is known of every node of a sound tree.
struct Tree {
    parents: Vec<Option<usize>>,
    /// The node without a parent that it is below, or itself.
    tops: Vec<usize>,
    /// Whether it is one of the scene's roots.
    roots: Vec<bool>,
}

impl Tree {
    /// Whether all of `nodes` are `ancestor` or below it. Goes each way up once.
    fn below(&self, ancestor: usize, nodes: &[usize]) -> bool {
        let mut known = BTreeSet::from([ancestor]);
        for node in nodes {
            let mut current = Some(*node);
            while let Some(index) = current {
                if !known.insert(index) {
                    break;
                }
                current = self.parents[index];
                if current.is_none() {
                    return false;
                }
            }
        }
        true
    }
}

/// One parent at most for every node, none for roots, no cycles, not too deep. Expects references in range,
/// except for roots.
fn check_parents(scene: &Scene<'_>, limits: &Limits) -> Result<Tree, SceneError> {
    let name = |index: usize| label(index, &scene.nodes[index].name);
    let mut parents: Vec<Option<usize>> = vec![None; scene.nodes.len()];
    for (index, node) in scene.nodes.iter().enumerate() {
        for &child in &node.children {
            if parents[child].replace(index).is_some() {
                return Err(SceneError::TwoParents { node: name(child) });
            }
        }
    }
    let mut seen = vec![false; scene.nodes.len()];
    for &root in &scene.roots {
        within("node", root, scene.nodes.len(), || "roots".into())?;
        if parents[root].is_some() || std::mem::replace(&mut seen[root], true) {
            return Err(SceneError::RootNotFree { node: name(root) });
        }
    }
    // With one parent each, every walk upwards ends at a node without a parent or goes round. Depths that are
    // known (not 0) end a walk early, so the whole is linear.
    let mut depths = vec![0usize; scene.nodes.len()];
    let mut tops: Vec<usize> = (0..scene.nodes.len()).collect();
    let mut path = Vec::new();
    for start in 0..scene.nodes.len() {
        let mut current = Some(start);
        while let Some(index) = current.filter(|index| depths[*index] == 0) {
            if path.len() >= scene.nodes.len() {
                return Err(SceneError::Cycle { node: name(index) });
            }
            path.push(index);
            current = parents[index];
        }
        let mut depth = current.map_or(0, |index| depths[index]);
        let mut top = current.map(|index| tops[index]);
        while let Some(index) = path.pop() {
            depth = at_most("nodes below one another", depth + 1, limits.depth)?;
            depths[index] = depth;
            tops[index] = *top.get_or_insert(index);
        }
    }
    Ok(Tree { parents, tops, roots: seen })
}

/// All joints are in one tree, below the skeleton if one is named.
fn check_skin(
    index: usize,
    skin: &Skin<'_>,
    scene: &Scene<'_>,
    tree: &Tree,
    limits: &Limits,
) -> Result<(), SceneError> {
    let whose = || format!("skin {}", label(index, &skin.name));
    let misfit = |fault| Err(SceneError::Misfit { whose: whose(), fault });
    at_most("joints of a skin", skin.joints.len(), limits.joints.min(usize::from(u16::MAX)))?;
    for joint in skin.joints.iter().chain(&skin.skeleton) {
        within("node", *joint, scene.nodes.len(), whose)?;
    }
    let Some(top) = skin.joints.first().map(|joint| tree.tops[*joint]) else {
        return misfit("it has no joints");
    };
    if skin.joints.iter().any(|joint| tree.tops[*joint] != top) {
        return misfit("its joints are below different roots");
    }
    if skin.skeleton.is_some_and(|skeleton| !tree.below(skeleton, &skin.joints)) {
        return misfit("a joint is not below its skeleton");
    }
    let mut sorted = skin.joints.clone();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return misfit("a node is a joint twice");
    }
    if !skin.inverse_bind.is_empty() && skin.inverse_bind.len() != skin.joints.len() * 64 {
        return misfit("it has not one inverse bind matrix of 64 bytes for each joint");
    }
    if not_finite(&skin.inverse_bind).is_some() {
        return misfit("an inverse bind matrix is not finite");
    }
    for matrix in skin.inverse_bind.as_chunks::<64>().0 {
        let last_row =
            [12, 28, 44, 60].map(|at| f32::from_le_bytes([matrix[at], matrix[at + 1], matrix[at + 2], matrix[at + 3]]));
        if last_row != [0.0, 0.0, 0.0, 1.0] {
            return misfit("the last row of an inverse bind matrix is not 0, 0, 0, 1");
        }
    }
    extras::check(&skin.extras, limits, whose)
}

/// Every joint that a surface names is one of the skin it is shown with. Each mesh is read once.
fn check_skinned(scene: &Scene<'_>, tree: &Tree) -> Result<(), SceneError> {
    if scene.nodes.iter().all(|node| node.skin.is_none()) {
        return Ok(());
    }
    // For each mesh, one more than the greatest joint that it names; `None` where a surface has no joints.
    let needed: Vec<Option<usize>> = scene
        .meshes
        .iter()
        .map(|mesh| {
            let mut needed = Some(0);
            for surface in mesh.surfaces.iter().filter(|surface| !surface.is_empty()) {
                let joints =
                    surface.joints.as_chunks::<2>().0.iter().map(|joint| usize::from(u16::from_le_bytes(*joint)));
                let greatest = joints.max().map(|greatest| greatest + 1);
                needed = needed.zip(greatest).map(|(one, other)| one.max(other));
            }
            needed
        })
        .collect();
    for (index, node) in scene.nodes.iter().enumerate() {
        let (Some(mesh), Some(skin)) = (node.mesh, node.skin) else { continue };
        let whose = || format!("node {}", label(index, &node.name));
        let top = scene.skins[skin].joints.first().map(|joint| tree.tops[*joint]);
        if tree.roots[tree.tops[index]] && top.is_none_or(|top| !tree.roots[top]) {
            let fault = "the joints of its skin are below no root of the scene";
            return Err(SceneError::Misfit { whose: whose(), fault });
        }
        match needed[mesh] {
            None => {
                let fault = "it has a skin, and a mesh without joints";
                return Err(SceneError::Misfit { whose: whose(), fault });
            }
            Some(needed) if needed > scene.skins[skin].joints.len() => {
                let fault = "its mesh names a joint that its skin has not";
                return Err(SceneError::Misfit { whose: whose(), fault });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn check_cameras(scene: &Scene<'_>, limits: &Limits) -> Result<(), SceneError> {
    for (index, camera) in scene.cameras.iter().enumerate() {
        let whose = || format!("camera {}", label(index, &camera.name));
        match camera.projection {
            Projection::Perspective { yfov, aspect, near, far } => {
                let pi = std::f32::consts::PI;
                in_range(yfov > 0.0 && yfov < pi, "yfov", yfov, "above 0 and below pi", whose)?;
                if let Some(aspect) = aspect {
                    in_range(aspect > 0.0, "aspect", aspect, "above 0", whose)?;
                }
                in_range(near > 0.0, "near", near, "above 0", whose)?;
                if let Some(far) = far {
                    in_range(far > near, "far", far, "above near", whose)?;
                }
            }
            Projection::Orthographic { xmag, ymag, near, far } => {
                in_range(xmag != 0.0, "xmag", xmag, "all but 0", whose)?;
                in_range(ymag != 0.0, "ymag", ymag, "all but 0", whose)?;
                in_range(near >= 0.0, "near", near, "0 or more", whose)?;
                in_range(far > near, "far", far, "above near", whose)?;
            }
        }
        extras::check(&camera.extras, limits, whose)?;
    }
    Ok(())
}

fn check_lights(scene: &Scene<'_>, limits: &Limits) -> Result<(), SceneError> {
    for (index, light) in scene.lights.iter().enumerate() {
        let whose = || format!("light {}", label(index, &light.name));
        for value in light.color {
            in_range((0.0..=1.0).contains(&value), "color", value, "0..=1", whose)?;
        }
        in_range(light.intensity >= 0.0, "intensity", light.intensity, "0 or more", whose)?;
        if let Some(range) = light.range {
            in_range(range > 0.0, "range", range, "above 0", whose)?;
        }
        if let LightKind::Spot { inner, outer } = light.kind {
            in_range(inner >= 0.0 && inner < outer, "inner", inner, "0 or more, below outer", whose)?;
            let half = std::f32::consts::FRAC_PI_2;
            in_range(outer <= half, "outer", outer, "at most pi / 2", whose)?;
        }
        extras::check(&light.extras, limits, whose)?;
    }
    Ok(())
}
