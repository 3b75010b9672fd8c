//! The cheapest way over the ground on a coarse lattice.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::rule::SettlementRule;
use super::sites::{Area, Site};
use crate::built::Ground;

/// Ways stay within an ellipse around their ends: they are at most this much longer than the straight line,
pub(super) const DETOUR: f64 = 1.2;

/// and so many metres.
pub(super) const SLACK: f64 = 120.0;

/// The most places of the lattice that a search may look at. The greatest ellipse is 130 by 75 steps.
const MAX_PLACES: usize = 40_000;

/// A place that ways keep away from: its middle and radius.
pub(super) type Around = ([f64; 2], f64);

/// Whether the way between two sites may be in an area, without searching for it.
pub(super) fn may_touch(a: &Site, b: &Site, area: &Area) -> bool {
    let around = Area::around([a.position, b.position].into_iter());
    let (dx, dz) = (b.position[0] - a.position[0], b.position[1] - a.position[1]);
    let length = (dx * dx + dz * dz).sqrt();
    around.grown(aside(length)).touches(area)
}

/// How far from the straight line a way may be: half the small axis of the ellipse, which is longer than the large one
/// reaches over its ends.
fn aside(length: f64) -> f64 {
    let around = length * DETOUR + SLACK;
    ((around * around - length * length).sqrt() / 2.0).max((around - length) / 2.0) + 32.0
}

/// Sixteen ways on from a place.
const MOVES: [[i32; 2]; 16] = [
    [1, 0],
    [0, 1],
    [-1, 0],
    [0, -1],
    [1, 1],
    [-1, 1],
    [-1, -1],
    [1, -1],
    [2, 1],
    [1, 2],
    [-1, 2],
    [-2, 1],
    [-2, -1],
    [-1, -2],
    [1, -2],
    [2, -1],
];

/// The points of a way from `from` to `to`, both included, or nothing when there is none.
pub(super) fn route(
    rule: &SettlementRule,
    ground: &(impl Ground + ?Sized),
    from: [f64; 2],
    to: [f64; 2],
    avoid: &[Around],
) -> Option<Vec<[f64; 2]>> {
    let step = f64::from(rule.roads.step);
    let lattice = Lattice::new(from, to, step)?;
    let heights = lattice.heights(ground, avoid);
    let (start, end) = (lattice.nearest(from)?, lattice.nearest(to)?);
    let width = lattice.width;
    let count = heights.len();
    let (mut cost, mut before) = (vec![f64::MAX; count], vec![u32::MAX; count]);
    let mut open = BinaryHeap::new();
    let left = |place: usize| {
        let (dx, dz) = ((place % width).abs_diff(end % width), (place / width).abs_diff(end / width));
        ((dx * dx + dz * dz) as f64).sqrt() * step
    };
    if heights[start].is_nan() || heights[end].is_nan() {
        return None;
    }
    cost[start] = 0.0;
    open.push(Reverse((left(start).to_bits(), start as u32)));
    while let Some(Reverse((_, place))) = open.pop() {
        let place = place as usize;
        if place == end {
            break;
        }
        let (x, z) = ((place % width) as i32, (place / width) as i32);
        for [dx, dz] in MOVES {
            let (nx, nz) = (x + dx, z + dz);
            if nx < 0 || nz < 0 || nx >= width as i32 || nz as usize >= count / width {
                continue;
            }
            let next = nz as usize * width + nx as usize;
            if heights[next].is_nan() {
                continue;
            }
            let length = f64::from(dx * dx + dz * dz).sqrt() * step;
            let spent = cost[place] + length * effort(rule, heights[place], heights[next], length);
            if spent < cost[next] {
                cost[next] = spent;
                before[next] = place as u32;
                // Positive floats are ordered like their bits.
                open.push(Reverse(((spent + left(next)).to_bits(), next as u32)));
            }
        }
    }
    if cost[end] == f64::MAX {
        return None;
    }
    let mut places = vec![end];
    while let Some(place) = places.last().map(|place| before[*place]).filter(|place| *place != u32::MAX) {
        places.push(place as usize);
    }
    let mut points = vec![from];
    // The first and last place are the ends, but for less than a step.
    let inner = places.iter().rev().skip(1).take(places.len().saturating_sub(2));
    points.extend(inner.map(|place| lattice.point(*place)));
    points.push(to);
    Some(points)
}

/// What a metre costs: more the steeper it is, much more above what is allowed, and in the water.
fn effort(rule: &SettlementRule, from: f32, to: f32, length: f64) -> f64 {
    let grade = f64::from((to - from).abs()) / length / f64::from(rule.roads.max_grade);
    let steep = 1.0 + 2.5 * grade * grade + 25.0 * (grade - 1.0).max(0.0);
    let wet = rule.water_level.is_some_and(|level| from.min(to) < level + 0.4);
    if wet { steep + 6.0 } else { steep }
}

/// The places around two points, in rows of the world's lattice.
struct Lattice {
    step: f64,
    first: [i64; 2],
    width: usize,
    depth: usize,
    ends: [[f64; 2]; 2],
    around: f64,
}

impl Lattice {
    fn new(from: [f64; 2], to: [f64; 2], step: f64) -> Option<Self> {
        let (dx, dz) = (to[0] - from[0], to[1] - from[1]);
        let length = (dx * dx + dz * dz).sqrt();
        let area = Area::around([from, to].into_iter()).grown(aside(length) - 16.0);
        let first = area.min.map(|value| (value / step).floor() as i64);
        let last = area.max.map(|value| (value / step).ceil() as i64);
        let (width, depth) = ((last[0] - first[0] + 1) as usize, (last[1] - first[1] + 1) as usize);
        let around = length * DETOUR + SLACK;
        (width.saturating_mul(depth) <= MAX_PLACES).then_some(Self {
            step,
            first,
            width,
            depth,
            ends: [from, to],
            around,
        })
    }

    fn point(&self, place: usize) -> [f64; 2] {
        let (x, z) = ((place % self.width) as i64, (place / self.width) as i64);
        [(self.first[0] + x) as f64 * self.step, (self.first[1] + z) as f64 * self.step]
    }

    fn nearest(&self, [x, z]: [f64; 2]) -> Option<usize> {
        let column = (x / self.step + 0.5).floor() as i64 - self.first[0];
        let row = (z / self.step + 0.5).floor() as i64 - self.first[1];
        let inside = (0..self.width as i64).contains(&column) && (0..self.depth as i64).contains(&row);
        inside.then(|| row as usize * self.width + column as usize)
    }

    /// The heights of all places, NaN for those that are not to be used.
    fn heights(&self, ground: &(impl Ground + ?Sized), avoid: &[Around]) -> Vec<f32> {
        let far = |[a, b]: [f64; 2], [c, d]: [f64; 2]| ((c - a) * (c - a) + (d - b) * (d - b)).sqrt();
        let (mut places, mut xs, mut zs) = (Vec::new(), Vec::new(), Vec::new());
        for place in 0..self.width * self.depth {
            let point = self.point(place);
            let within = far(point, self.ends[0]) + far(point, self.ends[1]) <= self.around;
            if within && avoid.iter().all(|(middle, radius)| far(point, *middle) > *radius) {
                places.push(place);
                xs.push(point[0]);
                zs.push(point[1]);
            }
        }
        let mut found = vec![0.0; places.len()];
        ground.heights(&xs, &zs, &mut found);
        let mut heights = vec![f32::NAN; self.width * self.depth];
        for (place, height) in places.into_iter().zip(found) {
            heights[place] = height;
        }
        heights
    }
}
