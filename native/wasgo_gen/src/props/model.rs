//! What a prop is when it is made: levels of detail, each of one or more parts, and what it collides with.

use serde::{Deserialize, Serialize};
use wasgo_scene::Mesh;

use crate::MeshData;

/// What a part is made of: the caller's choice of a material. The colours are in the vertices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// Trunks and limbs: u goes around, v along, in turns.
    Bark,
    /// Leaves, blades and petals: thin, to be seen from both sides.
    Leaf,
    /// Rocks and bodies of plants: closed, one-sided.
    Solid,
    /// Cut wood.
    Timber,
    /// Crystals: smooth and shiny.
    Crystal,
    /// Cards that stand for the whole prop from afar, with faces for both sides: their colours are in the vertices, and
    /// their texture coordinates are those of [`impostor`](super::impostor()), which may replace these colours.
    Card,
}

impl Finish {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Bark, Self::Leaf, Self::Solid, Self::Timber, Self::Crystal, Self::Card];

    /// As in JSON: `bark`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bark => "bark",
            Self::Leaf => "leaf",
            Self::Solid => "solid",
            Self::Timber => "timber",
            Self::Crystal => "crystal",
            Self::Card => "card",
        }
    }

    /// Whether back faces are to be drawn too.
    #[must_use]
    pub const fn double_sided(self) -> bool {
        matches!(self, Self::Leaf)
    }
}

/// Triangles of one finish.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it is made of.
    pub finish: Finish,
    /// All attributes are there: positions, normals, colours, both sets of texture coordinates.
    pub mesh: MeshData,
}

/// A prop as it is drawn at some distance.
#[derive(Clone, Debug, PartialEq)]
pub struct PropLod {
    /// What is drawn; at most one part of each finish, none of them empty.
    pub parts: Vec<Part>,
    /// About how far what is seen is from the finest level, in metres, by the size of what was left out: 0 for the
    /// finest, never less than that of the level before.
    pub error: f32,
}

impl PropLod {
    /// Keeps the parts that are not empty.
    pub(super) fn new(parts: impl IntoIterator<Item = (Finish, MeshData)>, error: f32) -> Self {
        let parts = parts.into_iter().filter(|(_, mesh)| !mesh.indices.is_empty());
        Self { parts: parts.map(|(finish, mesh)| Part { finish, mesh }).collect(), error }
    }

    /// How many triangles are drawn.
    #[must_use]
    pub fn triangles(&self) -> usize {
        self.parts.iter().map(|part| part.mesh.triangles()).sum()
    }

    /// As a mesh with a surface a part; `material` says which of a scene's materials a finish has.
    #[must_use]
    pub fn into_mesh(self, name: impl Into<String>, material: impl Fn(Finish) -> Option<usize>) -> Mesh<'static> {
        let surfaces = self.parts.into_iter().map(|part| part.mesh.into_surface(material(part.finish)));
        Mesh { name: name.into(), surfaces: surfaces.collect(), ..Mesh::default() }
    }
}

/// What bodies bump into, in the space of the prop, in metres.
#[derive(Clone, Debug, PartialEq)]
pub enum Collider {
    /// All that is within a radius of a line.
    Capsule {
        /// One end of the line.
        from: [f32; 3],
        /// The other end.
        to: [f32; 3],
        /// Above 0.
        radius: f32,
    },
    /// A box along the axes.
    Box {
        /// Its middle.
        center: [f32; 3],
        /// Half its sides, above 0.
        half: [f32; 3],
    },
    /// The convex hull of some points: 4 to 32 of them.
    Hull {
        /// The points; some may be inside.
        points: Vec<[f32; 3]>,
    },
}

/// A prop: origin at its foot, +Y up.
#[derive(Clone, Debug, PartialEq)]
pub struct PropModel {
    /// What it looks like, the finest first; at least one, each with fewer triangles than the one before.
    pub lods: Vec<PropLod>,
    /// What it collides with; none for what one walks through.
    pub colliders: Vec<Collider>,
    /// The box around the finest level: least and greatest corner.
    pub bounds: [[f32; 3]; 2],
}

impl PropModel {
    /// Drops levels that are no cheaper than the one before.
    pub(super) fn new(lods: impl IntoIterator<Item = PropLod>, colliders: Vec<Collider>) -> Self {
        let mut kept: Vec<PropLod> = Vec::new();
        for mut lod in lods {
            lod.error = lod.error.max(kept.last().map_or(0.0, |last| last.error));
            if kept.last().is_none_or(|last| lod.triangles() < last.triangles() && lod.triangles() > 0) {
                kept.push(lod);
            }
        }
        let bounds = kept.first().map_or([[0.0; 3]; 2], |lod| bounds(&lod.parts));
        Self { lods: kept, colliders, bounds }
    }

    /// The coarsest level whose error looks no larger than `angle` (radians, as seen by the eye) from `distance` metres.
    #[must_use]
    pub fn lod_at(&self, distance: f32, angle: f32) -> usize {
        self.lods.iter().rposition(|lod| lod.error <= distance * angle).unwrap_or(0)
    }
}

/// The box around all vertices of some parts; at 0 if there are none.
pub(super) fn bounds(parts: &[Part]) -> [[f32; 3]; 2] {
    let points = parts.iter().flat_map(|part| &part.mesh.positions);
    points
        .fold(None, |found: Option<[[f32; 3]; 2]>, point| {
            let [low, high] = found.unwrap_or([*point; 2]);
            let least = std::array::from_fn(|axis| low[axis].min(point[axis]));
            Some([least, std::array::from_fn(|axis| high[axis].max(point[axis]))])
        })
        .unwrap_or([[0.0; 3]; 2])
}
