//! Things that a plan puts at places of its own.

use serde::{Deserialize, Serialize};

use super::check::{at_most, number};
use super::{Fault, MAX_HEIGHT, MAX_LEVEL, MAX_WORLD, Plan, PlanError};
use crate::built::{
    BuildingSpec, BuiltError, Grammar, Style, TileGrid, TileLook, TileSet, dungeon_tiles, interior_tiles,
};
use crate::props::PropSpec;

/// The most objects of a plan.
pub const MAX_OBJECTS: usize = 1024;

/// The most cells of a dungeon that is an object of a plan.
pub const MAX_OBJECT_CELLS: usize = 4096;

/// Something at a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// A name for people: at most 64 bytes.
    #[serde(default)]
    pub name: String,
    /// What it is.
    pub what: ObjectSpec,
    /// Metres to the east of the world's origin.
    pub x: f64,
    /// Metres to the south of the world's origin.
    pub z: f64,
    /// Its height in metres. Without it, it stands on the ground.
    #[serde(default)]
    pub y: Option<f32>,
    /// Its turn about +Y in radians, counter-clockwise from above: -1,000..=1,000. Its front is towards -Z.
    #[serde(default)]
    pub yaw: f32,
    /// A factor: 0.01..=100. Default 1.
    #[serde(default = "one")]
    pub scale: f32,
    /// Those that differ in their seed only look different.
    #[serde(default)]
    pub seed: u64,
    /// The coarsest level of detail whose chunks have it: 0..=12. Default 2.
    #[serde(default = "two")]
    pub level: u8,
    /// Ground that is levelled beneath it. Without it the ground stays as it is.
    #[serde(default)]
    pub pad: Option<ObjectPad>,
}

/// What an object is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectSpec {
    /// A building.
    Building(Box<BuildingSpec>),
    /// A tree, a rock or another prop.
    Prop(Box<PropSpec>),
    /// A grid of tiles; the object's place is the middle of it.
    Dungeon(Box<DungeonSpec>),
}

/// A grid of tiles, and how it looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DungeonSpec {
    /// The tiles.
    #[serde(default)]
    pub tiles: TileStyle,
    /// What to fill with them.
    pub grid: TileGrid,
    /// How it looks.
    #[serde(default)]
    pub look: TileLook,
}

/// Which tiles.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TileStyle {
    /// Rooms, corridors and stairs in rock.
    #[default]
    Dungeon,
    /// Rooms of a house.
    Interior,
    /// One's own.
    Set(Box<TileSet>),
}

impl TileStyle {
    /// The tiles.
    #[must_use]
    pub fn set(&self) -> TileSet {
        match self {
            Self::Dungeon => dungeon_tiles(),
            Self::Interior => interior_tiles(),
            Self::Set(set) => (**set).clone(),
        }
    }
}

/// Level ground beneath an object: at the object's height, or at that which the fields say for its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectPad {
    /// Half its width, and half its depth, in metres and in the object's directions: 0.1..=256. Without it as large as a building
    /// or a dungeon and a metre more; 2 m for a prop.
    pub half: Option<[f32; 2]>,
    /// How far around it the ground goes over to its own height: 0.5..=64 m. Default 4.
    pub margin: f32,
}

impl Default for ObjectPad {
    fn default() -> Self {
        Self { half: None, margin: 4.0 }
    }
}

fn one() -> f32 {
    1.0
}

fn two() -> u8 {
    2
}

impl DungeonSpec {
    /// Checks everything that can be seen without filling the grid.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), BuiltError> {
        if let TileStyle::Set(set) = &self.tiles {
            set.validate().map_err(|error| error.within("tiles.set"))?;
        }
        self.grid.validate().map_err(|error| error.within("grid"))?;
        self.look.validate().map_err(|error| error.within("look"))
    }
}

impl ObjectSpec {
    /// Half its width and half its depth in metres, where what it is says so.
    pub(crate) fn half(&self) -> Option<[f32; 2]> {
        match self {
            Self::Building(spec) => {
                let corners = spec.footprint.corners().ok()?;
                let most = |axis: usize| corners.iter().map(|corner| corner[axis].abs()).fold(0.0, f32::max);
                Some([most(0), most(1)])
            }
            Self::Dungeon(spec) => {
                let side = |axis: usize| spec.grid.size[2 * axis] as f32 * spec.look.cell[axis] / 2.0;
                Some([side(0), side(1)])
            }
            Self::Prop(_) => None,
        }
    }

    fn validate(&self, place: &str) -> Result<(), PlanError> {
        match self {
            Self::Building(spec) => {
                let place = format!("{place}.building");
                spec.footprint.corners().map_err(|error| built(&place, &error))?;
                number(&format!("{place}.foundation"), spec.foundation, 0.0, 10.0)?;
                match &spec.style {
                    Style::Grammar(grammar) => {
                        Grammar::validate(grammar).map_err(|error| built(&format!("{place}.style.grammar"), &error))
                    }
                    Style::Preset(_) => Ok(()),
                }
            }
            Self::Prop(spec) => {
                spec.validate().map_err(|error| PlanError::of_prop(&format!("{place}.prop.{}", spec.kind()), error))
            }
            Self::Dungeon(spec) => {
                let place = format!("{place}.dungeon");
                spec.validate().map_err(|error| built(&place, &error))?;
                let cells = spec.grid.size.iter().map(|side| u64::from(*side)).product::<u64>();
                at_most(&format!("{place}.grid.size"), "cells", cells as usize, MAX_OBJECT_CELLS)
            }
        }
    }
}

impl Object {
    fn validate(&self, place: &str) -> Result<(), PlanError> {
        let field = |name: &str| format!("{place}.{name}");
        if self.name.len() > 64 {
            return Err(PlanError::range(field("name"), self.name.len(), "at most 64 bytes"));
        }
        for (name, value) in [("x", self.x), ("z", self.z)] {
            if !(-MAX_WORLD..=MAX_WORLD).contains(&value) {
                return Err(PlanError::range(field(name), value, format!("-{MAX_WORLD} to {MAX_WORLD}")));
            }
        }
        if let Some(y) = self.y {
            number(&field("y"), y, -MAX_HEIGHT, MAX_HEIGHT)?;
        }
        number(&field("yaw"), self.yaw, -1000.0, 1000.0)?;
        number(&field("scale"), self.scale, 0.01, 100.0)?;
        if self.level > MAX_LEVEL {
            return Err(PlanError::range(field("level"), self.level, format!("0 to {MAX_LEVEL}")));
        }
        if let Some(pad) = &self.pad {
            for half in pad.half.iter().flatten() {
                number(&field("pad.half"), *half, 0.1, 256.0)?;
            }
            number(&field("pad.margin"), pad.margin, 0.5, 64.0)?;
        }
        self.what.validate(&field("what"))
    }
}

impl Plan {
    pub(super) fn check_built(&self) -> Result<(), PlanError> {
        if let Some(rule) = &self.settlements {
            if self.terrain.is_none() {
                return Err(PlanError { place: "settlements".into(), fault: Fault::NoTerrain });
            }
            rule.validate().map_err(|error| built("settlements", &error))?;
        }
        at_most("objects", "objects", self.objects.len(), MAX_OBJECTS)?;
        if !self.objects.is_empty() && self.terrain.is_none() {
            return Err(PlanError { place: "objects".into(), fault: Fault::NoTerrain });
        }
        self.objects.iter().enumerate().try_for_each(|(at, object)| object.validate(&format!("objects[{at}]")))
    }
}

/// What is wrong with something built, as what is wrong with that place of a plan.
pub(crate) fn built(place: &str, error: &BuiltError) -> PlanError {
    match error {
        BuiltError::OutOfRange { field, value, min, max } => {
            // Most of what is checked was an f32, and is shown as such.
            let narrow = *value as f32;
            let value = if f64::from(narrow) == *value { narrow.to_string() } else { value.to_string() };
            PlanError::range(format!("{place}.{field}"), value, format!("{min} to {max}"))
        }
        BuiltError::Invalid { field, reason } => {
            PlanError { place: format!("{place}.{field}"), fault: Fault::Form((*reason).into()) }
        }
        BuiltError::Unknown { field, name } => {
            PlanError { place: format!("{place}.{field}"), fault: Fault::Form(format!("nothing is named {name:?}")) }
        }
        other => PlanError { place: place.into(), fault: Fault::Form(other.to_string()) },
    }
}
