//! Meshes for physics: few triangles within a stated distance of what is seen.

use super::collapse::Collapse;
use crate::MeshData;

/// Most vertices of a mesh that becomes a collider, and most triangles divided by three: more than the largest chunk has.
pub const MAX_COLLIDER_VERTICES: usize = 1 << 19;

/// Most samples along a side of a height field that becomes a collider.
pub const MAX_COLLIDER_SAMPLES: u32 = 1025;

/// Triangles for physics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collider {
    /// Metres. Each is, bit for bit, one of the vertices or samples that it was made from.
    pub positions: Vec<[f32; 3]>,
    /// Three a triangle, front faces counter-clockwise.
    pub indices: Vec<u32>,
    /// Metres: no vertex or sample is further from the collider than this. Measured, not estimated, and at most what was asked for.
    pub error: f32,
}

/// A collider that cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ColliderError {
    /// The error is no distance.
    #[error("the target error is {value} m, allowed: at least 0")]
    Target {
        /// Metres.
        value: f32,
    },
    /// Too many vertices or indices.
    #[error("the mesh has {vertices} vertices and {indices} indices, allowed: at most {max} and nine times as many")]
    TooLarge {
        /// How many vertices.
        vertices: usize,
        /// How many indices.
        indices: usize,
        /// The most vertices allowed.
        max: usize,
    },
    /// Indices that aren't three a triangle or that have no vertex.
    #[error("index {number} is not one of a triangle of {vertices} vertices")]
    Index {
        /// Which one.
        number: usize,
        /// How many vertices there are.
        vertices: usize,
    },
    /// A vertex or height that is not a number or not finite.
    #[error("{what} {number} is not finite")]
    NotFinite {
        /// `vertex` or `height`.
        what: &'static str,
        /// Which one.
        number: usize,
    },
    /// A height field too small or too large, or with another number of heights.
    #[error(
        "a height field of {samples} samples a side has {heights} heights, allowed: 2 to {max} samples and their square"
    )]
    Heights {
        /// Along a side.
        samples: u32,
        /// How many heights there are.
        heights: usize,
        /// The most samples allowed.
        max: u32,
    },
    /// A spacing that is no length.
    #[error("spacing is {value} m, allowed: above 0 and finite")]
    Spacing {
        /// Metres.
        value: f32,
    },
}

/// A collider of a mesh, no vertex of which is further than `target_error` metres from it.
///
/// Edges are collapsed in the order of the quadric error of M. Garland and P. Heckbert ("Surface simplification using
/// quadric error metrics", 1997), each onto a vertex that there is, as long as the distance holds that is measured after J. Cohen
/// and others ("Simplification envelopes", 1996): every vertex taken away is kept in mind with the triangle that it is nearest to.
///
/// Vertices at the border of the mesh stay where they are, and so do its border edges: colliders of neighbouring chunks
/// meet as their meshes do, whatever their errors.
///
/// # Errors
///
/// [`ColliderError`] for an error that is no distance, for a mesh beyond [`MAX_COLLIDER_VERTICES`], and for one whose indices
/// or positions aren't sound.
pub fn collider(mesh: &MeshData, target_error: f32) -> Result<Collider, ColliderError> {
    check_target(target_error)?;
    let (vertices, indices) = (mesh.positions.len(), mesh.indices.len());
    if vertices > MAX_COLLIDER_VERTICES || indices > MAX_COLLIDER_VERTICES * 9 {
        return Err(ColliderError::TooLarge { vertices, indices, max: MAX_COLLIDER_VERTICES });
    }
    let outside = mesh.indices.iter().position(|index| *index as usize >= vertices);
    let incomplete = (!indices.is_multiple_of(3)).then_some(indices);
    if let Some(number) = outside.or(incomplete) {
        return Err(ColliderError::Index { number, vertices });
    }
    if let Some(number) = mesh.positions.iter().position(|position| position.iter().any(|at| !at.is_finite())) {
        return Err(ColliderError::NotFinite { what: "vertex", number });
    }
    let mut collapse = Collapse::new(&mesh.positions, &mesh.indices, f64::from(target_error));
    collapse.run();
    Ok(collapse.finish(&mesh.positions))
}

pub(super) fn check_target(target_error: f32) -> Result<(), ColliderError> {
    if target_error >= 0.0 { Ok(()) } else { Err(ColliderError::Target { value: target_error }) }
}

/// The least f32 that is not below.
pub(super) fn round_up(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) < value { near.next_up() } else { near }
}

/// Numbers vertices in the order in which triangles first ask for them.
pub(super) struct Numbering {
    numbers: Vec<u32>,
    pub order: Vec<u32>,
}

impl Numbering {
    pub fn new(count: usize) -> Self {
        Self { numbers: vec![u32::MAX; count], order: Vec::new() }
    }

    pub fn number(&mut self, vertex: u32) -> u32 {
        let number = &mut self.numbers[vertex as usize];
        if *number == u32::MAX {
            *number = self.order.len() as u32;
            self.order.push(vertex);
        }
        *number
    }
}
