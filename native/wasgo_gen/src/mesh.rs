//! Triangles under construction, in the form in which generators work on them.

use std::borrow::Cow;

use wasgo_scene::Surface;

use crate::bytes::{le_bytes, le_bytes_u32};

/// Triangles of one material. Every vertex has all attributes, or none has that attribute.
///
/// Metres, +Y up, front faces counter-clockwise, as in glTF.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeshData {
    /// Where the vertices are, in metres.
    pub positions: Vec<[f32; 3]>,
    /// Of length 1, one a vertex.
    pub normals: Vec<[f32; 3]>,
    /// Linear red, green, blue, alpha, each in 0..=1; one a vertex.
    pub colors: Vec<[f32; 4]>,
    /// Places in a texture, one a vertex; or empty.
    pub uvs: Vec<[f32; 2]>,
    /// The second set, one a vertex; or empty. Plants keep here how far wind moves a vertex (0 at the root to 1) and its phase (0..=1).
    pub uvs2: Vec<[f32; 2]>,
    /// Three a triangle.
    pub indices: Vec<u32>,
}

impl MeshData {
    /// How many vertices there are.
    #[must_use]
    pub fn vertices(&self) -> usize {
        self.positions.len()
    }

    /// How many triangles there are.
    #[must_use]
    pub fn triangles(&self) -> usize {
        self.indices.len() / 3
    }

    /// Adds everything of another mesh behind what is here. Both must have the same attributes, unless one is empty.
    pub fn append(&mut self, other: &Self) {
        let first = self.positions.len() as u32;
        self.positions.extend_from_slice(&other.positions);
        self.normals.extend_from_slice(&other.normals);
        self.colors.extend_from_slice(&other.colors);
        self.uvs.extend_from_slice(&other.uvs);
        self.uvs2.extend_from_slice(&other.uvs2);
        self.indices.extend(other.indices.iter().map(|index| first + index));
    }

    /// As packed bytes, with a material of the scene that it will be part of.
    #[must_use]
    pub fn into_surface(self, material: Option<usize>) -> Surface<'static> {
        let owned = |bytes: Cow<'_, [u8]>| Cow::Owned(bytes.into_owned());
        Surface {
            positions: owned(le_bytes(self.positions.as_flattened())),
            normals: owned(le_bytes(self.normals.as_flattened())),
            colors: owned(le_bytes(self.colors.as_flattened())),
            uvs: owned(le_bytes(self.uvs.as_flattened())),
            uvs2: owned(le_bytes(self.uvs2.as_flattened())),
            indices: owned(le_bytes_u32(&self.indices)),
            material,
            ..Surface::default()
        }
    }
}
