//! One scene as several.

use std::collections::BTreeMap;

use super::bounds::of_roots;
use super::compact::dropped;
use crate::transform::rows_from_bytes;
use crate::{Instances, Limits, Scene, SceneError, validate};

/// Into what a scene is split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SplitBy {
    /// A scene for each root, and one for each set of instances that is below none. Roots that a skin or an animation
    /// binds together stay together.
    Root,
    /// A scene for each material, and one for surfaces without any.
    Material,
    /// A scene for each square of the ground of this side in metres: roots by the middle of what they show, instances
    /// that are below none each by its place.
    Grid(f32),
}

/// The scene in parts, each without what it does not show. Together they show what the scene shows. Names are those of the
/// scene; those of squares get `_x_z` behind, in sides.
///
/// # Errors
///
/// What [`validate`] finds; [`SceneError::BadValue`] for squares that are not above 0; [`SceneError::TooMany`] for more than
/// 65,536 parts.
pub fn split<'s>(scene: &'s Scene<'_>, by: SplitBy) -> Result<Vec<Scene<'s>>, SceneError> {
    validate(scene, &Limits::NONE)?;
    match by {
        SplitBy::Root => by_root(scene),
        SplitBy::Material => by_material(scene),
        SplitBy::Grid(side) => by_grid(scene, side),
    }
}

/// Parts that a scene may come to: each copies the lists of the whole before it drops what is not its own.
const PARTS: usize = 65_536;

fn parts(count: usize) -> Result<(), SceneError> {
    if count > PARTS {
        return Err(SceneError::TooMany { what: "parts of a scene", count, limit: PARTS });
    }
    Ok(())
}

/// The part of a scene with these roots and sets of instances below none.
fn part<'s>(scene: &'s Scene<'_>, roots: Vec<usize>, free: Vec<Instances<'s>>) -> Scene<'s> {
    let bound = scene.instances.iter().filter(|set| set.parent.is_some()).map(Instances::borrow);
    dropped(Scene { roots, instances: bound.chain(free).collect(), ..scene.borrow() })
}

fn free<'s, 'a>(scene: &'s Scene<'a>) -> impl Iterator<Item = &'s Instances<'a>> {
    scene.instances.iter().filter(|set| set.parent.is_none())
}

fn by_root<'s>(scene: &'s Scene<'_>) -> Result<Vec<Scene<'s>>, SceneError> {
    let groups = groups(scene);
    parts(groups.len() + free(scene).count())?;
    let rooted = groups.into_iter().map(|roots| part(scene, roots, Vec::new()));
    Ok(rooted.chain(free(scene).map(|set| part(scene, Vec::new(), vec![set.borrow()]))).collect())
}

fn by_material<'s>(scene: &'s Scene<'_>) -> Result<Vec<Scene<'s>>, SceneError> {
    parts(scene.materials.len() + 1)?;
    let choices = (0..scene.materials.len()).map(Some).chain([None]);
    let one = |material: Option<usize>| {
        let mut part = scene.borrow();
        for mesh in &mut part.meshes {
            mesh.surfaces.retain(|surface| surface.material == material && !surface.is_empty());
        }
        dropped(part)
    };
    Ok(choices.map(one).filter(|part| !part.meshes.is_empty()).collect())
}

fn by_grid<'s>(scene: &'s Scene<'_>, side: f32) -> Result<Vec<Scene<'s>>, SceneError> {
    if !(side > 0.0 && side.is_finite()) {
        let whose = "the grid".into();
        return Err(SceneError::BadValue { whose, field: "side", value: side, allowed: "above 0" });
    }
    let square = |x: f32, z: f32| ((x / side).floor() as i64, (z / side).floor() as i64);
    let bounds = of_roots(scene);
    let places: BTreeMap<usize, (i64, i64)> = scene
        .roots
        .iter()
        .zip(&bounds)
        .map(|(root, bounds)| {
            let [x, _, z] = bounds.map_or([0.0; 3], |bounds| bounds.center());
            (*root, square(x, z))
        })
        .collect();
    let mut squares: BTreeMap<(i64, i64), (Vec<usize>, Vec<Instances<'s>>)> = BTreeMap::new();
    for group in groups(scene) {
        let place = group.first().and_then(|root| places.get(root)).copied().unwrap_or_default();
        squares.entry(place).or_default().0.extend(group);
    }
    for set in free(scene) {
        let mut apart: BTreeMap<(i64, i64), Vec<u8>> = BTreeMap::new();
        for bytes in set.transforms.as_chunks::<48>().0 {
            let rows = rows_from_bytes(bytes);
            apart.entry(square(rows[3], rows[11])).or_default().extend(bytes);
        }
        for (place, transforms) in apart {
            let set = Instances { transforms: transforms.into(), name: set.name.clone(), ..*set };
            squares.entry(place).or_default().1.push(set);
        }
    }
    parts(squares.len())?;
    let named = squares.into_iter().map(|((x, z), (roots, free))| {
        let part = part(scene, roots, free);
        Scene { name: format!("{}_{x}_{z}", part.name), ..part }
    });
    Ok(named.collect())
}

/// The roots, with those together that a skin or an animation binds, in their order.
fn groups(scene: &Scene<'_>) -> Vec<Vec<usize>> {
    let mut tops = vec![usize::MAX; scene.nodes.len()];
    for (number, root) in scene.roots.iter().enumerate() {
        let mut open = vec![*root];
        while let Some(index) = open.pop() {
            tops[index] = number;
            open.extend(&scene.nodes[index].children);
        }
    }
    let mut leaders: Vec<usize> = (0..scene.roots.len()).collect();
    let mut bind = |nodes: &mut dyn Iterator<Item = usize>| {
        let mut numbers = nodes.map(|node| tops[node]).filter(|number| *number != usize::MAX);
        let Some(first) = numbers.next() else { return };
        for other in numbers {
            let (one, other) = (leader(&leaders, first), leader(&leaders, other));
            leaders[one.max(other)] = one.min(other);
        }
    };
    for (index, node) in scene.nodes.iter().enumerate() {
        if let Some(skin) = node.skin {
            bind(&mut scene.skins[skin].joints.iter().copied().chain([index]));
        }
    }
    for animation in &scene.animations {
        bind(&mut animation.channels.iter().map(|channel| channel.node));
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, root) in scene.roots.iter().enumerate() {
        groups.entry(leader(&leaders, number)).or_default().push(*root);
    }
    groups.into_values().collect()
}

fn leader(leaders: &[usize], mut number: usize) -> usize {
    while leaders[number] != number {
        number = leaders[number];
    }
    number
}
