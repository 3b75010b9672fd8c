//! Runs instructions over the points of a block.

use super::instr::{Binary, Cellular, Curve, Domain, Noise, Unary, climate};
use super::kernel::cellular::{Near, near2, near3};
use super::kernel::shape::{Body, inside};
use super::kernel::{BLOCK, Kernel, LANES, dispatch, fraction, lattice, simplex};
use super::node::{Feature, Fractal, NoiseKind};

/// Places: x, y and z of each.
pub(crate) type Places = [[f64; BLOCK]; 3];

/// Values, one for each place.
pub(crate) type Values = [f32; BLOCK];

/// How round crests are, as a share of the noise's range: a sharp crest would turn into teeth between samples.
const ROUND: f32 = 0.06;

/// The height of a crest for the size of the noise.
#[inline(always)]
#[allow(clippy::inline_always)] // In loops over blocks.
pub(crate) fn crest(size: f32) -> f32 {
    let crest = 1.0 + ROUND - (size * size + ROUND * ROUND).sqrt();
    crest * crest
}

/// `count` is a multiple of LANES.
pub(crate) fn noise(noise: &Noise, places: &Places, count: usize, out: &mut Values) {
    dispatch(NoiseKernel { noise, places, count, out });
}

struct NoiseKernel<'a> {
    noise: &'a Noise,
    places: &'a Places,
    count: usize,
    out: &'a mut Values,
}

/// A kind of noise. A type and not a closure: closures aren't always inlined, and what isn't is compiled for the narrow instructions.
///
/// Cells are found in f64, everything else in f32; in loops apart, for a loop is as wide as its widest numbers let it.
trait Sample {
    fn locate(x: f64, y: f64, z: f64) -> ([i32; 3], [f32; 3]);
    fn at(seed: u32, cell: [i32; 3], place: [f32; 3]) -> f32;
}

macro_rules! flat {
    ($($name:ident: $locate:path, $sample:path;)*) => {
        $(
            struct $name;
            impl Sample for $name {
                #[inline(always)]
                #[allow(clippy::inline_always)] // In loops over blocks.
                fn locate(x: f64, _: f64, z: f64) -> ([i32; 3], [f32; 3]) {
                    let ([i, j], [u, v]) = $locate(x, z);
                    ([i, j, 0], [u, v, 0.0])
                }

                #[inline(always)]
                #[allow(clippy::inline_always)] // In loops over blocks.
                fn at(seed: u32, cell: [i32; 3], place: [f32; 3]) -> f32 {
                    $sample(seed, [cell[0], cell[1]], [place[0], place[1]])
                }
            }
        )*
    };
}

macro_rules! deep {
    ($($name:ident: $locate:path, $sample:path;)*) => {
        $(
            struct $name;
            impl Sample for $name {
                #[inline(always)]
                #[allow(clippy::inline_always)] // In loops over blocks.
                fn locate(x: f64, y: f64, z: f64) -> ([i32; 3], [f32; 3]) {
                    $locate(x, y, z)
                }

                #[inline(always)]
                #[allow(clippy::inline_always)] // In loops over blocks.
                fn at(seed: u32, cell: [i32; 3], place: [f32; 3]) -> f32 {
                    $sample(seed, cell, place)
                }
            }
        )*
    };
}

flat! {
    Simplex2: simplex::locate2, simplex::sample2;
    Perlin2: lattice::locate2, lattice::perlin2;
    Value2: lattice::locate2, lattice::value2;
    White2: lattice::locate2, lattice::white2;
}

deep! {
    Simplex3: simplex::locate3, simplex::sample3;
    Perlin3: lattice::locate3, lattice::perlin3;
    Value3: lattice::locate3, lattice::value3;
    White3: lattice::locate3, lattice::white3;
}

impl Kernel for NoiseKernel<'_> {
    #[inline(always)]
    fn run(self) {
        match (self.noise.kind, self.noise.space) {
            (NoiseKind::Simplex, false) => self.octaves::<Simplex2>(),
            (NoiseKind::Simplex, true) => self.octaves::<Simplex3>(),
            (NoiseKind::Perlin, false) => self.octaves::<Perlin2>(),
            (NoiseKind::Perlin, true) => self.octaves::<Perlin3>(),
            (NoiseKind::Value, false) => self.octaves::<Value2>(),
            (NoiseKind::Value, true) => self.octaves::<Value3>(),
            (NoiseKind::White, false) => self.octaves::<White2>(),
            (NoiseKind::White, true) => self.octaves::<White3>(),
        }
    }
}

impl NoiseKernel<'_> {
    #[inline(always)]
    fn octaves<S: Sample>(self) {
        let Self { noise, places, count, out } = self;
        let mut raw = [0.0f32; BLOCK];
        if noise.fractal == Fractal::None {
            return layer::<S>(noise, 0, places, count, out);
        }
        let (raw_all, out) = (&mut raw, &mut out[..count]);
        out.fill(0.0);
        let mut weights = [1.0f32; BLOCK];
        for octave in 0..noise.octaves {
            layer::<S>(noise, octave, places, count, raw_all);
            let (raw, height) = (&raw_all[..count], noise.heights[octave]);
            match noise.fractal {
                Fractal::None => {}
                Fractal::Fbm => {
                    for (sum, n) in out.iter_mut().zip(raw) {
                        *sum += n * height;
                    }
                }
                Fractal::Billow => {
                    for (sum, n) in out.iter_mut().zip(raw) {
                        *sum += n.abs() * height;
                    }
                }
                Fractal::Ridged => {
                    for ((sum, weight), n) in out.iter_mut().zip(&mut weights[..count]).zip(raw) {
                        let crest = crest(n.abs()) * *weight;
                        *sum += crest * height;
                        // Valleys stay smooth: detail only where this octave is high.
                        *weight = (crest * 2.0).min(1.0);
                    }
                }
            }
        }
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // A loop over a block.
fn layer<S: Sample>(noise: &Noise, octave: usize, places: &Places, count: usize, out: &mut Values) {
    let (seed, frequency) = (noise.seeds[octave], noise.frequencies[octave]);
    let (x, _) = places[0][..count].as_chunks::<LANES>();
    let (y, _) = places[1][..count].as_chunks::<LANES>();
    let (z, _) = places[2][..count].as_chunks::<LANES>();
    let (out, _) = out[..count].as_chunks_mut::<LANES>();
    for (((x, y), z), out) in x.iter().zip(y).zip(z).zip(out) {
        let (mut i, mut j, mut k) = ([0i32; LANES], [0i32; LANES], [0i32; LANES]);
        let (mut u, mut v, mut w) = ([0f32; LANES], [0f32; LANES], [0f32; LANES]);
        for l in 0..LANES {
            let (cell, place) = S::locate(x[l] * frequency, y[l] * frequency, z[l] * frequency);
            [i[l], j[l], k[l]] = cell;
            [u[l], v[l], w[l]] = place;
        }
        for l in 0..LANES {
            out[l] = S::at(seed, [i[l], j[l], k[l]], [u[l], v[l], w[l]]);
        }
    }
}

pub(crate) fn cellular(cellular: &Cellular, places: &Places, count: usize, out: &mut Values) {
    dispatch(CellularKernel { cellular, places, count, out });
}

struct CellularKernel<'a> {
    cellular: &'a Cellular,
    places: &'a Places,
    count: usize,
    out: &'a mut Values,
}

impl Kernel for CellularKernel<'_> {
    #[inline(always)]
    fn run(self) {
        let Cellular { feature, space, frequency, jitter, seed } = *self.cellular;
        let Self { places: [x, y, z], count, out, .. } = self;
        let (mut i, mut j, mut k) = ([0i32; BLOCK], [0i32; BLOCK], [0i32; BLOCK]);
        let (mut u, mut v, mut w) = ([0f32; BLOCK], [0f32; BLOCK], [0f32; BLOCK]);
        if space {
            for l in 0..count {
                let (cell, place) = lattice::locate3(x[l] * frequency, y[l] * frequency, z[l] * frequency);
                [i[l], j[l], k[l]] = cell;
                [u[l], v[l], w[l]] = place;
            }
            for l in 0..count {
                out[l] = tell(feature, &near3(seed, jitter, [i[l], j[l], k[l]], [u[l], v[l], w[l]]));
            }
        } else {
            for l in 0..count {
                let (cell, place) = lattice::locate2(x[l] * frequency, z[l] * frequency);
                [i[l], j[l]] = cell;
                [u[l], v[l]] = place;
            }
            for l in 0..count {
                out[l] = tell(feature, &near2(seed, jitter, [i[l], j[l]], [u[l], v[l]]));
            }
        }
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // In loops over blocks.
fn tell(feature: Feature, near: &Near) -> f32 {
    match feature {
        Feature::Distance => near.first,
        Feature::Border => near.second - near.first,
        Feature::Value => fraction(near.hash.wrapping_mul(0x9E37_79B1)),
    }
}

pub(crate) fn body(body: &Body, center: [f64; 3], places: &Places, count: usize, out: &mut Values) {
    for (n, out) in out[..count].iter_mut().enumerate() {
        let at = |axis: usize| (places[axis][n] - center[axis]) as f32;
        *out = inside(body, [at(0), at(1), at(2)]);
    }
}

pub(crate) fn unary(unary: Unary, a: &Values, count: usize, out: &mut Values) {
    let each = |out: &mut Values, f: &dyn Fn(&[f32], &mut [f32])| f(&a[..count], &mut out[..count]);
    // The choice is outside of the loop.
    macro_rules! arms {
        ($($arm:pat => $same:expr),* $(,)?) => {
            match unary {
                $($arm => each(out, &|a, out| {
                    for (out, a) in out.iter_mut().zip(a) {
                        *out = $same.at(*a);
                    }
                }),)*
            }
        };
    }
    arms! {
        Unary::Affine { scale, offset } => Unary::Affine { scale, offset },
        Unary::Abs => Unary::Abs,
        Unary::Power(exponent) => Unary::Power(exponent),
        Unary::Clamp { low, high } => Unary::Clamp { low, high },
        Unary::Smoothstep { low, high } => Unary::Smoothstep { low, high },
        Unary::Terrace { height, sharpness } => Unary::Terrace { height, sharpness },
    }
}

pub(crate) fn binary(binary: Binary, a: &Values, b: &Values, count: usize, out: &mut Values) {
    macro_rules! arms {
        ($($arm:pat => $same:expr),* $(,)?) => {
            match binary {
                $($arm => {
                    for ((out, a), b) in out[..count].iter_mut().zip(&a[..count]).zip(&b[..count]) {
                        *out = $same.at(*a, *b);
                    }
                })*
            }
        };
    }
    arms! {
        Binary::Add => Binary::Add,
        Binary::Subtract => Binary::Subtract,
        Binary::Multiply => Binary::Multiply,
        Binary::Min => Binary::Min,
        Binary::Max => Binary::Max,
        Binary::SmoothMin(radius) => Binary::SmoothMin(radius),
        Binary::SmoothMax(radius) => Binary::SmoothMax(radius),
    }
}

pub(crate) fn blend(a: &Values, b: &Values, by: &Values, count: usize, out: &mut Values) {
    for (((out, a), b), by) in out[..count].iter_mut().zip(&a[..count]).zip(&b[..count]).zip(&by[..count]) {
        let share = by.clamp(0.0, 1.0);
        // Exactly one or the other at the ends, whatever rounding would make of `a + (b - a)`.
        let mixed = a + (b - a) * share;
        *out = if share <= 0.0 {
            *a
        } else if share >= 1.0 {
            *b
        } else {
            mixed
        };
    }
}

pub(crate) fn curve(curve: &Curve, a: &Values, count: usize, out: &mut Values) {
    for (out, a) in out[..count].iter_mut().zip(&a[..count]) {
        *out = curve.at(*a);
    }
}

pub(crate) fn climates(
    (temperature, moisture): (&Values, &Values),
    (climates, index, sharpness): (&[[f32; 2]], usize, u32),
    count: usize,
    out: &mut Values,
) {
    for ((out, t), m) in out[..count].iter_mut().zip(&temperature[..count]).zip(&moisture[..count]) {
        *out = climate(*t, *m, climates, index, sharpness);
    }
}

/// The places of a domain, from those of another. `by` are the values that move it.
pub(crate) fn domain(domain: &Domain, from: &Places, by: [Option<&Values>; 3], count: usize, out: &mut Places) {
    match domain {
        Domain::Warp { strength, .. } => {
            for axis in 0..3 {
                let (from, out) = (&from[axis][..count], &mut out[axis][..count]);
                match by[axis] {
                    Some(by) => {
                        for ((out, from), by) in out.iter_mut().zip(from).zip(by) {
                            *out = from + f64::from(by * strength);
                        }
                    }
                    None => out.copy_from_slice(from),
                }
            }
        }
        Domain::Affine { offset, sin, cos, factor, .. } => {
            for n in 0..count {
                let (x, y, z) = (from[0][n] - offset[0], from[1][n] - offset[1], from[2][n] - offset[2]);
                out[0][n] = (x * cos - z * sin) * factor[0];
                out[1][n] = y * factor[1];
                out[2][n] = (x * sin + z * cos) * factor[2];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::instr::MAX_OCTAVES;

    fn places() -> Places {
        let x = |n: usize| n as f64 * 1.37 - 300.0 + if n.is_multiple_of(5) { 900_000.0 } else { 0.0 };
        let y = |n: usize| n as f64 * -0.71;
        let z = |n: usize| (n * n % 977) as f64 * 0.53 - 100.0;
        [std::array::from_fn(x), std::array::from_fn(y), std::array::from_fn(z)]
    }

    fn bits(values: &Values) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    /// On a machine without the wider instructions both are the same code, and there is nothing to see.
    #[test]
    fn wider_instructions_give_the_same_bits() {
        let places = places();
        let (mut wide, mut plain) = ([0.0; BLOCK], [0.0; BLOCK]);
        for kind in [NoiseKind::Simplex, NoiseKind::Perlin, NoiseKind::Value, NoiseKind::White] {
            for fractal in [Fractal::None, Fractal::Fbm, Fractal::Ridged, Fractal::Billow] {
                for space in [false, true] {
                    let seeds = std::array::from_fn(|n| 77 + n as u32);
                    let (mut frequencies, mut heights) = ([0.013; MAX_OCTAVES], [0.5; MAX_OCTAVES]);
                    (frequencies[1], frequencies[2], heights[1], heights[2]) = (0.029, 0.061, 0.3, 0.2);
                    let of = Noise { kind, fractal, space, octaves: 3, seeds, frequencies, heights };
                    noise(&of, &places, BLOCK, &mut wide);
                    NoiseKernel { noise: &of, places: &places, count: BLOCK, out: &mut plain }.run();
                    assert_eq!(bits(&wide), bits(&plain), "{kind:?} {fractal:?} {space}");
                }
            }
        }
        for feature in [Feature::Distance, Feature::Border, Feature::Value] {
            for space in [false, true] {
                let of = Cellular { feature, space, frequency: 0.07, jitter: 0.9, seed: 3 };
                cellular(&of, &places, BLOCK, &mut wide);
                CellularKernel { cellular: &of, places: &places, count: BLOCK, out: &mut plain }.run();
                assert_eq!(bits(&wide), bits(&plain), "{feature:?} {space}");
            }
        }
    }
}
