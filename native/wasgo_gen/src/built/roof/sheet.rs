//! Slopes with a thickness.

use crate::built::solid::{Brush, Solids};
use crate::vector::Vector;

/// How high a course of tiles is, measured upwards, in metres.
const COURSE: f32 = 0.34;

/// The most courses of a slope.
const MAX_COURSES: u32 = 24;

/// A closed sheet: slopes above (counter-clockwise as seen from above), the same slopes `thick` metres below, and an edge
/// wherever a slope has no neighbour. Slopes that touch must share their corners bit by bit. With `courses` the slopes
/// are shown as rows of tiles.
pub(super) fn sheet(to: &mut Solids, brush: Brush, edge: Brush, slopes: &[Vec<Vector>], thick: f32, courses: bool) {
    let lower = |point: Vector| [point[0], point[1] - thick, point[2]];
    for slope in slopes {
        if courses {
            rows(to, brush, slope);
        } else {
            to.polygon(brush, slope);
        }
        let under: Vec<Vector> = slope.iter().rev().map(|point| lower(*point)).collect();
        to.polygon(edge.times(0.75), &under);
    }
    for (number, slope) in slopes.iter().enumerate() {
        for at in 0..slope.len() {
            let (a, b) = (slope[at], slope[(at + 1) % slope.len()]);
            let shared = slopes.iter().enumerate().any(|(other, slope)| {
                other != number && (0..slope.len()).any(|at| slope[at] == b && slope[(at + 1) % slope.len()] == a)
            });
            if !shared {
                to.polygon(edge, &[lower(a), lower(b), b, a]);
            }
        }
    }
}

/// A slope in rows of even height, each of a slightly different colour.
fn rows(to: &mut Solids, brush: Brush, slope: &[Vector]) {
    let low = slope.iter().map(|point| point[1]).fold(f32::MAX, f32::min);
    let high = slope.iter().map(|point| point[1]).fold(f32::MIN, f32::max);
    let count = (((high - low) / COURSE).floor() as u32).clamp(1, MAX_COURSES);
    let level = |row: u32| low + (high - low) * row as f32 / count as f32;
    for row in 0..count {
        let mut part = slope.to_vec();
        if row > 0 {
            part = cut(&part, level(row), 1.0);
        }
        if row + 1 < count {
            part = cut(&part, level(row + 1), -1.0);
        }
        // No pattern that the eye would find.
        let lit = [1.0, 0.9, 1.06, 0.95, 1.1, 0.93, 1.03][row as usize % 7];
        to.polygon(brush.times(lit), &part);
    }
}

/// What of a convex polygon is above (`side` 1) or below (-1) a height.
fn cut(polygon: &[Vector], level: f32, side: f32) -> Vec<Vector> {
    let mut kept = Vec::with_capacity(polygon.len() + 2);
    for at in 0..polygon.len() {
        let (a, b) = (polygon[at], polygon[(at + 1) % polygon.len()]);
        let (from, to) = ((a[1] - level) * side, (b[1] - level) * side);
        if from >= 0.0 {
            kept.push(a);
        }
        if (from > 0.0 && to < 0.0) || (from < 0.0 && to > 0.0) {
            // From the lower end, so that both neighbours of an edge cut it at the same point.
            let (low, high) = if a[1] < b[1] { (a, b) } else { (b, a) };
            let share = (level - low[1]) / (high[1] - low[1]);
            kept.push([low[0] + (high[0] - low[0]) * share, level, low[2] + (high[2] - low[2]) * share]);
        }
    }
    kept
}
