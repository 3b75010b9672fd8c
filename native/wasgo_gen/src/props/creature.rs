//! A small, friendly creature for agents to be seen as.

use wasgo_scene::{Mesh, Surface};

use super::paint::Painter;
use super::shape::{Shape, taper};
use crate::hash::{Chance, derive};
use crate::vector::{Vector, lerp, scale};

/// Furs: (back, belly).
const FURS: [(Vector, Vector); 6] = [
    ([0.62, 0.25, 0.07], [0.85, 0.66, 0.42]),
    ([0.16, 0.30, 0.55], [0.62, 0.76, 0.85]),
    ([0.36, 0.18, 0.50], [0.78, 0.62, 0.85]),
    ([0.12, 0.40, 0.22], [0.66, 0.82, 0.48]),
    ([0.70, 0.28, 0.34], [0.92, 0.72, 0.68]),
    ([0.50, 0.42, 0.10], [0.88, 0.82, 0.55]),
];
const WHITE: Vector = [0.9, 0.9, 0.88];
const DARK: Vector = [0.015, 0.012, 0.02];

/// A creature of this seed: round body, head with ears and large eyes, feet and a tail. Faces -Z, origin between its feet,
/// about 0.8 m high. The material is [`PAINTED`](crate::scene::PAINTED).
#[must_use]
pub fn creature(seed: u64) -> Mesh<'static> {
    Mesh { name: "creature".into(), surfaces: vec![body(derive(seed, 0xC0))], ..Mesh::default() }
}

fn body(seed: u64) -> Surface<'static> {
    let mut chance = Chance::new(seed);
    let (back, belly) = FURS[(chance.next() % FURS.len() as u64) as usize];
    let plump = chance.between(0.9, 1.12);
    let ear = chance.between(0.11, 0.24);
    let spread = chance.between(0.35, 0.7);
    let mut painter = Painter::default();

    // Light below and in front, dark above and behind.
    let fur = move |_: Vector, normal: Vector| {
        let front = (-normal[2] * 0.9 - normal[1] * 0.45).clamp(-1.0, 1.0);
        lerp(back, belly, ((front - 0.2) * 2.2).clamp(0.0, 1.0))
    };
    painter.smooth(&Shape::sphere(4).placed([0.2 * plump, 0.23, 0.19 * plump], [0.0, 0.27, 0.03]), fur);
    painter.smooth(&Shape::sphere(3).placed([0.21, 0.185, 0.185], [0.0, 0.56, -0.03]), move |_, normal| {
        let muzzle = (-normal[2] - normal[1] * 0.8 - 0.35).clamp(0.0, 1.0);
        lerp(back, belly, (muzzle * 2.0).min(1.0))
    });
    painter.smooth(&Shape::sphere(2).placed([0.032, 0.024, 0.024], [0.0, 0.535, -0.222]), |_, _| DARK);
    for side in [-1.0f32, 1.0] {
        let ball = |size: f32, at: Vector| Shape::sphere(2).placed([size; 3], [at[0] * side, at[1], at[2]]);
        painter.smooth(&ball(0.056, [0.084, 0.6, -0.16]), |_, _| WHITE);
        painter.smooth(&ball(0.037, [0.087, 0.602, -0.184]), |_, _| DARK);
        painter.smooth(&Shape::sphere(1).placed([0.011; 3], [0.087 * side - 0.012, 0.618, -0.215]), |_, _| [1.0; 3]);
        // Ears lean outwards.
        let path = [([0.0, 0.0, 0.0], 0.055), ([0.0, ear * 0.5, 0.0], 0.06), ([0.0, ear, 0.0], 0.02)];
        let shape = Shape::tube(&path, 8).placed([1.0, 1.0, 0.55], [0.0; 3]).rolled(-side * spread);
        let shape = shape.placed([1.0; 3], [side * 0.11, 0.69, 0.0]);
        painter.smooth(&shape, |_, normal| if normal[2] < -0.5 { scale(belly, 0.9) } else { back });
        // Feet and hands.
        painter.smooth(&Shape::sphere(2).placed([0.075, 0.05, 0.105], [side * 0.1, 0.05, -0.03]), |_, _| {
            scale(back, 0.75)
        });
        let hand = Shape::sphere(2).placed([0.045, 0.085, 0.05], [0.0; 3]).rolled(side * 0.55).pitched(0.5);
        painter.smooth(&hand.placed([1.0; 3], [side * 0.2 * plump, 0.3, -0.07]), |_, _| scale(back, 0.85));
    }
    let tail = taper(([0.0, 0.16, 0.17], 0.06), ([0.0, 0.3, 0.36], 0.075), 3);
    painter.smooth(&Shape::tube(&tail, 7), |point, _| if point[1] > 0.27 { belly } else { back });
    painter.finish()
}
