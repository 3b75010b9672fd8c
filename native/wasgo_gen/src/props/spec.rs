//! Any prop, as plain data.

use serde::{Deserialize, Serialize};

use super::fault::PropError;
use super::fern::{FernSpec, fern};
use super::floor::{LogSpec, MushroomSpec, log, mushrooms, stump};
use super::meadow::{GrassSpec, grass};
use super::model::PropModel;
use super::stone::{CrystalSpec, RockSpec, crystals, rock};
use super::tree::{TreeSpec, tree};
use crate::plan::PlanError;

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
    Stump(#[serde(deserialize_with = "super::defaults::stump")] LogSpec),
}

impl PropSpec {
    /// Reads one from JSON text: `{"tree": {"species": "oak"}}`. What is not said is as is usual for the kind.
    ///
    /// # Errors
    ///
    /// The first fault, with its place, as in `tree.height`.
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        let spec: Self = PlanError::read(text)?;
        spec.validate().map_err(|error| PlanError::of_prop(spec.kind(), error))?;
        Ok(spec)
    }

    /// Which kind it is, as in its text: `tree`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Tree(_) => "tree",
            Self::Rock(_) => "rock",
            Self::Crystals(_) => "crystals",
            Self::Grass(_) => "grass",
            Self::Fern(_) => "fern",
            Self::Mushrooms(_) => "mushrooms",
            Self::Log(_) => "log",
            Self::Stump(_) => "stump",
        }
    }

    /// The kind and what of it, as in the names of meshes: `tree_oak`, `fern`.
    #[must_use]
    pub fn name(&self) -> String {
        let of = |what: &str| format!("{}_{what}", self.kind());
        match self {
            Self::Tree(spec) => of(spec.species.name()),
            Self::Rock(spec) => of(spec.kind.name()),
            Self::Grass(spec) => of(spec.kind.name()),
            Self::Mushrooms(spec) => of(spec.kind.name()),
            Self::Crystals(_) | Self::Fern(_) | Self::Log(_) | Self::Stump(_) => self.kind().into(),
        }
    }

    /// The most triangles that the finest level may have, when the parameters are allowed.
    #[must_use]
    pub fn max_triangles(&self) -> u32 {
        match self {
            Self::Tree(spec) => spec.triangles.unwrap_or(spec.species.triangles()),
            // As many pebbles have at least as many.
            Self::Rock(spec) => spec.triangles.max(180),
            Self::Crystals(spec) => spec.count.saturating_mul(40),
            Self::Grass(spec) => spec.blades.saturating_mul(5).saturating_add(spec.flowers.saturating_mul(64)),
            Self::Fern(spec) => spec.fronds.saturating_mul(64),
            Self::Mushrooms(spec) => spec.count.saturating_mul(600),
            Self::Log(_) | Self::Stump(_) => 1000,
        }
    }

    /// A number for each name, by which seeds are told apart.
    pub(crate) fn number(&self) -> u64 {
        let (kind, of) = match self {
            Self::Tree(spec) => (0, spec.species as u64),
            Self::Rock(spec) => (1, spec.kind as u64),
            Self::Crystals(_) => (2, 0),
            Self::Grass(spec) => (3, spec.kind as u64),
            Self::Fern(_) => (4, 0),
            Self::Mushrooms(spec) => (5, spec.kind as u64),
            Self::Log(_) => (6, 0),
            Self::Stump(_) => (7, 0),
        };
        kind * 64 + of
    }

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
