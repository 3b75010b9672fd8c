//! The data of a scene. Plain values; what makes them sound is in `validate`.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// One drawable part of a mesh: triangles with one material, as packed little-endian bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Surface<'a> {
    /// 12 bytes a vertex: f32 x, y, z in metres.
    pub positions: Cow<'a, [u8]>,
    /// 12 bytes a vertex: f32 x, y, z of unit length; or empty.
    pub normals: Cow<'a, [u8]>,
    /// 16 bytes a vertex: f32 red, green, blue, alpha, linear; or empty.
    pub colors: Cow<'a, [u8]>,
    /// 12 bytes a triangle: three u32, counter-clockwise seen from the front, as in glTF.
    pub indices: Cow<'a, [u8]>,
    /// Index into [`Scene::materials`].
    pub material: Option<usize>,
}

impl Surface<'_> {
    /// How many vertices the positions hold.
    #[must_use]
    pub fn vertices(&self) -> usize {
        self.positions.len() / 12
    }

    /// How many triangles the indices hold.
    #[must_use]
    pub fn triangles(&self) -> usize {
        self.indices.len() / 12
    }

    /// Whether there is nothing to draw: no vertices or no triangles.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty() || self.indices.is_empty()
    }

    /// The same surface with its bytes owned.
    #[must_use]
    pub fn into_owned(self) -> Surface<'static> {
        Surface {
            positions: Cow::Owned(self.positions.into_owned()),
            normals: Cow::Owned(self.normals.into_owned()),
            colors: Cow::Owned(self.colors.into_owned()),
            indices: Cow::Owned(self.indices.into_owned()),
            material: self.material,
        }
    }

    /// The same surface, borrowing its bytes from this one.
    #[must_use]
    pub fn borrow(&self) -> Surface<'_> {
        Surface {
            positions: Cow::Borrowed(&self.positions),
            normals: Cow::Borrowed(&self.normals),
            colors: Cow::Borrowed(&self.colors),
            indices: Cow::Borrowed(&self.indices),
            material: self.material,
        }
    }
}

/// How a surface looks: the metallic-roughness model of glTF, without textures.
///
/// All numbers are in 0..=1. The colour is multiplied with the colours of the vertices. An alpha below 1
/// makes the material blend.
#[derive(Clone, Debug, PartialEq)]
pub struct Material {
    /// A name for people.
    pub name: String,
    /// Red, green, blue, alpha, linear.
    pub base_color: [f32; 4],
    /// 0 is a dielectric, 1 a metal.
    pub metallic: f32,
    /// 0 is a mirror, 1 is matt.
    pub roughness: f32,
    /// Whether back faces are drawn too.
    pub double_sided: bool,
}

impl Default for Material {
    /// White and matt: shows the colours of the vertices as they are.
    fn default() -> Self {
        Self { name: String::new(), base_color: [1.0; 4], metallic: 0.0, roughness: 1.0, double_sided: false }
    }
}

/// A named set of surfaces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mesh<'a> {
    /// A name for people.
    pub name: String,
    /// What is drawn.
    pub surfaces: Vec<Surface<'a>>,
}

impl Mesh<'_> {
    /// The same mesh, borrowing its bytes from this one.
    #[must_use]
    pub fn borrow(&self) -> Mesh<'_> {
        Mesh { name: self.name.clone(), surfaces: self.surfaces.iter().map(Surface::borrow).collect() }
    }
}

/// Where a node is, in the space of its parent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Transform {
    /// Scaled, then rotated, then moved.
    Trs {
        /// Metres.
        translation: [f32; 3],
        /// A unit quaternion: x, y, z, w.
        rotation: [f32; 4],
        /// A factor for each axis.
        scale: [f32; 3],
    },
    /// A 3x4 matrix row by row; the last number of each row is the translation in metres.
    Rows([f32; 12]),
}

impl Transform {
    /// Neither moved, rotated nor scaled.
    pub const IDENTITY: Self = Self::at([0.0; 3]);

    /// Moved only.
    #[must_use]
    pub const fn at(translation: [f32; 3]) -> Self {
        Self::Trs { translation, rotation: [0.0, 0.0, 0.0, 1.0], scale: [1.0; 3] }
    }
}

impl Default for Transform {
    fn default() -> Self {
        Self::IDENTITY
    }
}

/// A small value attached to a node, for whoever reads the scene.
#[derive(Clone, Debug, PartialEq)]
pub enum Extra {
    /// Text.
    Text(String),
    /// A finite number.
    Number(f64),
    /// True or false.
    Bool(bool),
}

/// A place in the tree of a scene.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// A name for people.
    pub name: String,
    /// Where it is.
    pub transform: Transform,
    /// Index into [`Scene::meshes`].
    pub mesh: Option<usize>,
    /// Indices into [`Scene::nodes`]. A node has at most one parent.
    pub children: Vec<usize>,
    /// Written to the file under `extras`, in the order of the keys.
    pub extras: BTreeMap<String, Extra>,
}

/// One mesh placed many times.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Instances<'a> {
    /// A name for people; a GLB has a node of this name with the placed nodes below it.
    pub name: String,
    /// Index into [`Scene::meshes`].
    pub mesh: usize,
    /// Index into [`Scene::nodes`] of the node they hang below; without it they are at the root.
    pub parent: Option<usize>,
    /// 48 bytes an instance: 12 f32, a 3x4 matrix row by row (see [`Transform::Rows`]).
    pub transforms: Cow<'a, [u8]>,
}

impl Instances<'_> {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.transforms.len() / 48
    }
}

/// A tree of nodes with what they show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene<'a> {
    /// A name for people.
    pub name: String,
    /// All nodes; those that no root leads to are not written to files.
    pub nodes: Vec<Node>,
    /// All meshes; those that nothing uses are not written to files.
    pub meshes: Vec<Mesh<'a>>,
    /// All materials; those that nothing uses are not written to files.
    pub materials: Vec<Material>,
    /// Meshes placed many times.
    pub instances: Vec<Instances<'a>>,
    /// Indices of the nodes without a parent.
    pub roots: Vec<usize>,
}
