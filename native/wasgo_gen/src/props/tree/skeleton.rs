//! The limbs of a tree as lines with radii: grown level by level, then thickened from the tips down.

use std::f32::consts::TAU;

use super::TreeSpec;
use super::form::{Branches, Crown, TreeForm};
use crate::hash::{Chance, unit as share_of};
use crate::props::build::frame;
use crate::vector::{Vector, add, cross, lerp, scale, sub, unit};

/// From leaf to leaf around a stem: TAU times the square of the golden ratio's inverse.
const GOLDEN_ANGLE: f32 = 2.399_963_2;
const UP: Vector = [0.0, 1.0, 0.0];

/// A point of a limb.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) at: Vector,
    pub(super) radius: f32,
    /// How far wind moves it, and its phase.
    pub(super) wind: [f32; 2],
}

/// A limb: nodes in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limb {
    /// 0 for the trunk.
    pub(super) level: usize,
    /// The node of its parent below which it begins.
    pub(super) joint: usize,
    pub(super) first: usize,
    pub(super) count: usize,
}

/// A tree without wood and leaves.
pub(super) struct Skeleton {
    pub(super) nodes: Vec<Node>,
    /// The trunk first, parents before children.
    pub(super) limbs: Vec<Limb>,
    pub(super) height: f32,
}

/// Where a limb begins and where to.
struct Sprout {
    level: usize,
    joint: usize,
    at: Vector,
    direction: Vector,
    length: f32,
}

impl Skeleton {
    /// A tree whose highest limb ends at `height`.
    pub(super) fn grow(form: &TreeForm, spec: &TreeSpec, height: f32, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut tree = Self { nodes: Vec::with_capacity(2048), limbs: Vec::with_capacity(512), height };
        tree.grow_trunk(form, spec, &mut chance);
        let (mut first, mut last) = (0, 1);
        for (number, branches) in form.branches.iter().enumerate() {
            for parent in first..last {
                tree.grow_branches(form, spec, branches, number + 1, parent, &mut chance);
            }
            (first, last) = (last, tree.limbs.len());
        }
        let top = tree.nodes.iter().map(|node| node.at[1]).fold(0.0, f32::max);
        let factor = if top > 1e-6 { height / top } else { 1.0 };
        for node in &mut tree.nodes {
            node.at = scale(node.at, factor);
        }
        tree.thicken(form);
        tree
    }

    pub(super) fn nodes_of(&self, limb: &Limb) -> &[Node] {
        &self.nodes[limb.first..limb.first + limb.count]
    }

    /// Where the trunk is half way up: the end of what one bumps into.
    pub(super) fn trunk_top(&self) -> Vector {
        let trunk = self.nodes_of(&self.limbs[0]);
        trunk[trunk.len() / 2].at
    }

    fn grow_trunk(&mut self, form: &TreeForm, spec: &TreeSpec, chance: &mut Chance) {
        let trunk = &form.trunk;
        let lean = chance.between(0.2, 1.0) * trunk.lean * spec.gnarl;
        let (sin, cos) = libm::sincosf(chance.between(0.0, TAU));
        let direction = unit([cos * lean, 1.0, sin * lean]).unwrap_or(UP);
        let sprout = Sprout { level: 0, joint: 0, at: [0.0; 3], direction, length: self.height };
        // The trunk finds back to the vertical.
        self.grow_limb(&sprout, trunk.segments, (0.9 * trunk.lean, trunk.gnarl * spec.gnarl), chance);
    }

    fn grow_branches(
        &mut self,
        form: &TreeForm,
        spec: &TreeSpec,
        branches: &Branches,
        level: usize,
        parent: usize,
        chance: &mut Chance,
    ) {
        let limb = self.limbs[parent];
        let whorl = branches.whorl.min(branches.count);
        let places = branches.count.div_ceil(whorl);
        let mut turn = chance.between(0.0, TAU);
        let [low, high] = branches.place;
        let parent_length = self.length(&limb);
        for number in 0..branches.count {
            let place = number / whorl;
            // 0 at the lowest place, 1 at the highest.
            let share = (place as f32 + chance.between(0.1, 0.9)) / places as f32;
            let along = low + (high - low) * share;
            let (joint, at, stem) = self.point(&limb, along);
            turn += if whorl == 1 { GOLDEN_ANGLE } else { TAU / whorl as f32 };
            if whorl > 1 && number % whorl == 0 {
                turn += GOLDEN_ANGLE;
            }
            let azimuth = turn + chance.between(-0.3, 0.3);
            let out = outwards(stem, azimuth, branches.planar, number);
            let angle = branches.angle[0] + (branches.angle[1] - branches.angle[0]) * share;
            let (sin, cos) = libm::sincosf(angle + chance.between(-0.12, 0.12));
            let direction = unit(add(scale(stem, cos), scale(out, sin))).unwrap_or(out);
            let usual = match (level, form.crown) {
                // All end at the same height.
                (1, Crown::Umbrella) => (self.height - at[1]) / direction[1].max(0.6) * branches.length,
                (1, crown) => self.height * branches.length * crown.length(share),
                _ => parent_length * branches.length * (1.0 - 0.55 * share),
            };
            let length = usual * spec.spread * chance.between(0.84, 1.14);
            let sprout = Sprout { level, joint, at, direction, length };
            self.grow_limb(&sprout, branches.segments, (branches.bend, branches.gnarl * spec.gnarl), chance);
        }
    }

    fn grow_limb(&mut self, sprout: &Sprout, segments: u32, (bend, gnarl): (f32, f32), chance: &mut Chance) {
        let first = self.nodes.len();
        let step = sprout.length / segments as f32;
        let (mut at, mut direction) = (sprout.at, sprout.direction);
        let start = if sprout.level == 0 { [0.0, 0.5] } else { self.nodes[sprout.joint].wind };
        let phase = if sprout.level == 1 { chance.between(0.0, 1.0) } else { start[1] + chance.between(-0.08, 0.08) };
        // Of what is left to the full swing, a limb adds a part.
        let flex = [0.3, 0.45, 0.45, 0.4][sprout.level.min(3)] * (1.0 - start[0]);
        self.nodes.push(Node { at, radius: 0.0, wind: start });
        for segment in 1..=segments {
            let wander = [chance.between(-1.0, 1.0), chance.between(-1.0, 1.0), chance.between(-1.0, 1.0)];
            // Trunks stand firm at their foot.
            let free = if sprout.level == 0 { (segment as f32 * 3.0 / segments as f32).min(1.0) } else { 1.0 };
            let pull = add(scale(UP, bend / segments as f32), scale(wander, gnarl * free));
            direction = unit(add(direction, pull)).unwrap_or(direction);
            at = add(at, scale(direction, step));
            // Branches do not dig.
            at[1] = at[1].max(0.02 * self.height);
            let share = segment as f32 / segments as f32;
            let swing = [start[0] + flex * share * share, start[1] + (phase - start[1]) * share];
            self.nodes.push(Node { at, radius: 0.0, wind: swing.map(|value| value.clamp(0.0, 1.0)) });
        }
        let count = segments as usize + 1;
        self.limbs.push(Limb { level: sprout.level, joint: sprout.joint, first, count });
    }

    fn length(&self, limb: &Limb) -> f32 {
        let nodes = self.nodes_of(limb);
        nodes.windows(2).map(|pair| distance(pair[0].at, pair[1].at)).fold(0.0, |sum, part| sum + part)
    }

    /// A place on a limb: the node below it, the point, and the direction there.
    fn point(&self, limb: &Limb, along: f32) -> (usize, Vector, Vector) {
        let parts = limb.count - 1;
        let place = along.clamp(0.0, 1.0) * parts as f32;
        let part = (place as usize).min(parts - 1);
        let (from, to) = (self.nodes[limb.first + part].at, self.nodes[limb.first + part + 1].at);
        let at = lerp(from, to, place - part as f32);
        (limb.first + part, at, unit(sub(to, from)).unwrap_or(UP))
    }

    /// Radii by the pipe model of K. Shinozaki and others, 1964: a limb is as thick as what it carries needs.
    fn thicken(&mut self, form: &TreeForm) {
        let mut load = vec![0.0f32; self.nodes.len()];
        for limb in self.limbs.iter().rev() {
            let mut carried = 1.0;
            for place in (limb.first..limb.first + limb.count).rev() {
                carried += load[place] + 0.04;
                load[place] = carried;
            }
            if limb.level > 0 {
                load[limb.joint] += carried;
            }
        }
        let base = self.height * form.trunk.radius;
        let tip = self.height * 0.0011;
        let whole = load[0].max(1.001);
        // The exponent at which the foot is as thick as it should be and the tips are as thin.
        let power = libm::logf(tip / base) / libm::logf(1.0 / whole);
        // Twigs are many and carry alike: powers of what was just seen are known.
        let mut known = [(0.0f32, 0.0f32); 16];
        for (node, load) in self.nodes.iter_mut().zip(&load) {
            let slot = &mut known[(load.to_bits().wrapping_mul(0x9E37_79B9) >> 28) as usize];
            if slot.0 != *load {
                *slot = (*load, base * libm::powf((load / whole).min(1.0), power.max(0.05)));
            }
            node.radius = slot.1;
        }
        self.taper_trunk(form.trunk.taper, base);
        // No limb is thicker than what it grows from, nor than a fifth of its length.
        for number in 1..self.limbs.len() {
            let limb = self.limbs[number];
            let parent = self.nodes[limb.joint].radius * 0.8;
            let most = parent.min(self.length(&limb) * 0.12);
            let first = self.nodes[limb.first].radius.max(1e-9);
            let factor = (most / first).min(1.0);
            let count = limb.count as f32;
            for place in 0..limb.count {
                let slim = 1.0 - 0.35 * place as f32 / count;
                let radius = &mut self.nodes[limb.first + place].radius;
                *radius = (*radius * factor * slim).max(self.height * 2e-4);
            }
        }
    }

    /// A trunk gets thinner even where it carries no branches; less than that only where it carries many.
    fn taper_trunk(&mut self, taper: f32, base: f32) {
        let trunk = self.limbs[0];
        let parts = (trunk.count - 1) as f32;
        for place in 0..trunk.count {
            let share = place as f32 / parts;
            let node = &mut self.nodes[trunk.first + place];
            let even = base * (1.0 - share * taper.min(0.97));
            node.radius = even + (node.radius - even) * 0.5 * taper;
        }
    }
}

/// A direction square to a stem: all around, or left and right of it.
fn outwards(stem: Vector, azimuth: f32, planar: f32, number: u32) -> Vector {
    let (across, along) = frame(stem);
    let (sin, cos) = libm::sincosf(azimuth);
    let around = add(scale(across, cos), scale(along, sin));
    let Some(side) = unit(cross(stem, UP)) else { return around };
    let side = scale(side, if number.is_multiple_of(2) { 1.0 } else { -1.0 });
    // Square to the stem again, since both are.
    unit(lerp(around, side, planar)).unwrap_or(side)
}

pub(super) fn distance(a: Vector, b: Vector) -> f32 {
    let d = sub(a, b);
    (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]).sqrt()
}

/// 0..1 for a limb, by its number.
pub(super) fn shade(seed: u64, number: usize) -> f32 {
    share_of(crate::hash::derive(seed, number as u64))
}
