//! Bark around the limbs of a skeleton: tapered tubes that begin inside the limb that they grow from.

use std::f32::consts::TAU;

use super::form::Arrangement;
use super::skeleton::{Limb, Node, distance, shade};
use super::{Making, Style, puffs};
use crate::MeshData;
use crate::hash::{derive, hash2, unit as share_of};
use crate::props::build::{Vertex, frame, vertex, with_room};
use crate::vector::{Vector, add, cross, dot, lerp, scale, sub, unit};

/// The most sides of a tube.
const MAX_SIDES: usize = 24;
/// How much a trunk is below the ground, in its radii: slopes do not uncover its end.
const DEPTH: f32 = 2.2;

/// How finely wood is drawn: sides of the limbs of each level (0 is not at all), and every how many nodes there is a ring.
#[derive(Clone, Copy)]
struct Fineness {
    sides: [usize; 4],
    stride: [usize; 4],
}

/// A ring of a tube.
#[derive(Clone, Copy)]
struct Ring {
    at: Vector,
    radius: f32,
    wind: [f32; 2],
    /// How much of the roots is seen here.
    flare: f32,
}

/// The wood at a level of detail (0 the finest) with about the share of the triangles that it should have, and how many these are.
pub(super) fn wood(making: &Making<'_>, lod: usize, budget: usize) -> (MeshData, usize) {
    // What is seen from afar is the crown.
    let most = if bare(making) { budget } else { budget * [26, 22, 15][lod.min(2)] / 100 };
    let drawn = drawn(making);
    let fineness = fineness(making, &drawn, lod, most);
    let triangles = triangles(making, &drawn, &fineness);
    let mut mesh = with_room(triangles * 3 / 4 + 64, triangles);
    let mut rings = Vec::new();
    let circles = fineness.sides.map(circle);
    for (number, limb) in making.skeleton.limbs.iter().enumerate() {
        let sides = fineness.sides[limb.level];
        if sides == 0 || !drawn[number] {
            continue;
        }
        rings.clear();
        let nodes = making.skeleton.nodes_of(limb);
        collect(&mut rings, nodes, fineness.stride[limb.level], limb.level == 0, sides);
        tube(&mut mesh, &rings, &circles[limb.level], &Coat::new(making, limb, number));
    }
    (mesh, triangles)
}

fn bare(making: &Making<'_>) -> bool {
    making.form.leaves.fullness * making.spec.fullness == 0.0
}

/// Which limbs are drawn at all: those that would stick out of clouds are not.
fn drawn(making: &Making<'_>) -> Vec<bool> {
    let limbs = &making.skeleton.limbs;
    if making.spec.style == Style::Leafy || bare(making) {
        return vec![true; limbs.len()];
    }
    let rows = making.form.leaves.arrangement == Arrangement::Rows;
    let mut drawn: Vec<bool> = limbs.iter().map(|limb| limb.level == 0 || rows && limb.level == 1).collect();
    if !rows {
        puffs::carriers(making).into_iter().for_each(|number| drawn[number] = true);
    }
    drawn
}

/// The finest that fits: thin limbs lose their nodes, then their sides, then go.
fn fineness(making: &Making<'_>, drawn: &[bool], lod: usize, most: usize) -> Fineness {
    let grown = libm::sqrtf(making.triangles as f32 / 5000.0).clamp(0.8, 2.0);
    let sides = |usual: usize| ((usual as f32 * grown) as usize).min(MAX_SIDES);
    let mut fineness = match lod {
        0 => Fineness { sides: [sides(12), sides(7), sides(5).min(6), 3], stride: [1; 4] },
        1 => Fineness { sides: [7, 5, 3, 3], stride: [1, 1, 2, 16] },
        _ => Fineness { sides: [5, 3, 3, 0], stride: [2, 3, 16, 16] },
    };
    while triangles(making, drawn, &fineness) > most {
        if !coarsen(&mut fineness) {
            break;
        }
    }
    fineness
}

fn coarsen(fineness: &mut Fineness) -> bool {
    // From the thinnest limbs to the trunk; each loses what is seen least first.
    for level in (1..4).rev() {
        let (sides, stride) = (&mut fineness.sides[level], &mut fineness.stride[level]);
        if *sides == 0 {
            continue;
        }
        if *sides > 3 {
            *sides -= 1;
        } else if *stride < 16 {
            *stride *= 2;
        } else {
            *sides = 0;
        }
        return true;
    }
    if fineness.sides[0] > 3 {
        fineness.sides[0] -= 1;
        true
    } else if fineness.stride[0] < 32 {
        fineness.stride[0] *= 2;
        true
    } else {
        false
    }
}

/// How many rings a limb has, without its tip.
fn rings(count: usize, stride: usize, trunk: bool, sides: usize) -> usize {
    (count - 1).div_ceil(stride) + if trunk { roots(sides) } else { 0 }
}

/// Rings that a trunk has besides its nodes: one below the ground, and some to show the roots.
fn roots(sides: usize) -> usize {
    if sides > 7 { 4 } else { 2 }
}

fn triangles(making: &Making<'_>, drawn: &[bool], fineness: &Fineness) -> usize {
    let of = |limb: &Limb| {
        let sides = fineness.sides[limb.level];
        let rings = rings(limb.count, fineness.stride[limb.level], limb.level == 0, sides);
        // Two a side between rings, one a side at the tip.
        if sides == 0 { 0 } else { sides * (2 * (rings - 1) + 1) }
    };
    making.skeleton.limbs.iter().zip(drawn).filter(|(_, drawn)| **drawn).map(|(limb, _)| of(limb)).sum()
}

/// The rings of a limb and, last, its tip.
fn collect(rings: &mut Vec<Ring>, nodes: &[Node], stride: usize, trunk: bool, sides: usize) {
    let ring = |node: &Node, flare| Ring { at: node.at, radius: node.radius, wind: node.wind, flare };
    if trunk {
        let (foot, next) = (nodes[0], nodes[stride.min(nodes.len() - 1)]);
        let direction = unit(sub(next.at, foot.at)).unwrap_or([0.0, 1.0, 0.0]);
        let reach = distance(foot.at, next.at);
        let heights: &[f32] = if roots(sides) == 4 { &[-DEPTH, 0.0, 0.5, 1.3, 3.0] } else { &[-DEPTH, 0.0, 1.6] };
        for height in heights {
            // All of them are below the next node.
            let along = if *height > 0.0 { height * foot.radius.min(0.27 * reach) } else { height * foot.radius };
            let share = (along / reach.max(1e-9)).clamp(0.0, 1.0);
            let flare = flare((along / foot.radius).max(-0.6));
            let wind = [0, 1].map(|n| foot.wind[n] + (next.wind[n] - foot.wind[n]) * share * share);
            let radius = foot.radius + (next.radius - foot.radius) * share;
            rings.push(Ring { at: add(foot.at, scale(direction, along)), radius, wind, flare });
        }
    } else {
        rings.push(ring(&nodes[0], 0.0));
    }
    for place in (stride..nodes.len() - 1).step_by(stride) {
        let height = distance(nodes[place].at, nodes[0].at) / nodes[0].radius;
        rings.push(ring(&nodes[place], if trunk { flare(height) } else { 0.0 }));
    }
    rings.push(ring(&nodes[nodes.len() - 1], 0.0));
}

/// How much of the roots is seen at a height in radii of the foot: 1 at the ground.
fn flare(height: f32) -> f32 {
    libm::expf(-height / 0.8)
}

/// How the bark of a limb looks.
struct Coat {
    dark: Vector,
    light: Vector,
    marks: f32,
    flare: f32,
    lobes: (f32, f32),
    seed: u64,
    ground: f32,
}

impl Coat {
    fn new(making: &Making<'_>, limb: &Limb, number: usize) -> Self {
        let bark = &making.form.bark;
        let age = match limb.level {
            0 => 0.0,
            1 => 0.4,
            _ => 0.9,
        };
        let seed = derive(making.seed, 77);
        let tone = 0.86 + 0.28 * shade(seed, number);
        Self {
            dark: scale(lerp(bark.dark, bark.young, age * 0.6), tone),
            light: scale(lerp(bark.light, bark.young, age), tone),
            marks: if limb.level < 2 { bark.marks } else { 0.0 },
            flare: if limb.level == 0 { making.form.trunk.flare } else { 0.0 },
            lobes: (4.0 + (seed % 3) as f32, share_of(seed) * TAU),
            seed: derive(seed, number as u64),
            ground: making.skeleton.height * 0.08,
        }
    }

    /// The roots: how much wider a ring is in one direction.
    fn widening(&self, ring: &Ring, angle: f32) -> f32 {
        if ring.flare == 0.0 {
            return 1.0;
        }
        let lobe = 0.5 + 0.5 * libm::cosf(angle * self.lobes.0 + self.lobes.1);
        1.0 + self.flare * ring.flare * (0.15 + 0.85 * lobe * lobe)
    }

    fn color(&self, ring: &Ring, number: usize, side: usize) -> Vector {
        let rough = share_of(hash2(self.seed, number as i64, side as i64));
        let streak = share_of(hash2(self.seed, -1, side as i64));
        let low = (1.0 - ring.at[1] / self.ground).clamp(0.0, 1.0);
        let share = (0.35 * rough + 0.65 * streak) * (1.0 - 0.75 * low);
        let color = lerp(self.dark, self.light, 0.25 + 0.75 * share);
        if self.marks > 0.0 && (rough < 0.22 || low > 0.8) {
            return lerp(color, scale(self.dark, 0.5), self.marks);
        }
        if self.marks > 0.0 { lerp(color, self.light, 0.7 * self.marks) } else { color }
    }
}

/// Sine and cosine of each side's angle.
fn circle(sides: usize) -> Vec<(f32, f32)> {
    (0..sides).map(|side| libm::sincosf(side as f32 * TAU / sides as f32)).collect()
}

/// A tube through rings, open at its foot, to a tip at the last.
fn tube(mesh: &mut MeshData, rings: &[Ring], circle: &[(f32, f32)], coat: &Coat) {
    let sides = circle.len();
    let start = unit(sub(rings[1].at, rings[0].at)).unwrap_or([0.0, 1.0, 0.0]);
    let (mut across, _) = frame(start);
    let mut direction = start;
    let mut v = 0.0;
    let around = TAU * rings[0].radius.max(1e-6);
    let columns = sides as u32 + 1;
    let tip = rings.len() - 1;
    for (number, ring) in rings.iter().enumerate() {
        let (before, after) = (&rings[number.saturating_sub(1)], &rings[(number + 1).min(tip)]);
        direction = unit(sub(after.at, before.at)).unwrap_or(direction);
        // The frame is carried along without twist.
        across = unit(sub(across, scale(direction, dot(across, direction)))).unwrap_or_else(|| frame(direction).0);
        let along = cross(direction, across);
        v += if number > 0 { distance(before.at, ring.at) / around } else { 0.0 };
        // How much wider it gets for each metre: fronts lean that way.
        let run = distance(before.at, after.at).max(1e-9);
        let first = (mesh.positions.len()) as u32;
        for column in 0..=sides {
            let side = column % sides;
            let (sin, cos) = circle[side];
            let out = add(scale(across, cos), scale(along, sin));
            let angle = side as f32 * TAU / sides as f32;
            let radius = |ring: &Ring| ring.radius * coat.widening(ring, angle);
            let lean = (radius(after) - radius(before)) / run;
            let normal = unit(sub(out, scale(direction, lean.clamp(-2.0, 2.0)))).unwrap_or(out);
            let reach = if number == tip { 0.0 } else { radius(ring) };
            vertex(
                mesh,
                Vertex {
                    at: add(ring.at, scale(out, reach)),
                    normal,
                    color: coat.color(ring, number, side),
                    uv: [column as f32 / sides as f32, -v],
                    wind: ring.wind,
                },
            );
        }
        if number == 0 {
            continue;
        }
        for side in 0..sides as u32 {
            let (a, b) = (first - columns + side, first - columns + side + 1);
            mesh.indices.extend([a, b, a + columns]);
            if number < tip {
                mesh.indices.extend([b, b + columns, a + columns]);
            }
        }
    }
}
