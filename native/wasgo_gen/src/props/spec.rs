//! Any prop, as plain data.

use serde::{Deserialize, Serialize};

use super::fault::PropError;
use super::fern::{FernSpec, fern};
use super::floor::{LogSpec, MushroomSpec, log, mushrooms, stump};
use super::meadow::{GrassSpec, grass};
use super::model::PropModel;
use super::stone::{CrystalSpec, RockSpec, crystals, rock};
use super::tree::{TreeSpec, tree};

/// A prop to be made. Fences are not among them: they need a line (see [`fence`](super::fence())).
///
/// ```
/// use wasgo_gen::props::{PropSpec, Species, TreeSpec};
/// let spec = PropSpec::Tree(TreeSpec::new(Species::Pine));
/// assert!(spec.validate().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PropSpec {
    /// A tree or shrub.
    Tree(TreeSpec),
    /// A rock.
    Rock(RockSpec),
    /// Crystals.
    Crystals(CrystalSpec),
    /// A tuft of grass or flowers.
    Grass(GrassSpec),
    /// A fern.
    Fern(FernSpec),
    /// Mushrooms.
    Mushrooms(MushroomSpec),
    /// A log.
    Log(LogSpec),
    /// A stump.
    Stump(LogSpec),
}

impl PropSpec {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), PropError> {
        match self {
            Self::Tree(spec) => spec.validate(),
            Self::Rock(spec) => spec.validate(),
            Self::Crystals(spec) => spec.validate(),
            Self::Grass(spec) => spec.validate(),
            Self::Fern(spec) => spec.validate(),
            Self::Mushrooms(spec) => spec.validate(),
            Self::Log(spec) | Self::Stump(spec) => spec.validate(),
        }
    }
}

/// Any prop: a function of its parameters and the seed.
///
/// # Errors
///
/// When a parameter is not allowed.
pub fn model(spec: &PropSpec, seed: u64) -> Result<PropModel, PropError> {
    match spec {
        PropSpec::Tree(spec) => tree(spec, seed),
        PropSpec::Rock(spec) => rock(spec, seed),
        PropSpec::Crystals(spec) => crystals(spec, seed),
        PropSpec::Grass(spec) => grass(spec, seed),
        PropSpec::Fern(spec) => fern(spec, seed),
        PropSpec::Mushrooms(spec) => mushrooms(spec, seed),
        PropSpec::Log(spec) => log(spec, seed),
        PropSpec::Stump(spec) => stump(spec, seed),
    }
}
