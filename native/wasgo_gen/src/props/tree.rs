//! Trees: a skeleton of limbs grown from a few numbers, wood around it, leaves on it, and coarser forms of the same.

mod foliage;
mod form;
mod puffs;
mod skeleton;
mod species;
mod wood;

use serde::{Deserialize, Serialize};

pub use form::{Arrangement, Bark, Branches, Crown, Leaves, MAX_LEVELS, MAX_LIMBS, TreeForm, Trunk};
pub use species::Species;

use super::cards::cards;
use super::fault::{PropError, range};
use super::model::{Collider, Finish, PropLod, PropModel, bounds};
use crate::hash::{Chance, derive};
use skeleton::Skeleton;

/// How a tree is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// Single leaves on fine branches.
    #[default]
    Leafy,
    /// Few flat faces: clouds of leaves on thick limbs. About a fifth of the triangles.
    LowPoly,
}

/// A tree to be made.
///
/// ```
/// use wasgo_gen::props::{Species, TreeSpec, tree};
/// let spec = TreeSpec { triangles: Some(3000), ..TreeSpec::new(Species::Birch) };
/// let model = tree(&spec, 7)?;
/// assert!(model.lods[0].triangles() <= 3000);
/// let wrong = TreeSpec { height: Some(900.0), ..spec };
/// assert_eq!(tree(&wrong, 7).unwrap_err().to_string(), "tree.height is 900, allowed: 0.1 to 100");
/// # Ok::<(), wasgo_gen::props::PropError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TreeSpec {
    /// How it grows, unless `form` says so. Default: oak.
    pub species: Species,
    /// How it is drawn.
    pub style: Style,
    /// Metres from the ground to the top: 0.1..=100. Without it by the seed, as is usual for the species.
    pub height: Option<f32>,
    /// The length of branches, times what is usual: 0.2..=3. Default 1.
    pub spread: f32,
    /// The area of leaves, times what is usual: 0..=3. Default 1; 0 for winter.
    pub fullness: f32,
    /// How crooked everything is, times what is usual: 0..=3. Default 1.
    pub gnarl: f32,
    /// The most triangles of the finest level: 200..=50,000. Without it as is usual for the species: 5,000, of shrubs 1,500.
    pub triangles: Option<u32>,
    /// A species of one's own.
    pub form: Option<TreeForm>,
}

impl Default for TreeSpec {
    fn default() -> Self {
        Self {
            species: Species::Oak,
            style: Style::Leafy,
            height: None,
            spread: 1.0,
            fullness: 1.0,
            gnarl: 1.0,
            triangles: None,
            form: None,
        }
    }
}

impl TreeSpec {
    /// A tree as is usual for its species.
    #[must_use]
    pub fn new(species: Species) -> Self {
        Self { species, ..Self::default() }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), PropError> {
        if let Some(height) = self.height {
            range("tree.height", height, 0.1, 100.0)?;
        }
        range("tree.spread", self.spread, 0.2, 3.0)?;
        range("tree.fullness", self.fullness, 0.0, 3.0)?;
        range("tree.gnarl", self.gnarl, 0.0, 3.0)?;
        if let Some(triangles) = self.triangles {
            range("tree.triangles", triangles as f32, 200.0, 50_000.0)?;
        }
        self.form.as_ref().map_or(Ok(()), TreeForm::validate)
    }
}

/// What the parts of a tree's making share.
struct Making<'a> {
    form: &'a TreeForm,
    spec: &'a TreeSpec,
    skeleton: Skeleton,
    seed: u64,
    /// How much larger than usual the tree is.
    growth: f32,
    /// The most of the finest level.
    triangles: usize,
}

/// A tree: levels of detail down to a cross of two cards, wind in the second texture coordinates, a capsule around the trunk.
///
/// # Errors
///
/// When a parameter is not allowed.
pub fn tree(spec: &TreeSpec, seed: u64) -> Result<PropModel, PropError> {
    spec.validate()?;
    let usual;
    let form = match &spec.form {
        Some(form) => form,
        None => {
            usual = spec.species.form();
            &usual
        }
    };
    let mut chance = Chance::new(derive(seed, 0x7EE));
    let natural = chance.between(form.height[0], form.height[1]);
    let height = spec.height.unwrap_or(natural);
    let skeleton = Skeleton::grow(form, spec, height, derive(seed, 1));
    let growth = height / (0.5 * (form.height[0] + form.height[1]));
    let triangles = spec.triangles.unwrap_or(spec.species.triangles()) as usize;
    let making = Making { form, spec, skeleton, seed: derive(seed, 2), growth, triangles };
    let mut lods = match spec.style {
        Style::Leafy => leafy(&making),
        Style::LowPoly => puffs::lods(&making),
    };
    let bare = form.leaves.fullness * spec.fullness == 0.0;
    if let [finest, middle, ..] = &lods[..]
        && !bare
    {
        // A third of the vertices says as well where most of them are.
        let flat = cards(middle, bounds(&finest.parts));
        let error = making.skeleton.height * 0.09;
        lods.push(PropLod::new([(Finish::Card, flat)], error));
    }
    let radius = making.skeleton.nodes.first().map_or(0.1, |node| node.radius);
    let trunk = making.skeleton.trunk_top();
    let collider = Collider::Capsule { from: [0.0, radius, 0.0], to: trunk, radius };
    Ok(PropModel::new(lods, vec![collider]))
}

fn leafy(making: &Making<'_>) -> Vec<PropLod> {
    let most = making.triangles;
    // The finest, the middle distance, and what is left when a tree is a tenth of the view.
    let budgets = [most, most / 3, (most / 14).clamp(60, 400)];
    let mut lods = Vec::with_capacity(4);
    for (number, budget) in budgets.into_iter().enumerate() {
        let (bark, wooden) = wood::wood(making, number, budget);
        let left = budget.saturating_sub(wooden);
        let cone = making.form.crown == Crown::Cone && making.form.leaves.arrangement == Arrangement::Rows;
        // From afar rows of needles are skirts.
        let (leaves, size) = if number == 2 && cone && making.spec.fullness > 0.0 {
            (puffs::skirts(making, left, 0.9), 0.0)
        } else {
            foliage::foliage(making, left)
        };
        let error = if number == 0 { 0.0 } else { (size * 0.3).max(making.skeleton.height * 0.012 * number as f32) };
        lods.push(PropLod::new([(Finish::Bark, bark), (Finish::Leaf, leaves)], error));
    }
    lods
}
