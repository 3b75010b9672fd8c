//! The tree of a scene and what hangs in it.

use std::borrow::Cow;

use super::extra::Extras;
use super::own;

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

/// A place in the tree of a scene.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// A name for people.
    pub name: String,
    /// Where it is.
    pub transform: Transform,
    /// Index into [`Scene::meshes`](super::Scene::meshes).
    pub mesh: Option<usize>,
    /// Index into [`Scene::skins`](super::Scene::skins): what bends the mesh, which must have joints and weights.
    pub skin: Option<usize>,
    /// How far each morph of the mesh is blended in; empty: as the mesh says.
    pub weights: Vec<f32>,
    /// Index into [`Scene::cameras`](super::Scene::cameras).
    pub camera: Option<usize>,
    /// Index into [`Scene::lights`](super::Scene::lights).
    pub light: Option<usize>,
    /// Indices into [`Scene::nodes`](super::Scene::nodes). A node has at most one parent.
    pub children: Vec<usize>,
    /// Written to the file under `extras`, in the order of the keys.
    pub extras: Extras,
    /// Extensions that this crate does not know, by their names.
    pub extensions: Extras,
}

/// One mesh placed many times.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Instances<'a> {
    /// A name for people; a GLB has a node of this name with the placed nodes below it.
    pub name: String,
    /// Index into [`Scene::meshes`](super::Scene::meshes).
    pub mesh: usize,
    /// Index into [`Scene::nodes`](super::Scene::nodes) of the node they hang below; without it they are at the root.
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

    /// The same set, borrowing its bytes from this one.
    #[must_use]
    pub fn borrow(&self) -> Instances<'_> {
        Instances { transforms: Cow::Borrowed(&self.transforms), name: self.name.clone(), ..*self }
    }

    /// The same set with its bytes owned.
    #[must_use]
    pub fn into_owned(self) -> Instances<'static> {
        Instances { name: self.name, mesh: self.mesh, parent: self.parent, transforms: own(self.transforms) }
    }
}

/// What bends a mesh with nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Skin<'a> {
    /// A name for people.
    pub name: String,
    /// Indices into [`Scene::nodes`](super::Scene::nodes); at least one. What a surface's joints are places in.
    pub joints: Vec<usize>,
    /// 64 bytes a joint: 16 f32, a 4x4 matrix column by column, from the space of the mesh to that of the joint; or
    /// empty, for no change.
    pub inverse_bind: Cow<'a, [u8]>,
    /// The node that all joints are below, for people.
    pub skeleton: Option<usize>,
    /// For whoever reads the scene.
    pub extras: Extras,
}

impl Skin<'_> {
    /// The same skin, borrowing its bytes from this one.
    #[must_use]
    pub fn borrow(&self) -> Skin<'_> {
        Skin {
            name: self.name.clone(),
            joints: self.joints.clone(),
            inverse_bind: Cow::Borrowed(&self.inverse_bind),
            skeleton: self.skeleton,
            extras: self.extras.clone(),
        }
    }

    /// The same skin with its bytes owned.
    #[must_use]
    pub fn into_owned(self) -> Skin<'static> {
        Skin {
            name: self.name,
            joints: self.joints,
            inverse_bind: own(self.inverse_bind),
            skeleton: self.skeleton,
            extras: self.extras,
        }
    }
}

/// What can be looked through: along -Z, with +Y up.
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    /// A name for people.
    pub name: String,
    /// What it takes in.
    pub projection: Projection,
    /// For whoever reads the scene.
    pub extras: Extras,
}

/// What a camera takes in. Distances are in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Projection {
    /// As an eye sees.
    Perspective {
        /// Vertical field of view in radians, above 0 and below pi.
        yfov: f32,
        /// Width by height, above 0; `None`: that of the window.
        aspect: Option<f32>,
        /// Nearest distance, above 0.
        near: f32,
        /// Farthest distance, above `near`; `None`: no end.
        far: Option<f32>,
    },
    /// As on a plan.
    Orthographic {
        /// Half of the width, not 0.
        xmag: f32,
        /// Half of the height, not 0.
        ymag: f32,
        /// Nearest distance, 0 or more.
        near: f32,
        /// Farthest distance, above `near`.
        far: f32,
    },
}

/// What shines: along -Z (`KHR_lights_punctual`).
#[derive(Clone, Debug, PartialEq)]
pub struct Light {
    /// A name for people.
    pub name: String,
    /// Red, green, blue, linear; each 0..=1.
    pub color: [f32; 3],
    /// Candela; lux for a directional light. 0 or more.
    pub intensity: f32,
    /// Metres beyond which nothing is lit; `None`: no end.
    pub range: Option<f32>,
    /// Its shape.
    pub kind: LightKind,
    /// For whoever reads the scene.
    pub extras: Extras,
}

/// The shape of a light.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LightKind {
    /// From far away, everywhere alike.
    Directional,
    /// To all sides.
    Point,
    /// A cone.
    Spot {
        /// Radians from its axis to where it begins to fade: 0 or more, below `outer`.
        inner: f32,
        /// Radians from its axis to where it ends, at most pi / 2.
        outer: f32,
    },
}
