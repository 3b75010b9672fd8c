//! Rocks: a rough sphere with some sides cut flat.

use wasgo_scene::Surface;

use super::paint::Painter;
use super::shape::Shape;
use crate::hash::{Chance, derive};
use crate::vector::{Vector, add, dot, lerp, scale, unit};

const CUTS: usize = 7;
const MOSS: Vector = [0.10, 0.17, 0.04];

/// About 1.5 m wide; its lower third is below the ground, so that it fits on slopes.
pub(super) fn rock(seed: u64) -> Surface<'static> {
    let mut chance = Chance::new(seed);
    let mut shape = Shape::sphere(3).rough(derive(seed, 1), 1.1, 0.13);
    for _ in 0..CUTS {
        let direction = [chance.between(-1.0, 1.0), chance.between(-0.4, 1.0), chance.between(-1.0, 1.0)];
        let depth = chance.between(0.58, 0.82);
        if let Some(normal) = unit(direction) {
            cut(&mut shape, normal, depth);
        }
    }
    let size = [chance.between(0.65, 0.9), chance.between(0.5, 0.8), chance.between(0.65, 0.9)];
    let shape = shape.placed(size, [0.0, size[1] * 0.4, 0.0]);
    let grey = chance.between(0.13, 0.26);
    let warm = chance.between(-0.012, 0.02);
    let stone = [grey + warm, grey, grey - warm];
    let moss = chance.between(-0.2, 0.55);
    let mut painter = Painter::default();
    painter.flat(&shape, |_, normal| {
        let shade = scale(stone, chance.between(0.9, 1.1));
        let green = ((normal[1] - 0.6) * 2.5).clamp(0.0, 1.0) * moss.max(0.0);
        lerp(shade, MOSS, green)
    });
    painter.finish()
}

/// Brings all points beyond a plane back onto it.
fn cut(shape: &mut Shape, normal: Vector, depth: f32) {
    for point in &mut shape.points {
        let beyond = dot(*point, normal) - depth;
        if beyond > 0.0 {
            *point = add(*point, scale(normal, -beyond));
        }
    }
}
