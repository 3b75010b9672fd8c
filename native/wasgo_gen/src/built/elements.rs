//! Windows, doors and arches: what a face is filled with.

use super::building::Entrance;
use super::expand::{Context, Detail, Expander};
use super::grammar::{DoorRule, Element, Material, WindowRule};
use super::solid::{Brush, Frame, side};
use crate::hash::{Chance, derive, unit};

/// How far glass is behind the wall, in metres.
const REVEAL: f32 = 0.14;

/// How far a flat picture of something is in front of the wall, so that they do not flicker.
const PAINTED: f32 = 0.02;

/// A hole in a face: from the left, from below; with a round head or not.
#[derive(Clone, Copy)]
struct Hole {
    u: [f32; 2],
    v: [f32; 2],
    arch: bool,
}

impl Hole {
    /// In the middle of a face, as large as it has room for.
    fn middle(size: [f32; 2], sill: f32, [width, height]: [f32; 2], arch: bool) -> Option<Self> {
        let w = size[0].min(width - 0.24);
        let h = size[1].min(height - sill - 0.12);
        (w >= 0.3 && h >= 0.3).then(|| {
            let left = (width - w) / 2.0;
            Self { u: [left, left + w], v: [sill, sill + h], arch: arch && h > w * 0.55 }
        })
    }

    /// Its outline, counter-clockwise from the left foot.
    fn outline(&self) -> Vec<[f32; 2]> {
        let mut points = vec![[self.u[0], self.v[0]], [self.u[1], self.v[0]]];
        if self.arch {
            points.extend(self.head().iter().rev());
        } else {
            points.extend([[self.u[1], self.v[1]], [self.u[0], self.v[1]]]);
        }
        points
    }

    /// The points of a round head, left to right.
    fn head(&self) -> Vec<[f32; 2]> {
        const PARTS: u32 = 8;
        let radius = (self.u[1] - self.u[0]) / 2.0;
        let (middle, foot) = (self.u[0] + radius, self.v[1] - radius);
        (0..=PARTS)
            .map(|at| {
                let (sin, cos) = libm::sincosf(std::f32::consts::PI * at as f32 / PARTS as f32);
                [middle - radius * cos, foot + radius * sin]
            })
            .collect()
    }

    /// Where the head begins.
    fn spring(&self) -> f32 {
        if self.arch { self.v[1] - (self.u[1] - self.u[0]) / 2.0 } else { self.v[1] }
    }
}

/// Fills a face with a window, a door or an arch. No when the element is for decoration.
pub(super) fn insert(
    to: &mut Expander<'_>,
    element: &Element,
    frame: &Frame,
    width: f32,
    height: f32,
    context: Context,
) -> bool {
    match element {
        Element::Window(rule) => window(to, rule, frame, [width, height], context),
        Element::Door(rule) => door(to, rule, frame, [width, height], context.brush),
        Element::Arch(wide) => {
            let rule = DoorRule { width: *wide, height: height - 0.3, arch: true, open: true, ..DoorRule::default() };
            door(to, &rule, frame, [width, height], context.brush);
        }
        _ => return false,
    }
    true
}

fn window(to: &mut Expander<'_>, rule: &WindowRule, frame: &Frame, size: [f32; 2], context: Context) {
    let brush = context.brush;
    let sill = rule.sill.min(size[1] * 0.5);
    let Some(hole) = Hole::middle([rule.width, rule.height], sill, size, rule.arch) else {
        to.solids.rectangle(brush, frame, [0.0, size[0]], [0.0, size[1]], 0.0);
        return;
    };
    let glass = to.brush("glass");
    // Some rooms are lit a little.
    let glass = glass.times(0.8 + 0.7 * unit(derive(context.seed, 3)));
    if to.detail != Detail::Full {
        to.solids.rectangle(brush, frame, [0.0, size[0]], [0.0, size[1]], 0.0);
        let outline: Vec<_> = hole.outline().iter().map(|[u, v]| frame.at(*u, *v, PAINTED)).collect();
        to.solids.polygon(glass, &outline);
        return;
    }
    wall_around(to, brush, frame, size, hole);
    reveal(to, brush, frame, hole, REVEAL);
    pane(to, glass, frame, hole, REVEAL);
    let trim = to.brush("trim");
    sash(to, trim, frame, hole, rule.panes);
    let ([left, right], [foot, head]) = (hole.u, hole.v);
    let stone = to.brush("sill");
    to.solids.block(stone, frame, [left - 0.1, right + 0.1], [foot - 0.09, foot], [0.0, 0.1], side::BACK);
    if hole.arch {
        surround(to, stone, frame, hole);
    } else if !rule.shutters {
        to.solids.block(stone, frame, [left - 0.09, right + 0.09], [head, head + 0.11], [0.0, 0.05], side::BACK);
    }
    let leaf = (right - left) / 2.0;
    if rule.shutters && left - leaf > 0.1 {
        let shutter = to.brush("shutter");
        for (from, lit) in [(left - leaf - 0.02, 1.0), (right + 0.02, 1.06)] {
            let wing = [from, from + leaf];
            to.solids.block(shutter.times(lit), frame, wing, hole.v, [0.0, 0.05], side::BACK);
            for height in [0.2, 0.78] {
                let v = foot + (head - foot) * height;
                to.solids.block(
                    shutter.times(0.75),
                    frame,
                    [wing[0] + 0.03, wing[1] - 0.03],
                    [v, v + 0.07],
                    [0.05, 0.07],
                    side::BACK,
                );
            }
        }
    }
    if rule.flowers && unit(derive(context.seed, 4)) < 0.6 {
        flowers(to, frame, hole, context.seed);
    }
    if rule.balcony {
        balcony(to, frame, size, hole);
    }
}

fn flowers(to: &mut Expander<'_>, frame: &Frame, hole: Hole, seed: u64) {
    let [left, right] = hole.u;
    let foot = hole.v[0] - 0.09;
    let (timber, leaf) = (to.brush("timber"), to.brush("leaf"));
    to.solids.block(timber, frame, [left, right], [foot - 0.16, foot], [0.02, 0.22], side::BACK);
    to.solids.block(leaf, frame, [left + 0.02, right - 0.02], [foot, foot + 0.09], [0.03, 0.24], side::BOTTOM);
    let count = ((right - left) / 0.2).floor() as u32;
    for at in 0..count.min(8) {
        let hash = derive(seed, 40 + u64::from(at));
        let u = left + (at as f32 + 0.3 + 0.4 * unit(hash)) * (right - left) / count as f32;
        let color = [[0.62, 0.05, 0.06], [0.75, 0.5, 0.06], [0.6, 0.12, 0.35], [0.8, 0.75, 0.7]][(hash % 4) as usize];
        let bloom = Brush { color, ..leaf };
        let v = foot + 0.05 + 0.05 * unit(derive(hash, 1));
        to.solids.block(bloom, frame, [u - 0.05, u + 0.05], [v, v + 0.1], [0.1, 0.27], side::BOTTOM);
    }
}

fn balcony(to: &mut Expander<'_>, frame: &Frame, size: [f32; 2], hole: Hole) {
    let (stone, rail) = (to.brush("sill"), to.brush("metal"));
    let u = [(hole.u[0] - 0.35).max(0.05), (hole.u[1] + 0.35).min(size[0] - 0.05)];
    let depth = 0.85;
    to.solids.block(stone, frame, u, [-0.14, 0.02], [0.0, depth], side::BACK);
    for at in [u[0] + 0.1, u[1] - 0.24] {
        to.solids.block(stone, frame, [at, at + 0.14], [-0.4, -0.14], [0.0, depth * 0.6], side::BACK | side::TOP);
    }
    to.solids.block(rail, frame, u, [0.92, 0.98], [depth - 0.06, depth], 0);
    for at in [u[0], u[1] - 0.05] {
        to.solids.block(rail, frame, [at, at + 0.05], [0.92, 0.98], [0.0, depth - 0.06], side::BACK | side::FRONT);
    }
    let posts = ((u[1] - u[0]) / 0.22).floor().clamp(2.0, 16.0);
    for post in 0..=posts as u32 {
        let at = u[0] + (u[1] - u[0] - 0.035) * post as f32 / posts;
        let open = side::TOP | side::BOTTOM;
        to.solids.block(rail, frame, [at, at + 0.035], [0.02, 0.92], [depth - 0.05, depth - 0.015], open);
    }
}

fn door(to: &mut Expander<'_>, rule: &DoorRule, frame: &Frame, size: [f32; 2], brush: Brush) {
    let Some(hole) = Hole::middle([rule.width, rule.height], 0.0, size, rule.arch) else {
        to.solids.rectangle(brush, frame, [0.0, size[0]], [0.0, size[1]], 0.0);
        return;
    };
    let ([left, right], [_, head]) = (hole.u, hole.v);
    let step = 0.75;
    let [x, y, z] = frame.at((left + right) / 2.0, 0.0, 0.0);
    to.entrances.push(Entrance { position: [x, y, z], outward: [frame.n[0], frame.n[2]], width: right - left });
    let leaf = if rule.open { to.brush("dark") } else { to.brush("door") };
    if to.detail != Detail::Full {
        to.solids.rectangle(brush, frame, [0.0, size[0]], [0.0, size[1]], 0.0);
        let outline: Vec<_> = hole.outline().iter().map(|[u, v]| frame.at(*u, *v, PAINTED)).collect();
        to.solids.polygon(leaf, &outline);
        return;
    }
    wall_around(to, brush, frame, size, hole);
    let depth = if rule.open { 0.9 } else { 0.2 };
    reveal(to, brush, frame, hole, depth);
    pane(to, leaf, frame, hole, depth);
    let stone = to.brush("sill");
    if !rule.open {
        to.solids.block(stone, frame, [left - 0.25, right + 0.25], [-0.4, 0.0], [0.0, step], side::BACK | side::BOTTOM);
    }
    if hole.arch {
        surround(to, stone, frame, hole);
    } else {
        let trim = to.brush("timber");
        for u in [[left - 0.12, left], [right, right + 0.12]] {
            to.solids.block(trim, frame, u, [0.0, head], [0.0, 0.06], side::BACK | side::TOP);
        }
        to.solids.block(trim, frame, [left - 0.16, right + 0.16], [head, head + 0.16], [0.0, 0.09], side::BACK);
    }
    if !rule.open {
        planks(to, leaf, frame, hole, depth, rule.double);
    }
    if rule.canopy {
        canopy(to, frame, hole);
    }
}

/// Boards, battens and a knob on the leaf of a door.
fn planks(to: &mut Expander<'_>, leaf: Brush, frame: &Frame, hole: Hole, depth: f32, double: bool) {
    let ([left, right], foot) = (hole.u, hole.spring());
    let boards = ((right - left) / 0.17).floor().clamp(3.0, 24.0);
    let wide = (right - left) / boards;
    let [back, front] = [-depth, 0.03 - depth];
    for board in 0..boards as u32 {
        let u = left + board as f32 * wide;
        let lit = if board % 2 == 0 { 1.12 } else { 0.94 };
        let open = side::BACK | side::BOTTOM;
        to.solids.block(leaf.times(lit), frame, [u + 0.01, u + wide - 0.01], [0.02, foot - 0.01], [back, front], open);
    }
    let iron = to.brush("metal");
    for v in [0.3, foot - 0.35] {
        to.solids.block(iron, frame, [left + 0.04, right - 0.04], [v, v + 0.06], [front, front + 0.015], side::BACK);
    }
    let middle = (left + right) / 2.0;
    let knobs = if double { vec![middle - 0.1, middle + 0.05] } else { vec![right - 0.18] };
    if double {
        to.solids.block(
            leaf.times(0.5),
            frame,
            [middle - 0.012, middle + 0.012],
            [0.02, foot],
            [front, front + 0.02],
            side::BACK,
        );
    }
    for u in knobs {
        to.solids.block(iron, frame, [u, u + 0.06], [1.0, 1.09], [front, front + 0.06], side::BACK);
    }
}

/// A small roof on two brackets.
fn canopy(to: &mut Expander<'_>, frame: &Frame, hole: Hole) {
    let (roof, timber) = (to.brush("roof"), to.brush("timber"));
    let ([left, right], head) = (hole.u, hole.v[1]);
    let (low, high, reach) = (head + 0.28, head + 0.62, 0.85);
    let u = [left - 0.35, right + 0.35];
    let thick = 0.08;
    let p = |u: f32, v: f32, n: f32| frame.at(u, v, n);
    let top = [p(u[0], low, reach), p(u[1], low, reach), p(u[1], high, 0.0), p(u[0], high, 0.0)];
    let under = [
        p(u[0], high - thick, 0.0),
        p(u[1], high - thick, 0.0),
        p(u[1], low - thick, reach),
        p(u[0], low - thick, reach),
    ];
    to.solids.polygon(roof, &top);
    to.solids.polygon(timber, &under);
    to.solids.polygon(timber, &[under[3], under[2], top[1], top[0]]);
    to.solids.polygon(timber, &[under[0], under[3], top[0], top[3]]);
    to.solids.polygon(timber, &[under[2], under[1], top[2], top[1]]);
    for at in [left - 0.25, right + 0.15] {
        to.solids.block(
            timber,
            frame,
            [at, at + 0.1],
            [low - thick - 0.1, low - thick + 0.02],
            [0.0, 0.75],
            side::BACK,
        );
        let (foot, out) = (low - 0.6, 0.6);
        let bracket =
            Frame { origin: p(at, foot, 0.0), u: frame.n, v: frame.v, n: [-frame.u[0], -frame.u[1], -frame.u[2]] };
        to.solids.bar(timber, &bracket.moved(0.0, 0.0, -0.1), [0.0, 0.0], [out, 0.45], 0.09, 0.1);
    }
}

/// The rest of the face.
fn wall_around(to: &mut Expander<'_>, brush: Brush, frame: &Frame, [width, height]: [f32; 2], hole: Hole) {
    let ([left, right], [foot, head]) = (hole.u, hole.v);
    for (u, v) in [
        ([0.0, width], [0.0, foot]),
        ([0.0, left], [foot, head]),
        ([right, width], [foot, head]),
        ([0.0, width], [head, height]),
    ] {
        to.solids.rectangle(brush, frame, u, v, 0.0);
        stones(to, brush, frame, u, v);
    }
    if hole.arch {
        for pair in hole.head().windows(2) {
            let ([a, b], [c, d]) = (pair[0], pair[1]);
            let corners = [frame.at(a, b, 0.0), frame.at(c, d, 0.0), frame.at(c, head, 0.0), frame.at(a, head, 0.0)];
            to.solids.polygon(brush, &corners);
        }
    }
}

/// Some stones of a rough wall that are lighter, darker, or stand out a little.
pub(super) fn stones(to: &mut Expander<'_>, brush: Brush, frame: &Frame, u: [f32; 2], v: [f32; 2]) {
    const PER_METRE: f32 = 0.9;
    const MOST: f32 = 48.0;
    if to.detail != Detail::Full || brush.material != Material::Stone {
        return;
    }
    let (width, height) = (u[1] - u[0], v[1] - v[0]);
    if width < 0.5 || height < 0.3 {
        return;
    }
    let count = (width * height * PER_METRE).min(MOST) as u32;
    let place = frame.origin.iter().fold(0, |hash, value| derive(hash, u64::from(value.to_bits())));
    let mut chance = Chance::new(derive(place, u64::from(v[0].to_bits()) << 32 | u64::from(u[0].to_bits())));
    for number in 0..count {
        let (w, h) = (chance.between(0.24, 0.5).min(width), chance.between(0.13, 0.2).min(height));
        let left = u[0] + chance.between(0.0, width - w);
        // In courses of 22 cm.
        let rows = (height / 0.22).floor().max(1.0);
        let row = (chance.between(0.0, rows)).floor().min(rows - 1.0);
        let foot = v[0] + row * (height - h) / rows;
        let stone = brush.times(chance.between(0.82, 1.2));
        to.solids.rectangle(stone, frame, [left, left + w], [foot, foot + h], 0.01 + 0.0005 * number as f32);
    }
}

/// The inner sides of a hole.
fn reveal(to: &mut Expander<'_>, brush: Brush, frame: &Frame, hole: Hole, depth: f32) {
    let outline = hole.outline();
    for at in 0..outline.len() {
        let ([a, b], [c, d]) = (outline[at], outline[(at + 1) % outline.len()]);
        let corners = [frame.at(a, b, 0.0), frame.at(a, b, -depth), frame.at(c, d, -depth), frame.at(c, d, 0.0)];
        let corners = [corners[0], corners[3], corners[2], corners[1]];
        to.solids.polygon(brush.times(0.8), &corners);
    }
}

fn pane(to: &mut Expander<'_>, brush: Brush, frame: &Frame, hole: Hole, depth: f32) {
    let points: Vec<_> = hole.outline().iter().map(|[u, v]| frame.at(*u, *v, -depth)).collect();
    to.solids.polygon(brush, &points);
}

/// The frame of a window and the bars between its panes.
fn sash(to: &mut Expander<'_>, brush: Brush, frame: &Frame, hole: Hole, panes: [u32; 2]) {
    let ([left, right], [foot, head]) = (hole.u, hole.v);
    let spring = hole.spring();
    let n = [-REVEAL, 0.05 - REVEAL];
    let edge = 0.06;
    for u in [[left, left + edge], [right - edge, right]] {
        to.solids.block(brush, frame, u, [foot, spring], n, side::BACK);
    }
    to.solids.block(brush, frame, [left + edge, right - edge], [foot, foot + edge], n, side::BACK);
    if !hole.arch {
        to.solids.block(brush, frame, [left + edge, right - edge], [head - edge, head], n, side::BACK);
    }
    let n = [n[0], n[1] - 0.015];
    for at in 1..panes[0] {
        let u = left + (right - left) * at as f32 / panes[0] as f32;
        let top = if hole.arch {
            let radius = (right - left) / 2.0;
            let from = u - left - radius;
            spring + (radius * radius - from * from).max(0.0).sqrt()
        } else {
            head
        };
        to.solids.block(brush, frame, [u - 0.02, u + 0.02], [foot + edge, top - 0.01], n, side::BACK);
    }
    for at in 1..panes[1] {
        let v = foot + (spring - foot) * at as f32 / panes[1] as f32;
        to.solids.block(brush, frame, [left + edge, right - edge], [v - 0.02, v + 0.02], n, side::BACK);
    }
    if hole.arch {
        to.solids.block(brush, frame, [left + edge, right - edge], [spring - 0.025, spring + 0.025], n, side::BACK);
    }
}

/// Cut stones around a round head.
fn surround(to: &mut Expander<'_>, brush: Brush, frame: &Frame, hole: Hole) {
    let (wide, out) = (0.17, 0.06);
    let head = hole.head();
    let middle = [(hole.u[0] + hole.u[1]) / 2.0, hole.spring()];
    let away = |[u, v]: [f32; 2]| {
        let (du, dv) = (u - middle[0], v - middle[1]);
        let length = (du * du + dv * dv).sqrt().max(1e-3);
        [u + du / length * wide, v + dv / length * wide]
    };
    for (number, pair) in head.windows(2).enumerate() {
        let [a, b] = [pair[0], pair[1]];
        let [c, d] = [away(b), away(a)];
        let p = |[u, v]: [f32; 2], n: f32| frame.at(u, v, n);
        let stone = brush.times(if number % 2 == 0 { 1.06 } else { 0.93 });
        to.solids.polygon(stone, &[p(a, out), p(b, out), p(c, out), p(d, out)]);
        to.solids.polygon(stone, &[p(d, out), p(c, out), p(c, 0.0), p(d, 0.0)]);
        to.solids.polygon(stone, &[p(b, out), p(a, out), p(a, 0.0), p(b, 0.0)]);
    }
    for u in [[hole.u[0] - wide, hole.u[0]], [hole.u[1], hole.u[1] + wide]] {
        to.solids.block(brush, frame, u, [hole.v[0], hole.spring()], [0.0, out], side::BACK);
    }
}
