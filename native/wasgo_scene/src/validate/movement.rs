//! Checks of animations.

use std::collections::BTreeSet;

use super::buffer::not_finite;
use super::{Limits, NORMAL_TOLERANCE, at_most, extras, floats, label, within};
use crate::{Channel, Interpolation, Path, Scene, SceneError, Transform};

pub(super) fn check(scene: &Scene<'_>, limits: &Limits) -> Result<(), SceneError> {
    let (mut channels, mut keys) = (0usize, 0usize);
    for (index, animation) in scene.animations.iter().enumerate() {
        let whose = || format!("animation {}", label(index, &animation.name));
        channels = at_most("channels", channels.saturating_add(animation.channels.len()), limits.channels)?;
        if animation.channels.is_empty() {
            return Err(SceneError::Misfit { whose: whose(), fault: "it has no channels" });
        }
        let mut targets = BTreeSet::new();
        for (number, channel) in animation.channels.iter().enumerate() {
            let whose = || format!("animation {}, channel {number}", label(index, &animation.name));
            keys = at_most("keys", keys.saturating_add(channel.times.len() / 4), limits.keys)?;
            within("node", channel.node, scene.nodes.len(), whose)?;
            let misfit = |fault| Err(SceneError::Misfit { whose: whose(), fault });
            if !targets.insert((channel.node, channel.path)) {
                return misfit("an earlier channel moves the same of the node");
            }
            if let Some(fault) = fault(channel, scene) {
                return misfit(fault);
            }
        }
        extras::check(&animation.extras, limits, whose)?;
    }
    Ok(())
}

fn fault(channel: &Channel<'_>, scene: &Scene<'_>) -> Option<&'static str> {
    let node = &scene.nodes[channel.node];
    let moved = channel.path != Path::Weights;
    if moved && matches!(node.transform, Transform::Rows(_)) {
        return Some("it moves a node whose transform is a matrix");
    }
    let morphs = || {
        let mesh = scene.meshes.get(node.mesh?)?;
        Some(mesh.surfaces.iter().find(|surface| !surface.is_empty())?.morphs.len())
    };
    let numbers = match channel.path {
        Path::Translation | Path::Scale => 3,
        Path::Rotation => 4,
        Path::Weights => morphs().unwrap_or(0),
    };
    let values = numbers * if channel.interpolation == Interpolation::Cubic { 3 } else { 1 };
    let keys = channel.times.len() / 4;
    if numbers == 0 {
        return Some("it blends morphs, and the node's mesh has none");
    }
    if !channel.times.len().is_multiple_of(4) || keys == 0 {
        return Some("its times are not one f32 or more");
    }
    if keys < 2 && channel.interpolation == Interpolation::Cubic {
        return Some("a cubic spline needs two keys");
    }
    if channel.values.len() != keys.saturating_mul(values).saturating_mul(4) {
        return Some("it has not as many values as its times ask for");
    }
    if not_finite(&channel.times).is_some() || not_finite(&channel.values).is_some() {
        return Some("a time or a value is not finite");
    }
    let times = || floats(&channel.times);
    if times().next().is_some_and(|time| time < 0.0) || times().zip(times().skip(1)).any(|(one, next)| one >= next) {
        return Some("its times are not 0 or more, each above the one before");
    }
    let unit = |q: &[u8; 16]| {
        let square: f32 = floats(q).map(|value| value * value).sum();
        (square.sqrt() - 1.0).abs() <= NORMAL_TOLERANCE
    };
    if channel.path == Path::Rotation
        && channel.interpolation != Interpolation::Cubic
        && !channel.values.as_chunks::<16>().0.iter().all(unit)
    {
        return Some("a rotation is not a unit quaternion");
    }
    None
}
