//! How large a scene is.

use super::vectors;
use crate::transform::{compose, point, rows_from_bytes, rows_of};
use crate::{Limits, Mesh, Scene, SceneError, validate};

/// A box along the axes, in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The corner with the least x, y and z.
    pub low: [f32; 3],
    /// The corner with the greatest x, y and z.
    pub high: [f32; 3],
}

impl Bounds {
    /// Around one point.
    #[must_use]
    pub fn at(point: [f32; 3]) -> Self {
        Self { low: point, high: point }
    }

    /// Around both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let pick = |one: [f32; 3], other: [f32; 3], first: fn(f32, f32) -> bool| {
            std::array::from_fn(|axis| if first(other[axis], one[axis]) { other[axis] } else { one[axis] })
        };
        Self { low: pick(self.low, other.low, |a, b| a < b), high: pick(self.high, other.high, |a, b| a > b) }
    }

    /// The middle.
    #[must_use]
    pub fn center(&self) -> [f32; 3] {
        std::array::from_fn(|axis| self.low[axis] + (self.high[axis] - self.low[axis]) * 0.5)
    }

    /// Around the box when it is moved by a 3x4 matrix.
    fn moved(&self, rows: &[f32; 12]) -> Self {
        let corners = (0..8).map(|corner: usize| {
            let pick = |axis: usize| if corner >> axis & 1 == 1 { self.high[axis] } else { self.low[axis] };
            point(rows, [pick(0), pick(1), pick(2)])
        });
        corners.map(Self::at).reduce(Self::and).unwrap_or(*self)
    }
}

/// The box around all that the scene shows, instances included; `None` when it shows nothing.
///
/// Boxes of meshes are moved with their nodes, so that the box of what is turned may be larger than it must be. Skins and
/// morphs do not count.
///
/// # Errors
///
/// What [`validate`] finds.
pub fn bounds(scene: &Scene<'_>) -> Result<Option<Bounds>, SceneError> {
    validate(scene, &Limits::NONE)?;
    let below = of_roots(scene);
    Ok(below.into_iter().flatten().reduce(Bounds::and))
}

/// The boxes of what is below each root, then those of each set of instances that is below none. Expects a sound scene.
pub(super) fn of_roots(scene: &Scene<'_>) -> Vec<Option<Bounds>> {
    let meshes: Vec<Option<Bounds>> = scene.meshes.iter().map(of_mesh).collect();
    let mut sets: Vec<Vec<usize>> = vec![Vec::new(); scene.nodes.len()];
    for (index, set) in scene.instances.iter().enumerate() {
        if let Some(parent) = set.parent {
            sets[parent].push(index);
        }
    }
    let of_set = |index: usize, rows: &[f32; 12]| {
        let set = &scene.instances[index];
        let mesh = meshes[set.mesh]?;
        let places = set.transforms.as_chunks::<48>().0.iter();
        places.map(|place| mesh.moved(&compose(rows, &rows_from_bytes(place)))).reduce(Bounds::and)
    };
    let of_root = |root: usize| {
        let mut found: Option<Bounds> = None;
        let mut add = |bounds: Option<Bounds>| {
            found = found.map_or(bounds, |found| Some(bounds.map_or(found, |bounds| found.and(bounds))));
        };
        let mut open = vec![(root, IDENTITY)];
        while let Some((index, parent)) = open.pop() {
            let node = &scene.nodes[index];
            let rows = compose(&parent, &rows_of(&node.transform));
            add(node.mesh.and_then(|mesh| meshes[mesh]).map(|mesh| mesh.moved(&rows)));
            sets[index].iter().for_each(|set| add(of_set(*set, &rows)));
            open.extend(node.children.iter().map(|child| (*child, rows)));
        }
        found
    };
    let free = scene.instances.iter().enumerate().filter(|(_, set)| set.parent.is_none());
    let free = free.map(|(index, _)| of_set(index, &IDENTITY));
    scene.roots.iter().map(|root| of_root(*root)).chain(free).collect()
}

const IDENTITY: [f32; 12] = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];

fn of_mesh(mesh: &Mesh<'_>) -> Option<Bounds> {
    let drawn = mesh.surfaces.iter().filter(|surface| !surface.is_empty());
    drawn.flat_map(|surface| vectors::<3>(&surface.positions)).map(Bounds::at).reduce(Bounds::and)
}
