//! Triangles by material: flat polygons, and blocks in the frame of a wall.

use std::collections::BTreeMap;

use super::grammar::Material;
use crate::MeshData;
use crate::vector::{Vector, add, cross, dot, scale, sub, unit};

/// Polygons thinner than this (as double area in square metres) would not be seen.
const THIN: f32 = 1e-6;

/// What a polygon looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Brush {
    pub(super) material: Material,
    /// Linear.
    pub(super) color: Vector,
}

impl Brush {
    /// Lighter or darker.
    pub(super) fn times(self, factor: f32) -> Self {
        Self { color: scale(self.color, factor), ..self }
    }
}

/// A place on a wall: u to the right as seen from outside, v up, n outwards. All of length 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Frame {
    pub(super) origin: Vector,
    pub(super) u: Vector,
    pub(super) v: Vector,
    pub(super) n: Vector,
}

impl Frame {
    /// The wall over the edge from `a` to `b` (x, z), which runs to the right as seen from outside; with its length.
    pub(super) fn wall(a: [f32; 2], b: [f32; 2], y: f32) -> (Self, f32) {
        let (dx, dz) = (b[0] - a[0], b[1] - a[1]);
        let length = (dx * dx + dz * dz).sqrt();
        let (ux, uz) = (dx / length, dz / length);
        let frame = Self { origin: [a[0], y, a[1]], u: [ux, 0.0, uz], v: [0.0, 1.0, 0.0], n: [-uz, 0.0, ux] };
        (frame, length)
    }

    /// A point of the frame, in the building.
    pub(super) fn at(&self, u: f32, v: f32, n: f32) -> Vector {
        add(self.origin, add(add(scale(self.u, u), scale(self.v, v)), scale(self.n, n)))
    }

    /// The same directions elsewhere.
    pub(super) fn moved(&self, u: f32, v: f32, n: f32) -> Self {
        Self { origin: self.at(u, v, n), ..*self }
    }
}

/// Sides of a block, to leave out those that nobody sees.
pub(super) mod side {
    pub(in super::super) const BACK: u8 = 1;
    pub(in super::super) const BOTTOM: u8 = 2;
    pub(in super::super) const TOP: u8 = 4;
    pub(in super::super) const FRONT: u8 = 8;
}

/// Everything that a building or a floor of tiles is made of.
#[derive(Default)]
pub(super) struct Solids {
    meshes: BTreeMap<Material, MeshData>,
    triangles: usize,
}

impl Solids {
    pub(super) fn triangles(&self) -> usize {
        self.triangles
    }

    /// A flat convex polygon, counter-clockwise as seen from its front. Lower parts of walls are a little darker, as if dirty.
    pub(super) fn polygon(&mut self, brush: Brush, points: &[Vector]) {
        let Some(first) = points.first() else { return };
        let area = (1..points.len().saturating_sub(1))
            .fold([0.0; 3], |sum, at| add(sum, cross(sub(points[at], *first), sub(points[at + 1], *first))));
        if dot(area, area) < THIN * THIN {
            return;
        }
        let Some(normal) = unit(area) else { return };
        // Across and up in the plane, so that a texture stands upright on a wall.
        let across = unit(cross([0.0, 1.0, 0.0], normal)).unwrap_or([1.0, 0.0, 0.0]);
        let up = cross(normal, across);
        let mesh = self.meshes.entry(brush.material).or_default();
        let base = mesh.positions.len() as u32;
        let before = mesh.indices.len();
        for at in 1..points.len() - 1 {
            let [b, c] = [points[at], points[at + 1]];
            let part = cross(sub(b, *first), sub(c, *first));
            if dot(part, normal) > THIN {
                mesh.indices.extend([base, base + at as u32, base + at as u32 + 1]);
            }
        }
        self.triangles += (mesh.indices.len() - before) / 3;
        for point in points {
            mesh.positions.push(*point);
            mesh.normals.push(normal);
            let [r, g, b] = scale(brush.color, grime(point[1])).map(|value| value.clamp(0.0, 1.0));
            mesh.colors.push([r, g, b, 1.0]);
            mesh.uvs.push([dot(*point, across), -dot(*point, up)]);
        }
    }

    /// A rectangle in the plane `n` of a frame, facing outwards.
    pub(super) fn rectangle(&mut self, brush: Brush, frame: &Frame, u: [f32; 2], v: [f32; 2], n: f32) {
        let corners =
            [frame.at(u[0], v[0], n), frame.at(u[1], v[0], n), frame.at(u[1], v[1], n), frame.at(u[0], v[1], n)];
        self.polygon(brush, &corners);
    }

    /// A block from the least to the greatest place in a frame, without the sides of `open` (see [`side`]).
    pub(super) fn block(&mut self, brush: Brush, frame: &Frame, u: [f32; 2], v: [f32; 2], n: [f32; 2], open: u8) {
        if u[1] <= u[0] || v[1] <= v[0] || n[1] <= n[0] {
            return;
        }
        let p = |i: usize, j: usize, k: usize| frame.at(u[i], v[j], n[k]);
        let faces: [(u8, [Vector; 4]); 6] = [
            (side::FRONT, [p(0, 0, 1), p(1, 0, 1), p(1, 1, 1), p(0, 1, 1)]),
            (side::BACK, [p(1, 0, 0), p(0, 0, 0), p(0, 1, 0), p(1, 1, 0)]),
            (0, [p(0, 0, 0), p(0, 0, 1), p(0, 1, 1), p(0, 1, 0)]),
            (0, [p(1, 0, 1), p(1, 0, 0), p(1, 1, 0), p(1, 1, 1)]),
            (side::TOP, [p(0, 1, 1), p(1, 1, 1), p(1, 1, 0), p(0, 1, 0)]),
            (side::BOTTOM, [p(0, 0, 0), p(1, 0, 0), p(1, 0, 1), p(0, 0, 1)]),
        ];
        for (flag, corners) in faces {
            if open & flag == 0 {
                self.polygon(brush, &corners);
            }
        }
    }

    /// A bar of square section (`thick` metres) from one point of a wall's plane to another, standing out by `out`.
    pub(super) fn bar(&mut self, brush: Brush, frame: &Frame, from: [f32; 2], to: [f32; 2], thick: f32, out: f32) {
        let (du, dv) = (to[0] - from[0], to[1] - from[1]);
        let length = (du * du + dv * dv).sqrt();
        if length < 1e-3 {
            return;
        }
        let (cu, cv) = (du / length, dv / length);
        let along = add(scale(frame.u, cu), scale(frame.v, cv));
        let up = add(scale(frame.u, -cv), scale(frame.v, cu));
        let tilted = Frame { origin: frame.at(from[0], from[1], 0.0), u: along, v: up, n: frame.n };
        self.block(brush, &tilted, [0.0, length], [-thick / 2.0, thick / 2.0], [0.0, out], side::BACK);
    }

    /// A prism over a convex or star-shaped (from its middle) polygon of the plane: its sides, and its top and bottom on demand.
    pub(super) fn prism(&mut self, brush: Brush, ring: &[[f32; 2]], y: [f32; 2], top: bool, bottom: bool) {
        for (at, a) in ring.iter().enumerate() {
            let b = ring[(at + 1) % ring.len()];
            self.polygon(brush, &[[a[0], y[0], a[1]], [b[0], y[0], b[1]], [b[0], y[1], b[1]], [a[0], y[1], a[1]]]);
        }
        if top {
            let points: Vec<Vector> = ring.iter().map(|p| [p[0], y[1], p[1]]).collect();
            self.polygon(brush, &points);
        }
        if bottom {
            let points: Vec<Vector> = ring.iter().rev().map(|p| [p[0], y[0], p[1]]).collect();
            self.polygon(brush, &points);
        }
    }

    /// A foundation: walls along the outer ring, and a ledge from there to the inner one, corner by corner.
    pub(super) fn plinth(&mut self, brush: Brush, outer: &[[f32; 2]], inner: &[[f32; 2]], y: [f32; 2]) {
        self.prism(brush, outer, y, false, false);
        for at in 0..outer.len().min(inner.len()) {
            let next = (at + 1) % outer.len();
            let [a, b, c, d] = [outer[at], outer[next], inner[next], inner[at]].map(|p| [p[0], y[1], p[1]]);
            self.polygon(brush.times(1.1), &[a, b, c, d]);
        }
    }

    /// The meshes, by material.
    pub(super) fn finish(self) -> impl Iterator<Item = (Material, MeshData)> {
        self.meshes.into_iter().filter(|(_, mesh)| !mesh.indices.is_empty())
    }
}

/// How clean something is at a height above the foot.
fn grime(y: f32) -> f32 {
    0.8 + 0.2 * ((y + 0.4) / 1.8).clamp(0.0, 1.0)
}

/// A regular polygon, counter-clockwise as seen from above. `sides` at least 3.
pub(super) fn regular(sides: u32, radius: f32, middle: [f32; 2]) -> Vec<[f32; 2]> {
    (0..sides)
        .map(|at| {
            let angle = -(at as f32 + 0.5) * std::f32::consts::TAU / sides as f32;
            let (sin, cos) = libm::sincosf(angle);
            [middle[0] + radius * cos, middle[1] + radius * sin]
        })
        .collect()
}
