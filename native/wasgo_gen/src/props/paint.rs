//! Collects shapes with colours and normals into one surface.

use std::borrow::Cow;

use wasgo_scene::Surface;

use super::shape::Shape;
use crate::bytes::{le_bytes, le_bytes_u32};
use crate::scene::PAINTED;
use crate::vector::{Vector, add, cross, scale, sub, unit};

/// A surface under construction.
#[derive(Default)]
pub(super) struct Painter {
    positions: Vec<f32>,
    normals: Vec<f32>,
    colors: Vec<f32>,
    indices: Vec<u32>,
}

impl Painter {
    /// Adds a shape with hard edges. The colour (linear) is asked for the middle and the normal of each face.
    pub(super) fn flat(&mut self, shape: &Shape, mut color: impl FnMut(Vector, Vector) -> Vector) {
        for triangle in &shape.triangles {
            let [a, b, c] = triangle.map(|index| shape.points[index as usize]);
            // What was squashed to a line has no normal, and would not be seen.
            let Some(normal) = unit(cross(sub(b, a), sub(c, a))) else { continue };
            let paint = color(scale(add(add(a, b), c), 1.0 / 3.0), normal);
            let first = self.vertices();
            for point in [a, b, c] {
                self.vertex(point, normal, paint);
            }
            self.indices.extend([first, first + 1, first + 2]);
        }
    }

    /// Adds a shape with soft edges: normals are those of the faces around, by their area.
    pub(super) fn smooth(&mut self, shape: &Shape, mut color: impl FnMut(Vector, Vector) -> Vector) {
        let mut normals = vec![[0.0; 3]; shape.points.len()];
        for triangle in &shape.triangles {
            let [a, b, c] = triangle.map(|index| shape.points[index as usize]);
            let area = cross(sub(b, a), sub(c, a));
            for index in triangle {
                normals[*index as usize] = add(normals[*index as usize], area);
            }
        }
        let first = self.vertices();
        for (point, normal) in shape.points.iter().zip(normals) {
            let normal = unit(normal).unwrap_or([0.0, 1.0, 0.0]);
            self.vertex(*point, normal, color(*point, normal));
        }
        self.indices.extend(shape.triangles.iter().flatten().map(|index| first + index));
    }

    pub(super) fn finish(self) -> Surface<'static> {
        let owned = |bytes: Cow<'_, [u8]>| Cow::Owned(bytes.into_owned());
        Surface {
            positions: owned(le_bytes(&self.positions)),
            normals: owned(le_bytes(&self.normals)),
            colors: owned(le_bytes(&self.colors)),
            indices: owned(le_bytes_u32(&self.indices)),
            material: Some(PAINTED),
            ..Surface::default()
        }
    }

    fn vertices(&self) -> u32 {
        (self.positions.len() / 3) as u32
    }

    fn vertex(&mut self, point: Vector, normal: Vector, color: Vector) {
        self.positions.extend(point);
        self.normals.extend(normal);
        self.colors.extend(color.map(|value| value.clamp(0.0, 1.0)));
        self.colors.push(1.0);
    }
}
