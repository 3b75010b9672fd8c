//! Ferns: fronds in a rosette.

use serde::{Deserialize, Serialize};

use super::build::{Vertex, vertex};
use super::fault::{PropError, color, range};
use super::meadow::petal;
use super::model::{Finish, PropLod, PropModel};
use crate::MeshData;
use crate::hash::{Chance, derive};
use crate::vector::{Vector, add, cross, dot, lerp, scale, sub, unit};

const UP: Vector = [0.0, 1.0, 0.0];

/// A fern to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FernSpec {
    /// Length of a frond in metres: 0.05..=10. Default 0.9.
    pub length: f32,
    /// Fronds: 3..=40. Default 9.
    pub fronds: u32,
    /// How far fronds hang: 0..=1. Default 0.5.
    pub droop: f32,
    /// In the middle, linear.
    pub dark: [f32; 3],
    /// At the tips, linear.
    pub light: [f32; 3],
}

impl Default for FernSpec {
    fn default() -> Self {
        Self { length: 0.9, fronds: 9, droop: 0.5, dark: [0.012, 0.050, 0.008], light: [0.150, 0.330, 0.040] }
    }
}

impl FernSpec {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), PropError> {
        range("fern.length", self.length, 0.05, 10.0)?;
        range("fern.fronds", self.fronds as f32, 3.0, 40.0)?;
        range("fern.droop", self.droop, 0.0, 1.0)?;
        color("fern.dark", self.dark)?;
        color("fern.light", self.light)
    }
}

/// A fern: fronds in a rosette. Nothing to collide with.
///
/// # Errors
///
/// When a parameter is not allowed.
pub fn fern(spec: &FernSpec, seed: u64) -> Result<PropModel, PropError> {
    spec.validate()?;
    let lods: Vec<PropLod> = [14u32, 6, 3]
        .into_iter()
        .enumerate()
        .map(|(number, pairs)| {
            let mut mesh = MeshData::default();
            for frond in 0..spec.fronds {
                add_frond(&mut mesh, spec, derive(seed, 0xFE2 + u64::from(frond)), frond, pairs);
            }
            PropLod::new([(Finish::Leaf, mesh)], spec.length * [0.0, 0.04, 0.1][number])
        })
        .collect();
    Ok(PropModel::new(lods, Vec::new()))
}

fn add_frond(mesh: &mut MeshData, spec: &FernSpec, seed: u64, number: u32, pairs: u32) {
    let mut chance = Chance::new(seed);
    let (sin, cos) = libm::sincosf(number as f32 * 2.399_963_2 + chance.between(-0.2, 0.2));
    let out = [cos, 0.0, sin];
    let side = cross(out, UP);
    let length = spec.length * chance.between(0.72, 1.0);
    // Inner fronds stand, outer ones lie.
    let stand = chance.between(0.75, 1.15) * (1.0 - 0.25 * (number % 3) as f32 * 0.5);
    let (rise, reach) = libm::sincosf(stand);
    let fall = spec.droop * 1.1;
    let point = |share: f32| {
        let up = 1.5 * rise * share - 1.75 * fall * share * share;
        add(
            scale(out, length * reach * share * (0.65 + 0.35 * share) * 1.25),
            [0.0, length * up.max(-0.2 * share), 0.0],
        )
    };
    let phase = number as f32 / spec.fronds as f32;
    let tone = chance.between(0.85, 1.12);
    // The midrib.
    let thin = length * 0.012;
    for part in 0..pairs.min(4) {
        let (from, to) = (part as f32 / pairs.min(4) as f32, (part + 1) as f32 / pairs.min(4) as f32);
        let (a, b) = (point(from), point(to));
        let face = unit(cross(side, sub(b, a))).unwrap_or(UP);
        let color = scale(lerp(spec.dark, spec.light, 0.3 + 0.3 * from), tone);
        let at = |point: Vector, across: f32| add(point, scale(side, across * thin));
        let corners = [(at(a, -1.0), from), (at(a, 1.0), from), (at(b, 1.0), to), (at(b, -1.0), to)];
        let numbers = corners.map(|(at, share)| {
            let uv = [0.5, 1.0 - share];
            vertex(mesh, Vertex { at, normal: face, color, uv, wind: [share * share * 0.8, phase] })
        });
        let [a, b, c, d] = numbers;
        mesh.indices.extend([a, b, c, a, c, d]);
    }
    for pair in 0..pairs {
        let share = 0.14 + 0.86 * (pair as f32 + 0.5) / pairs as f32;
        let (at, ahead) = (point(share), unit(sub(point(share + 0.05), point(share - 0.05))).unwrap_or(out));
        // Longest at a third, pointed at the tip.
        let taper = if share < 0.35 { 0.55 + 0.45 * share / 0.35 } else { (1.0 - share) / 0.65 * 0.94 + 0.06 };
        let size = length * 0.3 * taper;
        let color = scale(lerp(spec.dark, spec.light, 0.25 + 0.7 * share), tone * chance.between(0.9, 1.1));
        let wind = [share * share * 0.9, phase];
        for hand in [-1.0f32, 1.0] {
            let leaf = add(scale(side, hand * size), scale(ahead, size * 0.45));
            let along = sub(leaf, [0.0, size * 0.18, 0.0]);
            let front = unit(cross(side, ahead)).unwrap_or(UP);
            let length = unit(along).unwrap_or(side);
            let front = unit(sub(front, scale(length, dot(front, length)))).unwrap_or(UP);
            petal(mesh, at, along, front, 1.15 * spec.length * 0.86 / pairs as f32, color, wind);
        }
    }
}
