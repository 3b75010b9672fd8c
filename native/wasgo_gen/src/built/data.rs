//! Buildings and dungeons from text.

use serde::de::DeserializeOwned;

use super::BuildingSpec;
use crate::plan::{DungeonSpec, Fault, PlanError};

/// Reads plain data; what is wrong is named by its place.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, PlanError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let place = error.path().to_string();
        let place = if place == "." { String::new() } else { place };
        PlanError { place, fault: Fault::Form(error.inner().to_string()) }
    })?;
    reader.end().map_err(|error| PlanError { place: String::new(), fault: Fault::Form(error.to_string()) })?;
    Ok(read)
}

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
        read(text)
    }
}

impl DungeonSpec {
    /// Reads a dungeon that was stored as text. What its fields may be is checked where it is built.
    ///
    /// # Errors
    ///
    /// The first thing that is no dungeon's, with its place.
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        read(text)
    }
}
