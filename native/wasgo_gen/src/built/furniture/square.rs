//! What stands on squares and along streets.

use super::kit::{IRON, Kit, OAK, PLANK, STONE};
use crate::built::grammar::Material;
use crate::built::solid::Brush;

fn brush(material: Material, color: [f32; 3]) -> Brush {
    Brush { material, color }
}

/// A ring of stone with water in it, a roller on two posts, and a roof.
pub(super) fn well(kit: &mut Kit) {
    let middle = [0.0; 2];
    let ring = [(0.8, -0.4), (0.8, 0.78), (0.88, 0.8), (0.88, 0.94), (0.6, 0.94), (0.6, 0.2)];
    kit.lathe(STONE, middle, 12, &ring);
    kit.lathe(brush(Material::Glass, [0.015, 0.035, 0.04]), middle, 12, &[(0.6, 0.3), (0.6, 0.301)]);
    for x in [-0.92, 0.8] {
        kit.block(OAK, [x, x + 0.12], [0.0, 2.35], [-0.07, 0.07]);
    }
    kit.log(OAK, PLANK, [-0.98, 1.72, 0.0], [1.0, 1.72, 0.0], 0.09, 8);
    kit.log(OAK, PLANK, [1.0, 1.72, 0.0], [1.0, 1.44, 0.1], 0.025, 5);
    kit.log(brush(Material::Cloth, [0.34, 0.27, 0.16]), OAK, [0.05, 1.66, 0.0], [0.05, 1.22, 0.0], 0.018, 5);
    kit.lathe(PLANK, [0.05, 0.0], 8, &[(0.12, 0.96), (0.16, 1.24)]);
    let roof = kit.one_of([
        brush(Material::Tile, [0.3, 0.1, 0.055]),
        brush(Material::Thatch, [0.34, 0.25, 0.11]),
        brush(Material::Plank, [0.2, 0.14, 0.085]),
        brush(Material::Slate, [0.09, 0.1, 0.115]),
    ]);
    let (eave, ridge, out, long) = (2.16, 2.86, 0.92, 1.2);
    kit.board(roof, &[[long, eave, -out], [-long, eave, -out], [-long, ridge, 0.0], [long, ridge, 0.0]], 0.07);
    kit.board(roof, &[[-long, eave, out], [long, eave, out], [long, ridge, 0.0], [-long, ridge, 0.0]], 0.07);
    for x in [-0.9, 0.9] {
        let gable = [[x, eave + 0.08, -0.72], [x, eave + 0.08, 0.72], [x, ridge - 0.1, 0.0]];
        kit.solids.polygon(PLANK, &gable);
        kit.solids.polygon(PLANK, &[gable[0], gable[2], gable[1]]);
    }
    kit.collide([-0.88, 0.88], [-0.4, 0.94], [-0.88, 0.88]);
}

/// Steps, a shaft and a cross.
pub(super) fn market_cross(kit: &mut Kit) {
    let middle = [0.0; 2];
    for (number, radius) in [1.9, 1.45, 1.0].into_iter().enumerate() {
        let foot = number as f32 * 0.26;
        kit.lathe(STONE, middle, 8, &[(radius, foot - 0.3), (radius, foot + 0.2), (radius - 0.05, foot + 0.26)]);
        let half = radius * 0.85;
        kit.collide([-half, half], [foot, foot + 0.26], [-half, half]);
    }
    let shaft = [(0.42, 0.7), (0.42, 1.3), (0.3, 1.45), (0.21, 3.6), (0.32, 3.75), (0.36, 3.95), (0.24, 4.05)];
    kit.lathe(STONE.times(1.08), middle, 8, &shaft);
    let head = STONE.times(1.15);
    kit.block(head, [-0.1, 0.1], [4.0, 5.1], [-0.1, 0.1]);
    kit.block(head, [-0.4, 0.4], [4.55, 4.75], [-0.095, 0.095]);
    kit.collide([-0.35, 0.35], [0.7, 5.1], [-0.35, 0.35]);
}

/// A counter under a striped awning, with what is sold.
pub(super) fn stall(kit: &mut Kit) {
    for x in [-1.25, 1.17] {
        kit.block(OAK, [x, x + 0.08], [0.0, 1.98], [-0.98, -0.9]);
        kit.block(OAK, [x, x + 0.08], [0.0, 2.4], [0.72, 0.8]);
    }
    kit.block(OAK, [-1.25, 1.25], [2.3, 2.38], [0.72, 0.8]);
    kit.block(OAK, [-1.25, 1.25], [1.9, 1.97], [-0.98, -0.91]);
    for row in 0..4 {
        let y = 0.14 + row as f32 * 0.17;
        kit.block(PLANK, [-1.17, 1.17], [y, y + 0.155], [-0.78, -0.74]);
    }
    kit.block(PLANK.times(1.1), [-1.22, 1.22], [0.82, 0.88], [-0.86, -0.08]);
    for x in [-1.1, 1.02] {
        kit.block(OAK, [x, x + 0.08], [0.0, 0.82], [-0.2, -0.12]);
    }
    let dye = kit.one_of([[0.42, 0.04, 0.035], [0.04, 0.13, 0.33], [0.05, 0.24, 0.09], [0.5, 0.3, 0.04]]);
    let (front, back) = ([1.93, -1.12], [2.46, 0.86]);
    for strip in 0..8 {
        let color = if strip % 2 == 0 { dye } else { [0.62, 0.58, 0.48] };
        let cloth = brush(Material::Cloth, color);
        let (left, right) = (-1.4 + strip as f32 * 0.35, -1.05 + strip as f32 * 0.35);
        let face = [
            [right, front[0], front[1]],
            [left, front[0], front[1]],
            [left, back[0], back[1]],
            [right, back[0], back[1]],
        ];
        kit.board(cloth, &face, 0.015);
        let flap = [
            [right, front[0] - 0.1, front[1] - 0.01],
            [(left + right) / 2.0, front[0] - 0.24, front[1] - 0.01],
            [left, front[0] - 0.1, front[1] - 0.01],
            [left, front[0], front[1]],
            [right, front[0], front[1]],
        ];
        kit.board(cloth, &flap, 0.012);
    }
    for (number, x) in [-0.85, -0.1, 0.62].into_iter().enumerate() {
        let (w, d) = (0.26, 0.2);
        let z = -0.48;
        kit.block(PLANK.times(0.85), [x - w, x + w], [0.88, 1.0], [z - d, z + d]);
        let fruit = kit.one_of([[0.45, 0.06, 0.03], [0.12, 0.3, 0.03], [0.55, 0.24, 0.02], [0.3, 0.17, 0.07]]);
        for at in 0..6 {
            let (column, row) = (at % 3, at / 3);
            let place = [x - 0.16 + column as f32 * 0.16, z - 0.09 + row as f32 * 0.18];
            let y = 0.97 + 0.02 * ((number + at) % 2) as f32;
            kit.lathe(
                brush(Material::Cloth, fruit),
                place,
                6,
                &[(0.03, y), (0.085, y + 0.06), (0.05, y + 0.13), (0.0, y + 0.14)],
            );
        }
    }
    kit.collide([-1.25, 1.25], [0.0, 0.9], [-0.86, -0.08]);
}

/// A seat with a back.
pub(super) fn bench(kit: &mut Kit) {
    for x in [-0.72, 0.6] {
        kit.block(OAK, [x, x + 0.12], [0.0, 0.43], [-0.2, 0.2]);
        kit.block(OAK, [x + 0.02, x + 0.1], [0.43, 0.92], [0.17, 0.23]);
    }
    for z in [-0.23, -0.07, 0.09] {
        kit.block(PLANK, [-0.85, 0.85], [0.43, 0.475], [z, z + 0.14]);
    }
    for y in [0.6, 0.77] {
        kit.block(PLANK, [-0.82, 0.82], [y, y + 0.13], [0.13, 0.17]);
    }
    kit.collide([-0.85, 0.85], [0.0, 0.9], [-0.23, 0.23]);
}

/// A lantern on the arm of a post.
pub(super) fn lamp(kit: &mut Kit) {
    let middle = [0.0; 2];
    kit.lathe(STONE, middle, 6, &[(0.17, -0.2), (0.17, 0.22), (0.1, 0.3)]);
    kit.lathe(OAK, middle, 6, &[(0.075, 0.25), (0.06, 2.85), (0.0, 2.95)]);
    kit.block(IRON, [-0.022, 0.022], [2.62, 2.665], [-0.56, 0.0]);
    kit.log(IRON, IRON, [0.0, 2.3, -0.04], [0.0, 2.63, -0.36], 0.016, 5);
    let (z, top) = (-0.5, 2.56);
    kit.lathe(IRON, [0.0, z], 4, &[(0.2, top - 0.05), (0.03, top + 0.06), (0.03, top + 0.1)]);
    kit.lathe(IRON, [0.0, z], 4, &[(0.13, top - 0.42), (0.15, top - 0.38)]);
    for (dx, dz) in [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)] {
        let corner = |out: f32, y: f32| [dx * out, y, z + dz * out];
        kit.log(IRON, IRON, corner(0.1, top - 0.4), corner(0.12, top - 0.04), 0.011, 4);
    }
    let flame = [(0.04, top - 0.36), (0.062, top - 0.26), (0.035, top - 0.15), (0.0, top - 0.1)];
    kit.lathe(brush(Material::Flame, [1.0, 0.72, 0.32]), [0.0, z], 6, &flame);
    kit.collide([-0.17, 0.17], [-0.2, 2.9], [-0.17, 0.17]);
}

/// Two boards that point along the road.
pub(super) fn signpost(kit: &mut Kit) {
    kit.log(OAK, PLANK, [0.0, -0.3, 0.0], [0.0, 2.5, 0.0], 0.075, 7);
    kit.lathe(OAK, [0.0; 2], 7, &[(0.1, 2.44), (0.0, 2.6)]);
    for (y, way, long) in [(2.14, 1.0, 1.05), (1.82, -1.0, 0.9)] {
        let board = PLANK.times(1.25);
        let z = -0.09;
        // Seen from the front, east is to the left.
        let outline = [[-0.22, 0.0], [long - 0.16, 0.0], [long, 0.13], [long - 0.16, 0.26], [-0.22, 0.26]];
        let mut face: Vec<[f32; 3]> = outline.iter().map(|[u, v]| [u * way, y + v, z]).collect();
        if way > 0.0 {
            face.reverse();
        }
        kit.board(board, &face, 0.04);
        for line in 0..2 {
            let v = y + 0.09 + 0.07 * line as f32;
            let text = PLANK.times(0.35);
            kit.block(
                text,
                [(0.12 * way).min((long - 0.3) * way), (0.12 * way).max((long - 0.3) * way)],
                [v, v + 0.022],
                [z - 0.006, z],
            );
        }
    }
    kit.collide([-0.1, 0.1], [-0.3, 2.5], [-0.1, 0.1]);
}
