//! What stands in yards.

use super::kit::{HAY, IRON, Kit, OAK, PLANK};

/// Hay around a pole.
pub(super) fn haystack(kit: &mut Kit) {
    let bulge = kit.between(0.92, 1.08);
    let profile = [(1.35, -0.2), (1.5 * bulge, 0.35), (1.42, 1.0), (1.15, 1.6), (0.7, 2.15), (0.28, 2.5), (0.0, 2.6)];
    kit.lathe(HAY, [0.0; 2], 11, &profile);
    kit.log(OAK, PLANK, [0.0, 2.3, 0.0], [0.04, 3.0, 0.02], 0.045, 6);
    // Wisps that have slid down.
    for at in 0..7 {
        let turn = (at as f32 + kit.between(0.0, 0.8)) * std::f32::consts::TAU / 7.0;
        let (sin, cos) = libm::sincosf(turn);
        let far = kit.between(1.25, 1.6);
        let size = kit.between(0.2, 0.4);
        kit.lathe(
            HAY.times(0.9),
            [cos * far, sin * far],
            6,
            &[(size, -0.1), (size * 0.7, size * 0.4), (0.0, size * 0.6)],
        );
    }
    kit.collide([-1.1, 1.1], [0.0, 2.0], [-1.1, 1.1]);
}

/// Two wheels, a bed with sides, shafts to the front, sometimes hay.
pub(super) fn cart(kit: &mut Kit) {
    for side in [-1.0f32, 1.0] {
        let (inner, outer) = (0.72 * side, 0.82 * side);
        let rim = 14;
        for at in 0..rim {
            let angle = |at: u32| libm::sincosf(at as f32 * std::f32::consts::TAU / rim as f32);
            let point = |(sin, cos): (f32, f32), radius: f32, x: f32| [x, 0.58 + sin * radius, cos * radius];
            let (a, b) = (angle(at), angle(at + 1));
            let wood = kit.worn(OAK);
            // Outside, the tread, inside and the inner edge of the rim.
            for ring in [
                [point(a, 0.58, outer), point(b, 0.58, outer), point(b, 0.47, outer), point(a, 0.47, outer)],
                [point(b, 0.58, inner), point(a, 0.58, inner), point(a, 0.47, inner), point(b, 0.47, inner)],
                [point(a, 0.58, inner), point(b, 0.58, inner), point(b, 0.58, outer), point(a, 0.58, outer)],
                [point(b, 0.47, inner), point(a, 0.47, inner), point(a, 0.47, outer), point(b, 0.47, outer)],
            ] {
                let mut face = ring;
                // What is built for the west looks inside out.
                if side > 0.0 {
                    face.reverse();
                }
                kit.solids.polygon(wood, &face);
            }
        }
        let x = (inner + outer) / 2.0;
        for spoke in 0..4 {
            let (sin, cos) = libm::sincosf(0.2 + spoke as f32 * std::f32::consts::PI / 4.0);
            kit.log(OAK, OAK, [x, 0.58 - sin * 0.5, -cos * 0.5], [x, 0.58 + sin * 0.5, cos * 0.5], 0.028, 5);
        }
        kit.log(IRON, IRON, [0.66 * side, 0.58, 0.0], [0.9 * side, 0.58, 0.0], 0.085, 8);
    }
    kit.log(OAK, OAK, [-0.7, 0.58, 0.0], [0.7, 0.58, 0.0], 0.05, 6);
    for plank in 0..5 {
        let x = -0.6 + plank as f32 * 0.24;
        kit.block(PLANK, [x, x + 0.23], [0.66, 0.71], [-0.95, 1.0]);
    }
    for x in [-0.63, 0.58] {
        for y in [0.74, 0.95] {
            kit.block(PLANK, [x, x + 0.05], [y, y + 0.17], [-0.95, 1.0]);
        }
        for z in [-0.93, 0.0, 0.9] {
            kit.block(OAK, [x - 0.02, x + 0.07], [0.6, 1.2], [z, z + 0.08]);
        }
    }
    kit.block(PLANK, [-0.58, 0.58], [0.74, 1.1], [-0.96, -0.91]);
    for x in [-0.5, 0.5] {
        kit.log(OAK, OAK, [x, 0.64, 0.9], [x * 0.8, 0.3, -2.5], 0.045, 6);
    }
    if kit.between(0.0, 1.0) < 0.5 {
        kit.lathe(HAY, [0.0, 0.05], 9, &[(0.56, 0.72), (0.62, 1.1), (0.45, 1.45), (0.0, 1.62)]);
    }
    kit.collide([-0.9, 0.9], [0.0, 1.2], [-0.97, 1.0]);
}

/// Logs in rows, their ends to the front.
pub(super) fn woodpile(kit: &mut Kit) {
    for x in [-1.0, 0.94] {
        kit.block(OAK, [x, x + 0.06], [0.0, 1.15], [-0.05, 0.02]);
    }
    for row in 0..5 {
        let count = if row % 2 == 0 { 9 } else { 8 };
        for at in 0..count {
            let radius = kit.between(0.085, 0.108);
            let x = -0.84 + at as f32 * 0.21 + if row % 2 == 0 { 0.0 } else { 0.105 };
            let y = 0.1 + row as f32 * 0.185;
            let (front, back) = (kit.between(-0.27, -0.2), 0.3);
            let bark = kit.worn(OAK.times(0.8));
            let cut = kit.worn(PLANK.times(1.9));
            kit.log(bark, cut, [x, y, back], [x, y, front], radius, 6);
        }
    }
    kit.collide([-1.0, 1.0], [0.0, 1.05], [-0.25, 0.3]);
}
