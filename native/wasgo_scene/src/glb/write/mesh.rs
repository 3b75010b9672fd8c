//! The meshes of a file.

use std::borrow::Cow;

use super::super::{LODS, TARGET_NAMES};
use super::buffer::{Buffer, Kind};
use super::json::Json;
use super::plan::Plan;
use super::{Used, extensions, name};
use crate::validate::floats;
use crate::{Extra, Extras, Mesh, Morph, Scene, Surface};

/// How far a sum of weights may be from 1 before they are divided by it.
const WEIGHT_TOLERANCE: f32 = 1.5e-7;

pub(super) fn write<'a>(
    json: &mut Json,
    scene: &'a Scene<'_>,
    plan: &Plan,
    buffer: &mut Buffer<'a>,
    used: &mut Used<'a>,
) {
    if plan.meshes.len() == 0 {
        return;
    }
    json.key("meshes").array(|json| {
        for (index, mesh) in plan.meshes.kept(&scene.meshes) {
            json.object(|json| {
                name(json, &mesh.name);
                json.key("primitives").array(|json| {
                    for surface in drawn(mesh) {
                        write_surface(json, surface, plan, plan.skinned[index], buffer);
                    }
                });
                if !mesh.weights.is_empty() {
                    json.list("weights", &mesh.weights, |json, weight| json.f32(*weight));
                }
                extensions(json, used, mesh.extensions.iter().map(|(name, value)| (&**name, value)), &[]);
                let extras = with_names(mesh);
                if !extras.is_empty() {
                    json.key("extras").extras(&extras);
                }
            });
        }
    });
}

fn drawn<'m, 'a>(mesh: &'m Mesh<'a>) -> impl Iterator<Item = &'m Surface<'a>> {
    mesh.surfaces.iter().filter(|surface| !surface.is_empty())
}

/// The names of morphs are where tools look for them.
fn with_names<'m>(mesh: &'m Mesh<'_>) -> Cow<'m, Extras> {
    let morphs = drawn(mesh).next().map_or(&[][..], |surface| &surface.morphs);
    if morphs.iter().all(|morph| morph.name.is_empty()) {
        return Cow::Borrowed(&mesh.extras);
    }
    let names = morphs.iter().map(|morph| Extra::Text(morph.name.clone())).collect();
    let mut extras = mesh.extras.clone();
    extras.insert(TARGET_NAMES.into(), Extra::List(names));
    Cow::Owned(extras)
}

fn write_surface<'a>(json: &mut Json, surface: &'a Surface<'_>, plan: &Plan, skinned: bool, buffer: &mut Buffer<'a>) {
    let mut attributes: Vec<(&str, u64)> = vec![("POSITION", buffer.accessor(Kind::POSITION, &surface.positions))];
    if !surface.normals.is_empty() {
        attributes.push(("NORMAL", buffer.accessor(Kind::NORMAL, &surface.normals)));
    }
    if !surface.tangents.is_empty() {
        attributes.push(("TANGENT", buffer.accessor(Kind::TANGENT, &surface.tangents)));
    }
    if !surface.colors.is_empty() {
        attributes.push(("COLOR_0", buffer.colors(&surface.colors)));
    }
    let later = surface.attributes.keys().any(|name| name.starts_with("TEXCOORD_"));
    if !surface.uvs.is_empty() {
        attributes.push(("TEXCOORD_0", buffer.accessor(Kind::UV, &surface.uvs)));
    } else if !surface.uvs2.is_empty() || later {
        // Sets are counted from 0 without a gap.
        attributes.push(("TEXCOORD_0", buffer.zeros(Kind::UV, surface.vertices())));
    }
    if !surface.uvs2.is_empty() {
        attributes.push(("TEXCOORD_1", buffer.accessor(Kind::UV, &surface.uvs2)));
    } else if later {
        attributes.push(("TEXCOORD_1", buffer.zeros(Kind::UV, surface.vertices())));
    }
    if skinned && !surface.joints.is_empty() {
        let more = surface.attributes.contains_key("WEIGHTS_1");
        let (joints, weights) = if more {
            (Cow::Borrowed(&*surface.joints), Cow::Borrowed(&*surface.weights))
        } else {
            held(&surface.joints, &surface.weights)
        };
        attributes.push(("JOINTS_0", data(buffer, Kind::JOINTS, joints)));
        attributes.push(("WEIGHTS_0", data(buffer, Kind::WEIGHTS, weights)));
    }
    for (name, attribute) in &surface.attributes {
        let of_skin = name.starts_with("JOINTS_") || name.starts_with("WEIGHTS_");
        if skinned || !of_skin {
            attributes.push((name, buffer.accessor(Kind::of(attribute), &attribute.bytes)));
        }
    }
    let indices = buffer.accessor(Kind::INDEX, &surface.indices);
    let targets: Vec<Vec<(&str, u64)>> =
        surface.morphs.iter().map(|morph| target(morph, surface.vertices(), buffer)).collect();
    let lods: Vec<(u64, f32)> =
        surface.lods.iter().map(|lod| (buffer.accessor(Kind::INDEX, &lod.indices), lod.error)).collect();
    json.object(|json| {
        json.key("attributes").object(|json| numbers(json, &attributes));
        json.key("indices").integer(indices);
        if let Some(material) = plan.materials.get(surface.material) {
            json.key("material").integer(material);
        }
        if !targets.is_empty() {
            json.list("targets", &targets, |json, target| json.object(|json| numbers(json, target)));
        }
        if !surface.extras.is_empty() || !lods.is_empty() {
            json.key("extras").object(|json| {
                for (key, extra) in surface.extras.iter().filter(|(key, _)| *key != LODS) {
                    json.key(key).extra(extra);
                }
                if !lods.is_empty() {
                    json.list(LODS, &lods, |json, (indices, error)| {
                        json.object(|json| {
                            json.key("indices").integer(*indices);
                            json.key("error").f32(*error);
                        });
                    });
                }
            });
        }
    });
}

fn numbers(json: &mut Json, named: &[(&str, u64)]) {
    for (name, number) in named {
        json.key(name).integer(*number);
    }
}

/// The accessors of a morph. One that moves nothing moves positions by zeros, since glTF has no empty ones.
fn target<'a>(morph: &'a Morph<'_>, vertices: usize, buffer: &mut Buffer<'a>) -> Vec<(&'static str, u64)> {
    let parts = [("NORMAL", &morph.normals), ("TANGENT", &morph.tangents)];
    let mut target = Vec::new();
    if !morph.positions.is_empty() {
        target.push(("POSITION", buffer.accessor(Kind::POSITION, &morph.positions)));
    }
    for (name, bytes) in parts {
        if !bytes.is_empty() {
            target.push((name, buffer.accessor(Kind::NORMAL, bytes)));
        }
    }
    if target.is_empty() {
        target.push(("POSITION", buffer.zeros(Kind::POSITION, vertices)));
    }
    target
}

/// Weights whose sum is 1 to the last bits, and joint 0 where the weight is 0, as glTF wants. Copies only when one has
/// to change.
fn held<'a>(joints: &'a [u8], weights: &'a [u8]) -> (Cow<'a, [u8]>, Cow<'a, [u8]>) {
    let pairs = || {
        joints.as_chunks::<8>().0.iter().zip(weights.as_chunks::<16>().0).map(|(joints, weights)| {
            let joints = joints.as_chunks::<2>().0;
            let mut values = [(0u16, 0.0f32); 4];
            for ((value, joint), weight) in values.iter_mut().zip(joints).zip(floats(weights)) {
                *value = (u16::from_le_bytes(*joint), weight);
            }
            values
        })
    };
    let sum = |values: &[(u16, f32); 4]| values.iter().map(|(_, weight)| *weight).sum::<f32>();
    let sound = |values: &[(u16, f32); 4]| {
        (sum(values) - 1.0).abs() <= WEIGHT_TOLERANCE
            && values.iter().all(|(joint, weight)| *weight > 0.0 || *joint == 0)
    };
    if pairs().all(|values| sound(&values)) {
        return (Cow::Borrowed(joints), Cow::Borrowed(weights));
    }
    let (mut new_joints, mut new_weights) = (Vec::with_capacity(joints.len()), Vec::with_capacity(weights.len()));
    for values in pairs() {
        let sum = sum(&values);
        let divide = (sum - 1.0).abs() > WEIGHT_TOLERANCE;
        for (joint, weight) in values {
            new_joints.extend((if weight > 0.0 { joint } else { 0 }).to_le_bytes());
            new_weights.extend((if divide { weight / sum } else { weight }).to_le_bytes());
        }
    }
    (Cow::Owned(new_joints), Cow::Owned(new_weights))
}

/// Data that is shared where it is as it was.
fn data<'a>(buffer: &mut Buffer<'a>, kind: Kind, bytes: Cow<'a, [u8]>) -> u64 {
    match bytes {
        Cow::Borrowed(bytes) => buffer.accessor(kind, bytes),
        Cow::Owned(_) => buffer.owned(kind, bytes),
    }
}
