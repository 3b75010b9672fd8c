//! What an instruction can give over a whole block, from what its operands can.
//!
//! Bounds must hold for the very numbers that the kernels compute: a block that is told to be uniform is filled, not computed, and
//! must have the same bits. So a range of one value is given only where every value is that one: for constants, for what is
//! clamped, and where operations that keep the order of numbers meet equal ends. Elsewhere ranges are widened.

use super::instr::{Binary, Cellular, Gully, Instr, Noise, Unary, climate};
use super::kernel::simplex::{SLOPE_2, SLOPE_3, simplex2, simplex3};
use super::node::{Axis, Feature, Fractal, NoiseKind};
use super::range::{Range, Span};

/// More than rounding adds to noise.
const MARGIN: f32 = 1e-3;

impl Range {
    fn widened(self) -> Self {
        let by = 1e-5 * self.low.abs().max(self.high.abs()).max(1.0);
        Self { low: self.low - by, high: self.high + by }
    }
}

/// The range of a value. `values` are those of the instructions before, `spans` of the domains.
pub(crate) fn bound(instr: &Instr, values: &[Range], inputs: &[Range], spans: &[[Span; 3]]) -> Range {
    match instr {
        Instr::Constant(value) => Range::point(*value),
        Instr::Coordinate(axis, domain) => {
            let span = spans[*domain][match axis {
                Axis::X => 0,
                Axis::Y => 1,
                Axis::Z => 2,
            }];
            Range::new(span.low as f32, span.high as f32)
        }
        Instr::Input(number) => inputs[*number],
        Instr::Noise(noise, domain) => of_noise(noise, &spans[*domain]),
        Instr::Cellular(cellular, _) => of_cellular(cellular),
        Instr::Body { body, center, domain } => {
            // The distance to a body changes no faster than the place does.
            let spans = &spans[*domain];
            let at = |axis: usize| (spans[axis].middle() - center[axis]) as f32;
            let radius = spans.iter().fold(0.0, |sum, s| sum + s.half() * s.half()).sqrt() as f32 * 1.001 + MARGIN;
            let middle = super::kernel::shape::inside(body, [at(0), at(1), at(2)]);
            Range::new(middle - radius, middle + radius).meet(Range::new(f32::MIN, body.deepest() + MARGIN)).widened()
        }
        Instr::Unary(unary, a) => of_unary(*unary, values[*a]),
        Instr::Binary(binary, a, b) => of_binary(*binary, values[*a], values[*b]),
        Instr::Blend { a, b, by } => {
            let by = values[*by];
            if by.high <= 0.0 {
                values[*a]
            } else if by.low >= 1.0 {
                values[*b]
            } else {
                values[*a].hull(values[*b]).widened()
            }
        }
        Instr::Curve(a, curve) => {
            let of = values[*a];
            let ends = Range::around(curve.at(of.low), curve.at(of.high));
            let inner = curve.points.iter().filter(|p| p[0] > of.low && p[0] < of.high);
            let range = inner.fold(ends, |range, point| range.with(point[1]));
            let beyond = of.high < curve.points[0][0] || of.low >= curve.points[curve.points.len() - 1][0];
            if beyond || of.constant().is_some() { range } else { range.widened() }
        }
        Instr::Gully { gully, .. } => of_gully(gully),
        Instr::Rivers { rivers, output, domain, land } => {
            rivers.bound(*output, &spans[*domain], land.map(|value| values[value]))
        }
        Instr::Climate { temperature, moisture, climates, index, sharpness } => {
            match (values[*temperature].constant(), values[*moisture].constant()) {
                (Some(t), Some(m)) => Range::point(climate(t, m, climates, *index, *sharpness)),
                _ => Range::new(0.0, 1.0),
            }
        }
        Instr::Script(script, _) => Range::new(script.low, script.high),
        Instr::Domain(..) => Range::point(0.0),
    }
}

fn of_unary(unary: Unary, of: Range) -> Range {
    if let Some(value) = of.constant() {
        return Range::point(unary.at(value));
    }
    match unary {
        Unary::Affine { .. } | Unary::Clamp { .. } => of.monotonic(|v| unary.at(v)),
        Unary::Abs => of.abs(),
        Unary::Power(_) => {
            let range = of.monotonic(|v| unary.at(v)).widened();
            if of.high <= 0.0 { Range::point(unary.at(0.0)) } else { range }
        }
        Unary::Smoothstep { low, high } => {
            let range = of.monotonic(|v| unary.at(v));
            let (first, last) = (low.min(high), low.max(high));
            if of.high <= first || of.low >= last { range } else { range.widened() }
        }
        Unary::Terrace { .. } => of.monotonic(|v| unary.at(v)).widened(),
    }
}

fn of_binary(binary: Binary, a: Range, b: Range) -> Range {
    match binary {
        Binary::Add => a.add(b),
        Binary::Subtract => a.sub(b),
        Binary::Multiply => a.mul(b),
        Binary::Min => Range::new(a.low.min(b.low), a.high.min(b.high)),
        Binary::Max => Range::new(a.low.max(b.low), a.high.max(b.high)),
        Binary::SmoothMin(radius) => {
            Range::new(binary.at(a.low, b.low).min(a.low.min(b.low) - radius * 0.25), a.high.min(b.high)).widened()
        }
        Binary::SmoothMax(radius) => Range::new(a.low.max(b.low), a.high.max(b.high) + radius * 0.25).widened(),
    }
}

fn of_cellular(cellular: &Cellular) -> Range {
    match cellular.feature {
        // The farthest that the nearest of nine (or 27) points can be.
        Feature::Distance => Range::new(0.0, if cellular.space { 1.75 } else { 1.43 }),
        Feature::Border => Range::new(0.0, 2.9),
        Feature::Value => Range::new(0.0, 1.0),
    }
}

fn of_gully(gully: &Gully) -> Range {
    let mut total = 0.0;
    let mut height = gully.strength;
    for _ in 0..gully.octaves {
        total += height;
        height *= gully.gain;
    }
    Range::new(-total, total).widened()
}

/// From the noise at the middle of the block and how steep it can be at most, octave by octave.
fn of_noise(noise: &Noise, spans: &[Span; 3]) -> Range {
    let axes = if noise.space { &[0, 1, 2][..] } else { &[0, 2][..] };
    let radius = axes.iter().fold(0.0, |sum, axis| sum + spans[*axis].half() * spans[*axis].half()).sqrt();
    let octave = |number: usize| {
        let full = Range::new(-1.0, 1.0);
        let frequency = noise.frequencies[number];
        let steepest = if noise.space { SLOPE_3 } else { SLOPE_2 };
        let change = (radius * frequency) as f32 * steepest * 1.001 + MARGIN;
        // Noise of 2 cells' width tells nothing; neither does a point that is no number.
        if noise.kind != NoiseKind::Simplex || change.is_nan() || change >= 1.5 {
            return full;
        }
        let at = |axis: usize| spans[axis].middle() * frequency;
        let middle = if noise.space {
            simplex3(noise.seeds[number], at(0), at(1), at(2))
        } else {
            simplex2(noise.seeds[number], at(0), at(2))
        };
        Range::new(middle - change, middle + change).meet(full)
    };
    match noise.fractal {
        Fractal::None => octave(0).widened(),
        Fractal::Fbm => sum(noise, octave),
        Fractal::Billow => sum(noise, |n| octave(n).abs()),
        Fractal::Ridged => {
            let mut weight = Range::point(1.0);
            sum(noise, |n| {
                let crests = octave(n).abs().monotonic(super::run::crest).mul(weight);
                weight = Range::new((crests.low * 2.0).min(1.0), (crests.high * 2.0).min(1.0));
                crests
            })
        }
    }
}

fn sum(noise: &Noise, mut octave: impl FnMut(usize) -> Range) -> Range {
    let add = |range: Range, n: usize| range.add(octave(n).mul(Range::point(noise.heights[n])));
    (0..noise.octaves).fold(Range::point(0.0), add).widened()
}
