//! The nodes of a file. Expects a scene that is sound but for matrices that glTF does not allow.

use std::borrow::Cow;

use super::super::{INSTANCING, LIGHTS};
use super::buffer::{Buffer, Kind};
use super::json::Json;
use super::plan::Plan;
use super::{Used, WriteOptions, extras, name, references};
use crate::transform::{normalized_quaternion, rows_from_bytes, trs_from_rows};
use crate::validate::label;
use crate::{Node, Scene, SceneError, Transform};

/// The nodes of the file: those of the scene, then for each set of instances a group and its members.
pub(super) struct Tree {
    pub(super) roots: Vec<u64>,
    /// Children that a node of the scene gets beyond its own: groups of instances.
    groups_below: Vec<Vec<u64>>,
    sets: Vec<Set>,
    instancing: bool,
}

struct Set {
    index: usize,
    first: u64,
    members: Vec<Trs>,
}

type Trs = ([f32; 3], [f32; 4], [f32; 3]);

impl Tree {
    pub(super) fn of(scene: &Scene<'_>, plan: &Plan, options: &WriteOptions) -> Result<Self, SceneError> {
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
            let members = set.transforms.as_chunks::<48>().0.iter().enumerate().map(|(number, bytes)| {
                trs_from_rows(&rows_from_bytes(bytes))
                    .ok_or_else(|| sheared(format!("instances {}, instance {number}", label(index, &set.name))))
            });
            let members = members.collect::<Result<Vec<Trs>, SceneError>>()?;
            let first = next + 1;
            next = first + if options.instancing { 0 } else { members.len() as u64 };
            sets.push(Set { index, first, members });
        }
        Ok(Self { roots, groups_below, sets, instancing: options.instancing })
    }

    pub(super) fn write<'a>(
        &self,
        json: &mut Json,
        scene: &'a Scene<'_>,
        plan: &Plan,
        buffer: &mut Buffer<'a>,
        used: &mut Used<'a>,
    ) {
        if plan.nodes.len() == 0 && self.sets.is_empty() {
            return;
        }
        json.key("nodes").array(|json| {
            for (index, node) in plan.nodes.kept(&scene.nodes) {
                let own = node.children.iter().filter_map(|child| plan.nodes.new[*child]);
                let children: Vec<u64> = own.chain(self.groups_below[index].iter().copied()).collect();
                json.object(|json| write_node(json, node, &children, plan, used));
            }
            for set in &self.sets {
                let instances = &scene.instances[set.index];
                if self.instancing {
                    json.object(|json| {
                        name(json, &instances.name);
                        mesh_reference(json, instances.mesh, plan);
                        write_instancing(json, &set.members, buffer, used);
                    });
                    continue;
                }
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

fn trs(transform: &Transform) -> Option<Trs> {
    match transform {
        Transform::Rows(rows) => trs_from_rows(rows),
        Transform::Trs { translation, rotation, scale } => Some((*translation, unit(*rotation), *scale)),
    }
}

/// A rotation of length 1. One that is as close to it as f32 can say stays as it is, so that a file that is read and written
/// is the same.
fn unit(rotation: [f32; 4]) -> [f32; 4] {
    let wide = rotation.map(f64::from);
    let square: f64 = wide.iter().map(|v| v * v).sum();
    if (square - 1.0).abs() < 1e-6 { rotation } else { normalized_quaternion(wide) }
}

fn write_node<'a>(json: &mut Json, node: &'a Node, children: &[u64], plan: &Plan, used: &mut Used<'a>) {
    name(json, &node.name);
    if plan.meshes.get(node.mesh).is_some() {
        if let Some(mesh) = node.mesh {
            mesh_reference(json, mesh, plan);
        }
        if let Some(skin) = plan.skins.get(node.skin) {
            json.key("skin").integer(skin);
        }
        if !node.weights.is_empty() {
            json.list("weights", &node.weights, |json, weight| json.f32(*weight));
        }
    }
    if let Some(camera) = plan.cameras.get(node.camera) {
        json.key("camera").integer(camera);
    }
    if let Some(trs) = trs(&node.transform) {
        write_trs(json, &trs);
    }
    references(json, "children", children);
    let light = plan.lights.get(node.light);
    if light.is_some() || !node.extensions.is_empty() {
        json.key("extensions").object(|json| {
            for (extension, value) in node.extensions.iter().filter(|(name, _)| *name != LIGHTS) {
                used.optional(extension);
                json.key(extension).extra(value);
            }
            if let Some(light) = light {
                used.optional(LIGHTS);
                json.key(LIGHTS).object(|json| json.key("light").integer(light));
            }
        });
    }
    extras(json, &node.extras);
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

fn write_instancing<'a>(json: &mut Json, members: &[Trs], buffer: &mut Buffer<'a>, used: &mut Used<'a>) {
    // A reader that does not know it would show one instance, at the wrong place.
    used.required(INSTANCING);
    let mut column = |kind: Kind, part: fn(&Trs) -> &[f32]| {
        let bytes: Vec<u8> = members.iter().flat_map(part).flat_map(|v| v.to_le_bytes()).collect();
        buffer.owned(kind, Cow::Owned(bytes))
    };
    let translation = column(Kind::plain(3), |trs| &trs.0);
    let rotation = column(Kind::plain(4), |trs| &trs.1);
    let scale = column(Kind::plain(3), |trs| &trs.2);
    json.key("extensions").object(|json| {
        json.key(INSTANCING).object(|json| {
            json.key("attributes").object(|json| {
                json.key("TRANSLATION").integer(translation);
                json.key("ROTATION").integer(rotation);
                json.key("SCALE").integer(scale);
            });
        });
    });
}

fn mesh_reference(json: &mut Json, mesh: usize, plan: &Plan) {
    if let Some(mesh) = plan.meshes.new[mesh] {
        json.key("mesh").integer(mesh);
    }
}
