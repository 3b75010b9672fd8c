//! Meshes vertex by vertex.

use super::shape::Shape;
use crate::MeshData;
use crate::vector::{Vector, add, cross, dot, scale, sub, unit};

/// Everything about a vertex.
#[derive(Clone, Copy)]
pub(super) struct Vertex {
    pub(super) at: Vector,
    pub(super) normal: Vector,
    pub(super) color: Vector,
    pub(super) uv: [f32; 2],
    /// How far wind moves it, and its phase.
    pub(super) wind: [f32; 2],
}

/// What does not move in the wind.
pub(super) const STILL: [f32; 2] = [0.0; 2];

/// Room for what is to come, so that nothing is copied while it grows.
pub(super) fn with_room(vertices: usize, triangles: usize) -> MeshData {
    MeshData {
        positions: Vec::with_capacity(vertices),
        normals: Vec::with_capacity(vertices),
        colors: Vec::with_capacity(vertices),
        uvs: Vec::with_capacity(vertices),
        uvs2: Vec::with_capacity(vertices),
        indices: Vec::with_capacity(triangles * 3),
    }
}

/// Adds a vertex; its number.
#[inline]
pub(super) fn vertex(mesh: &mut MeshData, vertex: Vertex) -> u32 {
    let [red, green, blue] = vertex.color.map(|value| value.clamp(0.0, 1.0));
    mesh.positions.push(vertex.at);
    mesh.normals.push(vertex.normal);
    mesh.colors.push([red, green, blue, 1.0]);
    mesh.uvs.push(vertex.uv);
    mesh.uvs2.push(vertex.wind.map(|value| value.clamp(0.0, 1.0)));
    mesh.positions.len() as u32 - 1
}

/// Adds the four vertices of a leaf with one normal, and its two triangles: foot, right, tip, left.
pub(super) fn leaf(mesh: &mut MeshData, corners: &[Vertex; 4]) {
    let first = mesh.positions.len() as u32;
    mesh.positions.extend_from_slice(&corners.map(|corner| corner.at));
    mesh.normals.extend_from_slice(&corners.map(|corner| corner.normal));
    mesh.colors.extend_from_slice(&corners.map(|corner| {
        let [red, green, blue] = corner.color.map(|value| value.clamp(0.0, 1.0));
        [red, green, blue, 1.0]
    }));
    mesh.uvs.extend_from_slice(&corners.map(|corner| corner.uv));
    mesh.uvs2.extend_from_slice(&corners.map(|corner| corner.wind.map(|value| value.clamp(0.0, 1.0))));
    mesh.indices.extend_from_slice(&[first, first + 1, first + 2, first, first + 2, first + 3]);
}

/// Whether three corners make a face that can be seen.
fn visible([a, b, c]: [Vector; 3]) -> Option<Vector> {
    let area = cross(sub(b, a), sub(c, a));
    (dot(area, area) > 1e-14).then_some(area)
}

/// Adds a shape with hard edges. The colour is asked for the middle and the normal of each face.
pub(super) fn flat(
    mesh: &mut MeshData,
    shape: &Shape,
    wind: impl Fn(Vector) -> [f32; 2],
    mut color: impl FnMut(Vector, Vector) -> Vector,
) {
    for triangle in &shape.triangles {
        let corners = triangle.map(|index| shape.points[index as usize]);
        let Some(normal) = visible(corners).and_then(unit) else { continue };
        let middle = scale(add(add(corners[0], corners[1]), corners[2]), 1.0 / 3.0);
        let color = color(middle, normal);
        let numbers = corners.map(|at| {
            let uv = planar(at, normal);
            vertex(mesh, Vertex { at, normal, color, uv, wind: wind(at) })
        });
        mesh.indices.extend(numbers);
    }
}

/// Adds a shape with soft edges, where faces meet at less than about 80 degrees on the whole: normals are those of the
/// faces around, by their area. A point whose faces disagree with that gets a vertex a face.
pub(super) fn smooth(
    mesh: &mut MeshData,
    shape: &Shape,
    wind: impl Fn(Vector) -> [f32; 2],
    mut color: impl FnMut(Vector, Vector) -> Vector,
) {
    let mut sums = vec![[0.0; 3]; shape.points.len()];
    for triangle in &shape.triangles {
        let corners = triangle.map(|index| shape.points[index as usize]);
        if let Some(area) = visible(corners) {
            for index in triangle {
                sums[*index as usize] = add(sums[*index as usize], area);
            }
        }
    }
    let normals: Vec<Option<Vector>> = sums.into_iter().map(unit).collect();
    let mut numbers: Vec<Option<u32>> = vec![None; shape.points.len()];
    for triangle in &shape.triangles {
        let corners = triangle.map(|index| shape.points[index as usize]);
        let Some(face) = visible(corners).and_then(unit) else { continue };
        for index in triangle {
            let (place, at) = (*index as usize, shape.points[*index as usize]);
            let mut put = |normal| {
                let uv = planar(at, normal);
                vertex(mesh, Vertex { at, normal, color: color(at, normal), uv, wind: wind(at) })
            };
            let number = match normals[place] {
                Some(normal) if dot(normal, face) > 0.15 => *numbers[place].get_or_insert_with(|| put(normal)),
                _ => put(face),
            };
            mesh.indices.push(number);
        }
    }
}

/// Texture coordinates in metres, seen along the axis that a face looks along most.
fn planar(at: Vector, normal: Vector) -> [f32; 2] {
    let [x, y, z] = normal.map(f32::abs);
    if y >= x && y >= z {
        [at[0], at[2]]
    } else if x >= z {
        [at[2], -at[1]]
    } else {
        [at[0], -at[1]]
    }
}

/// Two directions square to `up`, so that turning from the first to the second is counter-clockwise as seen from its tip.
pub(super) fn frame(up: Vector) -> (Vector, Vector) {
    let other = if up[0].abs() > 0.9 { [0.0, 1.0, 0.0] } else { [1.0, 0.0, 0.0] };
    let across = unit(cross(up, other)).unwrap_or([0.0, 0.0, 1.0]);
    (across, cross(up, across))
}
