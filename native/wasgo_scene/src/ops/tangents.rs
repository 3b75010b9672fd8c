//! Tangents, by the method of Mikkelsen, "Simulation of Wrinkled Surfaces Revisited", 2008, which tools that bake normal maps
//! use.

use bevy_mikktspace::{Geometry, Ops, TangentSpace, generate_tangents};

use super::{vectors, words};
use crate::{Limits, Scene, SceneError, Surface, validate};

/// The scene with tangents on every surface that has normals and texture coordinates and that has none.
///
/// Triangles that share a vertex and not its tangent get one of theirs: where texture coordinates are mirrored, vertices
/// should not be shared.
///
/// # Errors
///
/// What [`validate`] finds.
pub fn tangents<'a>(mut scene: Scene<'a>) -> Result<Scene<'a>, SceneError> {
    validate(&scene, &Limits::NONE)?;
    for surface in scene.meshes.iter_mut().flat_map(|mesh| &mut mesh.surfaces) {
        let lacks = surface.normals.is_empty() || surface.uvs.is_empty() || surface.is_empty();
        if !lacks && surface.tangents.is_empty() {
            let mut faces = Faces::of(surface);
            // There is no error yet that it could have.
            let _ = generate_tangents::<_, Libm>(&mut faces);
            surface.tangents = faces.bytes().into();
        }
    }
    Ok(scene)
}

/// The arithmetic of every machine.
struct Libm;

impl Ops for Libm {
    fn sqrt(x: f32) -> f32 {
        libm::sqrtf(x)
    }

    fn acos(x: f32) -> f32 {
        libm::acos(f64::from(x)) as f32
    }
}

struct Faces {
    positions: Vec<[f32; 3]>,
    normals: Vec<[f32; 3]>,
    uvs: Vec<[f32; 2]>,
    indices: Vec<u32>,
    tangents: Vec<Option<[f32; 4]>>,
}

impl Faces {
    fn of(surface: &Surface<'_>) -> Self {
        Self {
            positions: vectors(&surface.positions).collect(),
            normals: vectors(&surface.normals).collect(),
            uvs: vectors(&surface.uvs).collect(),
            indices: words(&surface.indices).collect(),
            tangents: vec![None; surface.vertices()],
        }
    }

    fn vertex(&self, face: usize, corner: usize) -> usize {
        self.indices[face * 3 + corner] as usize
    }

    /// At a right angle to the normal and of length 1; any such where the method has none.
    fn bytes(&self) -> Vec<u8> {
        let each = self.tangents.iter().zip(&self.normals).flat_map(|(tangent, normal)| {
            let [x, y, z, side] = tangent.unwrap_or([1.0, 0.0, 0.0, 1.0]);
            let [x, y, z] = square(normal, [x, y, z])
                .or_else(|| square(normal, [1.0, 0.0, 0.0]))
                .or_else(|| square(normal, [0.0, 1.0, 0.0]))
                .unwrap_or([1.0, 0.0, 0.0]);
            [x, y, z, side]
        });
        each.flat_map(f32::to_le_bytes).collect()
    }
}

/// The part of a vector that is at a right angle to a normal, of length 1.
fn square(n: &[f32; 3], v: [f32; 3]) -> Option<[f32; 3]> {
    let along = n[0] * v[0] + n[1] * v[1] + n[2] * v[2];
    let rest = [v[0] - n[0] * along, v[1] - n[1] * along, v[2] - n[2] * along];
    let length = libm::sqrtf(rest[0] * rest[0] + rest[1] * rest[1] + rest[2] * rest[2]);
    (length > 1e-4).then(|| rest.map(|value| value / length))
}

impl Geometry<Libm> for Faces {
    fn num_faces(&self) -> usize {
        self.indices.len() / 3
    }

    fn num_vertices_of_face(&self, _face: usize) -> usize {
        3
    }

    fn position(&self, face: usize, vert: usize) -> [f32; 3] {
        self.positions[self.vertex(face, vert)]
    }

    fn normal(&self, face: usize, vert: usize) -> [f32; 3] {
        self.normals[self.vertex(face, vert)]
    }

    fn tex_coord(&self, face: usize, vert: usize) -> [f32; 2] {
        self.uvs[self.vertex(face, vert)]
    }

    fn set_tangent(&mut self, tangent_space: Option<TangentSpace>, face: usize, vert: usize) {
        let vertex = self.vertex(face, vert);
        if let (Some(space), None) = (tangent_space, self.tangents[vertex]) {
            // In glTF v runs downwards, and the green of a normal map upwards.
            let [x, y, z, side] = space.tangent_encoded();
            self.tangents[vertex] = Some([x, y, z, -side]);
        }
    }
}
