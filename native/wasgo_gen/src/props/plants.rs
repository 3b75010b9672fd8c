//! Broadleaf trees, conifers and bushes.

use std::f32::consts::TAU;

use wasgo_scene::Surface;

use super::paint::Painter;
use super::shape::{Shape, taper};
use crate::hash::{Chance, derive};
use crate::vector::{Vector, add, lerp, scale};

/// Barks, dark to light.
const BARK: [Vector; 2] = [[0.075, 0.045, 0.025], [0.16, 0.10, 0.055]];
/// Leaves: (in the shade, in the light).
const LEAVES: [(Vector, Vector); 4] = [
    ([0.020, 0.085, 0.012], [0.14, 0.34, 0.045]),
    ([0.030, 0.095, 0.010], [0.22, 0.38, 0.050]),
    ([0.018, 0.070, 0.022], [0.10, 0.28, 0.070]),
    ([0.075, 0.085, 0.008], [0.42, 0.36, 0.045]),
];
const NEEDLES: [(Vector, Vector); 2] =
    [([0.010, 0.045, 0.020], [0.050, 0.170, 0.060]), ([0.012, 0.050, 0.030], [0.060, 0.165, 0.095])];
const BLOSSOMS: [Vector; 4] = [[0.80, 0.30, 0.42], [0.85, 0.78, 0.70], [0.85, 0.55, 0.08], [0.38, 0.25, 0.75]];

fn pick<T: Copy>(chance: &mut Chance, among: &[T]) -> T {
    among[(chance.next() % among.len() as u64) as usize]
}

/// A point on a circle about a vertical axis.
fn around(middle: Vector, angle: f32, radius: f32) -> Vector {
    let (sin, cos) = libm::sincosf(angle);
    add(middle, [cos * radius, 0.0, sin * radius])
}

/// Light from above, a little different from face to face.
fn foliage(chance: &mut Chance, (dark, light): (Vector, Vector), up: f32) -> Vector {
    let share = (0.5 + 0.5 * up).clamp(0.0, 1.0) * 0.85 + chance.between(0.0, 0.15);
    lerp(dark, light, share)
}

/// A broadleaf tree: a trunk, two branches, four clouds of leaves. About 5 m high.
pub(super) fn tree(seed: u64) -> Surface<'static> {
    let mut chance = Chance::new(seed);
    let mut painter = Painter::default();
    let bark = lerp(BARK[0], BARK[1], chance.between(0.0, 1.0));
    let leaves = pick(&mut chance, &LEAVES);

    let top = [chance.between(-0.35, 0.35), chance.between(2.7, 3.3), chance.between(-0.35, 0.35)];
    let foot = [([0.0, -0.3, 0.0], 0.34), ([0.0, 0.25, 0.0], 0.21)];
    let trunk: Vec<_> = foot.into_iter().chain([(scale(top, 0.55), 0.17), (top, 0.11)]).collect();
    paint_bark(&mut painter, &mut chance, &Shape::tube(&trunk, 6), bark);

    let main = (add(top, [0.0, 0.7, 0.0]), chance.between(1.25, 1.5));
    let mut clouds = vec![main];
    let turn = chance.between(0.0, TAU);
    for branch in 0..2 {
        let angle = turn + branch as f32 * TAU * 0.5 + chance.between(-0.5, 0.5);
        let from = scale(top, chance.between(0.5, 0.68));
        let end = around(add(from, [0.0, chance.between(0.6, 0.95), 0.0]), angle, chance.between(0.95, 1.25));
        paint_bark(&mut painter, &mut chance, &Shape::tube(&taper((from, 0.1), (end, 0.05), 1), 4), bark);
        clouds.push((add(end, [0.0, 0.25, 0.0]), chance.between(0.8, 1.0)));
    }
    let side = around(add(top, [0.0, 0.35, 0.0]), turn + TAU * 0.25, chance.between(0.6, 0.9));
    clouds.push((side, chance.between(0.85, 1.05)));
    for (number, (middle, radius)) in (0u64..).zip(clouds) {
        paint_cloud(&mut painter, &mut chance, derive(seed, number), middle, [radius, radius * 0.8, radius], leaves);
    }
    painter.finish()
}

fn paint_bark(painter: &mut Painter, chance: &mut Chance, shape: &Shape, bark: Vector) {
    painter.flat(shape, |_, _| scale(bark, chance.between(0.85, 1.15)));
}

/// A rough ball of leaves, darker below.
fn paint_cloud(
    painter: &mut Painter,
    chance: &mut Chance,
    seed: u64,
    middle: Vector,
    size: Vector,
    leaves: (Vector, Vector),
) {
    let shape = Shape::sphere(2).rough(seed, 1.6, 0.17).placed(size, middle);
    painter.flat(&shape, |_, normal| foliage(chance, leaves, normal[1]));
}

/// A conifer: a trunk and six or seven skirts of needles, smaller towards the tip. About 7 m high.
pub(super) fn conifer(seed: u64) -> Surface<'static> {
    const SIDES: u32 = 12;
    let mut chance = Chance::new(seed);
    let mut painter = Painter::default();
    let bark = lerp(BARK[0], BARK[1], chance.between(0.0, 0.6));
    let needles = pick(&mut chance, &NEEDLES);
    let height = chance.between(6.2, 7.6);
    let width = chance.between(1.35, 1.75);
    let bare = chance.between(0.6, 1.0);
    let skirts = 6 + (chance.next() % 2) as u32;

    let trunk = taper(([0.0, -0.3, 0.0], 0.24), ([0.0, height * 0.85, 0.0], 0.05), 2);
    paint_bark(&mut painter, &mut chance, &Shape::tube(&trunk, 6), bark);
    for number in 0..skirts {
        let share = number as f32 / skirts as f32;
        let edge_height = bare + (height - bare) * share * 0.92;
        let length = (height - bare) / skirts as f32 * 1.75;
        let tip_height = (edge_height + length).min(height);
        let radius = width * (1.0 - share * 0.82);
        let turn = chance.between(0.0, TAU);
        let lean = [chance.between(-0.05, 0.05), 0.0, chance.between(-0.05, 0.05)];
        let edge: Vec<Vector> = (0..SIDES)
            .map(|side| {
                // Negative angles: counter-clockwise as seen from above. Every other point is a bough that hangs.
                let angle = turn - side as f32 * TAU / SIDES as f32;
                let (reach, hang) = if side % 2 == 0 { (1.0, -0.22) } else { (0.72, 0.05) };
                let reach = radius * reach * chance.between(0.88, 1.08);
                around(add(lean, [0.0, edge_height + hang * radius, 0.0]), angle, reach)
            })
            .collect();
        let inside = add(lean, [0.0, edge_height + 0.3 * length, 0.0]);
        let shape = Shape::skirt(add(lean, [0.0, tip_height, 0.0]), &edge, inside);
        painter.flat(&shape, |_, normal| foliage(&mut chance, needles, normal[1] * 1.2 + share * 0.3));
    }
    painter.finish()
}

/// A bush: two balls of leaves and some blossoms. About 1.2 m wide.
pub(super) fn bush(seed: u64) -> Surface<'static> {
    let mut chance = Chance::new(seed);
    let mut painter = Painter::default();
    let leaves = pick(&mut chance, &LEAVES[..3]);
    let blossom = pick(&mut chance, &BLOSSOMS);
    let turn = chance.between(0.0, TAU);
    let large = chance.between(0.5, 0.62);
    let small = large * chance.between(0.62, 0.8);
    let balls = [
        ([0.0, large * 0.55, 0.0], [large, large * 0.85, large]),
        (around([0.0, small * 0.5, 0.0], turn, large * 0.75), [small, small * 0.85, small]),
    ];
    for (number, (middle, size)) in (0u64..).zip(balls) {
        paint_cloud(&mut painter, &mut chance, derive(seed, number), middle, size, leaves);
    }
    for number in 0..6 {
        let (middle, size) = balls[number % 2];
        let angle = turn + number as f32 * TAU * 0.38;
        let up = chance.between(0.35, 0.85);
        let out = libm::sqrtf(1.0 - up * up);
        let at = around(add(middle, [0.0, up * size[1] * 0.94, 0.0]), angle, out * size[0] * 0.94);
        let shape = Shape::sphere(1).placed([0.06, 0.05, 0.06], at);
        painter.flat(&shape, |_, normal| scale(blossom, 0.8 + 0.2 * normal[1]));
    }
    painter.finish()
}
