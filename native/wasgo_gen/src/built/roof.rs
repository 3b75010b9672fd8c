//! Roofs over outlines.

mod flat;
mod sheet;

use super::expand::{Context, Detail, Expander};
use super::footprint::{Wing, bounds, is_rectilinear, offset, wings};
use super::grammar::{Material, RoofKind, RoofRule};
use super::solid::{Brush, Frame, side};
use crate::hash::{derive, unit};
use crate::vector::Vector;
use sheet::sheet;

/// How far a gable roof stands out over the gable, at most.
const VERGE: f32 = 0.32;

/// Puts a roof on an outline at a height.
pub(super) fn roof(to: &mut Expander<'_>, rule: &RoofRule, ring: &[[f32; 2]], y: f32, context: Context) {
    let covering = to.brush(&rule.paint);
    match rule.kind {
        RoofKind::Flat => flat::flat(to, rule, ring, y, false),
        RoofKind::Battlement => flat::flat(to, rule, ring, y, true),
        RoofKind::Spire => spire(to, rule, ring, y, covering),
        _ if !is_rectilinear(ring) => spire(to, rule, ring, y, covering),
        RoofKind::Gable | RoofKind::Hip => {
            let slopes = slopes(&wings(ring), rule, y);
            for slope in &slopes {
                slope.build(to, rule, covering);
            }
            details(to, rule, &slopes, context);
        }
        RoofKind::Mansard => mansard(to, rule, ring, y, covering, context),
    }
}

/// How thick a covering is, in metres.
fn thickness(brush: Brush) -> f32 {
    if brush.material == Material::Thatch { 0.3 } else { 0.13 }
}

/// The roof of one rectangle, in its own directions: s along the ridge, t to its side.
struct Slope {
    /// The middle of the ridge line's shadow at s = 0, and the directions (x, z) of s and t.
    origin: [f32; 2],
    along: [f32; 2],
    across: [f32; 2],
    /// The walls at both ends, and half the distance of the others.
    ends: [f32; 2],
    half: f32,
    y: f32,
    pitch: f32,
    overhang: f32,
    hip: bool,
    /// At which end it runs into a roof of which pitch.
    joined: Option<(usize, f32)>,
}

/// The roofs of the rectangles of an outline. Those of wings run into what they lean on, and are no higher.
fn slopes(wings: &[Wing], rule: &RoofRule, y: f32) -> Vec<Slope> {
    let mut slopes: Vec<Slope> = Vec::with_capacity(wings.len());
    for wing in wings {
        let size = [wing.x[1] - wing.x[0], wing.z[1] - wing.z[0]];
        let middle = [(wing.x[0] + wing.x[1]) / 2.0, (wing.z[0] + wing.z[1]) / 2.0];
        let lengthwise = match wing.on {
            Some((_, direction)) => direction[0] != 0.0,
            None => size[0] >= size[1],
        };
        let (along, across) = if lengthwise { ([1.0, 0.0], [0.0, 1.0]) } else { ([0.0, 1.0], [-1.0, 0.0]) };
        let (length, half) = if lengthwise { (size[0], size[1] / 2.0) } else { (size[1], size[0] / 2.0) };
        let mut pitch = rule.pitch;
        let mut joined = None;
        if let Some((other, direction)) = wing.on
            && let Some(main) = slopes.get(other)
        {
            let end = usize::from(direction[0] + direction[1] > 0.0);
            pitch = pitch.min(main.pitch * main.half * 0.985 / half);
            // Onto the end of a ridge there is nothing to run into.
            let square = main.along[0] * direction[0] + main.along[1] * direction[1] == 0.0;
            joined = square.then_some((end, main.pitch));
        }
        slopes.push(Slope {
            origin: middle,
            along,
            across,
            ends: [-length / 2.0, length / 2.0],
            half,
            y,
            pitch,
            overhang: rule.overhang,
            hip: rule.kind == RoofKind::Hip,
            joined,
        });
    }
    slopes
}

impl Slope {
    fn at(&self, s: f32, t: f32, rise: f32) -> Vector {
        [
            self.origin[0] + self.along[0] * s + self.across[0] * t,
            self.y + rise,
            self.origin[1] + self.along[1] * s + self.across[1] * t,
        ]
    }

    /// How far above the walls the middle of the ridge is.
    fn ridge(&self) -> f32 {
        self.half * self.pitch
    }

    /// Where the ridge ends at an end, and where the eaves do.
    fn reach(&self, end: usize) -> [f32; 2] {
        let sign = if end == 0 { -1.0 } else { 1.0 };
        let wall = self.ends[end];
        match self.joined {
            Some((joined, other)) if joined == end => {
                [wall + sign * self.ridge() / other, wall - sign * self.overhang * self.pitch / other]
            }
            _ if self.hip => {
                // Ridges of nearly square roofs shrink to a point.
                let inset = self.half.min((self.ends[1] - self.ends[0]) / 2.0);
                [wall - sign * inset, wall + sign * self.overhang]
            }
            _ => [wall + sign * VERGE.min(self.overhang), wall + sign * VERGE.min(self.overhang)],
        }
    }

    fn is_joined(&self, end: usize) -> bool {
        self.joined.is_some_and(|(joined, _)| joined == end)
    }

    fn build(&self, to: &mut Expander<'_>, rule: &RoofRule, covering: Brush) {
        let thick = thickness(covering);
        let (eave, low, high) = (self.half + self.overhang, -self.overhang * self.pitch + thick, self.ridge() + thick);
        let [west, east] = [self.reach(0), self.reach(1)];
        let (a, b) = (self.at(west[0], 0.0, high), self.at(east[0], 0.0, high));
        let eaves = |t: f32| [self.at(west[1], t, low), self.at(east[1], t, low)];
        let ([c, d], [e, f]) = (eaves(eave), eaves(-eave));
        let mut faces = vec![vec![c, d, b, a], vec![f, e, a, b]];
        if self.hip {
            for (end, face) in [(0, vec![e, c, a]), (1, vec![d, f, b])] {
                if !self.is_joined(end) {
                    faces.push(face);
                }
            }
        }
        let trim = to.brush("timber");
        let full = to.detail == Detail::Full;
        sheet(
            &mut to.solids,
            covering,
            if covering.material == Material::Thatch { covering } else { trim },
            &faces,
            thick,
            full,
        );
        if !self.hip {
            for end in [0, 1] {
                if !self.is_joined(end) {
                    self.gable(to, rule, end);
                }
            }
        }
    }

    /// The frame of the wall at an end; its u runs from one corner to the other.
    fn end_frame(&self, end: usize) -> Frame {
        let sign = if end == 0 { -1.0 } else { 1.0 };
        let from = self.at(self.ends[end], self.half * sign, 0.0);
        let to = self.at(self.ends[end], -self.half * sign, 0.0);
        Frame::wall([from[0], from[2]], [to[0], to[2]], self.y).0
    }

    fn gable(&self, to: &mut Expander<'_>, rule: &RoofRule, end: usize) {
        let wall = to.brush(&rule.wall);
        let frame = self.end_frame(end);
        let (wide, high) = (2.0 * self.half, self.ridge());
        to.solids.polygon(wall, &[frame.at(0.0, 0.0, 0.0), frame.at(wide, 0.0, 0.0), frame.at(self.half, high, 0.0)]);
        if to.detail == Detail::Boxes || high < 1.2 {
            return;
        }
        let timber = to.brush("timber");
        let half_timbered =
            rule.wall == "wall" && wall.material == Material::Plaster && to.brushes.contains_key("timber");
        if half_timbered && to.detail == Detail::Full {
            // Two rails and a king post.
            to.solids.block(timber, &frame, [0.0, wide], [0.0, 0.15], [0.0, 0.06], side::BACK);
            let rail = high * 0.52;
            let inset = rail / self.pitch;
            to.solids.block(timber, &frame, [inset, wide - inset], [rail, rail + 0.13], [0.0, 0.05], side::BACK);
            for at in [0.28, 0.72] {
                let u = wide * at;
                to.solids.block(
                    timber,
                    &frame,
                    [u - 0.06, u + 0.06],
                    [0.15, rail],
                    [0.0, 0.045],
                    side::BACK | side::TOP,
                );
            }
            to.solids.bar(timber, &frame, [self.half, rail], [self.half, high - 0.15], 0.12, 0.045);
        }
        let (w, h) = (0.62, 0.8f32.min(high * 0.38));
        let foot = if half_timbered { high * 0.52 - h - 0.04 } else { high * 0.22 };
        if foot > 0.15 && self.half > 1.2 {
            attic_window(to, &frame, [self.half - w / 2.0, self.half + w / 2.0], [foot, foot + h]);
        }
    }
}

/// A window that stands out from a wall instead of lying behind it.
fn attic_window(to: &mut Expander<'_>, frame: &Frame, u: [f32; 2], v: [f32; 2]) {
    let (trim, glass) = (to.brush("trim"), to.brush("glass"));
    if to.detail != Detail::Full {
        to.solids.rectangle(glass, frame, u, v, 0.02);
        return;
    }
    to.solids.block(trim, frame, [u[0] - 0.07, u[1] + 0.07], [v[0] - 0.07, v[1] + 0.07], [0.0, 0.05], side::BACK);
    let middle = (u[0] + u[1]) / 2.0;
    for pane in [[u[0], middle - 0.025], [middle + 0.025, u[1]]] {
        to.solids.rectangle(glass, frame, pane, v, 0.056);
    }
}

/// Chimneys and dormers.
fn details(to: &mut Expander<'_>, rule: &RoofRule, slopes: &[Slope], context: Context) {
    let Some(main) = slopes.first() else { return };
    if to.detail == Detail::Boxes {
        return;
    }
    let length = main.ends[1] - main.ends[0];
    for number in 0..rule.chimneys {
        let seed = derive(context.seed, 50 + u64::from(number));
        if number > 0 && unit(derive(seed, 1)) > 0.75 {
            continue;
        }
        let end = if (derive(context.seed, 49) + u64::from(number)).is_multiple_of(2) { 0 } else { 1 };
        let from_end = if main.hip { main.half.min(length / 2.0) } else { 0.9 };
        let s = if end == 0 { main.ends[0] + from_end } else { main.ends[1] - from_end };
        let t = main.half * (0.2 + 0.2 * unit(seed)) * if derive(seed, 2).is_multiple_of(2) { 1.0 } else { -1.0 };
        chimney(to, &rule.chimney, main, s, t);
    }
    if rule.dormers > 0.0 && main.half > 1.6 && main.ridge() > 1.7 {
        let (from, until) = (main.ends[0] + main.half * 0.35, main.ends[1] - main.half * 0.35);
        let count = ((until - from) / rule.dormers).floor().clamp(0.0, 12.0);
        for number in 0..count as u32 {
            let s = from + (until - from) * (number as f32 + 0.5) / count;
            for sign in [1.0, -1.0] {
                let clear = slopes.iter().skip(1).all(|wing| {
                    let [x, _, z] = main.at(s, sign * main.half, 0.0);
                    let (dx, dz) = (x - wing.origin[0], z - wing.origin[1]);
                    let t = dx * wing.across[0] + dz * wing.across[1];
                    let along = dx * wing.along[0] + dz * wing.along[1];
                    t.abs() > wing.half + 1.2 || along.abs() > wing.ends[1] + main.half
                });
                if clear {
                    dormer(to, rule, main, s, sign);
                }
            }
        }
    }
}

fn chimney(to: &mut Expander<'_>, paint: &str, slope: &Slope, s: f32, t: f32) {
    let brush = to.brush(paint);
    let [x, _, z] = slope.at(s, t, 0.0);
    let surface = slope.y + slope.ridge() - t.abs() * slope.pitch;
    let top = (slope.y + slope.ridge() + 0.75).max(surface + 1.0);
    let frame = Frame { origin: [x, 0.0, z], u: [1.0, 0.0, 0.0], v: [0.0, 1.0, 0.0], n: [0.0, 0.0, 1.0] };
    let (half, cap) = (0.36, 0.44);
    let foot = surface - half * slope.pitch - 0.3;
    to.solids.block(brush, &frame, [-half, half], [foot, top], [-half, half], side::BOTTOM | side::TOP);
    to.solids.block(brush.times(0.85), &frame, [-cap, cap], [top, top + 0.16], [-cap, cap], 0);
    if to.detail == Detail::Full {
        let pot = to.brush("roof");
        for at in [-0.18, 0.18] {
            to.solids.block(
                Brush { color: [0.22, 0.09, 0.05], ..pot },
                &frame,
                [at - 0.1, at + 0.1],
                [top + 0.16, top + 0.5],
                [-0.1, 0.1],
                side::BOTTOM,
            );
        }
    }
}

/// A window with a small roof of its own in a slope.
fn dormer(to: &mut Expander<'_>, rule: &RoofRule, slope: &Slope, s: f32, sign: f32) {
    let covering = to.brush(&rule.paint);
    let thick = thickness(covering);
    let (half, t) = (0.62, slope.half * 0.78);
    let foot = (slope.half - t) * slope.pitch + thick - 0.05;
    let ridge_limit = slope.ridge() + thick - 0.12;
    let (head, peak) = (foot + 1.15, (foot + 1.75).min(ridge_limit));
    if peak < head + 0.2 {
        return;
    }
    // The distance from the ridge at which the slope is as high as something.
    let meets = |rise: f32| (slope.ridge() + thick - rise) / slope.pitch;
    let along = |ds: f32, t: f32, rise: f32| slope.at(s + ds, sign * t, rise);
    // To the right as seen from outside, s falls where t is positive.
    let right = sign * (slope.along[0] * slope.across[1] - slope.along[1] * slope.across[0]);
    let wall = to.brush(&rule.wall);
    let p = |side: f32, t: f32, rise: f32| along(side * right * half, t, rise);
    to.solids.polygon(wall, &[p(-1.0, t, foot), p(1.0, t, foot), p(1.0, t, head), p(0.0, t, peak), p(-1.0, t, head)]);
    to.solids.polygon(wall, &[p(1.0, t, foot), p(1.0, meets(head), head), p(1.0, t, head)]);
    to.solids.polygon(wall, &[p(-1.0, t, foot), p(-1.0, t, head), p(-1.0, meets(head), head)]);
    let out = 0.18;
    let pitch = (peak - head) / half;
    let (wide, low) = (half + out, head - out * pitch);
    let q = |side: f32, t: f32, rise: f32| along(side * right * wide, t, rise + 0.09);
    let ridge = [along(0.0, t + out, peak + 0.09), along(0.0, meets(peak), peak + 0.09)];
    let faces = [
        vec![q(1.0, t + out, low), q(1.0, meets(low).min(t), low), ridge[1], ridge[0]],
        vec![q(-1.0, meets(low).min(t), low), q(-1.0, t + out, low), ridge[0], ridge[1]],
    ];
    let trim = to.brush("timber");
    sheet(&mut to.solids, covering, trim, &faces, 0.09, false);
    let (a, b) = (p(-1.0, t, foot), p(1.0, t, foot));
    let (frame, width) = Frame::wall([a[0], a[2]], [b[0], b[2]], a[1]);
    attic_window(to, &frame, [0.28, width - 0.28], [0.25, head - foot - 0.1]);
}

/// Slopes from every wall to one point, a little flatter at the foot.
fn spire(to: &mut Expander<'_>, rule: &RoofRule, ring: &[[f32; 2]], y: f32, covering: Brush) {
    let thick = thickness(covering);
    let [x, z] = bounds(ring);
    let middle = [(x[0] + x[1]) / 2.0, (z[0] + z[1]) / 2.0];
    let radius = ((x[1] - x[0]).min(z[1] - z[0])) / 2.0;
    let high = radius * rule.pitch;
    let eaves = offset(ring, rule.overhang).unwrap_or_else(|| ring.to_vec());
    let low = -rule.overhang * rule.pitch * 0.5;
    let apex = [middle[0], y + high + thick, middle[1]];
    let foot: Vec<Vector> = eaves.iter().map(|p| [p[0], y + low + thick, p[1]]).collect();
    // The foot sweeps out.
    let knee: Vec<Vector> = ring
        .iter()
        .map(|p| {
            let share = 0.16;
            let (dx, dz) = (middle[0] - p[0], middle[1] - p[1]);
            [p[0] + dx * share, y + thick + high * share * 0.72, p[1] + dz * share]
        })
        .collect();
    let count = ring.len();
    let mut faces = Vec::with_capacity(count * 2);
    for at in 0..count {
        let next = (at + 1) % count;
        faces.push(vec![foot[at], foot[next], knee[next], knee[at]]);
        faces.push(vec![knee[at], knee[next], apex]);
    }
    let full = to.detail == Detail::Full;
    sheet(&mut to.solids, covering, covering.times(0.7), &faces, thick, full);
    if full {
        let iron = to.brush("metal");
        let frame = Frame {
            origin: [apex[0], apex[1] - 0.3, apex[2]],
            u: [1.0, 0.0, 0.0],
            v: [0.0, 1.0, 0.0],
            n: [0.0, 0.0, 1.0],
        };
        to.solids.block(iron, &frame, [-0.04, 0.04], [0.0, 1.3], [-0.04, 0.04], side::BOTTOM);
        to.solids.block(iron, &frame, [-0.12, 0.12], [0.5, 0.74], [-0.12, 0.12], 0);
    }
}

/// Steep slopes around, and a hip roof on them.
fn mansard(to: &mut Expander<'_>, rule: &RoofRule, ring: &[[f32; 2]], y: f32, covering: Brush, context: Context) {
    const INSET: f32 = 0.75;
    const RISE: f32 = 2.3;
    let thick = thickness(covering);
    let (Some(outer), Some(inner)) = (offset(ring, rule.overhang), offset(ring, -INSET)) else {
        let plain = RoofRule { kind: RoofKind::Hip, ..rule.clone() };
        for slope in slopes(&wings(ring), &plain, y) {
            slope.build(to, &plain, covering);
        }
        return;
    };
    let count = ring.len();
    let ring_at = |ring: &[[f32; 2]], y: f32| -> Vec<Vector> { ring.iter().map(|p| [p[0], y, p[1]]).collect() };
    let (foot, head) = (ring_at(&outer, y + thick), ring_at(&inner, y + RISE));
    let faces: Vec<Vec<Vector>> =
        (0..count).map(|at| vec![foot[at], foot[(at + 1) % count], head[(at + 1) % count], head[at]]).collect();
    let full = to.detail == Detail::Full;
    let trim = to.brush("trim");
    sheet(&mut to.solids, covering, trim, &faces, thick, full);
    let upper = RoofRule { kind: RoofKind::Hip, pitch: 0.42, overhang: 0.12, dormers: 0.0, ..rule.clone() };
    let slopes = slopes(&wings(&inner), &upper, y + RISE - thick * 0.5);
    for slope in &slopes {
        slope.build(to, &upper, covering);
    }
    details(to, &upper, &slopes, context);
    if rule.dormers > 0.0 && to.detail != Detail::Boxes {
        for at in 0..count {
            mansard_windows(to, rule, ring[at], ring[(at + 1) % count], y + thick);
        }
    }
}

/// Upright windows in the steep part of a mansard roof, over one wall.
fn mansard_windows(to: &mut Expander<'_>, rule: &RoofRule, a: [f32; 2], b: [f32; 2], y: f32) {
    let (frame, width) = Frame::wall(a, b, y);
    let (wall, roof) = (to.brush("trim"), to.brush(&rule.paint));
    let room = width - 2.2;
    let count = (room / rule.dormers + 0.3).floor().clamp(0.0, 12.0);
    for number in 0..count as u32 {
        let u = 1.1 + room * (number as f32 + 0.5) / count;
        let front = -0.12;
        let frame = frame.moved(0.0, 0.0, front);
        to.solids.block(wall, &frame, [u - 0.62, u + 0.62], [0.35, 1.95], [-0.7, 0.0], side::BACK);
        to.solids.block(roof, &frame, [u - 0.74, u + 0.74], [1.95, 2.07], [-0.8, 0.1], side::BACK);
        attic_window(to, &frame, [u - 0.42, u + 0.42], [0.5, 1.8]);
    }
}
