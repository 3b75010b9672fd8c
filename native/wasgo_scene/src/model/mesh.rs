//! Triangles and what belongs to their vertices.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::extra::Extras;
use super::own;

/// One drawable part of a mesh: triangles with one material, as packed little-endian bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Surface<'a> {
    /// 12 bytes a vertex: f32 x, y, z in metres.
    pub positions: Cow<'a, [u8]>,
    /// 12 bytes a vertex: f32 x, y, z of unit length; or empty.
    pub normals: Cow<'a, [u8]>,
    /// 16 bytes a vertex: f32 x, y, z of unit length, and 1 or -1 for the side of the bitangent; or empty.
    pub tangents: Cow<'a, [u8]>,
    /// 16 bytes a vertex: f32 red, green, blue, alpha, linear; or empty.
    pub colors: Cow<'a, [u8]>,
    /// 8 bytes a vertex: f32 u, v, from the upper left of a texture; or empty.
    pub uvs: Cow<'a, [u8]>,
    /// The second set, as `uvs`.
    pub uvs2: Cow<'a, [u8]>,
    /// 8 bytes a vertex: four u16, places in the joints of the skin; or empty.
    pub joints: Cow<'a, [u8]>,
    /// 16 bytes a vertex: four f32, how far each of the joints holds it, 1 in sum; or empty.
    pub weights: Cow<'a, [u8]>,
    /// Other data of the vertices by their names in glTF: `TEXCOORD_2`, `COLOR_1`, `JOINTS_1`, or a name that begins
    /// with `_`.
    pub attributes: BTreeMap<String, Attribute<'a>>,
    /// 12 bytes a triangle: three u32, counter-clockwise seen from the front, as in glTF.
    pub indices: Cow<'a, [u8]>,
    /// Index into [`Scene::materials`](super::Scene::materials).
    pub material: Option<usize>,
    /// Shapes that the surface can be blended to; all surfaces of a mesh have as many, of the same names.
    pub morphs: Vec<Morph<'a>>,
    /// The same vertices with fewer triangles, from fine to coarse.
    pub lods: Vec<Lod<'a>>,
    /// For whoever reads the scene.
    pub extras: Extras,
}

/// A shape that a surface can be blended to: what is added to each vertex. Each is 12 bytes a vertex (f32 x, y, z), or empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Morph<'a> {
    /// As in `smile`. Files have names for all morphs of a mesh or for none.
    pub name: String,
    /// Added to the positions, in metres.
    pub positions: Cow<'a, [u8]>,
    /// Added to the normals.
    pub normals: Cow<'a, [u8]>,
    /// Added to the tangents, whose side does not change.
    pub tangents: Cow<'a, [u8]>,
}

/// A coarser set of triangles over the vertices of a surface.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lod<'a> {
    /// As [`Surface::indices`].
    pub indices: Cow<'a, [u8]>,
    /// How far it may be from the full surface, in metres.
    pub error: f32,
}

/// Data of vertices that has no field of its own: packed elements, without gaps.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute<'a> {
    /// What the numbers of an element are.
    pub component: ComponentType,
    /// Whether whole numbers stand for 0..=1 or -1..=1.
    pub normalized: bool,
    /// How many numbers an element has.
    pub shape: ElementShape,
    /// As many elements as there are vertices.
    pub bytes: Cow<'a, [u8]>,
}

impl Attribute<'_> {
    /// Bytes of an element.
    #[must_use]
    pub fn element_bytes(&self) -> usize {
        self.component.bytes() * self.shape.components()
    }
}

/// What numbers are made of. Its values are those of glTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ComponentType {
    /// i8
    Byte = 5120,
    /// u8
    UnsignedByte = 5121,
    /// i16
    Short = 5122,
    /// u16
    UnsignedShort = 5123,
    /// u32
    UnsignedInt = 5125,
    /// f32
    Float = 5126,
}

impl ComponentType {
    /// Bytes of a number.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::Byte | Self::UnsignedByte => 1,
            Self::Short | Self::UnsignedShort => 2,
            Self::UnsignedInt | Self::Float => 4,
        }
    }
}

/// How many numbers an element has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ElementShape {
    /// One.
    Scalar,
    /// Two.
    Vec2,
    /// Three.
    Vec3,
    /// Four.
    Vec4,
}

impl ElementShape {
    /// As a number.
    #[must_use]
    pub fn components(self) -> usize {
        match self {
            Self::Scalar => 1,
            Self::Vec2 => 2,
            Self::Vec3 => 3,
            Self::Vec4 => 4,
        }
    }
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
            positions: own(self.positions),
            normals: own(self.normals),
            tangents: own(self.tangents),
            colors: own(self.colors),
            uvs: own(self.uvs),
            uvs2: own(self.uvs2),
            joints: own(self.joints),
            weights: own(self.weights),
            attributes: self.attributes.into_iter().map(|(name, each)| (name, each.into_owned())).collect(),
            indices: own(self.indices),
            material: self.material,
            morphs: self.morphs.into_iter().map(Morph::into_owned).collect(),
            lods: self.lods.into_iter().map(Lod::into_owned).collect(),
            extras: self.extras,
        }
    }

    /// The same surface, borrowing its bytes from this one.
    #[must_use]
    pub fn borrow(&self) -> Surface<'_> {
        Surface {
            positions: Cow::Borrowed(&self.positions),
            normals: Cow::Borrowed(&self.normals),
            tangents: Cow::Borrowed(&self.tangents),
            colors: Cow::Borrowed(&self.colors),
            uvs: Cow::Borrowed(&self.uvs),
            uvs2: Cow::Borrowed(&self.uvs2),
            joints: Cow::Borrowed(&self.joints),
            weights: Cow::Borrowed(&self.weights),
            attributes: self.attributes.iter().map(|(name, each)| (name.clone(), each.borrow())).collect(),
            indices: Cow::Borrowed(&self.indices),
            material: self.material,
            morphs: self.morphs.iter().map(Morph::borrow).collect(),
            lods: self.lods.iter().map(Lod::borrow).collect(),
            extras: self.extras.clone(),
        }
    }
}

impl Morph<'_> {
    fn into_owned(self) -> Morph<'static> {
        Morph {
            name: self.name,
            positions: own(self.positions),
            normals: own(self.normals),
            tangents: own(self.tangents),
        }
    }

    fn borrow(&self) -> Morph<'_> {
        Morph {
            name: self.name.clone(),
            positions: Cow::Borrowed(&self.positions),
            normals: Cow::Borrowed(&self.normals),
            tangents: Cow::Borrowed(&self.tangents),
        }
    }
}

impl Lod<'_> {
    fn into_owned(self) -> Lod<'static> {
        Lod { indices: own(self.indices), error: self.error }
    }

    fn borrow(&self) -> Lod<'_> {
        Lod { indices: Cow::Borrowed(&self.indices), error: self.error }
    }
}

impl Attribute<'_> {
    fn into_owned(self) -> Attribute<'static> {
        Attribute { bytes: own(self.bytes), ..self }
    }

    fn borrow(&self) -> Attribute<'_> {
        Attribute { bytes: Cow::Borrowed(&self.bytes), ..*self }
    }
}

/// A named set of surfaces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mesh<'a> {
    /// A name for people.
    pub name: String,
    /// What is drawn.
    pub surfaces: Vec<Surface<'a>>,
    /// How far each morph is blended in where a node says nothing; empty: not at all.
    pub weights: Vec<f32>,
    /// For whoever reads the scene.
    pub extras: Extras,
    /// Extensions that this crate does not know, by their names.
    pub extensions: Extras,
}

impl Mesh<'_> {
    /// The same mesh with its bytes owned.
    #[must_use]
    pub fn into_owned(self) -> Mesh<'static> {
        Mesh {
            name: self.name,
            surfaces: self.surfaces.into_iter().map(Surface::into_owned).collect(),
            weights: self.weights,
            extras: self.extras,
            extensions: self.extensions,
        }
    }

    /// The same mesh, borrowing its bytes from this one.
    #[must_use]
    pub fn borrow(&self) -> Mesh<'_> {
        Mesh {
            name: self.name.clone(),
            surfaces: self.surfaces.iter().map(Surface::borrow).collect(),
            weights: self.weights.clone(),
            extras: self.extras.clone(),
            extensions: self.extensions.clone(),
        }
    }
}
