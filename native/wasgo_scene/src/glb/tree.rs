//! The nodes of a file. Expects a scene that is sound but for matrices that glTF does not allow.

use super::json::Json;
use super::plan::Plan;
use super::{name, references};
use crate::transform::{normalized_quaternion, trs_from_rows};
use crate::validate::{floats, label};
use crate::{Node, Scene, SceneError, Transform};

/// The nodes of the file: those of the scene, then for each set of instances a group and its members.
pub(super) struct Tree {
    pub(super) roots: Vec<u64>,
    /// Children that a node of the scene gets beyond its own: groups of instances.
    groups_below: Vec<Vec<u64>>,
    sets: Vec<Set>,
}

struct Set {
    index: usize,
    first: u64,
    members: Vec<Trs>,
}

type Trs = ([f32; 3], [f32; 4], [f32; 3]);

impl Tree {
    pub(super) fn of(scene: &Scene<'_>, plan: &Plan) -> Result<Self, SceneError> {
        for (index, node) in plan.nodes.kept(&scene.nodes) {
            trs(&node.transform).ok_or_else(|| sheared(format!("node {}", label(index, &node.name))))?;
        }
        let mut roots: Vec<u64> = scene.roots.iter().filter_map(|root| plan.nodes.new[*root]).collect();
        let mut groups_below = vec![Vec::new(); scene.nodes.len()];
        let mut sets = Vec::with_capacity(plan.sets.len());
        let mut next = plan.nodes.len();
        for &index in &plan.sets {
            let set = &scene.instances[index];
            match set.parent {
                Some(parent) => groups_below[parent].push(next),
                None => roots.push(next),
            }
            let members = set.transforms.chunks_exact(48).enumerate().map(|(number, bytes)| {
                trs_from_rows(&rows(bytes))
                    .ok_or_else(|| sheared(format!("instances {}, instance {number}", label(index, &set.name))))
            });
            let members = members.collect::<Result<Vec<Trs>, SceneError>>()?;
            let first = next + 1;
            next = first + members.len() as u64;
            sets.push(Set { index, first, members });
        }
        Ok(Self { roots, groups_below, sets })
    }

    pub(super) fn write(&self, json: &mut Json, scene: &Scene<'_>, plan: &Plan) {
        if plan.nodes.len() == 0 && self.sets.is_empty() {
            return;
        }
        json.key("nodes").array(|json| {
            for (index, node) in plan.nodes.kept(&scene.nodes) {
                let own = node.children.iter().filter_map(|child| plan.nodes.new[*child]);
                let children: Vec<u64> = own.chain(self.groups_below[index].iter().copied()).collect();
                json.object(|json| write_node(json, node, &children, plan));
            }
            for set in &self.sets {
                let instances = &scene.instances[set.index];
                let members: Vec<u64> = (set.first..set.first + set.members.len() as u64).collect();
                json.object(|json| {
                    name(json, &instances.name);
                    references(json, "children", &members);
                });
                for member in &set.members {
                    json.object(|json| {
                        mesh_reference(json, instances.mesh, plan);
                        write_trs(json, member);
                    });
                }
            }
        });
    }
}

fn sheared(whose: String) -> SceneError {
    let fault = "the matrix is not a translation, rotation and scale, which is all that glTF allows";
    SceneError::BadTransform { whose, fault }
}

fn rows(bytes: &[u8]) -> [f32; 12] {
    let mut rows = [0.0; 12];
    for (place, value) in rows.iter_mut().zip(floats(bytes)) {
        *place = value;
    }
    rows
}

fn trs(transform: &Transform) -> Option<Trs> {
    match transform {
        Transform::Rows(rows) => trs_from_rows(rows),
        Transform::Trs { translation, rotation, scale } => {
            Some((*translation, normalized_quaternion(rotation.map(f64::from)), *scale))
        }
    }
}

fn write_node(json: &mut Json, node: &Node, children: &[u64], plan: &Plan) {
    name(json, &node.name);
    if let Some(mesh) = node.mesh {
        mesh_reference(json, mesh, plan);
    }
    if let Some(trs) = trs(&node.transform) {
        write_trs(json, &trs);
    }
    references(json, "children", children);
    if !node.extras.is_empty() {
        json.key("extras").object(|json| {
            for (key, extra) in &node.extras {
                json.key(key).extra(extra);
            }
        });
    }
}

/// What is the same as without a transform is left out.
fn write_trs(json: &mut Json, (translation, rotation, scale): &Trs) {
    if *translation != [0.0; 3] {
        json.list("translation", translation, |json, v| json.f32(*v));
    }
    if *rotation != [0.0, 0.0, 0.0, 1.0] {
        json.list("rotation", rotation, |json, v| json.f32(*v));
    }
    if *scale != [1.0; 3] {
        json.list("scale", scale, |json, v| json.f32(*v));
    }
}

fn mesh_reference(json: &mut Json, mesh: usize, plan: &Plan) {
    if let Some(mesh) = plan.meshes.new[mesh] {
        json.key("mesh").integer(mesh);
    }
}
