//! What hangs in the tree of a file: skins, cameras, lights, and the animations that move it.

use super::super::LIGHTS;
use super::buffer::{Buffer, Kind};
use super::json::Json;
use super::plan::Plan;
use super::{Used, extras, name, references};
use crate::{Animation, Channel, Interpolation, Light, LightKind, Path, Projection, Scene};

pub(super) fn write<'a>(json: &mut Json, scene: &'a Scene<'_>, plan: &Plan, buffer: &mut Buffer<'a>) {
    if plan.skins.len() > 0 {
        json.key("skins").array(|json| {
            for (_, skin) in plan.skins.kept(&scene.skins) {
                let joints: Vec<u64> = skin.joints.iter().filter_map(|joint| plan.nodes.new[*joint]).collect();
                let matrices =
                    (!skin.inverse_bind.is_empty()).then(|| buffer.accessor(Kind::MATRIX, &skin.inverse_bind));
                json.object(|json| {
                    name(json, &skin.name);
                    if let Some(matrices) = matrices {
                        json.key("inverseBindMatrices").integer(matrices);
                    }
                    references(json, "joints", &joints);
                    if let Some(skeleton) = plan.nodes.get(skin.skeleton) {
                        json.key("skeleton").integer(skeleton);
                    }
                    extras(json, &skin.extras);
                });
            }
        });
    }
    if plan.cameras.len() > 0 {
        json.list("cameras", plan.cameras.kept(&scene.cameras), |json, (_, camera)| {
            json.object(|json| {
                name(json, &camera.name);
                write_projection(json, camera.projection);
                extras(json, &camera.extras);
            });
        });
    }
    write_animations(json, scene, plan, buffer);
}

fn write_projection(json: &mut Json, projection: Projection) {
    match projection {
        Projection::Perspective { yfov, aspect, near, far } => {
            json.key("type").text("perspective");
            json.key("perspective").object(|json| {
                if let Some(aspect) = aspect {
                    json.key("aspectRatio").f32(aspect);
                }
                json.key("yfov").f32(yfov);
                if let Some(far) = far {
                    json.key("zfar").f32(far);
                }
                json.key("znear").f32(near);
            });
        }
        Projection::Orthographic { xmag, ymag, near, far } => {
            json.key("type").text("orthographic");
            json.key("orthographic").object(|json| {
                json.key("xmag").f32(xmag);
                json.key("ymag").f32(ymag);
                json.key("zfar").f32(far);
                json.key("znear").f32(near);
            });
        }
    }
}

fn write_animations<'a>(json: &mut Json, scene: &'a Scene<'_>, plan: &Plan, buffer: &mut Buffer<'a>) {
    let kept = |animation: &'a Animation<'_>| -> Vec<&'a Channel<'a>> {
        animation.channels.iter().filter(|channel| plan.moves(scene, channel.node, channel.path)).collect()
    };
    let animations: Vec<_> =
        scene.animations.iter().map(|each| (each, kept(each))).filter(|(_, channels)| !channels.is_empty()).collect();
    if animations.is_empty() {
        return;
    }
    json.key("animations").array(|json| {
        for (animation, channels) in animations {
            json.object(|json| {
                name(json, &animation.name);
                json.list("channels", channels.iter().enumerate(), |json, (number, channel)| {
                    json.object(|json| {
                        json.key("sampler").integer(number as u64);
                        json.key("target").object(|json| {
                            if let Some(node) = plan.nodes.new[channel.node] {
                                json.key("node").integer(node);
                            }
                            json.key("path").text(path(channel.path));
                        });
                    });
                });
                json.key("samplers").array(|json| {
                    for channel in channels {
                        let components = match channel.path {
                            Path::Translation | Path::Scale => 3,
                            Path::Rotation => 4,
                            Path::Weights => 1,
                        };
                        let input = buffer.accessor(Kind::TIME, &channel.times);
                        let output = buffer.accessor(Kind::plain(components), &channel.values);
                        json.object(|json| {
                            json.key("input").integer(input);
                            match channel.interpolation {
                                Interpolation::Linear => {}
                                Interpolation::Step => json.key("interpolation").text("STEP"),
                                Interpolation::Cubic => json.key("interpolation").text("CUBICSPLINE"),
                            }
                            json.key("output").integer(output);
                        });
                    }
                });
                extras(json, &animation.extras);
            });
        }
    });
}

fn path(path: Path) -> &'static str {
    match path {
        Path::Translation => "translation",
        Path::Rotation => "rotation",
        Path::Scale => "scale",
        Path::Weights => "weights",
    }
}

/// The lights, which are below the extensions of the file.
pub(super) fn write_lights(json: &mut Json, scene: &Scene<'_>, plan: &Plan, used: &mut Used<'_>) {
    used.optional(LIGHTS);
    json.key(LIGHTS).object(|json| {
        json.list("lights", plan.lights.kept(&scene.lights), |json, (_, light)| {
            json.object(|json| write_light(json, light));
        });
    });
}

fn write_light(json: &mut Json, light: &Light) {
    name(json, &light.name);
    if light.color != [1.0; 3] {
        json.list("color", light.color, |json, v| json.f32(v));
    }
    if light.intensity != 1.0 {
        json.key("intensity").f32(light.intensity);
    }
    if let Some(range) = light.range {
        json.key("range").f32(range);
    }
    match light.kind {
        LightKind::Directional => json.key("type").text("directional"),
        LightKind::Point => json.key("type").text("point"),
        LightKind::Spot { inner, outer } => {
            json.key("type").text("spot");
            json.key("spot").object(|json| {
                json.key("innerConeAngle").f32(inner);
                json.key("outerConeAngle").f32(outer);
            });
        }
    }
    extras(json, &light.extras);
}
