//! What stands in a tile.

use super::super::Fitting;
use super::{Builder, Cell, Light};
use crate::built::grammar::Material;
use crate::built::solid::{Brush, Frame, regular, side};

fn brush(material: Material, color: [f32; 3]) -> Brush {
    Brush { material, color }
}

impl Builder<'_> {
    /// Puts a fitting at the side that its tile's north has been turned to.
    pub(super) fn fitting(&mut self, fitting: Fitting, cell: &Cell, turn: usize, seed: u64) {
        let frame = self.frame(cell, turn);
        let [length, depth] = self.lengths(turn);
        let middle = length / 2.0;
        let room = depth - 2.0 * self.look.wall;
        let wood = brush(Material::Timber, [0.14, 0.08, 0.04]);
        match fitting {
            Fitting::Torch => self.torch(&frame, middle),
            Fitting::Column => self.column(cell),
            Fitting::StairsUp => self.stairs(&frame, length, room, 1.0),
            Fitting::StairsDown => self.stairs(&frame, length, room, -1.0),
            Fitting::Chest => {
                let iron = brush(Material::Metal, [0.3, 0.22, 0.06]);
                let u = [middle - 0.45, middle + 0.45];
                self.solids.block(wood, &frame, u, [0.0, 0.42], [0.1, 0.65], side::BOTTOM);
                self.solids.block(wood.times(1.3), &frame, [u[0] - 0.03, u[1] + 0.03], [0.42, 0.62], [0.07, 0.68], 0);
                for at in [-0.3, 0.24] {
                    let band = [middle + at, middle + at + 0.06];
                    self.solids.block(iron, &frame, band, [0.0, 0.64], [0.06, 0.69], side::BOTTOM);
                }
                self.solids.block(iron, &frame, [middle - 0.05, middle + 0.05], [0.36, 0.5], [0.68, 0.71], side::BACK);
                self.collide(&frame, u, [0.0, 0.62], [0.1, 0.65]);
            }
            Fitting::Table => {
                let at = frame.moved(middle, 0.0, room / 2.0);
                self.solids.block(wood, &at, [-0.55, 0.55], [0.72, 0.78], [-0.35, 0.35], 0);
                for (u, n) in [(-0.48, -0.28), (0.42, -0.28), (-0.48, 0.22), (0.42, 0.22)] {
                    self.solids.block(wood, &at, [u, u + 0.06], [0.0, 0.72], [n, n + 0.06], side::TOP | side::BOTTOM);
                }
                for (u, n) in [(-0.2, -0.75), (-0.2, 0.45)] {
                    self.solids.block(wood.times(0.8), &at, [u, u + 0.36], [0.0, 0.45], [n, n + 0.3], side::BOTTOM);
                }
                self.collide(&at, [-0.55, 0.55], [0.0, 0.78], [-0.35, 0.35]);
            }
            Fitting::Bed => {
                let u = [middle - 0.5, middle + 0.5];
                let long = room.min(2.0) - 0.05;
                let cloth = [[0.35, 0.05, 0.05], [0.08, 0.14, 0.3], [0.1, 0.22, 0.1]][(seed % 3) as usize];
                self.solids.block(wood, &frame, u, [0.0, 0.38], [0.0, long], side::BOTTOM | side::BACK);
                self.solids.block(wood, &frame, u, [0.38, 0.95], [0.0, 0.07], side::BOTTOM | side::BACK);
                let linen = brush(Material::Cloth, [0.6, 0.57, 0.5]);
                self.solids.block(
                    linen,
                    &frame,
                    [u[0] + 0.04, u[1] - 0.04],
                    [0.38, 0.5],
                    [0.07, long - 0.04],
                    side::BOTTOM,
                );
                self.solids.block(linen, &frame, [u[0] + 0.15, u[1] - 0.15], [0.5, 0.6], [0.12, 0.45], side::BOTTOM);
                let blanket = brush(Material::Cloth, cloth);
                self.solids.block(
                    blanket,
                    &frame,
                    [u[0] + 0.01, u[1] - 0.01],
                    [0.4, 0.54],
                    [0.6, long - 0.02],
                    side::BOTTOM,
                );
                self.collide(&frame, u, [0.0, 0.55], [0.0, long]);
            }
            Fitting::Barrels => {
                let wall = self.look.wall;
                for (u, n, radius) in [(0.45, 0.4, 0.3), (1.05, 0.38, 0.27)] {
                    let at = frame.at(wall + u, 0.0, n);
                    self.barrel(at, radius);
                }
            }
            Fitting::Hearth => self.hearth(&frame, middle),
        }
    }

    fn torch(&mut self, frame: &Frame, u: f32) {
        let iron = brush(Material::Metal, [0.04, 0.04, 0.045]);
        let wood = brush(Material::Timber, [0.12, 0.07, 0.03]);
        self.solids.block(iron, frame, [u - 0.06, u + 0.06], [1.55, 1.75], [0.0, 0.04], side::BACK);
        self.solids.block(iron, frame, [u - 0.025, u + 0.025], [1.6, 1.65], [0.04, 0.2], side::BACK);
        self.solids.block(wood, frame, [u - 0.035, u + 0.035], [1.5, 1.9], [0.14, 0.21], 0);
        self.flame(frame.at(u, 1.9, 0.175), 0.09);
    }

    /// A pointed body over a square, and a light in it.
    fn flame(&mut self, foot: [f32; 3], size: f32) {
        let fire = brush(Material::Flame, [1.0, 0.5, 0.1]);
        let ring = regular(5, size, [foot[0], foot[2]]);
        let belly = regular(5, size * 0.8, [foot[0], foot[2]]);
        let tip = [foot[0], foot[1] + size * 4.0, foot[2]];
        let y = [foot[1], foot[1] + size * 1.5];
        for at in 0..5 {
            let next = (at + 1) % 5;
            let [a, b] = [ring[at], ring[next]].map(|p| [p[0], y[0], p[1]]);
            let [c, d] = [belly[next], belly[at]].map(|p| [p[0], y[1], p[1]]);
            self.solids.polygon(fire, &[a, b, c, d]);
            self.solids.polygon(fire, &[d, c, tip]);
        }
        self.lights.push(Light {
            position: [foot[0], foot[1] + size * 1.5, foot[2]],
            color: [1.0, 0.62, 0.28],
            range: 7.0,
        });
    }

    fn column(&mut self, cell: &Cell) {
        let stone = self.wall_brush(cell.hash).times(1.25);
        let [x, y, z] = cell.middle;
        let top = y + self.look.height;
        for (radius, from, to) in [(0.42, y, y + 0.3), (0.29, y + 0.3, top - 0.3), (0.42, top - 0.3, top)] {
            let ring = regular(8, radius, [x, z]);
            let (above, below) = (radius > 0.4, from > y + 0.5);
            self.solids.prism(
                stone,
                &ring,
                [from, to],
                above && from == y || !self.look.ceiling,
                below && radius > 0.4,
            );
        }
        let half = [0.35, self.look.height / 2.0, 0.35];
        self.colliders.push(super::BoxCollider { center: [x, y + half[1], z], half });
    }

    /// Steps over the whole cell: up to the wall, or down to it.
    fn stairs(&mut self, frame: &Frame, length: f32, room: f32, sign: f32) {
        const STEPS: u32 = 8;
        let stone = brush(self.look.floors.0, self.look.floors.1);
        let u = [self.look.wall, length - self.look.wall];
        let (run, rise) = ((room + self.look.wall) / STEPS as f32, self.look.height * 0.85 / STEPS as f32);
        let foot = -(rise * STEPS as f32) - 0.1;
        for step in 0..STEPS {
            let n = (room + self.look.wall) - run * (step + 1) as f32;
            let v = rise * sign * (step + 1) as f32;
            let stone = stone.times(if step % 2 == 0 { 1.1 } else { 0.9 });
            if sign > 0.0 {
                self.solids.block(stone, frame, u, [0.0, v], [n, n + run], side::BOTTOM | side::BACK);
            } else {
                let p = |u: f32, v: f32, n: f32| frame.at(u, v, n);
                let tread = [p(u[0], v, n + run), p(u[1], v, n + run), p(u[1], v, n), p(u[0], v, n)];
                self.solids.polygon(stone, &tread);
                // The riser above this tread looks down the stairs.
                let (above, at) = (v + rise, n + run);
                let riser = [p(u[1], v, at), p(u[0], v, at), p(u[0], above, at), p(u[1], above, at)];
                self.solids.polygon(stone.times(0.8), &riser);
                // The walls beside go on below the floor.
                let wall = self.wall_brush(u64::from(step));
                let left = [p(u[0], foot, n + run), p(u[0], foot, n), p(u[0], 0.0, n), p(u[0], 0.0, n + run)];
                let right = [p(u[1], foot, n), p(u[1], foot, n + run), p(u[1], 0.0, n + run), p(u[1], 0.0, n)];
                self.solids.polygon(wall.times(0.6), &left);
                self.solids.polygon(wall.times(0.6), &right);
            }
            let v = if sign > 0.0 { [0.0, v] } else { [v - 0.2, v] };
            self.collide(frame, u, v, [n, n + run]);
        }
        if sign < 0.0 {
            let dark = self.wall_brush(0).times(0.15);
            self.solids.rectangle(dark, frame, u, [foot, 0.0], 0.0);
        }
    }

    fn barrel(&mut self, [x, y, z]: [f32; 3], radius: f32) {
        let wood = brush(Material::Timber, [0.19, 0.1, 0.045]);
        let iron = brush(Material::Metal, [0.05, 0.05, 0.055]);
        let rings = [(0.0, 0.84), (0.12, 0.92), (0.45, 1.0), (0.78, 0.92), (0.9, 0.84)];
        for (number, pair) in rings.windows(2).enumerate() {
            let [(low, a), (high, b)] = [pair[0], pair[1]];
            let (from, to) = (regular(10, radius * a, [x, z]), regular(10, radius * b, [x, z]));
            for at in 0..10 {
                let next = (at + 1) % 10;
                let [c, d] = [from[at], from[next]].map(|p| [p[0], y + low, p[1]]);
                let [e, f] = [to[next], to[at]].map(|p| [p[0], y + high, p[1]]);
                let paint = if number % 3 == 0 { iron } else { wood.times(if at % 2 == 0 { 1.1 } else { 0.9 }) };
                self.solids.polygon(paint, &[c, d, e, f]);
            }
        }
        let top: Vec<_> = regular(10, radius * 0.84, [x, z]).iter().map(|p| [p[0], y + 0.9, p[1]]).collect();
        self.solids.polygon(wood.times(0.8), &top);
        self.colliders.push(super::BoxCollider { center: [x, y + 0.45, z], half: [radius * 0.9, 0.45, radius * 0.9] });
    }

    fn hearth(&mut self, frame: &Frame, u: f32) {
        let stone = brush(Material::Stone, [0.24, 0.22, 0.2]);
        let soot = brush(Material::Earth, [0.02, 0.018, 0.016]);
        for at in [[u - 0.7, u - 0.42], [u + 0.42, u + 0.7]] {
            self.solids.block(stone, frame, at, [0.0, 1.05], [0.0, 0.45], side::BACK | side::BOTTOM | side::TOP);
        }
        self.solids.block(stone.times(1.1), frame, [u - 0.78, u + 0.78], [1.05, 1.25], [0.0, 0.52], side::BACK);
        let top = self.look.height;
        self.solids.block(stone, frame, [u - 0.5, u + 0.5], [1.25, top], [0.0, 0.36], side::BACK | side::BOTTOM);
        self.solids.rectangle(soot, frame, [u - 0.42, u + 0.42], [0.0, 1.05], 0.01);
        let log = brush(Material::Timber, [0.1, 0.05, 0.025]);
        self.solids.block(log, frame, [u - 0.3, u + 0.3], [0.0, 0.12], [0.12, 0.34], side::BOTTOM);
        self.flame(frame.at(u, 0.12, 0.23), 0.11);
        self.collide(frame, [u - 0.7, u + 0.7], [0.0, top], [0.0, 0.45]);
    }
}
