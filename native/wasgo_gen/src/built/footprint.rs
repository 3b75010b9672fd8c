//! Outlines of buildings, and what can be done with polygons of the plane.

use serde::{Deserialize, Serialize};

use super::error::{BuiltError, range};

/// The most corners of a footprint.
pub const MAX_CORNERS: usize = 24;

/// The greatest length of a footprint along an axis, in metres.
pub const MAX_SIDE: f64 = 120.0;

/// Walls must be at least this long, in metres.
const MIN_WALL: f32 = 0.4;

/// The outline of a building on the ground, in metres: x to the east, z to the back; the front is towards -z.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Footprint {
    /// A rectangle around the origin.
    Rectangle {
        /// West to east.
        width: f32,
        /// Front to back.
        depth: f32,
    },
    /// A rectangle without its front corner in the east: a wing reaches to the front in the west.
    L {
        /// West to east.
        width: f32,
        /// Front to back.
        depth: f32,
        /// Width of the wing.
        wing: f32,
        /// How far the wing stands out to the front.
        reach: f32,
    },
    /// A rectangle with a wing in the middle of its back.
    T {
        /// West to east.
        width: f32,
        /// Front to back.
        depth: f32,
        /// Width of the wing.
        wing: f32,
        /// How far the wing stands out to the back.
        reach: f32,
    },
    /// A rectangle with wings at both ends of its front, around a yard.
    U {
        /// West to east.
        width: f32,
        /// Front to back.
        depth: f32,
        /// Width of each wing.
        wing: f32,
        /// How far the wings stand out to the front.
        reach: f32,
    },
    /// A regular polygon around the origin: 5..=24 sides.
    Round {
        /// From side to side.
        width: f32,
        /// How many sides.
        sides: u32,
    },
    /// Corners (x, z): convex, or with all walls along the axes.
    Polygon {
        /// In order around it, either way.
        corners: Vec<[f32; 2]>,
    },
}

impl Footprint {
    /// The corners (x, z), counter-clockwise as seen from above.
    ///
    /// # Errors
    ///
    /// A size out of range, or corners that make no allowed outline.
    pub fn corners(&self) -> Result<Vec<[f32; 2]>, BuiltError> {
        let side = |name: &str, value: f32| range(|| format!("footprint.{name}"), value, 1.0, MAX_SIDE);
        let wings = |width: f32, depth: f32, wing: f32, reach: f32, count: f32| {
            side("width", width)?;
            side("depth", depth)?;
            let field = |name: &'static str| move || format!("footprint.{name}");
            range(field("wing"), wing, 1.0, f64::from(width) / f64::from(count) - 0.5)?;
            range(field("reach"), reach, 0.5, f64::from(depth) - 1.0)
        };
        let ring = match self {
            Self::Rectangle { width, depth } => {
                side("width", *width)?;
                side("depth", *depth)?;
                rectangle([-width / 2.0, width / 2.0], [-depth / 2.0, depth / 2.0])
            }
            Self::L { width, depth, wing, reach } => {
                wings(*width, *depth, *wing, *reach, 1.0)?;
                let (x, z) = (width / 2.0, depth / 2.0);
                let (edge, front) = (-x + wing, -z + reach);
                vec![[x, front], [edge, front], [edge, -z], [-x, -z], [-x, z], [x, z]]
            }
            Self::T { width, depth, wing, reach } => {
                wings(*width, *depth, *wing, *reach, 1.0)?;
                let (x, z, half) = (width / 2.0, depth / 2.0, wing / 2.0);
                let back = z - reach;
                vec![[x, -z], [-x, -z], [-x, back], [-half, back], [-half, z], [half, z], [half, back], [x, back]]
            }
            Self::U { width, depth, wing, reach } => {
                wings(*width, *depth, *wing, *reach, 2.0)?;
                let (x, z) = (width / 2.0, depth / 2.0);
                let (inner, front) = (x - wing, -z + reach);
                vec![[x, -z], [inner, -z], [inner, front], [-inner, front], [-inner, -z], [-x, -z], [-x, z], [x, z]]
            }
            Self::Round { width, sides } => {
                side("width", *width)?;
                range(|| "footprint.sides".into(), *sides, 5.0, MAX_CORNERS as f64)?;
                super::solid::regular(*sides, width / 2.0, [0.0, 0.0])
            }
            Self::Polygon { corners } => polygon(corners)?,
        };
        let fault = |reason| BuiltError::Invalid { field: "footprint".into(), reason };
        for at in 0..ring.len() {
            if length(ring[at], ring[(at + 1) % ring.len()]) < MIN_WALL {
                return Err(fault("a wall is shorter than 0.4 m"));
            }
        }
        Ok(ring)
    }
}

fn polygon(corners: &[[f32; 2]]) -> Result<Vec<[f32; 2]>, BuiltError> {
    let fault = |reason| BuiltError::Invalid { field: "footprint.corners".into(), reason };
    range(|| "footprint.corners (how many)".into(), corners.len() as f64, 3.0, MAX_CORNERS as f64)?;
    for value in corners.as_flattened() {
        range(|| "footprint.corners".into(), *value, -MAX_SIDE / 2.0, MAX_SIDE / 2.0)?;
    }
    let mut ring = corners.to_vec();
    if area(&ring) < 0.0 {
        ring.reverse();
    }
    if area(&ring) < 1.0 {
        return Err(fault("the outline holds less than a square metre"));
    }
    if !is_convex(&ring) && !is_rectilinear(&ring) {
        return Err(fault("the outline is neither convex nor along the axes"));
    }
    for a in 0..ring.len() {
        for b in a + 2..ring.len() {
            if (b + 1) % ring.len() != a && cross_each_other(edge(&ring, a), edge(&ring, b)) {
                return Err(fault("two walls cross"));
            }
        }
    }
    Ok(ring)
}

type Edge = [[f32; 2]; 2];

fn edge(ring: &[[f32; 2]], at: usize) -> Edge {
    [ring[at], ring[(at + 1) % ring.len()]]
}

fn length(a: [f32; 2], b: [f32; 2]) -> f32 {
    let (dx, dz) = (b[0] - a[0], b[1] - a[1]);
    (dx * dx + dz * dz).sqrt()
}

/// Above 0 when `c` is to the left of the way from `a` to `b`, as seen from above.
fn turn(a: [f32; 2], b: [f32; 2], c: [f32; 2]) -> f32 {
    (b[1] - a[1]) * (c[0] - a[0]) - (b[0] - a[0]) * (c[1] - a[1])
}

fn cross_each_other([a, b]: Edge, [c, d]: Edge) -> bool {
    turn(a, b, c) * turn(a, b, d) <= 0.0 && turn(c, d, a) * turn(c, d, b) <= 0.0
}

/// A rectangle, counter-clockwise as seen from above; its first wall is the front.
pub(super) fn rectangle(x: [f32; 2], z: [f32; 2]) -> Vec<[f32; 2]> {
    vec![[x[1], z[0]], [x[0], z[0]], [x[0], z[1]], [x[1], z[1]]]
}

/// The area; below 0 when the ring is clockwise as seen from above.
pub(super) fn area(ring: &[[f32; 2]]) -> f32 {
    let twice: f32 = (0..ring.len()).map(|at| edge(ring, at)).map(|[a, b]| a[1] * b[0] - a[0] * b[1]).sum();
    twice / 2.0
}

pub(super) fn is_convex(ring: &[[f32; 2]]) -> bool {
    let count = ring.len();
    (0..count).all(|at| turn(ring[at], ring[(at + 1) % count], ring[(at + 2) % count]) >= 0.0)
}

pub(super) fn is_rectilinear(ring: &[[f32; 2]]) -> bool {
    (0..ring.len()).map(|at| edge(ring, at)).all(|[a, b]| a[0] == b[0] || a[1] == b[1])
}

/// The least and greatest x and z.
pub(super) fn bounds(ring: &[[f32; 2]]) -> [[f32; 2]; 2] {
    let of = |axis: usize| {
        ring.iter().fold([f32::MAX, f32::MIN], |[low, high], point| [low.min(point[axis]), high.max(point[axis])])
    };
    [of(0), of(1)]
}

/// The bounds, of a ring that is a rectangle along the axes.
pub(super) fn as_rectangle(ring: &[[f32; 2]]) -> Option<[[f32; 2]; 2]> {
    (ring.len() == 4 && is_rectilinear(ring)).then(|| bounds(ring))
}

/// The ring with every wall moved outwards (inwards below 0), or nothing when a wall would vanish.
pub(super) fn offset(ring: &[[f32; 2]], by: f32) -> Option<Vec<[f32; 2]>> {
    let count = ring.len();
    let normal = |[a, b]: Edge| {
        let along = length(a, b);
        [-(b[1] - a[1]) / along, (b[0] - a[0]) / along]
    };
    let mut moved = Vec::with_capacity(count);
    for at in 0..count {
        let (m, n) = (normal(edge(ring, (at + count - 1) % count)), normal(edge(ring, at)));
        // Where both moved walls meet: along the sum of their normals.
        let share = by / (1.0 + m[0] * n[0] + m[1] * n[1]).max(0.1);
        moved.push([ring[at][0] + (m[0] + n[0]) * share, ring[at][1] + (m[1] + n[1]) * share]);
    }
    for at in 0..count {
        let ([a, b], [c, d]) = (edge(ring, at), edge(&moved, at));
        let along = (b[0] - a[0]) * (d[0] - c[0]) + (b[1] - a[1]) * (d[1] - c[1]);
        if along < 0.3 * length(a, b) {
            return None;
        }
    }
    Some(moved)
}

/// A rectangle of an outline, and the side on which it leans on a larger one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wing {
    pub(super) x: [f32; 2],
    pub(super) z: [f32; 2],
    /// The number of the larger one, and the direction (x, z) towards it.
    pub(super) on: Option<(usize, [f32; 2])>,
}

/// An outline along the axes as rectangles that do not overlap, each but the first leaning on one before it.
pub(super) fn wings(ring: &[[f32; 2]]) -> Vec<Wing> {
    let mut lines = [0, 1].map(|axis| {
        let mut values: Vec<f32> = ring.iter().map(|point| point[axis]).collect();
        values.sort_unstable_by(f32::total_cmp);
        values.dedup();
        values
    });
    let [xs, zs] = &mut lines;
    let (columns, rows) = (xs.len() - 1, zs.len() - 1);
    let mut free: Vec<bool> = (0..columns * rows)
        .map(|cell| {
            let (column, row) = (cell % columns, cell / columns);
            inside(ring, [(xs[column] + xs[column + 1]) / 2.0, (zs[row] + zs[row + 1]) / 2.0])
        })
        .collect();
    let mut wings: Vec<Wing> = Vec::new();
    loop {
        let mut best: Option<(f32, [usize; 4])> = None;
        for (left, top) in (0..columns).flat_map(|left| (0..rows).map(move |top| (left, top))) {
            for (right, bottom) in
                (left + 1..=columns).flat_map(|right| (top + 1..=rows).map(move |bottom| (right, bottom)))
            {
                let whole = (left..right).all(|c| (top..bottom).all(|r| free[r * columns + c]));
                let area = (xs[right] - xs[left]) * (zs[bottom] - zs[top]);
                if whole && best.is_none_or(|(most, _)| area > most) {
                    best = Some((area, [left, right, top, bottom]));
                }
            }
        }
        let Some((_, [left, right, top, bottom])) = best else { break };
        for row in top..bottom {
            free[row * columns + left..row * columns + right].fill(false);
        }
        let (x, z) = ([xs[left], xs[right]], [zs[top], zs[bottom]]);
        let on = wings.iter().enumerate().find_map(|(number, other)| {
            let over = |a: [f32; 2], b: [f32; 2]| a[0].max(b[0]) < a[1].min(b[1]);
            let direction = if over(x, other.x) && z[0] == other.z[1] {
                [0.0, -1.0]
            } else if over(x, other.x) && z[1] == other.z[0] {
                [0.0, 1.0]
            } else if over(z, other.z) && x[0] == other.x[1] {
                [-1.0, 0.0]
            } else if over(z, other.z) && x[1] == other.x[0] {
                [1.0, 0.0]
            } else {
                return None;
            };
            Some((number, direction))
        });
        wings.push(Wing { x, z, on });
    }
    wings
}

/// Whether a point is within a ring.
pub(super) fn inside(ring: &[[f32; 2]], point: [f32; 2]) -> bool {
    (0..ring.len()).map(|at| edge(ring, at)).fold(false, |inside, [a, b]| {
        let spans = (a[1] > point[1]) != (b[1] > point[1]);
        inside != (spans && point[0] < (b[0] - a[0]) * (point[1] - a[1]) / (b[1] - a[1]) + a[0])
    })
}
