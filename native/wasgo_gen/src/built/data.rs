//! Buildings and dungeons from text.

use super::BuildingSpec;
use crate::plan::{DungeonSpec, PlanError};

impl BuildingSpec {
    /// Reads a building that was stored as text. What its fields may be is checked where it is built.
    ///
    /// ```
    /// use wasgo_gen::built::{BuildingSpec, Preset};
    /// let spec = BuildingSpec::from_json(r#"{"style": {"preset": "barn"}}"#)?;
    /// assert_eq!(spec, BuildingSpec::new(Preset::Barn, Preset::Barn.footprint()));
    /// # Ok::<(), wasgo_gen::PlanError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first thing that is no building's, with its place.
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        PlanError::read(text)
    }
}

impl DungeonSpec {
    /// Reads a dungeon that was stored as text. What its fields may be is checked where it is built.
    ///
    /// # Errors
    ///
    /// The first thing that is no dungeon's, with its place.
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        PlanError::read(text)
    }
}
