//! Timbers, bands, pillars and signs: what stands out from a face.

use super::expand::{Detail, Expander};
use super::grammar::Element;
use super::solid::{Brush, Frame, side};

/// How far timbers stand out, in metres.
const OUT: f32 = 0.05;

/// Puts something on a face. Coarser levels of detail get what can be seen from afar.
pub(super) fn decorate(to: &mut Expander<'_>, element: &Element, frame: &Frame, width: f32, height: f32) {
    let full = to.detail == Detail::Full;
    match element {
        Element::Timber(brace) if full => timber(to, frame, [width, height], *brace),
        Element::Timber(_) => {
            let brush = to.brush("timber");
            for v in [[0.0, 0.16], [height - 0.16, height]] {
                to.solids.rectangle(brush, frame, [0.0, width], v, 0.02);
            }
        }
        Element::Band([high, deep]) => {
            let brush = to.brush("trim");
            band(to, brush, frame, width, [0.0, *high], *deep);
        }
        Element::Cornice([high, deep]) => {
            let brush = to.brush("trim");
            band(to, brush, frame, width, [height - high, height], *deep);
            if full {
                band(to, brush, frame, width, [height - high * 1.5, height - high], deep * 0.5);
            }
        }
        Element::Pillar(thick) => pillar(to, frame, [width, height], *thick),
        Element::Buttress([wide, deep]) => buttress(to, frame, [width, height], *wide, *deep),
        Element::Awning(reach) if full => awning(to, frame, [width, height], *reach),
        Element::Sign if full => sign(to, frame, [width, height]),
        Element::Quoins if full => quoins(to, frame, [width, height]),
        _ => {}
    }
}

/// A band across a face, a little longer than it so that it meets those around the corner.
fn band(to: &mut Expander<'_>, brush: Brush, frame: &Frame, width: f32, v: [f32; 2], deep: f32) {
    to.solids.block(brush, frame, [-deep, width + deep], v, [0.0, deep], side::BACK);
}

fn timber(to: &mut Expander<'_>, frame: &Frame, [width, height]: [f32; 2], brace: bool) {
    let brush = to.brush("timber");
    let thick = 0.16f32.min(width / 4.0).min(height / 4.0);
    for u in [[0.0, thick / 2.0], [width - thick / 2.0, width]] {
        to.solids.block(brush, frame, u, [thick, height - thick], [0.0, OUT], side::BACK | side::TOP | side::BOTTOM);
    }
    for v in [[0.0, thick], [height - thick, height]] {
        to.solids.block(brush.times(1.1), frame, [0.0, width], v, [0.0, OUT + 0.02], side::BACK);
    }
    if brace {
        let (edge, high) = (thick * 0.6, height - thick * 1.1);
        let dark = brush.times(0.93);
        to.solids.bar(dark, frame, [edge, thick * 1.1], [width - edge, high], thick * 0.85, OUT - 0.01);
        if width > height * 0.55 {
            to.solids.bar(dark, frame, [edge, high], [width - edge, thick * 1.1], thick * 0.85, OUT - 0.018);
        }
    }
}

fn pillar(to: &mut Expander<'_>, frame: &Frame, [width, height]: [f32; 2], thick: f32) {
    let brush = to.brush("trim");
    let (middle, half) = (width / 2.0, thick / 2.0);
    let foot = (thick * 0.6).min(height / 4.0);
    let u = |half: f32| [middle - half, middle + half];
    let shaft = [0.0, thick * 0.45];
    to.solids.block(brush, frame, u(half), [foot, height - foot], shaft, side::BACK | side::TOP | side::BOTTOM);
    for v in [[0.0, foot], [height - foot, height]] {
        to.solids.block(brush, frame, u(half * 1.3), v, [0.0, thick * 0.62], side::BACK);
    }
}

/// A pier that grows thinner in two steps with sloping shoulders.
fn buttress(to: &mut Expander<'_>, frame: &Frame, [width, height]: [f32; 2], wide: f32, deep: f32) {
    let brush = to.brush("stone");
    let u = [(width - wide) / 2.0, (width + wide) / 2.0];
    let (middle, head) = (height * 0.52, height * 0.86);
    let p = |u: f32, v: f32, n: f32| frame.at(u, v, n);
    let open = side::BACK | side::TOP;
    to.solids.block(brush, frame, u, [-0.4, middle], [0.0, deep], open | side::BOTTOM);
    to.solids.block(brush, frame, u, [middle, head], [0.0, deep * 0.55], open | side::BOTTOM);
    for (foot, rise, far, near) in [(middle, deep * 0.9, deep, deep * 0.55), (head, deep * 0.8, deep * 0.55, 0.0)] {
        let top = foot + rise;
        to.solids.polygon(
            brush.times(1.12),
            &[p(u[0], foot, far), p(u[1], foot, far), p(u[1], top, near), p(u[0], top, near)],
        );
        to.solids.polygon(brush, &[p(u[0], foot, near), p(u[0], foot, far), p(u[0], top, near)]);
        to.solids.polygon(brush, &[p(u[1], foot, far), p(u[1], foot, near), p(u[1], top, near)]);
    }
}

fn awning(to: &mut Expander<'_>, frame: &Frame, [width, height]: [f32; 2], reach: f32) {
    let cloth = to.brush("cloth");
    let pale = Brush { color: [0.72, 0.68, 0.58], ..cloth };
    let (high, low) = (height - 0.08, height - 0.08 - reach * 0.5);
    let stripes = (width / 0.4).floor().clamp(3.0, 40.0);
    let p = |u: f32, v: f32, n: f32| frame.at(u, v, n);
    for stripe in 0..stripes as u32 {
        let u = [width * stripe as f32 / stripes, width * (stripe + 1) as f32 / stripes];
        let brush = if stripe % 2 == 0 { cloth } else { pale };
        let skirt = low - 0.18;
        let thin = 0.02;
        to.solids.polygon(brush, &[p(u[0], low, reach), p(u[1], low, reach), p(u[1], high, 0.0), p(u[0], high, 0.0)]);
        to.solids
            .polygon(brush, &[p(u[0], skirt, reach), p(u[1], skirt, reach), p(u[1], low, reach), p(u[0], low, reach)]);
        let inner = reach - thin;
        let under = brush.times(0.6);
        let drop = high - thin;
        to.solids.polygon(
            under,
            &[p(u[0], drop, 0.0), p(u[1], drop, 0.0), p(u[1], low - thin, inner), p(u[0], low - thin, inner)],
        );
        to.solids.polygon(
            under,
            &[p(u[0], low - thin, inner), p(u[1], low - thin, inner), p(u[1], skirt, inner), p(u[0], skirt, inner)],
        );
    }
    let iron = to.brush("metal");
    for u in [0.02, width - 0.05] {
        let arm = Frame { origin: p(u, low - 0.5, 0.0), u: frame.n, v: frame.v, n: frame.u.map(|value| -value) };
        to.solids.bar(iron, &arm, [0.0, 0.0], [reach * 0.95, 0.45], 0.03, 0.03);
    }
}

fn sign(to: &mut Expander<'_>, frame: &Frame, [width, height]: [f32; 2]) {
    let (iron, board) = (to.brush("metal"), to.brush("shutter"));
    let u = width / 2.0;
    let v = height - 0.35;
    to.solids.block(iron, frame, [u - 0.025, u + 0.025], [v, v + 0.05], [0.0, 1.1], side::BACK);
    to.solids.block(iron, frame, [u - 0.02, u + 0.02], [v - 0.5, v], [0.0, 0.04], side::BACK);
    for n in [0.4, 0.95] {
        to.solids.block(iron, frame, [u - 0.01, u + 0.01], [v - 0.12, v], [n, n + 0.02], side::TOP | side::BOTTOM);
    }
    to.solids.block(board, frame, [u - 0.04, u + 0.04], [v - 0.72, v - 0.12], [0.28, 1.08], 0);
    let gold = Brush { color: [0.55, 0.38, 0.08], ..board };
    for (from, to_n) in [(-0.06, -0.04), (0.04, 0.06)] {
        to.solids.block(gold, frame, [u + from, u + to_n], [v - 0.56, v - 0.28], [0.52, 0.84], 0);
    }
}

fn quoins(to: &mut Expander<'_>, frame: &Frame, [width, height]: [f32; 2]) {
    let stone = to.brush("trim");
    let rows = (height / 0.42).floor().clamp(1.0, 40.0);
    for row in 0..rows as u32 {
        let v = [height * row as f32 / rows + 0.01, height * (row + 1) as f32 / rows - 0.01];
        let wide = if row % 2 == 0 { 0.42 } else { 0.26 };
        let stone = stone.times(if row % 3 == 0 { 1.06 } else { 0.96 });
        for u in [[-0.035, wide], [width - wide, width + 0.035]] {
            to.solids.block(stone, frame, u, v, [0.0, 0.035], side::BACK);
        }
    }
}
