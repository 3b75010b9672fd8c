//! Checks a scene before anything is made of it. Reads every byte once; takes memory for the nodes only.

use crate::{Extra, Instances, Material, Mesh, Node, Scene, SceneError, Surface, Transform};

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
    /// Nodes from a root to a leaf. Default 256: readers walk the tree by recursion.
    pub depth: usize,
    /// Bytes of a name, and of the text and key of an extra. Default 1,024.
    pub text: usize,
    /// Extras of one node. Default 64.
    pub extras: usize,
}

impl Limits {
    /// No limits but those of memory.
    pub const NONE: Self = Self {
        meshes: usize::MAX,
        surfaces: usize::MAX,
        vertices: usize::MAX,
        triangles: usize::MAX,
        nodes: usize::MAX,
        instances: usize::MAX,
        materials: usize::MAX,
        depth: usize::MAX,
        text: usize::MAX,
        extras: usize::MAX,
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
            depth: 256,
            text: 1_024,
            extras: 64,
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
/// normals and rotations have a length of about 1, materials are in 0..=1, every node has at most one parent
/// and none is its own ancestor, and there is no more of anything than `limits` allow.
///
/// # Errors
///
/// The first fault found, with the name of the thing at fault.
pub fn validate(scene: &Scene<'_>, limits: &Limits) -> Result<Counts, SceneError> {
    let counts = count(scene, limits)?;
    for (index, material) in scene.materials.iter().enumerate() {
        check_material(index, material)?;
    }
    for (index, mesh) in scene.meshes.iter().enumerate() {
        for (number, surface) in mesh.surfaces.iter().enumerate() {
            if let Some(material) = surface.material {
                within("material", material, scene.materials.len(), || {
                    format!("mesh {}, surface {number}", label(index, &mesh.name))
                })?;
            }
            check_surface(surface, number, || label(index, &mesh.name))?;
        }
    }
    for (index, node) in scene.nodes.iter().enumerate() {
        check_node(index, node, scene, limits)?;
    }
    for (index, instances) in scene.instances.iter().enumerate() {
        check_instances(index, instances, scene)?;
    }
    check_tree(scene, limits)?;
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

/// Counts first, from lengths alone, so that nothing is read of a scene that is too large.
fn count(scene: &Scene<'_>, limits: &Limits) -> Result<Counts, SceneError> {
    let mut counts = Counts {
        meshes: at_most("meshes", scene.meshes.len(), limits.meshes)?,
        nodes: at_most("nodes", scene.nodes.len(), limits.nodes)?,
        ..Counts::default()
    };
    at_most("materials", scene.materials.len(), limits.materials)?;
    at_most("roots", scene.roots.len(), limits.nodes)?;
    // A set without instances still costs a node.
    at_most("sets of instances", scene.instances.len(), limits.nodes)?;
    at_most("bytes of a name", longest_name(scene), limits.text)?;
    for surface in scene.meshes.iter().flat_map(|mesh: &Mesh<'_>| &mesh.surfaces) {
        counts.surfaces = at_most("surfaces", counts.surfaces + 1, limits.surfaces)?;
        counts.vertices = at_most("vertices", counts.vertices.saturating_add(surface.vertices()), limits.vertices)?;
        counts.triangles =
            at_most("triangles", counts.triangles.saturating_add(surface.triangles()), limits.triangles)?;
    }
    for set in &scene.instances {
        counts.instances = at_most("instances", counts.instances.saturating_add(set.count()), limits.instances)?;
    }
    Ok(counts)
}

fn longest_name(scene: &Scene<'_>) -> usize {
    let names = scene.nodes.iter().map(|node| &node.name);
    let names = names.chain(scene.meshes.iter().map(|mesh| &mesh.name));
    let names = names.chain(scene.materials.iter().map(|material| &material.name));
    let names = names.chain(scene.instances.iter().map(|set| &set.name));
    names.chain([&scene.name]).map(String::len).max().unwrap_or(0)
}

fn check_material(index: usize, material: &Material) -> Result<(), SceneError> {
    let colors = material.base_color.iter().map(|value| ("base_color", *value));
    let values = colors.chain([("metallic", material.metallic), ("roughness", material.roughness)]);
    for (field, value) in values {
        if !(0.0..=1.0).contains(&value) {
            let material = label(index, &material.name);
            return Err(SceneError::BadMaterial { material, field, value });
        }
    }
    Ok(())
}

fn check_surface(surface: &Surface<'_>, number: usize, mesh: impl Fn() -> String) -> Result<(), SceneError> {
    let vertices = surface.vertices();
    let wrong = |buffer: &'static str, bytes: usize, expected: String| SceneError::WrongLength {
        mesh: mesh(),
        surface: number,
        buffer,
        bytes,
        expected,
    };
    for (buffer, bytes) in [("positions", &surface.positions), ("indices", &surface.indices)] {
        if !bytes.len().is_multiple_of(12) {
            return Err(wrong(buffer, bytes.len(), "a multiple of 12".into()));
        }
    }
    for (buffer, bytes, size) in [("normals", &surface.normals, 12), ("colors", &surface.colors, 16)] {
        if !bytes.is_empty() && bytes.len() != vertices * size {
            return Err(wrong(buffer, bytes.len(), format!("{} or none", vertices * size)));
        }
    }
    let not_finite = |buffer, vertex| SceneError::NotFinite { mesh: mesh(), surface: number, buffer, vertex };
    for (buffer, bytes, size) in
        [("position", &surface.positions, 3), ("normal", &surface.normals, 3), ("color", &surface.colors, 4)]
    {
        if let Some(place) = floats(bytes).position(|value| !value.is_finite()) {
            return Err(not_finite(buffer, place / size));
        }
    }
    for (vertex, normal) in surface.normals.chunks_exact(12).enumerate() {
        let square: f32 = floats(normal).map(|value| value * value).sum();
        let length = square.sqrt();
        if (length - 1.0).abs() > NORMAL_TOLERANCE {
            return Err(SceneError::NormalNotUnit { mesh: mesh(), surface: number, vertex, length });
        }
    }
    for (at, bytes) in surface.indices.chunks_exact(4).enumerate() {
        let index = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        if usize::try_from(index).map_or(true, |index| index >= vertices) {
            return Err(SceneError::IndexOutOfRange { mesh: mesh(), surface: number, at, index, vertices });
        }
    }
    Ok(())
}

/// The f32 values of a little-endian buffer.
pub(crate) fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

fn check_node(index: usize, node: &Node, scene: &Scene<'_>, limits: &Limits) -> Result<(), SceneError> {
    let whose = || format!("node {}", label(index, &node.name));
    if let Some(mesh) = node.mesh {
        within("mesh", mesh, scene.meshes.len(), whose)?;
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
    at_most("extras of a node", node.extras.len(), limits.extras)?;
    for (key, extra) in &node.extras {
        at_most("bytes of the key of an extra", key.len(), limits.text)?;
        if let Extra::Text(text) = extra {
            at_most("bytes of the text of an extra", text.len(), limits.text)?;
        }
        if let Extra::Number(number) = extra
            && !number.is_finite()
        {
            let node = label(index, &node.name);
            return Err(SceneError::BadExtra { node, key: key.clone() });
        }
    }
    Ok(())
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
    if let Some(place) = floats(&set.transforms).position(|value| !value.is_finite()) {
        let whose = format!("{}, instance {}", whose(), place / 12);
        return Err(SceneError::BadTransform { whose, fault: "the matrix is not finite" });
    }
    Ok(())
}

/// One parent at most for every node, none for roots, no cycles, not too deep. Expects references in range,
/// except for roots.
fn check_tree(scene: &Scene<'_>, limits: &Limits) -> Result<(), SceneError> {
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
        while let Some(index) = path.pop() {
            depth = at_most("nodes below one another", depth + 1, limits.depth)?;
            depths[index] = depth;
        }
    }
    Ok(())
}
