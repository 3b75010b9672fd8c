//! What settlements may be like.

use serde::{Deserialize, Serialize};

use crate::built::error::{BuiltError, range};
use crate::plan::MAX_LEVEL;

/// How large a settlement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SizeClass {
    /// Some houses at a crossing.
    Hamlet,
    /// A church, a shop, some lanes.
    Village,
    /// A hall, a market and many houses.
    Town,
}

impl SizeClass {
    /// As in data files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hamlet => "hamlet",
            Self::Village => "village",
            Self::Town => "town",
        }
    }

    /// How far from its middle a settlement reaches, in metres.
    #[must_use]
    pub fn radius(self) -> f64 {
        match self {
            Self::Hamlet => 75.0,
            Self::Village => 125.0,
            Self::Town => 185.0,
        }
    }

    /// The most buildings.
    #[must_use]
    pub fn most_lots(self) -> usize {
        match self {
            Self::Hamlet => 9,
            Self::Village => 28,
            Self::Town => 84,
        }
    }

    /// Radius of its square or green, in metres.
    pub(super) fn square(self) -> f64 {
        match self {
            Self::Hamlet => 8.0,
            Self::Village => 14.0,
            Self::Town => 20.0,
        }
    }
}

/// What roads are like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoadRule {
    /// Width of roads between settlements: 1.5..=20 m.
    pub width: f32,
    /// Width of lanes: 1..=20 m.
    pub lane: f32,
    /// The most that they rise per metre: 0.02..=0.5.
    pub max_grade: f32,
    /// How far beside a road the ground is shaped: 0.5..=30 m.
    pub margin: f32,
    /// Side of the lattice on which ways are searched: 8..=64 m.
    pub step: f32,
    /// How far bridges are above the water: 0.2..=20 m.
    pub clearance: f32,
    /// What the ground looks like on roads and squares: linear red, green, blue, each 0..=1.
    pub color: [f32; 3],
}

impl Default for RoadRule {
    fn default() -> Self {
        Self {
            width: 4.6,
            lane: 3.2,
            max_grade: 0.14,
            margin: 6.0,
            step: 20.0,
            clearance: 1.6,
            color: [0.27, 0.19, 0.115],
        }
    }
}

/// Where settlements are and what they are like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SettlementRule {
    /// Side of the grid's cells, of which each has at most one settlement: 256..=8192 m.
    pub cell: f64,
    /// The least distance between settlements: 0 m to the side of a cell and a half.
    pub spacing: f64,
    /// How many cells have a candidate: 0..=1.
    pub density: f32,
    /// The longest way between settlements that are joined, as the crow flies: 0 m to four cells, at most 8192 m.
    pub reach: f64,
    /// Where the water stands, in metres. Without it there is none; in a plan it is then that of the terrain.
    pub water_level: Option<f32>,
    /// The heights of ground that suits, in metres, from the least to the greatest.
    pub heights: [f32; 2],
    /// The mean rise per metre of ground that suits, at most: 0.001..=1.
    pub slope: f32,
    /// How likely hamlets, villages and towns are beside each other: 0..=1000 each.
    pub sizes: [f32; 3],
    /// The coarsest level of detail at which a plan's chunks have settlements: 0..=12. Chunks wider than 4,096 m have none
    /// anyway: a road is far too narrow for their samples.
    pub level: u8,
    /// Roads.
    pub roads: RoadRule,
}

impl Default for SettlementRule {
    fn default() -> Self {
        Self {
            cell: 640.0,
            spacing: 460.0,
            density: 0.85,
            reach: 1300.0,
            water_level: None,
            heights: [1.0, 400.0],
            slope: 0.15,
            sizes: [4.0, 4.0, 1.0],
            level: 3,
            roads: RoadRule::default(),
        }
    }
}

impl SettlementRule {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), BuiltError> {
        let check = |name: &str, value: f64, min: f64, max: f64| range(|| name.to_owned(), value, min, max);
        check("cell", self.cell, 256.0, 8192.0)?;
        check("spacing", self.spacing, 0.0, self.cell * 1.5)?;
        check("density", f64::from(self.density), 0.0, 1.0)?;
        check("reach", self.reach, 0.0, (self.cell * 4.0).min(8192.0))?;
        check("water_level", f64::from(self.water_level.unwrap_or(0.0)), -16_384.0, 16_384.0)?;
        for height in self.heights {
            check("heights", f64::from(height), -16_384.0, 16_384.0)?;
        }
        if self.heights[0] > self.heights[1] {
            let reason = "the least is above the greatest";
            return Err(BuiltError::Invalid { field: "heights".into(), reason });
        }
        check("slope", f64::from(self.slope), 0.000_9, 1.0)?;
        for weight in self.sizes {
            check("sizes", f64::from(weight), 0.0, 1000.0)?;
        }
        if self.sizes.iter().sum::<f32>() <= 0.0 {
            return Err(BuiltError::Invalid { field: "sizes".into(), reason: "all are 0" });
        }
        let roads = &self.roads;
        check("roads.width", f64::from(roads.width), 1.5, 20.0)?;
        check("roads.lane", f64::from(roads.lane), 1.0, 20.0)?;
        check("roads.max_grade", f64::from(roads.max_grade), 0.019, 0.5)?;
        check("roads.margin", f64::from(roads.margin), 0.5, 30.0)?;
        // So that a search has a bounded number of places: see `route`.
        check("roads.step", f64::from(roads.step), (self.reach / 100.0).max(8.0), 100.0)?;
        check("roads.clearance", f64::from(roads.clearance), 0.2, 20.0)?;
        for value in roads.color {
            check("roads.color", f64::from(value), 0.0, 1.0)?;
        }
        check("level", f64::from(self.level), 0.0, f64::from(MAX_LEVEL))
    }

    /// How far from an area a site may be of which a road or a lot touches it.
    pub(super) fn farthest(&self) -> f64 {
        let way = self.reach * super::route::DETOUR + super::route::SLACK;
        (SizeClass::Town.radius() + self.reach).max(way) + 64.0
    }
}
