//! Trees of few flat faces: thick limbs and clouds of leaves.

use std::f32::consts::TAU;

use super::Making;
use super::form::{Arrangement, Crown};
use super::skeleton::Limb;
use super::{foliage, wood};
use crate::MeshData;
use crate::hash::{Chance, derive};
use crate::props::build::flat;
use crate::props::model::{Finish, PropLod};
use crate::props::shape::Shape;
use crate::vector::{Vector, add, lerp, scale};

/// Levels of detail, the finest first.
pub(super) fn lods(making: &Making<'_>) -> Vec<PropLod> {
    let budget = budget(making);
    let budgets = [budget, budget * 2 / 5, (budget / 6).max(40)];
    let mut lods = Vec::new();
    for (number, budget) in budgets.into_iter().enumerate() {
        let (bark, wooden) = wood::wood(making, number + 1, budget);
        let left = budget.saturating_sub(wooden);
        let leaves = making.form.leaves.fullness * making.spec.fullness;
        let mesh = match making.form.leaves.arrangement {
            _ if leaves == 0.0 => MeshData::default(),
            // Fronds are flat as they are.
            Arrangement::Rows if making.form.crown == Crown::Even => foliage::foliage(making, left).0,
            Arrangement::Rows => skirts(making, left, 1.05),
            _ => clouds(making, left, number),
        };
        let error = making.skeleton.height * 0.014 * number as f32;
        lods.push(PropLod::new([(Finish::Bark, bark), (Finish::Solid, mesh)], error));
    }
    lods
}

/// The most triangles: a fifth of those of single leaves, but for small trees, which would be too coarse.
fn budget(making: &Making<'_>) -> usize {
    (making.triangles / 5).max(making.triangles.min(600))
}

/// How finely the clouds of the finest level are drawn: parts of an edge of an icosahedron.
fn roundness(making: &Making<'_>) -> usize {
    if budget(making) >= 500 { 2 } else { 1 }
}

/// The limbs that carry a cloud, besides the trunk: of those on the trunk as many as the finest level has room for.
pub(super) fn carriers(making: &Making<'_>) -> Vec<usize> {
    let limbs = &making.skeleton.limbs;
    let main: Vec<usize> = (0..limbs.len()).filter(|number| limbs[*number].level == 1).collect();
    let round = roundness(making);
    let room = budget(making) * 77 / 100 / (20 * round * round);
    let count = room.clamp(2, main.len().clamp(1, 9) + 1) - 1;
    (0..count).map(|number| main[number * main.len() / count]).collect()
}

/// Balls of leaves at the ends of the limbs that the trunk carries.
fn clouds(making: &Making<'_>, budget: usize, lod: usize) -> MeshData {
    let skeleton = &making.skeleton;
    let main: Vec<&Limb> = skeleton.limbs.iter().filter(|limb| limb.level == 1).collect();
    let carried = carriers(making);
    let fullness = libm::sqrtf(making.spec.fullness).clamp(0.4, 1.5);
    let (mut low, mut high) = ([f32::MAX; 3], [f32::MIN; 3]);
    for limb in &main {
        let tip = skeleton.nodes[limb.first + limb.count - 1].at;
        low = std::array::from_fn(|axis| low[axis].min(tip[axis]));
        high = std::array::from_fn(|axis| high[axis].max(tip[axis]));
    }
    let half = scale(crate::vector::sub(high, low), 0.5);
    // The same clouds at each level, of 80, 20 and 8 triangles.
    let round = roundness(making);
    let count = (carried.len() + 1).min((budget / 8).max(1));
    let ball = |number: usize| {
        let ball = match lod {
            0 => Shape::sphere(round as u32),
            1 if count * 20 <= budget => Shape::sphere(1),
            _ => Shape::octahedron(),
        };
        ball.rough(derive(making.seed, 20 + number as u64), 1.6, 0.16)
    };
    let mut chance = Chance::new(derive(making.seed, 11));
    let mut mesh = MeshData::default();
    let reach = half[0].max(half[2]).max(making.skeleton.height * 0.08);
    // The fewer there are the larger they are.
    let usual = reach * (0.44 + 0.8 / libm::sqrtf((carried.len() + 1) as f32)) * fullness;
    let flatness = if making.form.crown == Crown::Umbrella { 0.42 } else { 0.8 };
    // A high crown is a column of clouds, about as high as wide.
    let column = half[1] > 1.5 * reach;
    let stack = ((half[1] / reach * 1.6) as usize + 1).min(count);
    for number in 0..count {
        let node = if number == 0 {
            let trunk = &skeleton.limbs[0];
            let top = skeleton.nodes[trunk.first + trunk.count - 1];
            super::skeleton::Node { at: lerp(top.at, lerp(low, high, 0.5), 0.45), ..top }
        } else {
            let limb = &skeleton.limbs[carried[number - 1]];
            let outer = skeleton.nodes[limb.first + limb.count - 1];
            let inner = skeleton.nodes[limb.first];
            super::skeleton::Node { at: lerp(inner.at, outer.at, 0.72), ..outer }
        };
        if column {
            if number >= stack {
                break;
            }
            let share = (number as f32 + 0.5) / stack as f32;
            let along = lerp(low, high, share);
            let tall = (high[1] - low[1]) / stack as f32 * chance.between(0.85, 1.05);
            let wide = reach * (0.75 + 0.45 * making.form.crown.length(share)) * chance.between(0.9, 1.1) * fullness;
            let shape = ball(number).placed([wide, tall, wide], [node.at[0] * 0.2, along[1], node.at[2] * 0.2]);
            paint(&mut mesh, making, &shape, &mut chance, node.wind);
            continue;
        }
        let radius = usual * chance.between(0.78, 1.08) * if number == 0 { 1.1 } else { 0.92 };
        let size = [radius, radius * flatness * chance.between(0.9, 1.1), radius];
        let shape = ball(number).placed(size, add(node.at, [0.0, radius * 0.1, 0.0]));
        paint(&mut mesh, making, &shape, &mut chance, node.wind);
    }
    mesh
}

/// Skirts of needles, smaller towards the tip; as wide as the crown times `width`.
pub(super) fn skirts(making: &Making<'_>, budget: usize, width: f32) -> MeshData {
    let skeleton = &making.skeleton;
    let height = skeleton.height;
    let sides = if budget >= 150 { 12usize } else { 8 };
    let count = (budget / (sides * 2)).clamp(2, 9);
    let low = making.form.branches[0].place[0] * height * 0.9 + height * 0.03;
    let tips = skeleton.limbs.iter().filter(|limb| limb.level == 1);
    let reach = tips.fold(height * 0.05, |reach, limb| {
        let [x, _, z] = skeleton.nodes[limb.first + limb.count - 1].at;
        reach.max(libm::sqrtf(x * x + z * z))
    });
    let mut chance = Chance::new(derive(making.seed, 12));
    let mut mesh = MeshData::default();
    for number in 0..count {
        let share = number as f32 / count as f32;
        let foot = low + (height - low) * share * 0.9;
        let length = (height - low) / count as f32 * 1.8;
        let tip = if number + 1 == count { height * 1.02 } else { (foot + length).min(height) };
        let radius = reach * making.form.crown.length(share) * width;
        let turn = chance.between(0.0, TAU);
        let edge: Vec<Vector> = (0..sides)
            .map(|side| {
                let (sin, cos) = libm::sincosf(turn - side as f32 * TAU / sides as f32);
                // Every other point is a bough that hangs.
                let (far, hang) = if side % 2 == 0 { (1.0, -0.2) } else { (0.74, 0.04) };
                let far = radius * far * chance.between(0.9, 1.08);
                [cos * far, foot + hang * radius, sin * far]
            })
            .collect();
        let shape = Shape::skirt([0.0, tip, 0.0], &edge, [0.0, foot + 0.3 * (tip - foot), 0.0]);
        paint(&mut mesh, making, &shape, &mut chance, [0.3 * share, 0.5]);
    }
    mesh
}

fn paint(mesh: &mut MeshData, making: &Making<'_>, shape: &Shape, chance: &mut Chance, wind: [f32; 2]) {
    let leaves = &making.form.leaves;
    let height = making.skeleton.height;
    let sway = |at: Vector| [(wind[0] + 0.15 * at[1] / height).min(1.0), wind[1]];
    flat(mesh, shape, sway, |at, normal| {
        let light = (0.42 + 0.45 * normal[1] + 0.2 * at[1] / height).clamp(0.0, 1.0) * 0.85 + chance.between(0.0, 0.15);
        if chance.between(0.0, 1.0) < leaves.accents * 0.7 {
            return scale(leaves.accent, 0.5 + 0.5 * light);
        }
        lerp(leaves.dark, leaves.light, light)
    });
}
