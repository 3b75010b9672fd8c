//! The instructions of a program. Each makes one value (or one domain) for all points of a block.

use std::sync::Arc;

use super::kernel::shape::Body;
use super::node::{Axis, Feature, Fractal, NoiseKind, RiverOutput};
use super::rivers::Rivers;
use crate::script::FieldScript;

/// The number of a value: that of the instruction that makes it.
pub(crate) type Value = usize;

/// The number of a domain: the places at which fields are looked up. 0 are the block's own points.
pub(crate) type DomainId = usize;

/// The most octaves of noise.
pub(crate) const MAX_OCTAVES: usize = 12;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Instr {
    Constant(f32),
    Coordinate(Axis, DomainId),
    /// A value that the caller gives.
    Input(usize),
    Noise(Box<Noise>, DomainId),
    Cellular(Cellular, DomainId),
    Body {
        body: Body,
        center: [f64; 3],
        domain: DomainId,
    },
    Unary(Unary, Value),
    Binary(Binary, Value, Value),
    Blend {
        a: Value,
        b: Value,
        by: Value,
    },
    Curve(Value, Box<Curve>),
    /// The field's values at the place, a step east and a step south; what gullies add to them.
    Gully {
        gully: Gully,
        domain: DomainId,
        heights: [Value; 3],
    },
    Rivers {
        rivers: Arc<Rivers>,
        output: RiverOutput,
        domain: DomainId,
        /// The heights, where the output is made of them.
        land: Option<Value>,
    },
    Climate {
        temperature: Value,
        moisture: Value,
        climates: Box<[[f32; 2]]>,
        index: usize,
        sharpness: u32,
    },
    /// What a script says.
    Script(Box<FieldScript>, DomainId),
    /// Makes a domain, not a value.
    Domain(DomainId, Domain),
}

impl Instr {
    /// For messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Constant(_) => "constant",
            Self::Coordinate(..) => "coordinate",
            Self::Input(_) => "height or slope",
            Self::Noise(..) => "noise",
            Self::Cellular(..) => "cellular",
            Self::Body { .. } => "body",
            Self::Unary(Unary::Affine { .. }, _) => "affine",
            Self::Unary(Unary::Power(_), _) => "power",
            Self::Unary(..) => "a function",
            Self::Binary(Binary::Add, ..) => "add",
            Self::Binary(Binary::Multiply, ..) => "multiply",
            Self::Binary(Binary::Subtract, ..) => "subtract",
            Self::Binary(..) => "min or max",
            Self::Blend { .. } => "blend",
            Self::Curve(..) => "curve",
            Self::Gully { .. } => "erode",
            Self::Rivers { .. } => "rivers",
            Self::Climate { .. } => "climate",
            Self::Script(..) => "script",
            Self::Domain(..) => "warp or place",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Domain {
    /// Moved by values times metres.
    Warp { from: DomainId, by: [Option<Value>; 3], strength: f32 },
    /// Moved by -offset, turned, then multiplied.
    Affine { from: DomainId, offset: [f64; 3], sin: f64, cos: f64, factor: [f64; 3] },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Noise {
    pub(crate) kind: NoiseKind,
    pub(crate) fractal: Fractal,
    pub(crate) space: bool,
    pub(crate) octaves: usize,
    pub(crate) seeds: [u32; MAX_OCTAVES],
    /// Of each octave, 1 / m.
    pub(crate) frequencies: [f64; MAX_OCTAVES],
    /// Of each octave; 1 in sum.
    pub(crate) heights: [f32; MAX_OCTAVES],
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cellular {
    pub(crate) feature: Feature,
    pub(crate) space: bool,
    pub(crate) frequency: f64,
    pub(crate) jitter: f32,
    pub(crate) seed: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gully {
    pub(crate) octaves: usize,
    pub(crate) seeds: [u32; 8],
    pub(crate) frequency: f64,
    pub(crate) strength: f32,
    pub(crate) gain: f32,
    pub(crate) slope: f32,
    /// Metres between the places at which heights are given.
    pub(crate) step: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unary {
    Affine { scale: f32, offset: f32 },
    Abs,
    Power(f32),
    Clamp { low: f32, high: f32 },
    Smoothstep { low: f32, high: f32 },
    Terrace { height: f32, sharpness: f32 },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Binary {
    Add,
    Subtract,
    Multiply,
    Min,
    Max,
    SmoothMin(f32),
    SmoothMax(f32),
}

/// Cubic pieces through points, none of which leaves the range of its ends (F. Fritsch and R. Carlson, "Monotone piecewise cubic
/// interpolation", 1980).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve {
    pub(crate) points: Vec<[f32; 2]>,
    slopes: Vec<f32>,
}

impl Curve {
    /// Expects at least two points, in rising order.
    pub(crate) fn new(points: &[[f32; 2]]) -> Self {
        let rise: Vec<f32> = points.windows(2).map(|w| (w[1][1] - w[0][1]) / (w[1][0] - w[0][0])).collect();
        let mut slopes = vec![0.0f32; points.len()];
        for (n, slope) in slopes.iter_mut().enumerate() {
            // Flat at the ends, so that the curve goes on smoothly beyond them, and at turning points.
            if n > 0 && n < rise.len() && rise[n - 1] * rise[n] > 0.0 {
                let least = rise[n - 1].abs().min(rise[n].abs());
                let mean = (rise[n - 1] + rise[n]) * 0.5;
                *slope = mean.clamp(-3.0 * least, 3.0 * least);
            }
        }
        Self { points: points.to_vec(), slopes }
    }

    pub(crate) fn at(&self, value: f32) -> f32 {
        let after = self.points.partition_point(|point| point[0] <= value);
        if after == 0 {
            return self.points[0][1];
        }
        if after == self.points.len() {
            return self.points[after - 1][1];
        }
        let ([x0, y0], [x1, y1]) = (self.points[after - 1], self.points[after]);
        let width = x1 - x0;
        let t = (value - x0) / width;
        let (m0, m1) = (self.slopes[after - 1] * width, self.slopes[after] * width);
        let rise = y1 - y0;
        // Horner's form of the Hermite cubic.
        let cubic = y0 + t * (m0 + t * ((3.0 * rise - 2.0 * m0 - m1) + t * (m0 + m1 - 2.0 * rise)));
        cubic.clamp(y0.min(y1), y0.max(y1))
    }
}

impl Unary {
    #[inline(always)]
    #[allow(clippy::inline_always)] // In loops over blocks.
    pub(crate) fn at(self, v: f32) -> f32 {
        match self {
            Self::Affine { scale, offset } => v * scale + offset,
            Self::Abs => v.abs(),
            Self::Power(exponent) => libm::powf(v.max(0.0), exponent),
            Self::Clamp { low, high } => v.max(low).min(high),
            Self::Smoothstep { low, high } => smoothstep(low, high, v),
            Self::Terrace { height, sharpness } => {
                let steps = v / height;
                let whole = steps.floor();
                let part = steps - whole;
                // Flat, then steep: the rise is squeezed to the end of the step.
                let width = (1.0 - sharpness).max(0.01);
                let rise = ((part - (1.0 - width)) / width).max(0.0);
                (whole + rise * rise * (3.0 - 2.0 * rise)) * height
            }
        }
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // In loops over blocks.
pub(crate) fn smoothstep(low: f32, high: f32, v: f32) -> f32 {
    let t = ((v - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

impl Binary {
    #[inline(always)]
    #[allow(clippy::inline_always)] // In loops over blocks.
    pub(crate) fn at(self, a: f32, b: f32) -> f32 {
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Min => a.min(b),
            Self::Max => a.max(b),
            Self::SmoothMin(radius) => a.min(b) - bulge(a, b, radius),
            Self::SmoothMax(radius) => a.max(b) + bulge(a, b, radius),
        }
    }
}

/// What rounds the edge where two fields cross: at most a quarter of the radius.
#[inline(always)]
#[allow(clippy::inline_always)] // In loops over blocks.
fn bulge(a: f32, b: f32, radius: f32) -> f32 {
    let near = (1.0 - (a - b).abs() / radius).max(0.0);
    near * near * radius * 0.25
}

/// A whole power, by squares.
fn power(base: f32, exponent: u32) -> f32 {
    let (mut result, mut square, mut left) = (1.0, base, exponent);
    while left > 0 {
        if left & 1 == 1 {
            result *= square;
        }
        square *= square;
        left >>= 1;
    }
    result
}

/// How much of a climate there is where others compete.
pub(crate) fn climate(temperature: f32, moisture: f32, climates: &[[f32; 2]], index: usize, sharpness: u32) -> f32 {
    // Squares of distances, 0..=2 within the unit square; weights fall with their negative power.
    let distance = |[t, m]: [f32; 2]| {
        let (dt, dm) = (temperature - t, moisture - m);
        dt * dt + dm * dm + 1e-3
    };
    let nearest = climates.iter().map(|c| distance(*c)).fold(f32::INFINITY, f32::min);
    // Relative to the nearest, so that no power underflows.
    let weight = |c: [f32; 2]| power(nearest / distance(c), sharpness);
    let total = climates.iter().map(|c| weight(*c)).fold(0.0f32, |sum, w| sum + w);
    weight(climates[index]) / total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_go_through_their_points_and_never_beyond() {
        let points = [[-1.0, 0.0], [0.0, 3.0], [0.5, 3.1], [2.0, -4.0], [2.5, -4.0]];
        let curve = Curve::new(&points);
        for [x, y] in points {
            assert!((curve.at(x) - y).abs() < 1e-5);
        }
        assert_eq!((curve.at(-50.0), curve.at(50.0)), (0.0, -4.0));
        for n in 0..4000 {
            let x = -1.5 + n as f32 * 0.001;
            assert!((curve.at(x + 0.001) - curve.at(x)).abs() < 0.05, "{x}");
            assert!((-4.0..=3.1).contains(&curve.at(x)));
        }
    }

    #[test]
    fn terraces_are_steps_of_the_height_given() {
        let step = |sharpness, v| Unary::Terrace { height: 2.0, sharpness }.at(v);
        for n in -50..50 {
            let v = n as f32 * 0.37;
            assert!((step(0.0, v) - v).abs() <= 2.0 && (step(1.0, v) - v).abs() <= 2.0);
            assert_eq!(step(1.0, (v / 2.0).floor() * 2.0 + 1.0), (v / 2.0).floor() * 2.0);
            assert!(step(0.7, v + 0.1) >= step(0.7, v));
        }
    }

    #[test]
    fn climates_share_everything_out() {
        let climates = [[0.1, 0.2], [0.9, 0.1], [0.5, 0.9]];
        for n in 0..100 {
            let (t, m) = ((n % 10) as f32 / 9.0, (n / 10) as f32 / 9.0);
            let sum: f32 = (0..3).map(|index| climate(t, m, &climates, index, 8)).sum();
            assert!((sum - 1.0).abs() < 1e-5);
        }
        assert!(climate(0.1, 0.2, &climates, 0, 8) > 0.99);
    }
}
