//! What lies and stands on a forest's floor: mushrooms, logs, stumps.

use std::f32::consts::TAU;

use serde::{Deserialize, Serialize};

use super::build::{STILL, flat, smooth};
use super::fault::{PropError, color, range};
use super::model::{Collider, Finish, PropLod, PropModel};
use super::shape::Shape;
use crate::MeshData;
use crate::hash::{Chance, derive, hash2, unit as share_of};
use crate::noise::simplex3;
use crate::vector::{Vector, add, lerp, scale};

const MOSS: Vector = [0.085, 0.160, 0.028];
/// Wood where it was cut: heart and rim.
const CUT: [Vector; 2] = [[0.36, 0.22, 0.105], [0.56, 0.40, 0.22]];

/// A kind of mushroom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MushroomKind {
    /// Red with white dots.
    #[default]
    Toadstool,
    /// Brown and stout.
    Bolete,
    /// A yellow funnel.
    Chanterelle,
}

impl MushroomKind {
    /// As in JSON: `toadstool`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Toadstool => "toadstool",
            Self::Bolete => "bolete",
            Self::Chanterelle => "chanterelle",
        }
    }

    /// All of them.
    pub const ALL: [Self; 3] = [Self::Toadstool, Self::Bolete, Self::Chanterelle];
}

/// A group of mushrooms to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MushroomSpec {
    /// What they are.
    pub kind: MushroomKind,
    /// Of the highest, in metres: 0.01..=20. Default 0.22.
    pub height: f32,
    /// How many: 1..=32. Default 4.
    pub count: u32,
}

impl Default for MushroomSpec {
    fn default() -> Self {
        Self { kind: MushroomKind::Toadstool, height: 0.22, count: 4 }
    }
}

impl MushroomSpec {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), PropError> {
        range("mushroom.height", self.height, 0.01, 20.0)?;
        range("mushroom.count", self.count as f32, 1.0, 32.0)
    }
}

/// Radii and heights, as shares of a height.
type Profile<'a> = &'a [(f32, f32)];

/// A group of mushrooms. Nothing to collide with.
///
/// # Errors
///
/// When a parameter is not allowed.
pub fn mushrooms(spec: &MushroomSpec, seed: u64) -> Result<PropModel, PropError> {
    spec.validate()?;
    let lods: Vec<PropLod> = [14u32, 8, 5]
        .into_iter()
        .enumerate()
        .map(|(number, sides)| {
            let mut mesh = MeshData::default();
            for one in 0..spec.count {
                mushroom(&mut mesh, spec, derive(seed, 0x3A5 + u64::from(one)), one, sides);
            }
            PropLod::new([(Finish::Solid, mesh)], spec.height * [0.0, 0.04, 0.1][number])
        })
        .collect();
    Ok(PropModel::new(lods, Vec::new()))
}

fn mushroom(mesh: &mut MeshData, spec: &MushroomSpec, seed: u64, number: u32, sides: u32) {
    let mut chance = Chance::new(seed);
    let share = number as f32 / spec.count as f32;
    let height = spec.height * (1.0 - 0.62 * share) * chance.between(0.85, 1.0);
    let (sin, cos) = libm::sincosf(number as f32 * 2.4 + chance.between(-0.4, 0.4));
    let far = if number == 0 { 0.0 } else { spec.height * (0.42 + 0.5 * libm::sqrtf(share)) };
    let (lean, turn) = (chance.between(-0.16, 0.16), chance.between(0.0, TAU));
    let foot = [cos * far, 0.0, sin * far];
    let (stem, cap): (Profile<'_>, Profile<'_>) = match spec.kind {
        MushroomKind::Toadstool => (
            &[(0.13, -0.1), (0.12, 0.04), (0.075, 0.2), (0.065, 0.74)],
            &[(0.06, 0.7), (0.36, 0.64), (0.4, 0.66), (0.37, 0.77), (0.25, 0.93), (0.11, 0.99), (0.0, 1.0)],
        ),
        MushroomKind::Bolete => (
            &[(0.17, -0.1), (0.22, 0.1), (0.17, 0.35), (0.13, 0.64)],
            &[(0.1, 0.62), (0.38, 0.58), (0.44, 0.64), (0.4, 0.8), (0.27, 0.94), (0.12, 1.0), (0.0, 1.01)],
        ),
        MushroomKind::Chanterelle => (
            &[(0.07, -0.1), (0.075, 0.15), (0.1, 0.4), (0.19, 0.66)],
            &[(0.17, 0.6), (0.3, 0.82), (0.42, 0.96), (0.4, 1.0), (0.22, 0.93), (0.0, 0.84)],
        ),
    };
    let placed = |shape: Shape| shape.placed([height; 3], [0.0; 3]).rolled(lean).turned(turn).placed([1.0; 3], foot);
    let tone = chance.between(0.85, 1.15);
    let (pale, top, under): (Vector, Vector, Vector) = match spec.kind {
        MushroomKind::Toadstool => ([0.72, 0.68, 0.58], [0.62, 0.035, 0.02], [0.70, 0.64, 0.52]),
        MushroomKind::Bolete => ([0.62, 0.50, 0.34], [0.24, 0.11, 0.045], [0.55, 0.48, 0.22]),
        MushroomKind::Chanterelle => ([0.75, 0.48, 0.10], [0.82, 0.47, 0.06], [0.72, 0.40, 0.06]),
    };
    smooth(
        mesh,
        &placed(Shape::lathe(stem, sides.max(4) * 3 / 4)),
        |_| STILL,
        |at, _| {
            let low = (1.0 - at[1] / (0.4 * height)).clamp(0.0, 1.0);
            scale(pale, tone * (1.0 - 0.5 * low))
        },
    );
    smooth(
        mesh,
        &placed(Shape::lathe(cap, sides)),
        |_| STILL,
        |at, normal| {
            let shade = if normal[1] < 0.05 { scale(under, 0.55) } else { scale(top, 0.72 + 0.38 * normal[1]) };
            scale(shade, tone * (0.86 + 0.14 * (at[1] / height).min(1.0)))
        },
    );
    if spec.kind == MushroomKind::Toadstool && sides >= 8 {
        dots(mesh, &mut chance, sides, placed);
    }
}

/// White patches on a cap.
fn dots(mesh: &mut MeshData, chance: &mut Chance, sides: u32, placed: impl Fn(Shape) -> Shape) {
    for number in 0..11u32 {
        let (sin, cos) = libm::sincosf(number as f32 * 2.4 + chance.between(-0.3, 0.3));
        let share = (number as f32 + 0.3) / 11.0;
        let far = 0.36 * libm::sqrtf(share);
        // The height of the cap there: its profile as a curve.
        let up = 1.0 - 0.32 * libm::powf(far / 0.4, 2.4);
        let size = chance.between(0.032, 0.055);
        let ball = if sides > 8 { Shape::sphere(1) } else { Shape::octahedron() };
        let shape = placed(ball.placed([size, size * 0.6, size], [cos * far, up - size * 0.15, sin * far]));
        let light = 0.82;
        smooth(mesh, &shape, |_| STILL, |_, normal| scale([light, light * 0.97, light * 0.88], 0.8 + 0.2 * normal[1]));
    }
}

/// A log on the ground or a stump, to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSpec {
    /// Metres: 0.05..=50. Default 2.6. Of a stump its height; default for one 0.5.
    pub length: f32,
    /// Metres: 0.01..=10. Default 0.24.
    pub radius: f32,
    /// Of the bark, linear.
    pub bark: [f32; 3],
    /// How much moss is on its top: 0..=1. Default 0.5.
    pub moss: f32,
}

impl Default for LogSpec {
    fn default() -> Self {
        Self { length: 2.6, radius: 0.24, bark: [0.13, 0.088, 0.055], moss: 0.5 }
    }
}

impl LogSpec {
    /// A stump as is usual.
    #[must_use]
    pub fn stump() -> Self {
        Self { length: 0.5, radius: 0.3, moss: 0.35, ..Self::default() }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), PropError> {
        range("log.length", self.length, 0.05, 50.0)?;
        range("log.radius", self.radius, 0.01, 10.0)?;
        color("log.bark", self.bark)?;
        range("log.moss", self.moss, 0.0, 1.0)
    }
}

/// A log that lies along X, a little in the ground, with stubs of branches.
///
/// # Errors
///
/// When a parameter is not allowed.
pub fn log(spec: &LogSpec, seed: u64) -> Result<PropModel, PropError> {
    spec.validate()?;
    let half = spec.length * 0.5;
    let lods = [(16u32, 8u32), (9, 4), (6, 1)].into_iter().enumerate().map(|(number, (sides, parts))| {
        let (mut bark, mut cut) = (MeshData::default(), MeshData::default());
        let lie = |shape: Shape| shape.placed([1.0; 3], [0.0, -half, 0.0]).rolled(-TAU * 0.25);
        let raise = [0.0, spec.radius * 0.78, 0.0];
        let profile: Vec<(f32, f32)> = (0..=parts)
            .map(|part| {
                let share = part as f32 / parts as f32;
                (spec.radius * (1.08 - 0.16 * share), spec.length * share)
            })
            .collect();
        let shape = lie(rugged(Shape::lathe(&profile, sides), spec, seed)).placed([1.0; 3], raise);
        coat(&mut bark, &shape, spec, seed, spec.radius * 2.0);
        for (end, (radius, at)) in [(profile[0]), (profile[parts as usize])].into_iter().enumerate() {
            let rings = if number == 0 { 6 } else { 2 };
            let disc = disc(radius, sides, rings, at, end == 1);
            let shape = lie(rugged(disc, spec, seed)).placed([1.0; 3], raise);
            face(&mut cut, &shape, raise, spec.radius, seed, true);
        }
        if number < 2 {
            stubs(&mut bark, spec, seed, raise, sides / 2);
        }
        PropLod::new([(Finish::Bark, bark), (Finish::Timber, cut)], spec.radius * [0.0, 0.12, 0.3][number])
    });
    let lods: Vec<PropLod> = lods.collect();
    let reach = (half - spec.radius * 0.9).max(spec.radius * 0.05);
    let height = spec.radius * 0.78;
    let collider = Collider::Capsule { from: [-reach, height, 0.0], to: [reach, height, 0.0], radius: spec.radius };
    Ok(PropModel::new(lods, vec![collider]))
}

/// A stump: `length` is its height.
///
/// # Errors
///
/// When a parameter is not allowed.
pub fn stump(spec: &LogSpec, seed: u64) -> Result<PropModel, PropError> {
    spec.validate()?;
    let roots = 4.0 + (seed % 3) as f32;
    let lods = [(20u32, 6u32), (11, 3), (6, 2)].into_iter().enumerate().map(|(number, (sides, parts))| {
        let (mut bark, mut cut) = (MeshData::default(), MeshData::default());
        let low = -0.3 * spec.length.min(spec.radius * 2.0);
        let profile: Vec<(f32, f32)> = (0..=parts)
            .map(|part| {
                let share = part as f32 / parts as f32;
                (spec.radius * (1.0 - 0.1 * share), low + (spec.length - low) * share * share.max(0.5))
            })
            .collect();
        let mut shape = rugged(Shape::lathe(&profile, sides), spec, seed);
        for point in &mut shape.points {
            let angle = libm::atan2f(point[2], point[0]);
            let height = (point[1].max(0.0) / spec.length).min(1.0);
            let lobe = 0.5 + 0.5 * libm::cosf(angle * roots);
            let wide = 1.0 + 0.85 * (1.0 - height) * (1.0 - height) * (1.0 - height) * (0.2 + 0.8 * lobe * lobe);
            *point = [point[0] * wide, point[1], point[2] * wide];
        }
        coat(&mut bark, &shape, spec, seed, spec.length);
        let top = disc(profile[parts as usize].0, sides, if number == 0 { 7 } else { 2 }, spec.length, true);
        face(&mut cut, &rugged(top, spec, seed), [0.0; 3], spec.radius, seed, false);
        PropLod::new([(Finish::Bark, bark), (Finish::Timber, cut)], spec.radius * [0.0, 0.12, 0.3][number])
    });
    let lods: Vec<PropLod> = lods.collect();
    let half = [spec.radius, spec.length * 0.5, spec.radius];
    Ok(PropModel::new(lods, vec![Collider::Box { center: [0.0, spec.length * 0.5, 0.0], half }]))
}

/// Out and in along the radius, alike for all that is in the same direction at about the same height.
fn rugged(mut shape: Shape, spec: &LogSpec, seed: u64) -> Shape {
    for point in &mut shape.points {
        let [x, y, z] = *point;
        let radius = (x * x + z * z).sqrt().max(1e-9);
        let (x, z) = (x / radius, z / radius);
        let along = f64::from(y / spec.radius) * 0.35;
        let rough = simplex3(seed, f64::from(x) * 1.4, along, f64::from(z) * 1.4) as f32;
        let ridge = simplex3(seed.wrapping_add(1), f64::from(x) * 4.0, along, f64::from(z) * 4.0) as f32;
        let wide = 1.0 + 0.08 * rough + 0.035 * ridge;
        point[0] *= wide;
        point[2] *= wide;
    }
    shape
}

/// A disc of rings around the axis, that looks up or down.
fn disc(radius: f32, sides: u32, rings: u32, height: f32, up: bool) -> Shape {
    let ring = |number: u32| (radius * number as f32 / rings as f32, height);
    let profile: Vec<(f32, f32)> =
        if up { (0..=rings).rev().map(ring).collect() } else { (0..=rings).map(ring).collect() };
    Shape::lathe(&profile, sides)
}

/// Bark with moss on what looks up.
fn coat(mesh: &mut MeshData, shape: &Shape, spec: &LogSpec, seed: u64, size: f32) {
    let inverse = f64::from(1.0 / size.max(spec.radius));
    let mut number = 0;
    smooth(
        mesh,
        shape,
        |_| STILL,
        |at, normal| {
            number += 1;
            let [x, y, z] = at.map(|v| f64::from(v) * inverse * 3.0);
            let patch = simplex3(seed.wrapping_add(2), x, y, z) as f32;
            let rough = share_of(hash2(seed, number, 7));
            let low = (1.0 - at[1] / spec.radius).clamp(0.0, 1.0) * 0.35;
            let color = scale(spec.bark, (0.62 + 0.5 * rough + 0.2 * patch) * (1.0 - low));
            let green = ((normal[1] - 0.35 + 0.6 * patch) * 1.8).clamp(0.0, 1.0) * spec.moss;
            lerp(color, scale(MOSS, 0.75 + 0.5 * rough), green)
        },
    );
}

/// Cut wood with its rings around the X axis (`lying`) or the Y axis through a point.
fn face(mesh: &mut MeshData, shape: &Shape, middle: Vector, radius: f32, seed: u64, lying: bool) {
    flat(
        mesh,
        shape,
        |_| STILL,
        |at, _| {
            let from = add(at, scale(middle, -1.0));
            let across = if lying { from[1] } else { from[0] };
            let far = (across * across + from[2] * from[2]).sqrt() / radius;
            let ring = share_of(hash2(seed, (far * 9.0) as i64, 3));
            let color = lerp(CUT[0], CUT[1], (0.25 + 0.6 * far + 0.3 * (ring - 0.5)).clamp(0.0, 1.0));
            scale(color, if far > 0.86 { 0.45 } else { 1.0 })
        },
    );
}

fn stubs(mesh: &mut MeshData, spec: &LogSpec, seed: u64, raise: Vector, sides: u32) {
    let mut chance = Chance::new(derive(seed, 0x57B));
    for number in 0..3 {
        let along = spec.length * (-0.3 + 0.3 * number as f32 + chance.between(-0.08, 0.08));
        let angle = chance.between(-1.0, 1.0);
        let radius = spec.radius * chance.between(0.16, 0.26);
        let length = spec.radius * chance.between(1.3, 1.9);
        let profile = [(radius * 1.3, 0.0), (radius, length * 0.6), (radius * 0.8, length), (0.0, length * 1.04)];
        let shape = Shape::lathe(&profile, sides.max(4)).rolled(chance.between(-0.5, 0.1)).pitched(angle);
        coat(mesh, &shape.placed([1.0; 3], add(raise, [along, 0.0, 0.0])), spec, seed, spec.radius * 2.0);
    }
}
