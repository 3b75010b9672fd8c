//! Fences and walls along a line over the ground.

use serde::{Deserialize, Serialize};

use super::build::{STILL, flat};
use super::fault::{PropError, color, count, range};
use super::model::{Collider, Finish, PropLod, PropModel};
use super::shape::Shape;
use crate::MeshData;
use crate::hash::{Chance, derive};
use crate::plan::PlanError;
use crate::vector::{Vector, add, lerp, scale, sub, unit};

/// Corners that the line of a fence may have.
pub const MAX_POINTS: usize = 1024;
/// Posts that a fence may have; a wall has as many lengths.
pub const MAX_POSTS: usize = 2048;

/// A kind of fence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FenceKind {
    /// Posts with rails between them.
    #[default]
    Rails,
    /// Pointed boards on rails.
    Pickets,
    /// Logs side by side, pointed.
    Palisade,
    /// Stones without mortar.
    DryStone,
}

impl FenceKind {
    /// As in JSON: `rails`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rails => "rails",
            Self::Pickets => "pickets",
            Self::Palisade => "palisade",
            Self::DryStone => "dry_stone",
        }
    }

    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rails, Self::Pickets, Self::Palisade, Self::DryStone];
}

/// A fence to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "super::defaults::FenceText")]
pub struct FenceSpec {
    /// What it is.
    pub kind: FenceKind,
    /// Metres above the ground: 0.1..=20.
    pub height: f32,
    /// Metres between posts, at most: 0.5..=20.
    pub spacing: f32,
    /// Rails between two posts: 1..=8.
    pub rails: u32,
    /// How crooked it stands: 0..=1. Default 0.4.
    pub age: f32,
    /// Of the wood or stone, linear.
    pub color: [f32; 3],
}

impl Default for FenceSpec {
    fn default() -> Self {
        Self::new(FenceKind::Rails)
    }
}

impl FenceSpec {
    /// A fence as is usual for its kind.
    #[must_use]
    pub fn new(kind: FenceKind) -> Self {
        let wood = [0.20, 0.145, 0.095];
        let (height, spacing, rails, color) = match kind {
            FenceKind::Rails => (1.15, 2.2, 3, wood),
            FenceKind::Pickets => (1.0, 2.0, 2, [0.62, 0.60, 0.55]),
            FenceKind::Palisade => (2.6, 3.0, 1, [0.19, 0.125, 0.075]),
            FenceKind::DryStone => (1.0, 1.6, 1, [0.24, 0.23, 0.205]),
        };
        Self { kind, height, spacing, rails, age: 0.4, color }
    }

    /// Reads one from JSON text: `{"kind": "pickets"}`. What is not said is as is usual for the kind.
    ///
    /// # Errors
    ///
    /// The first fault, with its place, as in `fence.height`.
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        let spec: Self = PlanError::read(text).map_err(|error| error.within("fence"))?;
        spec.validate().map_err(|error| PlanError::of_prop("fence", error))?;
        Ok(spec)
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), PropError> {
        range("fence.height", self.height, 0.1, 20.0)?;
        range("fence.spacing", self.spacing, 0.5, 20.0)?;
        range("fence.rails", self.rails as f32, 1.0, 8.0)?;
        range("fence.age", self.age, 0.0, 1.0)?;
        color("fence.color", self.color)
    }
}

/// A stone of a wall: a flat foot, a smaller top.
const STONE: [(f32, f32); 5] = [(0.0, -1.0), (0.94, -0.86), (1.0, 0.5), (0.74, 0.96), (0.0, 1.0)];

/// From post to post.
struct Span {
    from: Vector,
    to: Vector,
    seed: u64,
}

/// A fence along a line of 2 to [`MAX_POINTS`] points on the ground (metres, within 1,000,000 of 0), with at most
/// [`MAX_POSTS`] posts. Each length between posts has a hull to collide with. Points in the same place count once.
///
/// ```
/// use wasgo_gen::props::{FenceKind, FenceSpec, fence};
/// let line = [[0.0, 0.0, 0.0], [4.0, 0.5, 0.0], [4.0, 0.2, 6.0]];
/// let model = fence(&line, &FenceSpec::new(FenceKind::Pickets), 1)?;
/// assert_eq!(model.colliders.len(), 5);
/// # Ok::<(), wasgo_gen::props::PropError>(())
/// ```
///
/// # Errors
///
/// When a parameter is not allowed, a point is not finite or too far, or the line is too short or needs too many posts.
pub fn fence(points: &[[f32; 3]], spec: &FenceSpec, seed: u64) -> Result<PropModel, PropError> {
    spec.validate()?;
    let spans = spans(points, spec, seed)?;
    let mut lods = Vec::with_capacity(3);
    for lod in 0..3 {
        let mut mesh = MeshData::default();
        for (number, span) in spans.iter().enumerate() {
            let last = number + 1 == spans.len();
            match spec.kind {
                FenceKind::Rails => rails(&mut mesh, spec, span, lod, last),
                FenceKind::Pickets => pickets(&mut mesh, spec, span, lod, last),
                FenceKind::Palisade => palisade(&mut mesh, spec, span, lod),
                FenceKind::DryStone => stones(&mut mesh, spec, span, lod),
            }
        }
        let finish = if spec.kind == FenceKind::DryStone { Finish::Solid } else { Finish::Timber };
        lods.push(PropLod::new([(finish, mesh)], spec.height * [0.0, 0.05, 0.12][lod]));
    }
    let hulls = spans.iter().map(|span| hull(spec, span)).collect();
    Ok(PropModel::new(lods, hulls))
}

/// Each side of the line in equal lengths.
fn spans(points: &[[f32; 3]], spec: &FenceSpec, seed: u64) -> Result<Vec<Span>, PropError> {
    count("fence.points", points.len(), 2, MAX_POINTS)?;
    for (number, point) in points.iter().enumerate() {
        for value in point {
            range(&format!("fence.points[{number}]"), *value, -1e6, 1e6)?;
        }
    }
    let mut spans: Vec<Span> = Vec::new();
    let mut posts = 1;
    for pair in points.windows(2) {
        let across = sub(pair[1], pair[0]);
        let length = (across[0] * across[0] + across[2] * across[2]).sqrt();
        if length < 0.05 {
            continue;
        }
        let parts = (length / spec.spacing).ceil().max(1.0);
        // Checked as a number that can be anything before it is one that is counted.
        let parts = if parts <= MAX_POSTS as f32 { parts as usize } else { MAX_POSTS };
        posts += parts;
        count("fence.points: posts", posts, 2, MAX_POSTS)?;
        spans.extend((0..parts).map(|part| Span {
            from: lerp(pair[0], pair[1], part as f32 / parts as f32),
            to: lerp(pair[0], pair[1], (part + 1) as f32 / parts as f32),
            seed: derive(seed, (posts + part) as u64),
        }));
    }
    count("fence.points: posts", posts, 2, MAX_POSTS)?;
    Ok(spans)
}

fn wood(mesh: &mut MeshData, shape: &Shape, spec: &FenceSpec, tone: f32, chance: &mut Chance) {
    flat(
        mesh,
        shape,
        |_| STILL,
        |_, normal| {
            // Rain and sun bleach what looks up.
            let light = 0.86 + 0.16 * normal[1].max(0.0) + chance.between(-0.05, 0.05);
            scale(spec.color, tone * light)
        },
    );
}

/// A post at the foot of a span, or at its end; turned a little by its place alone, so that it does not matter whose it is.
fn post(
    mesh: &mut MeshData,
    spec: &FenceSpec,
    at: Vector,
    along: Vector,
    height: f32,
    lod: usize,
    chance: &mut Chance,
) {
    let width = spec.height * 0.1 * chance.between(0.9, 1.15);
    let lean = spec.age * 0.05;
    let top = [
        chance.between(-lean, lean) * height,
        height * chance.between(0.97, 1.03),
        chance.between(-lean, lean) * height,
    ];
    let tone = chance.between(0.72, 0.92);
    if lod == 2 {
        let shape = Shape::beam(add(at, [0.0, -0.12 * height, 0.0]), add(at, top), width, width);
        return wood(mesh, &shape, spec, tone, chance);
    }
    let sides = if lod == 0 { 8 } else { 5 };
    let profile =
        [(width * 0.58, -0.25 * height), (width * 0.54, height * 0.93), (width * 0.36, height), (0.0, height * 1.012)];
    let turn = libm::atan2f(along[0], along[2]);
    let mut shape = Shape::lathe(&profile, sides).turned(turn);
    for point in &mut shape.points {
        let share = point[1] / height;
        *point = add(*point, [top[0] * share, 0.0, top[2] * share]);
    }
    wood(mesh, &shape.placed([1.0; 3], at), spec, tone, chance);
}

fn posts(mesh: &mut MeshData, spec: &FenceSpec, span: &Span, height: f32, lod: usize, last: bool) {
    let along = sub(span.to, span.from);
    let mut chance = Chance::new(span.seed);
    post(mesh, spec, span.from, along, height, lod, &mut chance);
    if last {
        let mut chance = Chance::new(derive(span.seed, 1));
        post(mesh, spec, span.to, along, height, lod, &mut chance);
    }
}

fn rails(mesh: &mut MeshData, spec: &FenceSpec, span: &Span, lod: usize, last: bool) {
    posts(mesh, spec, span, spec.height, lod, last);
    let mut chance = Chance::new(derive(span.seed, 2));
    let sag = spec.age * spec.height * 0.06;
    for rail in 0..spec.rails {
        let height = spec.height * (0.28 + 0.6 * (rail as f32 + 0.5) / spec.rails as f32);
        let mut end = |at: Vector| add(at, [0.0, height + chance.between(-sag, sag), 0.0]);
        let (from, to) = (end(span.from), end(span.to));
        let thick = spec.height * 0.075;
        let tone = chance.between(0.9, 1.15);
        if lod == 0 {
            // Two halves that meet a little lower.
            let middle = add(lerp(from, to, chance.between(0.4, 0.6)), [0.0, -0.5 * sag, 0.0]);
            wood(mesh, &Shape::beam(from, middle, thick * 0.62, thick), spec, tone, &mut chance);
            wood(mesh, &Shape::beam(middle, to, thick * 0.6, thick * 0.94), spec, tone, &mut chance);
        } else {
            wood(mesh, &Shape::beam(from, to, thick * 0.6, thick), spec, tone, &mut chance);
        }
    }
}

fn pickets(mesh: &mut MeshData, spec: &FenceSpec, span: &Span, lod: usize, last: bool) {
    posts(mesh, spec, span, spec.height * 0.96, lod, last);
    let mut chance = Chance::new(derive(span.seed, 2));
    let along = sub(span.to, span.from);
    let length = (along[0] * along[0] + along[2] * along[2]).sqrt();
    let side = unit([-along[2], 0.0, along[0]]).unwrap_or([0.0, 0.0, 1.0]);
    for rail in 0..spec.rails {
        let height = spec.height * (0.2 + 0.6 * (rail as f32 + 0.5) / spec.rails as f32);
        let lift = |at: Vector| add(at, [0.0, height, 0.0]);
        let shape = Shape::beam(lift(span.from), lift(span.to), spec.height * 0.035, spec.height * 0.08);
        wood(mesh, &shape, spec, 0.9, &mut chance);
    }
    let count = ((length / (spec.height * 0.16)).round() as usize).clamp(2, 64);
    let (every, widening) = if lod == 2 { (3, 2.4) } else { (1, 1.0) };
    for number in (0..count).step_by(every) {
        let mut chance = Chance::new(derive(span.seed, 16 + number as u64));
        let share = (number as f32 + 0.5) / count as f32;
        let foot = add(lerp(span.from, span.to, share), scale(side, spec.height * 0.035));
        let lean = spec.age * 0.04 * chance.between(-1.0, 1.0);
        let height = spec.height * (1.0 + spec.age * 0.05 * chance.between(-1.0, 1.0));
        let shape =
            board(foot, along, length, [spec.height * 0.1 * widening, height, spec.height * 0.026], lean, lod == 0);
        wood(mesh, &shape, spec, chance.between(0.88, 1.08), &mut chance);
    }
}

/// An upright board with a pointed top: width, height, thickness; with its edges or without.
fn board(foot: Vector, along: Vector, length: f32, [width, height, thick]: [f32; 3], lean: f32, edges: bool) -> Shape {
    let right = scale([along[0], 0.0, along[2]], 1.0 / length);
    let out = [-right[2], 0.0, right[0]];
    let outline = [(-0.5, 0.08), (0.5, 0.08), (0.5, 0.88), (0.0, 1.0), (-0.5, 0.88)];
    let corner = |(across, up): (f32, f32), depth: f32| {
        let across = scale(right, across * width + lean * up * height);
        add(foot, add(add(across, [0.0, up * height, 0.0]), scale(out, depth * thick)))
    };
    let mut points: Vec<Vector> = outline.iter().map(|at| corner(*at, 0.5)).collect();
    points.extend(outline.iter().map(|at| corner(*at, -0.5)));
    // With +X to the right and +Y up, `out` looks at the reader.
    let mut triangles = vec![[0, 1, 2], [0, 2, 4], [4, 2, 3], [6, 5, 7], [7, 5, 9], [7, 9, 8]];
    for side in (0..5u32).filter(|_| edges) {
        let next = (side + 1) % 5;
        triangles.extend([[side, side + 5, next], [next, side + 5, next + 5]]);
    }
    Shape { points, triangles }
}

fn palisade(mesh: &mut MeshData, spec: &FenceSpec, span: &Span, lod: usize) {
    let across = sub(span.to, span.from);
    let length = (across[0] * across[0] + across[2] * across[2]).sqrt();
    let count = ((length / (spec.height * 0.085)).round() as usize).clamp(2, 96);
    let (every, sides) = [(1, 7), (1, 4), (2, 3)][lod];
    let radius = length / count as f32 * 0.54 * if lod == 2 { 1.7 } else { 1.0 };
    for number in (0..count).step_by(every) {
        let mut chance = Chance::new(derive(span.seed, 16 + number as u64));
        let foot = lerp(span.from, span.to, (number as f32 + 0.5) / count as f32);
        let height = spec.height * (1.0 + 0.08 * chance.between(-1.0, 1.0));
        let radius = radius * chance.between(0.92, 1.08);
        let tip = height - radius * 2.4;
        let profile = [(radius, -0.12 * height), (radius * 0.96, tip.max(0.3 * height)), (0.0, height)];
        let lean = spec.age * 0.03;
        let shape = Shape::lathe(&profile, sides).turned(chance.between(0.0, 6.0));
        let shape = shape.pitched(chance.between(-lean, lean)).rolled(chance.between(-lean, lean));
        let tone = chance.between(0.78, 1.12);
        let fresh = lerp(spec.color, [0.5, 0.36, 0.2], 0.45);
        flat(
            mesh,
            &shape.placed([1.0; 3], foot),
            |_| STILL,
            |at, _| {
                let color = if at[1] - foot[1] > height - radius * 2.2 { fresh } else { spec.color };
                scale(color, tone * chance.between(0.9, 1.08))
            },
        );
    }
}

fn stones(mesh: &mut MeshData, spec: &FenceSpec, span: &Span, lod: usize) {
    let along = sub(span.to, span.from);
    let length = (along[0] * along[0] + along[2] * along[2]).sqrt();
    let turn = libm::atan2f(along[0], along[2]);
    // Courses of stones, each stone about as long as one and a half courses are high.
    let courses = [4u32, 3, 1][lod];
    let high = spec.height / courses as f32;
    for course in 0..courses {
        let count = ((length / (high * 1.6)).round() as usize).clamp(1, 48);
        let count = if lod == 2 { 1 } else { count };
        let share = (course as f32 + 0.5) / courses as f32;
        let deep = spec.height * (0.52 - 0.2 * share);
        for number in 0..count {
            let mut chance = Chance::new(derive(span.seed, 64 * u64::from(course) + number as u64));
            // Joints are not above joints.
            let shift = if course % 2 == 0 { 0.25 } else { -0.25 };
            let place = ((number as f32 + 0.5 + shift) / count as f32).clamp(0.02, 0.98);
            let foot = lerp(span.from, span.to, if count == 1 { 0.5 } else { place });
            let half = [deep * 0.5, high * 0.58, length / count as f32 * 0.56];
            let vary = 0.12 * (0.4 + spec.age);
            let half = half.map(|side| side * (1.0 + chance.between(-vary, vary)));
            let mut shape = match lod {
                0 => Shape::lathe(&STONE, 6).turned(0.3),
                1 => Shape::sphere(1),
                _ => Shape::beam([0.0, 0.0, -1.0], [0.0, 0.0, 1.0], 2.0, 2.0),
            };
            for point in &mut shape.points {
                // Nearly a block.
                let widest = point.iter().fold(0.0f32, |widest, v| widest.max(v.abs()));
                let jitter = 1.0 + chance.between(-0.07, 0.07);
                let square = if lod == 2 { 1.0 } else { (0.25 + 0.75 / widest.max(0.5)) * 0.95 };
                *point = scale(*point, square * jitter);
            }
            // A hill is followed by shear, so that stones lie level.
            let middle = add(foot, [0.0, high * (course as f32 + 0.5) - high * 0.06, 0.0]);
            let tone = chance.between(0.76, 1.18);
            let shape = shape.placed(half, [0.0; 3]).rolled(chance.between(-0.06, 0.06)).turned(turn);
            flat(
                mesh,
                &shape.placed([1.0; 3], middle),
                |_| STILL,
                |_, normal| {
                    let light = 0.84 + 0.2 * normal[1].max(0.0) + chance.between(-0.06, 0.06);
                    scale(spec.color, tone * light)
                },
            );
        }
    }
}

fn hull(spec: &FenceSpec, span: &Span) -> Collider {
    let thick = match spec.kind {
        FenceKind::Rails | FenceKind::Pickets => 0.06,
        FenceKind::Palisade => 0.09,
        FenceKind::DryStone => 0.25,
    };
    let along = sub(span.to, span.from);
    let side = scale(unit([-along[2], 0.0, along[0]]).unwrap_or([0.0, 0.0, 1.0]), spec.height * thick);
    let up = [0.0, spec.height, 0.0];
    let mut points = Vec::with_capacity(8);
    for at in [span.from, span.to] {
        for at in [add(at, side), sub(at, side)] {
            points.extend([at, add(at, up)]);
        }
    }
    Collider::Hull { points }
}
