//! The allowed range of every field of a plan.

use super::{MAX_HEIGHT, MAX_INSTANCES, MAX_RULES, Palette, Plan, ScatterRule, Terrain};
use crate::noise::MAX_OCTAVES;

/// A plan that cannot be followed: which field, its value, and what is allowed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A value outside its range, or not a number.
    #[error("{field} is {value}, allowed: {min} to {max}")]
    OutOfRange {
        /// The field, as in `scatter[2].spacing`.
        field: String,
        /// Its value.
        value: f64,
        /// The least value allowed.
        min: f64,
        /// The greatest value allowed.
        max: f64,
    },
    /// A range whose least value is above its greatest.
    #[error("{field} is {low} to {high}, allowed: the first at most the second")]
    Reversed {
        /// The field.
        field: String,
        /// The first value.
        low: f32,
        /// The second value.
        high: f32,
    },
    /// Layers of terrain too fine for the noise.
    #[error("terrain.octaves is {octaves}: the finest has {finest} hills per metre, allowed: at most {max}")]
    TooFine {
        /// The number of layers.
        octaves: u32,
        /// What frequency and lacunarity make of it, per metre.
        finest: f64,
        /// The most allowed.
        max: f64,
    },
    /// More scatter rules than a plan may have.
    #[error("scatter has {count} rules, allowed: at most {max}")]
    TooManyRules {
        /// How many there are.
        count: usize,
        /// The most allowed.
        max: usize,
    },
    /// Scatter rules that try too many places in a chunk.
    #[error(
        "{field} is {spacing}: with the rules before it {places} places are tried in a chunk of {chunk_size} m, allowed: at most {max}"
    )]
    TooDense {
        /// The field of the rule that went over.
        field: String,
        /// Its spacing in metres.
        spacing: f32,
        /// Side of a chunk in metres.
        chunk_size: f32,
        /// The places of this rule and those before it.
        places: f64,
        /// The most allowed.
        max: usize,
    },
}

impl Plan {
    /// Checks every field, and what they come to together.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), PlanError> {
        range("chunk_size", self.chunk_size, 1.0, 4096.0)?;
        range("samples", self.samples, 2.0, 257.0)?;
        check_terrain(&self.terrain)?;
        check_palette(&self.palette)?;
        check_scatter(&self.scatter, self.chunk_size)
    }
}

fn range(field: &str, value: impl Into<f64>, min: f64, max: f64) -> Result<(), PlanError> {
    let value = value.into();
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(PlanError::OutOfRange { field: field.to_owned(), value, min, max })
    }
}

fn height(field: &str, value: f32) -> Result<(), PlanError> {
    range(field, value, f64::from(-MAX_HEIGHT), f64::from(MAX_HEIGHT))
}

fn check_terrain(terrain: &Terrain) -> Result<(), PlanError> {
    range("terrain.base_height", terrain.base_height, -8192.0, 8192.0)?;
    range("terrain.amplitude", terrain.amplitude, 0.0, 4096.0)?;
    range("terrain.frequency", terrain.frequency, f64::from(1e-6f32), 1.0)?;
    range("terrain.octaves", terrain.octaves, 1.0, f64::from(MAX_OCTAVES))?;
    range("terrain.lacunarity", terrain.lacunarity, 1.0, 4.0)?;
    range("terrain.gain", terrain.gain, 0.0, 1.0)?;
    range("terrain.ridge", terrain.ridge, 0.0, 1.0)?;
    range("terrain.warp", terrain.warp, 0.0, 1024.0)?;
    if let Some(level) = terrain.water_level {
        height("terrain.water_level", level)?;
    }
    let mut finest = f64::from(terrain.frequency);
    for _ in 1..terrain.octaves {
        finest *= f64::from(terrain.lacunarity);
    }
    if finest > Terrain::MAX_FINEST {
        return Err(PlanError::TooFine { octaves: terrain.octaves, finest, max: Terrain::MAX_FINEST });
    }
    Ok(())
}

fn check_palette(palette: &Palette) -> Result<(), PlanError> {
    for (field, color) in [
        ("palette.sand", palette.sand),
        ("palette.lush", palette.lush),
        ("palette.dry", palette.dry),
        ("palette.rock", palette.rock),
        ("palette.snow", palette.snow),
    ] {
        for value in color {
            range(field, value, 0.0, 1.0)?;
        }
    }
    height("palette.sand_height", palette.sand_height)?;
    height("palette.snow_height", palette.snow_height)?;
    range("palette.rock_slope", palette.rock_slope, 0.0, 1.0)?;
    range("palette.blend", palette.blend, f64::from(0.001f32), 1000.0)
}

fn check_scatter(rules: &[ScatterRule], chunk_size: f32) -> Result<(), PlanError> {
    if rules.len() > MAX_RULES {
        return Err(PlanError::TooManyRules { count: rules.len(), max: MAX_RULES });
    }
    let mut places = 0.0;
    for (number, rule) in rules.iter().enumerate() {
        let field = |name: &str| format!("scatter[{number}].{name}");
        range(&field("variants"), rule.variants, 1.0, 16.0)?;
        range(&field("spacing"), rule.spacing, 0.25, 1024.0)?;
        range(&field("density"), rule.density, 0.0, 1.0)?;
        range(&field("mask_frequency"), rule.mask_frequency, f64::from(1e-6f32), 1.0)?;
        range(&field("mask_threshold"), rule.mask_threshold, -1.0, 1.0)?;
        let high = f64::from(MAX_HEIGHT);
        for (name, (least, greatest), min, max) in [
            ("slope", rule.slope, 0.0, 1.0),
            ("height", rule.height, -high, high),
            ("scale", rule.scale, f64::from(0.01f32), 100.0),
        ] {
            range(&field(name), least, min, max)?;
            range(&field(name), greatest, min, max)?;
            if least > greatest {
                return Err(PlanError::Reversed { field: field(name), low: least, high: greatest });
            }
        }
        // The cells that a chunk can touch, as counted when it is made.
        let cells = (f64::from(chunk_size) / f64::from(rule.spacing)).ceil() + 1.0;
        places += cells * cells;
        if places > MAX_INSTANCES as f64 {
            return Err(PlanError::TooDense {
                field: field("spacing"),
                spacing: rule.spacing,
                chunk_size,
                places,
                max: MAX_INSTANCES,
            });
        }
    }
    Ok(())
}
