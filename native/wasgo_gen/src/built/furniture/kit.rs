//! Simple bodies from which furniture is put together.

use super::Furniture;
use crate::built::building::{BoxCollider, Surface};
use crate::built::grammar::Material;
use crate::built::solid::{Brush, Frame, Solids, regular, side};
use crate::hash::{derive, unit as chance};
use crate::vector::{Vector, add, cross, scale, sub, unit};

pub(super) const OAK: Brush = Brush { material: Material::Timber, color: [0.17, 0.105, 0.055] };
pub(super) const PLANK: Brush = Brush { material: Material::Plank, color: [0.24, 0.155, 0.08] };
pub(super) const STONE: Brush = Brush { material: Material::Stone, color: [0.34, 0.32, 0.285] };
pub(super) const IRON: Brush = Brush { material: Material::Metal, color: [0.045, 0.045, 0.05] };
pub(super) const HAY: Brush = Brush { material: Material::Thatch, color: [0.5, 0.37, 0.13] };

pub(super) struct Kit {
    pub(super) solids: Solids,
    boxes: Vec<BoxCollider>,
    seed: u64,
    asked: u64,
}

impl Kit {
    pub(super) fn new(seed: u64) -> Self {
        Self { solids: Solids::default(), boxes: Vec::new(), seed, asked: 0 }
    }

    pub(super) fn finish(self) -> Furniture {
        let surfaces = self.solids.finish().map(|(material, mesh)| Surface { material, mesh }).collect();
        Furniture { surfaces, boxes: self.boxes }
    }

    /// The next of its random numbers: from `low` to `high`.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        self.asked += 1;
        low + (high - low) * chance(derive(self.seed, self.asked))
    }

    /// One of several.
    pub(super) fn one_of<T: Copy, const N: usize>(&mut self, all: [T; N]) -> T {
        all[((self.between(0.0, 1.0) * N as f32) as usize).min(N - 1)]
    }

    /// A little lighter or darker, as nothing of wood or stone is like another.
    pub(super) fn worn(&mut self, brush: Brush) -> Brush {
        let factor = self.between(0.86, 1.14);
        brush.times(factor)
    }

    /// A block along the axes.
    pub(super) fn block(&mut self, brush: Brush, x: [f32; 2], y: [f32; 2], z: [f32; 2]) {
        let frame = Frame { origin: [0.0; 3], u: [1.0, 0.0, 0.0], v: [0.0, 1.0, 0.0], n: [0.0, 0.0, 1.0] };
        let brush = self.worn(brush);
        self.solids.block(brush, &frame, x, y, z, if y[0] <= 0.0 { side::BOTTOM } else { 0 });
    }

    /// A body around a vertical axis: radius and height of each ring, from the foot upwards, or inwards and down again. Ends with a radius
    /// are closed.
    pub(super) fn lathe(&mut self, brush: Brush, middle: [f32; 2], sides: u32, profile: &[(f32, f32)]) {
        let rings: Vec<Vec<Vector>> = profile
            .iter()
            .map(|(radius, y)| {
                let ring = regular(sides, radius.max(1e-4), middle);
                ring.into_iter().map(|[x, z]| [x, *y, z]).collect()
            })
            .collect();
        for pair in rings.windows(2) {
            for at in 0..sides as usize {
                let next = (at + 1) % sides as usize;
                let brush = self.worn(brush);
                self.solids.polygon(brush, &[pair[0][at], pair[0][next], pair[1][next], pair[1][at]]);
            }
        }
        let wide = |end: Option<&(f32, f32)>| end.is_some_and(|(radius, _)| *radius > 0.01);
        if let Some(top) = rings.last().filter(|_| wide(profile.last())) {
            self.solids.polygon(brush, top);
        }
        if let Some(foot) = rings.first().filter(|_| wide(profile.first()) && profile[0].1 > 0.0) {
            let foot: Vec<Vector> = foot.iter().rev().copied().collect();
            self.solids.polygon(brush, &foot);
        }
    }

    /// A round bar from one point to another, its ends of another colour.
    pub(super) fn log(&mut self, brush: Brush, ends: Brush, from: Vector, to: Vector, radius: f32, sides: u32) {
        let Some(axis) = unit(sub(to, from)) else { return };
        let other = if axis[1].abs() > 0.9 { [1.0, 0.0, 0.0] } else { [0.0, 1.0, 0.0] };
        let a = unit(cross(other, axis)).unwrap_or([1.0, 0.0, 0.0]);
        let b = cross(axis, a);
        let ring = |middle: Vector| -> Vec<Vector> {
            (0..sides)
                .map(|at| {
                    let (sin, cos) = libm::sincosf(at as f32 * std::f32::consts::TAU / sides as f32);
                    add(middle, add(scale(a, cos * radius), scale(b, sin * radius)))
                })
                .collect()
        };
        let (foot, top) = (ring(from), ring(to));
        for at in 0..sides as usize {
            let next = (at + 1) % sides as usize;
            let brush = self.worn(brush);
            self.solids.polygon(brush, &[foot[at], foot[next], top[next], top[at]]);
        }
        self.solids.polygon(ends, &top);
        let foot: Vec<Vector> = foot.into_iter().rev().collect();
        self.solids.polygon(ends, &foot);
    }

    /// A board: its face, counter-clockwise as seen from outside, and what is behind it to a thickness.
    pub(super) fn board(&mut self, brush: Brush, face: &[Vector], thick: f32) {
        let Some(normal) = unit(cross(sub(face[1], face[0]), sub(face[2], face[0]))) else { return };
        let back: Vec<Vector> = face.iter().map(|point| sub(*point, scale(normal, thick))).collect();
        self.solids.polygon(brush, face);
        let reversed: Vec<Vector> = back.iter().rev().copied().collect();
        self.solids.polygon(brush.times(0.8), &reversed);
        for at in 0..face.len() {
            let next = (at + 1) % face.len();
            self.solids.polygon(brush.times(0.85), &[back[at], back[next], face[next], face[at]]);
        }
    }

    /// Something to bump into, from its least to its greatest corner.
    pub(super) fn collide(&mut self, x: [f32; 2], y: [f32; 2], z: [f32; 2]) {
        let both = [x, y, z];
        self.boxes.push(BoxCollider {
            center: both.map(|[low, high]| (low + high) / 2.0),
            half: both.map(|[low, high]| (high - low) / 2.0),
        });
    }
}
