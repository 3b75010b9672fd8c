//! What grows low: grass, flowers, reed.

use std::f32::consts::TAU;

use serde::{Deserialize, Serialize};

use super::build::{Vertex, leaf, smooth, vertex};
use super::fault::{PropError, color, range};
use super::model::{Finish, PropLod, PropModel};
use super::shape::Shape;
use crate::MeshData;
use crate::hash::{Chance, derive};
use crate::vector::{Vector, add, cross, lerp, scale, sub, unit};

const UP: Vector = [0.0, 1.0, 0.0];

/// A kind of tuft.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrassKind {
    /// Short and green.
    #[default]
    Meadow,
    /// Long, bent over.
    Tall,
    /// Long and yellow, with ears.
    Dry,
    /// Stiff, with brown spikes: at waters.
    Reed,
    /// Flowers with petals around a yellow middle, among grass.
    Daisy,
    /// Flowers like cups, among grass.
    Poppy,
    /// Spikes of small blossoms.
    Lavender,
}

impl GrassKind {
    /// As in JSON: `meadow`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meadow => "meadow",
            Self::Tall => "tall",
            Self::Dry => "dry",
            Self::Reed => "reed",
            Self::Daisy => "daisy",
            Self::Poppy => "poppy",
            Self::Lavender => "lavender",
        }
    }

    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Meadow, Self::Tall, Self::Dry, Self::Reed, Self::Daisy, Self::Poppy, Self::Lavender];
}

/// A tuft to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "super::defaults::GrassText")]
pub struct GrassSpec {
    /// What it is.
    pub kind: GrassKind,
    /// Metres: 0.02..=10.
    pub height: f32,
    /// Of the ground that it covers, in metres: 0.01..=10.
    pub radius: f32,
    /// Blades: 3..=500.
    pub blades: u32,
    /// Flowers, ears or spikes: 0..=100.
    pub flowers: u32,
    /// At the root, linear.
    pub dark: [f32; 3],
    /// At the tips, linear.
    pub light: [f32; 3],
    /// Of the flowers, linear.
    pub blossom: [f32; 3],
}

impl Default for GrassSpec {
    fn default() -> Self {
        Self::new(GrassKind::Meadow)
    }
}

impl GrassSpec {
    /// A tuft as is usual for its kind.
    #[must_use]
    pub fn new(kind: GrassKind) -> Self {
        let green = Self {
            kind,
            height: 0.32,
            radius: 0.22,
            blades: 64,
            flowers: 0,
            dark: [0.018, 0.060, 0.008],
            light: [0.200, 0.360, 0.050],
            blossom: [0.9, 0.9, 0.88],
        };
        match kind {
            GrassKind::Meadow => green,
            GrassKind::Tall => Self { height: 0.8, radius: 0.25, blades: 70, light: [0.24, 0.36, 0.07], ..green },
            GrassKind::Dry => Self {
                height: 0.75,
                radius: 0.24,
                blades: 34,
                flowers: 9,
                dark: [0.15, 0.105, 0.035],
                light: [0.58, 0.44, 0.17],
                blossom: [0.62, 0.46, 0.20],
                ..green
            },
            GrassKind::Reed => Self {
                height: 1.9,
                radius: 0.35,
                blades: 34,
                flowers: 6,
                dark: [0.030, 0.060, 0.018],
                light: [0.19, 0.29, 0.075],
                blossom: [0.105, 0.050, 0.022],
                ..green
            },
            GrassKind::Daisy => Self { height: 0.36, radius: 0.24, blades: 28, flowers: 8, ..green },
            GrassKind::Poppy => {
                Self { height: 0.52, radius: 0.26, blades: 24, flowers: 6, blossom: [0.78, 0.035, 0.015], ..green }
            }
            GrassKind::Lavender => Self {
                height: 0.55,
                radius: 0.3,
                blades: 24,
                flowers: 20,
                dark: [0.040, 0.070, 0.035],
                light: [0.22, 0.30, 0.17],
                blossom: [0.28, 0.13, 0.58],
                ..green
            },
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), PropError> {
        range("grass.height", self.height, 0.02, 10.0)?;
        range("grass.radius", self.radius, 0.01, 10.0)?;
        range("grass.blades", self.blades as f32, 3.0, 500.0)?;
        range("grass.flowers", self.flowers as f32, 0.0, 100.0)?;
        color("grass.dark", self.dark)?;
        color("grass.light", self.light)?;
        color("grass.blossom", self.blossom)
    }
}

/// A stalk that bends over: where it stands, where it leans, how far its tip is up and out, and its phase in the wind.
struct Stalk {
    at: Vector,
    out: Vector,
    height: f32,
    bend: f32,
    phase: f32,
}

impl Stalk {
    /// Spread over a disc, leaning outwards.
    fn new(number: u32, count: u32, radius: f32, height: f32, bend: f32, chance: &mut Chance) -> Self {
        let share = (number as f32 + 0.5) / count as f32;
        let (sin, cos) = libm::sincosf(number as f32 * 2.399_963_2 + chance.between(-0.5, 0.5));
        let far = radius * libm::sqrtf(share) * chance.between(0.75, 1.1);
        let (turned, across) = libm::sincosf(chance.between(-0.7, 0.7));
        let out = [cos * across - sin * turned, 0.0, sin * across + cos * turned];
        Self { at: [cos * far, 0.0, sin * far], out, height, bend: bend * (0.45 + 0.75 * share), phase: share }
    }

    fn point(&self, share: f32) -> Vector {
        let out = self.bend * self.height * share * share;
        // What goes out does not go up.
        let up = self.height * share * (1.0 - 0.3 * self.bend * share);
        add(self.at, add(scale(self.out, out), [0.0, up, 0.0]))
    }

    fn wind(&self, share: f32) -> [f32; 2] {
        [share * share, self.phase]
    }
}

/// A strip along a stalk from root to tip in so many parts: twice that less one triangles.
fn blade(mesh: &mut MeshData, stalk: &Stalk, width: f32, parts: u32, [dark, light]: [Vector; 2]) {
    let side = cross(stalk.out, UP);
    let mut before: Option<[u32; 2]> = None;
    for part in 0..=parts {
        let share = part as f32 / parts as f32;
        let at = stalk.point(share);
        let near = if part == 0 { (at, stalk.point(0.1)) } else { (stalk.point(share - 0.1), at) };
        let face = unit(cross(side, sub(near.1, near.0))).unwrap_or(UP);
        // Blades are lit as the ground that they cover.
        let normal = unit(add(face, scale(UP, 1.3))).unwrap_or(UP);
        let color = lerp(dark, light, share);
        let wind = stalk.wind(share);
        let mut put = |across: f32| {
            let half = width * 0.5 * (1.0 - share * share * 0.75);
            let at = add(at, scale(side, across * half));
            vertex(mesh, Vertex { at, normal, color, uv: [0.5 + 0.5 * across, 1.0 - share], wind })
        };
        let corners = if part == parts { [put(0.0); 2] } else { [put(-1.0), put(1.0)] };
        if let Some([left, right]) = before {
            mesh.indices.extend([left, right, corners[1]]);
            if part < parts {
                mesh.indices.extend([left, corners[1], corners[0]]);
            }
        }
        before = Some(corners);
    }
}

/// A leaf or petal of two triangles that looks along `front`, which is square to `along`.
pub(super) fn petal(
    mesh: &mut MeshData,
    at: Vector,
    along: Vector,
    front: Vector,
    width: f32,
    color: Vector,
    wind: [f32; 2],
) {
    let side = scale(unit(cross(along, front)).unwrap_or([1.0, 0.0, 0.0]), width * 0.5);
    let middle = add(at, scale(along, 0.6));
    let corners = [at, add(middle, side), add(at, along), sub(middle, side)];
    let normal = unit(add(front, scale(UP, 0.8 * front[1].max(0.0)))).unwrap_or(front);
    let uvs = [[0.5, 1.0], [1.0, 0.4], [0.5, 0.0], [0.0, 0.4]];
    let shades = [0.7, 1.0, 1.05, 1.0];
    let corners = std::array::from_fn(|corner| Vertex {
        at: corners[corner],
        normal,
        color: scale(color, shades[corner]),
        uv: uvs[corner],
        wind,
    });
    leaf(mesh, &corners);
}

/// A tuft: levels of detail by fewer and wider blades. Nothing to collide with.
///
/// # Errors
///
/// When a parameter is not allowed.
pub fn grass(spec: &GrassSpec, seed: u64) -> Result<PropModel, PropError> {
    spec.validate()?;
    let (bend, width) = match spec.kind {
        GrassKind::Meadow | GrassKind::Daisy | GrassKind::Poppy => (0.55, 0.085),
        GrassKind::Tall => (0.75, 0.036),
        GrassKind::Dry => (0.5, 0.024),
        GrassKind::Reed => (0.18, 0.02),
        GrassKind::Lavender => (0.5, 0.04),
    };
    // Among flowers grass is short.
    let blades = match spec.kind {
        GrassKind::Daisy | GrassKind::Poppy | GrassKind::Lavender => spec.height * 0.62,
        GrassKind::Dry => spec.height * 0.75,
        _ => spec.height,
    };
    let mut lods = Vec::with_capacity(3);
    for (number, every) in [1u32, 3, 7].into_iter().enumerate() {
        let mut mesh = MeshData::default();
        let parts = [3, 2, 1][number];
        let widening = [1.0, 2.0, 3.6][number];
        for blade_number in (0..spec.blades).step_by(every as usize) {
            let mut chance = Chance::new(derive(seed, 0x6A55 + u64::from(blade_number)));
            let height = blades * chance.between(0.6, 1.0);
            let stalk = Stalk::new(blade_number, spec.blades, spec.radius, height, bend, &mut chance);
            let tone = chance.between(0.82, 1.12);
            let colors = [scale(spec.dark, tone), scale(spec.light, tone)];
            blade(&mut mesh, &stalk, blades * width * widening * chance.between(0.8, 1.2), parts, colors);
        }
        let every = if number == 2 { 2 } else { 1 };
        for flower in (0..spec.flowers).step_by(every) {
            let mut chance = Chance::new(derive(seed, 0xF10 + u64::from(flower)));
            let height = spec.height * chance.between(0.82, 1.0);
            let stalk = Stalk::new(flower, spec.flowers, spec.radius * 0.8, height, bend * 0.4, &mut chance);
            bloom(&mut mesh, spec, &stalk, number, &mut chance);
        }
        let error = spec.height * [0.0, 0.05, 0.15][number];
        lods.push(PropLod::new([(Finish::Leaf, mesh)], error));
    }
    Ok(PropModel::new(lods, Vec::new()))
}

/// A flower, an ear or a spike on its stalk.
fn bloom(mesh: &mut MeshData, spec: &GrassSpec, stalk: &Stalk, lod: usize, chance: &mut Chance) {
    let thin = spec.height * 0.012 * [1.0, 1.6, 2.4][lod];
    let stem = [spec.dark, lerp(spec.dark, spec.light, 0.7)];
    blade(mesh, stalk, thin * 2.0, if lod == 0 { 3 } else { 1 }, stem);
    let tip = stalk.point(1.0);
    let along = unit(sub(tip, stalk.point(0.8))).unwrap_or(UP);
    let wind = stalk.wind(1.0);
    let tone = chance.between(0.85, 1.1);
    let color = scale(spec.blossom, tone).map(|v| v.min(1.0));
    match spec.kind {
        GrassKind::Daisy => {
            let size = spec.height * 0.16;
            ring(mesh, tip, along, [size, size * 0.62], 0.2, [8, 6, 4][lod], color, wind);
            let middle = add(tip, scale(along, size * 0.12));
            ring(mesh, middle, along, [size * 0.34, size * 0.34], 0.3, [4, 3, 0][lod], [0.80, 0.50, 0.02], wind);
        }
        GrassKind::Poppy => {
            let size = spec.height * 0.15;
            ring(mesh, tip, along, [size, size * 1.25], 0.75, [5, 4, 3][lod], color, wind);
            let inside = add(tip, scale(along, size * 0.08));
            ring(mesh, inside, along, [size * 0.35, size * 0.35], 0.6, [4, 3, 0][lod], [0.02, 0.015, 0.02], wind);
        }
        GrassKind::Reed => {
            // A spike: a body around the stalk.
            let (wide, high) = (spec.height * 0.017, spec.height * 0.15);
            let profile = [(0.0, 0.0), (wide, high * 0.08), (wide, high * 0.92), (0.0, high)];
            let foot = sub(tip, [0.0, high * 1.1, 0.0]);
            let spike = Shape::lathe(&profile, [6, 4, 3][lod]).placed([1.0; 3], foot);
            smooth(mesh, &spike, |_| wind, |_, normal| scale(color, 0.8 + 0.25 * normal[1]));
        }
        GrassKind::Meadow | GrassKind::Tall | GrassKind::Dry | GrassKind::Lavender => {
            let (from, size, rows) = match spec.kind {
                GrassKind::Lavender => (0.66, 0.1, 6),
                _ => (0.78, 0.11, 5),
            };
            let rows = (rows >> lod).max(1);
            let each = (1.0 - from) / rows as f32;
            for row in 0..rows {
                let share = from + each * row as f32;
                let at = stalk.point(share);
                let tone = 0.75 + 0.35 * row as f32 / rows as f32;
                let size = [spec.height * size, spec.height * size * 0.5];
                ring(mesh, at, along, size, 0.95, [4, 3, 2][lod], scale(color, tone), wind);
            }
        }
    }
}

/// Petals around an axis, `rise` above the plane square to it (radians).
#[expect(clippy::too_many_arguments, reason = "all of them are one flower")]
fn ring(
    mesh: &mut MeshData,
    at: Vector,
    axis: Vector,
    [length, width]: [f32; 2],
    rise: f32,
    count: u32,
    color: Vector,
    wind: [f32; 2],
) {
    let (across, along) = super::build::frame(axis);
    let (up, flat) = libm::sincosf(rise);
    for number in 0..count {
        let (sin, cos) = libm::sincosf(number as f32 * TAU / count as f32);
        let out = add(scale(across, cos), scale(along, sin));
        let direction = add(scale(out, flat), scale(axis, up));
        let front = sub(scale(axis, flat), scale(out, up));
        petal(mesh, at, scale(direction, length), front, width, color, wind);
    }
}
