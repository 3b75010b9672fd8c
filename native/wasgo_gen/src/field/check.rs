//! What the parameters of nodes may be.

use super::node::{Fractal, Node, NodeId, Shape};
use crate::plan::{MAX_HEIGHT, MAX_PLACE_FUEL, MAX_WORLD, wrong_parameter};

/// The finest cells of noise: 64 a metre.
const MAX_FREQUENCY: f64 = 64.0;
const MIN_FREQUENCY: f64 = 1e-6;
/// The greatest number that a parameter may be.
const MAX_NUMBER: f32 = 1e6;

/// A parameter at fault: its name, its value and what is allowed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wrong {
    pub(crate) parameter: &'static str,
    pub(crate) value: String,
    pub(crate) allowed: String,
}

fn wrong(parameter: &'static str, value: impl ToString, allowed: impl Into<String>) -> Wrong {
    Wrong { parameter, value: value.to_string(), allowed: allowed.into() }
}

fn number(parameter: &'static str, value: f32, low: f32, high: f32) -> Result<(), Wrong> {
    // NaN is in no range.
    if (low..=high).contains(&value) { Ok(()) } else { Err(wrong(parameter, value, format!("{low} to {high}"))) }
}

fn wide(parameter: &'static str, value: f64, low: f64, high: f64) -> Result<(), Wrong> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(wrong(parameter, value, format!("{low} to {high}"))) }
}

fn any(parameter: &'static str, value: f32) -> Result<(), Wrong> {
    number(parameter, value, -MAX_NUMBER, MAX_NUMBER)
}

fn count(parameter: &'static str, value: usize, low: usize, high: usize) -> Result<(), Wrong> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(wrong(parameter, value, format!("{low} to {high}"))) }
}

fn dimensions(value: u8) -> Result<(), Wrong> {
    if value == 2 || value == 3 { Ok(()) } else { Err(wrong("dimensions", value, "2 or 3")) }
}

fn place(parameter: &'static str, value: [f64; 3]) -> Result<(), Wrong> {
    value.iter().try_for_each(|v| wide(parameter, *v, -MAX_WORLD, MAX_WORLD))
}

impl Node {
    /// The first parameter that isn't allowed.
    pub(crate) fn check(&self) -> Result<(), Wrong> {
        match self {
            Self::Coordinate { .. } | Self::Height {} | Self::Slope {} | Self::Subtract { .. } | Self::Blend { .. } => {
                Ok(())
            }
            Self::Abs { .. } => Ok(()),
            Self::Constant { value } => any("value", *value),
            Self::Noise { fractal, dimensions: dims, frequency, octaves, lacunarity, gain, .. } => {
                dimensions(*dims)?;
                wide("frequency", *frequency, MIN_FREQUENCY, MAX_FREQUENCY)?;
                count("octaves", *octaves as usize, 1, if *fractal == Fractal::None { 1 } else { 12 })?;
                wide("lacunarity", *lacunarity, 1.0, 4.0)?;
                number("gain", *gain, 0.0, 1.0)?;
                let finest = (1..*octaves).fold(*frequency, |f, _| f * lacunarity);
                if finest > MAX_FREQUENCY {
                    let allowed = format!(
                        "so many that the finest layer has at most {MAX_FREQUENCY} cells a metre; it has {finest}"
                    );
                    return Err(wrong("octaves", octaves, allowed));
                }
                Ok(())
            }
            Self::Cellular { dimensions: dims, frequency, jitter, .. } => {
                dimensions(*dims)?;
                wide("frequency", *frequency, MIN_FREQUENCY, MAX_FREQUENCY)?;
                number("jitter", *jitter, 0.0, 1.0)
            }
            Self::Add { of } | Self::Multiply { of } | Self::Min { of } | Self::Max { of } => {
                count("of", of.len(), 1, 16).map_err(|w| Wrong { allowed: "1 to 16 fields".into(), ..w })
            }
            Self::SmoothMin { radius, .. } | Self::SmoothMax { radius, .. } => {
                number("radius", *radius, 1e-3, MAX_NUMBER)
            }
            Self::Affine { scale, offset, .. } => any("scale", *scale).and_then(|()| any("offset", *offset)),
            Self::Power { exponent, .. } => number("exponent", *exponent, 0.01, 100.0),
            Self::Clamp { low, high, .. } => {
                any("low", *low)?;
                any("high", *high)?;
                if low > high { Err(wrong("low", low, format!("at most high, which is {high}"))) } else { Ok(()) }
            }
            Self::Smoothstep { low, high, .. } => {
                any("low", *low)?;
                any("high", *high)?;
                // Nearer ends would make what is between them depend on rounding.
                if (low - high).abs() < 1e-6 * low.abs().max(1.0) {
                    return Err(wrong("low", low, format!("not the same as high, which is {high}")));
                }
                Ok(())
            }
            Self::Terrace { height, sharpness, .. } => {
                number("height", *height, 1e-3, MAX_NUMBER)?;
                number("sharpness", *sharpness, 0.0, 1.0)
            }
            Self::Curve { points, .. } => {
                count("points", points.len(), 2, 64).map_err(|w| Wrong { allowed: "2 to 64 points".into(), ..w })?;
                for [value, result] in points {
                    any("points", *value)?;
                    any("points", *result)?;
                }
                match points.windows(2).find(|pair| pair[1][0] - pair[0][0] < 1e-6 * pair[1][0].abs().max(1.0)) {
                    Some(pair) => Err(wrong("points", pair[1][0], format!("above {}, the value before", pair[0][0]))),
                    None => Ok(()),
                }
            }
            Self::Warp { by, strength, .. } => {
                count("by", by.len(), 2, 3).map_err(|w| Wrong { allowed: "2 or 3 fields".into(), ..w })?;
                number("strength", *strength, -10_000.0, 10_000.0)
            }
            Self::Place { scale, yaw, offset, .. } => {
                scale.iter().try_for_each(|s| number("scale", *s, 0.001, 1000.0))?;
                number("yaw", *yaw, -1000.0, 1000.0)?;
                place("offset", *offset)
            }
            Self::Body { shape, center } => {
                place("center", *center)?;
                check_shape(shape)
            }
            Self::Erode { frequency, strength, octaves, gain, slope, .. } => {
                wide("frequency", *frequency, 1e-4, 1.0)?;
                number("strength", *strength, 0.0, 1000.0)?;
                count("octaves", *octaves as usize, 1, 8)?;
                number("gain", *gain, 0.0, 1.0)?;
                number("slope", *slope, 0.01, 10.0)
            }
            Self::Rivers { frequency, width, depth, valley, sea, springs, .. } => {
                wide("frequency", *frequency, 2e-4, 0.05)?;
                number("width", *width, 0.5, 1000.0)?;
                number("depth", *depth, 0.0, 200.0)?;
                number("valley", *valley, 0.1, 32.0)?;
                let most = 0.9 / *frequency;
                let whole = f64::from(*width) * (1.0 + 2.0 * f64::from(*valley));
                // Ponds are wider, and no course reaches farther than the next.
                if whole.max(f64::from(*width) * 4.0) > most {
                    let allowed =
                        format!("so much that a river with its valley, now {whole} m, is at most {most} m wide");
                    return Err(wrong("width", width, allowed));
                }
                sea.iter().try_for_each(|sea| number("sea", *sea, -MAX_HEIGHT, MAX_HEIGHT))?;
                count("springs", *springs as usize, 1, 6)
            }
            Self::Climate { climates, index, sharpness, .. } => {
                count("climates", climates.len(), 2, 16)
                    .map_err(|w| Wrong { allowed: "2 to 16 climates".into(), ..w })?;
                climates.iter().flatten().try_for_each(|v| number("climates", *v, -10.0, 10.0))?;
                count("index", *index, 0, climates.len() - 1)?;
                count("sharpness", *sharpness as usize, 1, 32)
            }
            Self::Script { parameters, dimensions: dims, low, high, fuel, .. } => {
                dimensions(*dims)?;
                any("low", *low)?;
                any("high", *high)?;
                if low >= high {
                    return Err(wrong("low", low, format!("less than high, which is {high}")));
                }
                if !(100..=MAX_PLACE_FUEL).contains(fuel) {
                    return Err(wrong("fuel", fuel, format!("100 to {MAX_PLACE_FUEL}")));
                }
                wrong_parameter(parameters).map_or(Ok(()), |(value, allowed)| Err(wrong("parameters", value, allowed)))
            }
        }
    }

    /// The nodes that it is made of, each with the name of the parameter.
    #[must_use]
    pub fn inputs(&self) -> Vec<(&'static str, &NodeId)> {
        match self {
            Self::Constant { .. }
            | Self::Coordinate { .. }
            | Self::Height {}
            | Self::Slope {}
            | Self::Noise { .. }
            | Self::Cellular { .. }
            | Self::Body { .. }
            | Self::Script { .. } => Vec::new(),
            Self::Add { of } | Self::Multiply { of } | Self::Min { of } | Self::Max { of } => {
                of.iter().map(|id| ("of", id)).collect()
            }
            Self::Subtract { a, b } | Self::SmoothMin { a, b, .. } | Self::SmoothMax { a, b, .. } => {
                vec![("a", a), ("b", b)]
            }
            Self::Affine { of, .. }
            | Self::Abs { of }
            | Self::Power { of, .. }
            | Self::Clamp { of, .. }
            | Self::Smoothstep { of, .. }
            | Self::Terrace { of, .. }
            | Self::Curve { of, .. }
            | Self::Place { of, .. }
            | Self::Rivers { of, .. }
            | Self::Erode { of, .. } => vec![("of", of)],
            Self::Blend { a, b, by } => vec![("a", a), ("b", b), ("by", by)],
            Self::Warp { of, by, .. } => by.iter().map(|id| ("by", id)).chain([("of", of)]).collect(),
            Self::Climate { temperature, moisture, .. } => vec![("temperature", temperature), ("moisture", moisture)],
        }
    }
}

fn check_shape(shape: &Shape) -> Result<(), Wrong> {
    let length = |name, value| number(name, value, 1e-3, 16_384.0);
    match shape {
        Shape::Sphere { radius } => length("radius", *radius),
        Shape::Box { half, round } => {
            half.iter().try_for_each(|v| length("half", *v))?;
            let least = half[0].min(half[1]).min(half[2]);
            number("round", *round, 0.0, least)
        }
        Shape::Capsule { to, radius } => {
            to.iter().try_for_each(|v| number("to", *v, -16_384.0, 16_384.0))?;
            length("radius", *radius)
        }
        Shape::Torus { radius, thickness, .. } => {
            length("radius", *radius).and_then(|()| length("thickness", *thickness))
        }
    }
}
