//! Leaves: folded kites along the outer limbs. Fewer of them are larger, so that a tree is as dense from afar as from near.

use std::f32::consts::TAU;

use super::Making;
use super::form::Arrangement;
use super::skeleton::{Limb, distance};
use crate::MeshData;
use crate::hash::{Chance, derive};
use crate::props::build::{self, Vertex, frame, with_room};
use crate::vector::{Vector, add, cross, dot, lerp, mul, scale, sub, unit};

/// The share of triangles that leaves have in the tree to which sizes refer: 3,000 of 5,000, in twos.
const USUAL: f32 = 1500.0;
const UP: Vector = [0.0, 1.0, 0.0];

/// A place for a leaf.
struct Place {
    at: Vector,
    stem: Vector,
    wind: [f32; 2],
    /// 0 where leaves begin, 1 at the tip.
    share: f32,
    /// Odd leaves are on the other side.
    odd: bool,
}

/// Where light comes from, as seen by a leaf.
struct Light {
    middle: Vector,
    /// 1 over the half sides of the crown.
    inverse: Vector,
    low: f32,
}

/// Leaves of at most `budget` triangles; the length of the longest.
pub(super) fn foliage(making: &Making<'_>, budget: usize) -> (MeshData, f32) {
    let leaves = &making.form.leaves;
    let fullness = leaves.fullness * making.spec.fullness;
    let full = (budget / 2) as f32;
    // Up to twice the usual area by more leaves would break the budget: what is less than usual is fewer, what is more is larger.
    let count = (full * fullness.min(1.0)) as usize;
    let carriers = carriers(making);
    let total: f32 = carriers.iter().map(|(_, length)| *length).fold(0.0, |sum, length| sum + length);
    if count == 0 || total <= 0.0 {
        return (MeshData::default(), 0.0);
    }
    let sparse = libm::sqrtf(USUAL / full * fullness.max(1.0));
    // Leaves in rows keep their length: what is missing is made up by their width.
    let (longer, wider) = match leaves.arrangement {
        Arrangement::Spray => (libm::powf(sparse, 0.9), 1.0),
        Arrangement::Tuft => (libm::sqrtf(sparse), sparse),
        Arrangement::Rows | Arrangement::Hanging => (libm::powf(sparse, 0.3), libm::powf(sparse, 1.4)),
    };
    let longer = longer.clamp(0.3, 5.0);
    // Few leaves of a small tree are not larger than a part of it.
    let light = Light::new(making, &carriers);
    let narrow = 1.3 / light.inverse[0].max(light.inverse[2]);
    let most = narrow.min(0.3 * making.skeleton.height) / (leaves.size[1] * making.growth);
    let longer = longer.min(most.max(1.0));
    let longer_than_usual = longer.max(1.0);
    let longer = longer * making.growth;
    let widest = if leaves.arrangement == Arrangement::Spray { 1.1 } else { 0.5f32.max(leaves.width) };
    let width = (leaves.width * wider).min(widest);
    let mut chance = Chance::new(derive(making.seed, 5));
    let mut mesh = with_room(count * 4, count * 2);
    let step = total / count as f32;
    let (mut carrier, mut passed) = (0, 0.0);
    for number in 0..count {
        let goal = (number as f32 + 0.5) * step;
        while carrier + 1 < carriers.len() && goal > passed + carriers[carrier].1 {
            passed += carriers[carrier].1;
            carrier += 1;
        }
        let (limb, length) = carriers[carrier];
        let share = ((goal - passed) / length).clamp(0.0, 1.0);
        let mut place = place(making, &limb, leaves.place, share, number % 2 == 1);
        if leaves.arrangement == Arrangement::Tuft {
            place.share = share;
        }
        let size = chance.between(leaves.size[0], leaves.size[1]) * longer;
        // What is larger than usual is not to stick out further.
        place.at = sub(place.at, scale(light.outward(place.at).0, size * 0.8 * (1.0 - 1.0 / longer_than_usual)));
        leaf(&mut mesh, making, &light, &place, [size, size * width], &mut chance);
    }
    (mesh, leaves.size[1] * longer)
}

/// The limbs with leaves, and how much of each has them.
fn carriers(making: &Making<'_>) -> Vec<(Limb, f32)> {
    let skeleton = &making.skeleton;
    let level = (making.form.leaves.level as usize).min(making.form.branches.len());
    let limbs = skeleton.limbs.iter().filter(|limb| limb.level >= level);
    let long = |limb: &Limb| {
        let nodes = skeleton.nodes_of(limb);
        let length = nodes.windows(2).map(|pair| distance(pair[0].at, pair[1].at)).fold(0.0, |sum, part| sum + part);
        // Twigs have leaves closer than the limbs they grow on.
        let density = if limb.level == making.form.branches.len() { 1.0 } else { 0.6 };
        (*limb, length * density)
    };
    limbs.map(long).collect()
}

fn place(making: &Making<'_>, limb: &Limb, begin: f32, share: f32, odd: bool) -> Place {
    let nodes = making.skeleton.nodes_of(limb);
    let along = (begin + (1.0 - begin) * share) * (nodes.len() - 1) as f32;
    let part = (along as usize).min(nodes.len() - 2);
    let (from, to) = (&nodes[part], &nodes[part + 1]);
    let rest = along - part as f32;
    let stem = unit(sub(to.at, from.at)).unwrap_or(UP);
    let wind = [0, 1].map(|number| from.wind[number] + (to.wind[number] - from.wind[number]) * rest);
    Place { at: lerp(from.at, to.at, rest), stem, wind, share, odd }
}

impl Light {
    fn new(making: &Making<'_>, carriers: &[(Limb, f32)]) -> Self {
        let tips = carriers.iter().map(|(limb, _)| making.skeleton.nodes[limb.first + limb.count - 1].at);
        let (mut low, mut high) = ([f32::MAX; 3], [f32::MIN; 3]);
        for tip in tips {
            low = std::array::from_fn(|axis| low[axis].min(tip[axis]));
            high = std::array::from_fn(|axis| high[axis].max(tip[axis]));
        }
        let half = scale(sub(high, low), 0.5);
        let least = making.skeleton.height * 0.02;
        // The middle is low: light comes from above.
        let middle = sub(lerp(low, high, 0.5), [0.0, half[1] * 0.25, 0.0]);
        Self { middle, inverse: half.map(|side| 1.0 / side.max(least)), low: low[1] }
    }

    /// Out of the crown, and how far out: 0 in the middle to about 1 at the rim.
    fn outward(&self, at: Vector) -> (Vector, f32) {
        let from = mul(sub(at, self.middle), self.inverse);
        let depth = dot(from, from).sqrt();
        (unit(mul(from, self.inverse)).unwrap_or(UP), depth)
    }

    /// 0 in the shade to 1 in the light.
    fn share(&self, at: Vector, depth: f32) -> f32 {
        let height = (at[1] - self.low) * self.inverse[1] * 0.5;
        let open = (depth * depth * 0.9).clamp(0.0, 1.0);
        (0.12 + 0.5 * open + 0.42 * height.clamp(0.0, 1.0)).clamp(0.0, 1.0)
    }
}

/// The direction from a leaf's foot to its tip, and where its front looks.
fn stance(
    arrangement: Arrangement,
    place: &Place,
    outward: Vector,
    droop: f32,
    chance: &mut Chance,
) -> (Vector, Vector) {
    let mut any = || [chance.between(-1.0, 1.0), chance.between(-1.0, 1.0), chance.between(-1.0, 1.0)];
    let sum =
        |parts: &[(Vector, f32)]| parts.iter().fold([0.0; 3], |sum, (part, factor)| add(sum, scale(*part, *factor)));
    let down = scale(UP, -droop);
    let (tip, front) = match arrangement {
        Arrangement::Spray => {
            let tip = sum(&[(place.stem, 0.35), (outward, 0.45), (any(), 0.9), (down, 1.0)]);
            (tip, sum(&[(outward, 0.8), (UP, 0.5), (any(), 0.7)]))
        }
        Arrangement::Rows => {
            let side = unit(cross(place.stem, UP)).unwrap_or_else(|| frame(place.stem).0);
            let side = scale(side, if place.odd { 1.0 } else { -1.0 });
            // Those at the tip look ahead.
            let ahead = 0.45 + 1.3 * place.share * place.share;
            (sum(&[(place.stem, ahead), (side, 1.0), (any(), 0.12), (down, 1.0)]), sum(&[(UP, 1.0), (any(), 0.2)]))
        }
        Arrangement::Tuft => {
            let tip = sum(&[(place.stem, 0.5), (any(), 1.1), (UP, 0.25), (down, 1.0)]);
            (tip, sum(&[(outward, 0.5), (UP, 0.6), (any(), 0.4)]))
        }
        Arrangement::Hanging => {
            let (across, along) = frame(place.stem);
            let (sin, cos) = libm::sincosf(any()[0] * TAU * 0.5);
            let side = add(scale(across, cos), scale(along, sin));
            (sum(&[(UP, -0.75), (side, 0.45), (place.stem, 0.4)]), sum(&[(outward, 1.0), (side, 0.4), (any(), 0.3)]))
        }
    };
    let tip = unit(tip).unwrap_or(place.stem);
    // The front is square to the length.
    let front = sub(front, scale(tip, dot(front, tip)));
    let front = unit(front).unwrap_or_else(|| frame(tip).0);
    let front = if dot(front, outward) < 0.0 { scale(front, -1.0) } else { front };
    (tip, front)
}

fn leaf(
    mesh: &mut MeshData,
    making: &Making<'_>,
    light: &Light,
    place: &Place,
    [length, width]: [f32; 2],
    chance: &mut Chance,
) {
    let leaves = &making.form.leaves;
    let (outward, depth) = light.outward(place.at);
    let (tip, front) = stance(leaves.arrangement, place, outward, leaves.droop, chance);
    let side = cross(tip, front);
    // Sides of a leaf are folded up along its midrib.
    let fold = scale(front, width * 0.16);
    let middle = add(place.at, scale(tip, length * 0.45));
    let half = scale(side, width * 0.5);
    let end = sub(add(place.at, scale(tip, length)), [0.0, leaves.droop * length * 0.12, 0.0]);
    let corners = [place.at, add(add(middle, half), fold), end, add(sub(middle, half), fold)];

    let mut tone = light.share(middle, depth) + chance.between(-0.16, 0.16);
    let mut color = lerp(leaves.dark, leaves.light, tone.clamp(0.0, 1.0));
    if chance.between(0.0, 1.0) < leaves.accents {
        tone = tone.clamp(0.25, 1.0);
        color = scale(leaves.accent, 0.55 + 0.45 * tone);
    }
    // All leaves of a crown together are shaded as the crown is.
    let soft = unit(add(scale(front, 0.62), scale(outward, 0.8))).unwrap_or(front);
    let wind = [place.wind[0], place.wind[0] + 0.1, place.wind[0] + 0.16, place.wind[0] + 0.1];
    let shades = [0.72, 0.95, 1.08, 0.95];
    let uvs = [[0.5, 1.0], [1.0, 0.55], [0.5, 0.0], [0.0, 0.55]];
    let corners = std::array::from_fn(|corner| Vertex {
        at: corners[corner],
        normal: soft,
        color: scale(color, shades[corner]),
        uv: uvs[corner],
        wind: [wind[corner], place.wind[1]],
    });
    build::leaf(mesh, &corners);
}
