//! Rocks and crystals.

use std::f32::consts::TAU;

use serde::{Deserialize, Serialize};

use super::build::{STILL, flat};
use super::fault::{PropError, color, range};
use super::model::{Collider, Finish, PropLod, PropModel};
use super::shape::Shape;
use crate::MeshData;
use crate::hash::{Chance, derive};
use crate::noise::simplex3;
use crate::vector::{Vector, add, dot, lerp, mul, scale, unit};

const MOSS: Vector = [0.085, 0.150, 0.030];

/// A kind of rock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RockKind {
    /// As high as wide, broken on some sides.
    #[default]
    Boulder,
    /// Flat.
    Slab,
    /// A few that stand together.
    Outcrop,
    /// Small ones on the ground.
    Pebbles,
    /// A piece of a cliff, in layers.
    Cliff,
    /// High and thin, upright.
    Standing,
}

impl RockKind {
    /// As in JSON: `boulder`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boulder => "boulder",
            Self::Slab => "slab",
            Self::Outcrop => "outcrop",
            Self::Pebbles => "pebbles",
            Self::Cliff => "cliff",
            Self::Standing => "standing",
        }
    }

    /// All of them.
    pub const ALL: [Self; 6] = [Self::Boulder, Self::Slab, Self::Outcrop, Self::Pebbles, Self::Cliff, Self::Standing];
}

/// A rock to be made. Its lower part is below the ground, so that it fits on slopes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "super::defaults::RockText")]
pub struct RockSpec {
    /// What it is.
    pub kind: RockKind,
    /// Width in metres, about: 0.02..=100. Default 1.6.
    pub size: f32,
    /// From round (0) to jagged (1). Default 0.5.
    pub roughness: f32,
    /// Of the stone, linear.
    pub color: [f32; 3],
    /// How much moss is on what looks up: 0..=1. Default 0.3.
    pub moss: f32,
    /// The most triangles of the finest level: 100..=20,000. Default 800.
    pub triangles: u32,
}

impl Default for RockSpec {
    fn default() -> Self {
        Self {
            kind: RockKind::Boulder,
            size: 1.6,
            roughness: 0.5,
            color: [0.215, 0.205, 0.19],
            moss: 0.3,
            triangles: 800,
        }
    }
}

impl RockSpec {
    /// A rock as is usual for its kind.
    #[must_use]
    pub fn new(kind: RockKind) -> Self {
        let (size, triangles, moss) = match kind {
            RockKind::Boulder => (1.6, 800, 0.3),
            RockKind::Slab => (2.4, 800, 0.4),
            RockKind::Outcrop => (4.0, 1600, 0.4),
            RockKind::Pebbles => (1.2, 720, 0.0),
            RockKind::Cliff => (9.0, 2000, 0.25),
            RockKind::Standing => (1.1, 800, 0.35),
        };
        Self { kind, size, triangles, moss, ..Self::default() }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), PropError> {
        range("rock.size", self.size, 0.02, 100.0)?;
        range("rock.roughness", self.roughness, 0.0, 1.0)?;
        color("rock.color", self.color)?;
        range("rock.moss", self.moss, 0.0, 1.0)?;
        range("rock.triangles", self.triangles as f32, 100.0, 20_000.0)
    }
}

/// One stone of a rock.
struct Stone {
    seed: u64,
    size: Vector,
    at: Vector,
    turn: f32,
    /// How square it is: 0 is a ball, 1 a block.
    block: f32,
    layers: f32,
}

/// A rock: levels of detail of the same shape, and hulls to collide with (none for pebbles).
///
/// # Errors
///
/// When a parameter is not allowed.
pub fn rock(spec: &RockSpec, seed: u64) -> Result<PropModel, PropError> {
    spec.validate()?;
    let stones = stones(spec, derive(seed, 0x20C));
    let each = spec.triangles as usize / stones.len();
    let finest = frequency(each);
    let frequencies = [finest, (finest * 5 / 9).max(1), (finest / 4).max(1)];
    let mut hulls = Vec::new();
    let lods: Vec<PropLod> = (0..)
        .zip(frequencies)
        .map(|(number, frequency)| {
            let mut mesh = MeshData::default();
            for stone in &stones {
                let shape = shape(spec, stone, frequency);
                if number == 0 && spec.kind != RockKind::Pebbles {
                    hulls.push(Collider::Hull { points: extremes(&shape.points) });
                }
                paint(&mut mesh, spec, stone, &shape);
            }
            let error = spec.size * [0.0, 0.03, 0.09][number];
            PropLod::new([(Finish::Solid, mesh)], error)
        })
        .collect();
    Ok(PropModel::new(lods, hulls))
}

/// The finest sphere of at most so many triangles.
fn frequency(triangles: usize) -> u32 {
    (1..=31u32).rev().find(|frequency| 20 * (frequency * frequency) as usize <= triangles).unwrap_or(1)
}

fn stones(spec: &RockSpec, seed: u64) -> Vec<Stone> {
    let mut chance = Chance::new(seed);
    let half = spec.size * 0.5;
    let mut stone = |number: u64, size: Vector, at: Vector, block: f32, layers: f32| {
        let vary = |chance: &mut Chance| chance.between(0.84, 1.16);
        let size = mul(size, [vary(&mut chance), vary(&mut chance), vary(&mut chance)]);
        Stone {
            seed: derive(seed, number),
            size: scale(size, half),
            at: scale(at, half),
            turn: chance.between(0.0, TAU),
            block,
            layers,
        }
    };
    match spec.kind {
        RockKind::Boulder => vec![stone(1, [1.0, 0.82, 0.95], [0.0, 0.42, 0.0], 0.2, 0.0)],
        RockKind::Slab => vec![stone(1, [1.0, 0.24, 0.8], [0.0, 0.1, 0.0], 0.55, 0.5)],
        RockKind::Standing => vec![stone(1, [0.85, 2.4, 0.6], [0.0, 1.7, 0.0], 0.4, 0.3)],
        RockKind::Cliff => vec![
            stone(1, [1.0, 0.72, 0.5], [0.0, 0.5, 0.0], 0.9, 1.0),
            stone(2, [0.6, 0.5, 0.42], [0.55, 0.28, 0.28], 0.9, 1.0),
            stone(3, [0.5, 0.34, 0.4], [-0.6, 0.18, 0.3], 0.9, 1.0),
        ],
        RockKind::Outcrop => (0..5u8)
            .map(|number| {
                let (sin, cos) = libm::sincosf(f32::from(number) * 2.4 + 0.3);
                let (far, size) = if number == 0 { (0.0, 0.55) } else { (0.5, 0.42 - 0.05 * f32::from(number)) };
                stone(u64::from(number), [size, size * 0.95, size], [cos * far, size * 0.35, sin * far], 0.3, 0.3)
            })
            .collect(),
        RockKind::Pebbles => {
            let count = 9;
            (0..count)
                .map(|number| {
                    let share = (number as f32 + 0.5) / count as f32;
                    let (sin, cos) = libm::sincosf(number as f32 * 2.4);
                    let far = 0.85 * libm::sqrtf(share);
                    let size = 0.2 - 0.11 * share;
                    stone(number, [size, size * 0.62, size], [cos * far, size * 0.22, sin * far], 0.0, 0.0)
                })
                .collect()
        }
    }
}

/// A ball or block with a rough skin, broken flat on some sides. The same body at each frequency, but coarser.
fn shape(spec: &RockSpec, stone: &Stone, frequency: u32) -> Shape {
    let mut shape = Shape::sphere(frequency);
    let rough = spec.roughness;
    let mut chance = Chance::new(derive(stone.seed, 9));
    let cuts: Vec<(Vector, f32)> = (0..3 + (rough * 9.0) as usize)
        .filter_map(|_| {
            let direction = [chance.between(-1.0, 1.0), chance.between(-0.5, 1.0), chance.between(-1.0, 1.0)];
            let depth = chance.between(0.66 - 0.1 * rough, 0.9);
            unit(direction).map(|direction| (direction, depth))
        })
        .collect();
    for point in &mut shape.points {
        let direction = *point;
        let [x, y, z] = direction.map(|v| f64::from(v) * 1.2);
        let coarse = simplex3(stone.seed, x, y, z) as f32;
        let fine = simplex3(stone.seed.wrapping_add(1), x * 3.1, y * 3.1, z * 3.1) as f32;
        let widest = direction.into_iter().fold(0.0f32, |widest, v| widest.max(v.abs()));
        let block = 1.0 + stone.block * 0.85 * (1.0 / widest.max(0.5) - 1.0);
        *point = scale(direction, block * (1.0 + 0.16 * coarse + (0.02 + 0.08 * rough) * fine));
        for (normal, depth) in &cuts {
            let beyond = dot(*point, *normal) - depth;
            if beyond > 0.0 {
                *point = add(*point, scale(*normal, -0.94 * beyond));
            }
        }
        if stone.layers > 0.0 {
            // Soft layers weather back.
            let layer = simplex3(stone.seed.wrapping_add(2), 0.0, f64::from(point[1]) * 3.4, 0.0) as f32;
            let back = 1.0 + stone.layers * 0.14 * (layer * 3.0).clamp(-1.0, 1.0);
            *point = mul(*point, [back, 1.0, back]);
        }
    }
    shape
        .placed(stone.size, [0.0; 3])
        .turned(stone.turn * if stone.layers == 1.0 { 0.05 } else { 1.0 })
        .placed([1.0; 3], stone.at)
}

fn paint(mesh: &mut MeshData, spec: &RockSpec, stone: &Stone, shape: &Shape) {
    let mut chance = Chance::new(derive(stone.seed, 3));
    let warm = chance.between(-0.02, 0.03);
    let tone = chance.between(0.86, 1.14);
    let stained = scale(mul(spec.color, [1.0 + warm, 1.0, 1.0 - warm]), tone);
    let patches = derive(stone.seed, 4);
    let inverse = 1.0 / spec.size;
    flat(
        mesh,
        shape,
        |_| STILL,
        |at, normal| {
            let [x, y, z] = at.map(|v| f64::from(v * inverse) * 3.0);
            let patch = simplex3(patches, x, y, z) as f32;
            let light = 0.72 + 0.2 * normal[1].max(0.0) + 0.12 * patch + chance.between(-0.06, 0.06);
            // The foot is damp.
            let low = (1.0 - at[1] * inverse * 5.0).clamp(0.0, 1.0) * 0.3;
            let mut color = scale(stained, light * (1.0 - low));
            if stone.layers > 0.0 {
                let layer = simplex3(stone.seed.wrapping_add(5), 0.0, y * 2.6, 0.0) as f32;
                color = mul(color, [1.0 + 0.16 * layer, 1.0 + 0.1 * layer, 1.0 + 0.05 * layer]);
            }
            let green = ((normal[1] - 0.45 + 0.35 * patch) * 2.4).clamp(0.0, 1.0) * spec.moss;
            lerp(color, scale(MOSS, 0.8 + 0.4 * patch.abs()), green)
        },
    );
}

/// Points that are furthest in 26 directions, each once.
fn extremes(points: &[Vector]) -> Vec<[f32; 3]> {
    let mut found: Vec<Vector> = Vec::with_capacity(26);
    for number in 0..27i8 {
        let direction = [number % 3 - 1, number / 3 % 3 - 1, number / 9 - 1].map(f32::from);
        if direction == [0.0; 3] {
            continue;
        }
        let furthest = points
            .iter()
            .copied()
            .reduce(|best, point| if dot(point, direction) > dot(best, direction) { point } else { best });
        if let Some(point) = furthest.filter(|point| !found.contains(point)) {
            found.push(point);
        }
    }
    found
}

/// A cluster of crystals to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrystalSpec {
    /// Of the highest, in metres: 0.02..=50. Default 1.2.
    pub height: f32,
    /// How many: 1..=64. Default 9.
    pub count: u32,
    /// Linear. Default violet.
    pub color: [f32; 3],
}

impl Default for CrystalSpec {
    fn default() -> Self {
        Self { height: 1.2, count: 9, color: [0.30, 0.10, 0.62] }
    }
}

impl CrystalSpec {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), PropError> {
        range("crystal.height", self.height, 0.02, 50.0)?;
        range("crystal.count", self.count as f32, 1.0, 64.0)?;
        color("crystal.color", self.color)
    }
}

/// Crystals that lean out of one root.
///
/// # Errors
///
/// When a parameter is not allowed.
pub fn crystals(spec: &CrystalSpec, seed: u64) -> Result<PropModel, PropError> {
    spec.validate()?;
    let lods: Vec<PropLod> = [(6, 1), (4, 1), (3, 2)]
        .into_iter()
        .enumerate()
        .map(|(number, (sides, every))| {
            let mut mesh = MeshData::default();
            for one in (0..spec.count).step_by(every) {
                crystal(&mut mesh, spec, derive(seed, 0xC7 + u64::from(one)), one, sides);
            }
            PropLod::new([(Finish::Crystal, mesh)], spec.height * [0.0, 0.02, 0.05][number])
        })
        .collect();
    let radius = spec.height * 0.22;
    let collider = Collider::Capsule { from: [0.0; 3], to: [0.0, spec.height * 0.7, 0.0], radius };
    Ok(PropModel::new(lods, vec![collider]))
}

fn crystal(mesh: &mut MeshData, spec: &CrystalSpec, seed: u64, number: u32, sides: u32) {
    let mut chance = Chance::new(seed);
    let share = number as f32 / spec.count as f32;
    let height = spec.height * (1.0 - 0.72 * share) * chance.between(0.88, 1.0);
    let radius = height * chance.between(0.09, 0.13) + spec.height * 0.015;
    let shoulder = height * chance.between(0.68, 0.82);
    let sunk = -0.12 * height;
    let profile = [(radius * 0.8, sunk), (radius, shoulder), (0.0, height)];
    let lean = if number == 0 { 0.06 } else { chance.between(0.3, 0.75) };
    let turn = number as f32 * 2.4 + chance.between(-0.3, 0.3);
    let out = spec.height * 0.09 * libm::sqrtf(share * 4.0);
    let shape = Shape::lathe(&profile, sides).turned(chance.between(0.0, TAU)).placed([1.0, 1.0, 0.85], [0.0; 3]);
    let shape = shape.pitched(lean).placed([1.0; 3], [0.0, 0.0, out]).turned(turn);
    let pale = lerp(spec.color, [1.0; 3], 0.55);
    flat(
        mesh,
        &shape,
        |_| STILL,
        |at, normal| {
            let up = (at[1] / height).clamp(0.0, 1.0);
            let glint = 0.5 + 0.5 * normal[0] * normal[2] + 0.15 * normal[1];
            lerp(scale(spec.color, 0.35), pale, (0.15 + 0.55 * up * glint + chance.between(0.0, 0.18)).clamp(0.0, 1.0))
        },
    );
}
