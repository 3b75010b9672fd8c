//! Flat roofs with a wall around.

use crate::built::expand::{Detail, Expander};
use crate::built::footprint::offset;
use crate::built::grammar::RoofRule;
use crate::built::solid::{Brush, Frame, side};

/// How thick the wall around is, in metres.
const WALL: f32 = 0.3;

/// A flat roof; `battlement` for merlons on the wall around it.
pub(super) fn flat(to: &mut Expander<'_>, rule: &RoofRule, ring: &[[f32; 2]], y: f32, battlement: bool) {
    let (covering, wall) = (to.brush(&rule.paint), to.brush(&rule.wall));
    let outer = offset(ring, rule.overhang).unwrap_or_else(|| ring.to_vec());
    let top = y + rule.pitch;
    let Some(inner) = offset(&outer, -WALL) else {
        to.solids.prism(wall, &outer, [y, top], false, false);
        let cap: Vec<_> = outer.iter().map(|p| [p[0], top, p[1]]).collect();
        to.polygon_of_ring(covering, &cap);
        return;
    };
    let floor: Vec<_> = inner.iter().map(|p| [p[0], y + 0.02, p[1]]).collect();
    to.polygon_of_ring(covering, &floor);
    to.solids.prism(wall, &outer, [y, top], false, false);
    for at in 0..outer.len() {
        let next = (at + 1) % outer.len();
        let [a, b, c, d] = [outer[at], outer[next], inner[next], inner[at]];
        let up = |p: [f32; 2], y: f32| [p[0], y, p[1]];
        to.solids.polygon(wall.times(1.12), &[up(a, top), up(b, top), up(c, top), up(d, top)]);
        to.solids.polygon(wall, &[up(c, y), up(d, y), up(d, top), up(c, top)]);
        if rule.overhang > 0.0 && to.detail == Detail::Full {
            let [e, f] = [ring[at], ring[next]];
            to.solids.polygon(wall.times(0.8), &[up(b, y), up(a, y), up(e, y), up(f, y)]);
        }
        if battlement && to.detail != Detail::Boxes {
            merlons(to, wall, a, b, top);
        }
        if battlement && rule.overhang > 0.1 && to.detail == Detail::Full {
            corbels(to, wall, ring[at], ring[next], y, rule.overhang);
        }
    }
}

fn merlons(to: &mut Expander<'_>, brush: Brush, a: [f32; 2], b: [f32; 2], y: f32) {
    let (frame, width) = Frame::wall(a, b, y);
    let count = (width / 1.7 + 0.2).floor().clamp(1.0, 40.0);
    let step = width / count;
    for at in 0..count as u32 {
        let middle = (at as f32 + 0.5) * step;
        let u = [middle - step * 0.29, middle + step * 0.29];
        to.solids.block(brush, &frame, u, [0.0, 0.75], [-WALL, 0.0], side::BOTTOM);
        if to.detail == Detail::Full {
            let u = [u[0] - 0.04, u[1] + 0.04];
            to.solids.block(brush.times(1.1), &frame, u, [0.75, 0.84], [-WALL - 0.04, 0.04], 0);
        }
    }
}

/// Stones that carry what stands out.
fn corbels(to: &mut Expander<'_>, brush: Brush, a: [f32; 2], b: [f32; 2], y: f32, out: f32) {
    let (frame, width): (Frame, f32) = Frame::wall(a, b, y);
    let count = (width / 0.9).floor().clamp(1.0, 60.0);
    for at in 0..count as u32 {
        let u = width * (at as f32 + 0.5) / count;
        let shape = [u - 0.14, u + 0.14];
        to.solids.block(brush.times(0.95), &frame, shape, [-0.35, 0.0], [0.0, out], side::BACK | side::TOP);
        to.solids.block(brush.times(0.9), &frame, shape, [-0.65, -0.35], [0.0, out * 0.55], side::BACK | side::TOP);
    }
}
