//! Bridges: where a road crosses water.

use std::ops::Range;

use super::Furniture;
use super::kit::{Kit, STONE};
use crate::built::settle::Road;
use crate::built::solid::Frame;
use crate::vector::{Vector, add, scale, sub, unit};

/// How thick the deck is, in metres.
const THICK: f32 = 0.45;

/// How high and thick the walls beside it are, in metres.
const WALL: [f32; 2] = [0.85, 0.28];

/// Points from pier to pier.
const PIERS: usize = 3;

/// How far piers reach below the deck, in metres.
const DEEP: f32 = 9.0;

/// The most points of a bridge: longer ones are several, each to the next.
const LONGEST: usize = 64;

/// The parts of a road that bridges carry, each from a point on land to the next, or to where the next bridge begins.
pub(crate) fn runs(road: &Road) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut at = 0;
    while at + 1 < road.points.len() {
        let over = |at: usize| road.points[at].bridge || road.points[at + 1].bridge;
        if !over(at) {
            at += 1;
            continue;
        }
        let first = at;
        while at + 1 < road.points.len() && over(at) && at - first < LONGEST {
            at += 1;
        }
        runs.push(first..at + 1);
    }
    runs
}

/// The turn about +Y that brings -Z to the direction from the first to the last point of a run.
pub(crate) fn yaw(road: &Road, run: &Range<usize>) -> f32 {
    let [a, b] = [run.start, run.end - 1].map(|at| road.points[at].place());
    libm::atan2(a[0] - b[0], a[1] - b[1]) as f32
}

/// A bridge, from its first point along -Z.
pub(crate) fn bridge(road: &Road, run: &Range<usize>) -> Furniture {
    let points = &road.points[run.clone()];
    let (sin, cos) = libm::sincos(f64::from(yaw(road, run)));
    let start = &points[0];
    let line: Vec<Vector> = points
        .iter()
        .map(|point| {
            let (dx, dz) = (point.x - start.x, point.z - start.z);
            // Turned back by the yaw with which it is placed.
            [(dx * cos - dz * sin) as f32, point.height - start.height, (dx * sin + dz * cos) as f32]
        })
        .collect();
    let mut kit = Kit::new(points.len() as u64);
    let half = road.width / 2.0 + 0.15;
    // To the right of the way, at every point.
    let right: Vec<Vector> = (0..line.len())
        .map(|at| {
            let along = sub(line[(at + 1).min(line.len() - 1)], line[at.saturating_sub(1)]);
            unit([-along[2], 0.0, along[0]]).unwrap_or([1.0, 0.0, 0.0])
        })
        .collect();
    let at = |number: usize, out: f32, up: f32| add(add(line[number], scale(right[number], out)), [0.0, up, 0.0]);
    let paving = STONE.times(0.82);
    for a in 0..line.len() - 1 {
        let b = a + 1;
        let deck = kit.worn(paving);
        kit.solids.polygon(deck, &[at(a, -half, 0.02), at(a, half, 0.02), at(b, half, 0.02), at(b, -half, 0.02)]);
        kit.solids.polygon(
            STONE.times(0.6),
            &[at(a, half, -THICK), at(a, -half, -THICK), at(b, -half, -THICK), at(b, half, -THICK)],
        );
        let [high, thick] = WALL;
        for side in [1.0f32, -1.0] {
            let (inner, outer) = (half * side, (half + thick) * side);
            let wall = kit.worn(STONE);
            let mut faces = [
                [at(a, inner, 0.0), at(a, inner, high), at(b, inner, high), at(b, inner, 0.0)],
                [at(b, outer, -THICK), at(b, outer, high), at(a, outer, high), at(a, outer, -THICK)],
                [at(a, inner, high), at(a, outer, high), at(b, outer, high), at(b, inner, high)],
                [at(b, inner, -THICK), at(b, outer, -THICK), at(a, outer, -THICK), at(a, inner, -THICK)],
            ];
            for face in &mut faces {
                if side < 0.0 {
                    face.reverse();
                }
                kit.solids.polygon(wall, face);
            }
        }
        let (low, top) = (line[a][1].min(line[b][1]), line[a][1].max(line[b][1]));
        let span =
            |axis: usize, by: f32| [line[a][axis].min(line[b][axis]) - by, line[a][axis].max(line[b][axis]) + by];
        kit.collide(span(0, half), [low - THICK, (low + top) / 2.0], span(2, 0.05));
        for side in [-1.0, 1.0] {
            let middle = (line[a][0] + line[b][0]) / 2.0 + side * (half + thick / 2.0);
            let wide = thick / 2.0 + (line[a][0] - line[b][0]).abs() / 2.0;
            kit.collide([middle - wide, middle + wide], [low, top + high], span(2, 0.05));
        }
    }
    for pier in (PIERS..line.len().saturating_sub(1)).step_by(PIERS) {
        let u = right[pier];
        let frame = Frame { origin: line[pier], u, v: [0.0, 1.0, 0.0], n: [-u[2], 0.0, u[0]] };
        let stone = kit.worn(STONE.times(0.85));
        let wide = half + WALL[1] + 0.25;
        kit.solids.block(stone, &frame, [-wide, wide], [-DEEP, -THICK], [-0.6, 0.6], crate::built::solid::side::BOTTOM);
        // Cutwaters.
        for end in [-1.0f32, 1.0] {
            let p = |u: f32, v: f32, n: f32| frame.at(u * end, v, n * end);
            let (tip, top) = (wide + 0.7, -THICK - 0.5);
            for face in [
                vec![p(wide, -DEEP, 0.6), p(tip, -DEEP, 0.0), p(tip, top, 0.0), p(wide, top, 0.6)],
                vec![p(tip, -DEEP, 0.0), p(wide, -DEEP, -0.6), p(wide, top, -0.6), p(tip, top, 0.0)],
                vec![p(wide, top, 0.6), p(tip, top, 0.0), p(wide, top, -0.6)],
            ] {
                kit.solids.polygon(stone, &face);
            }
        }
    }
    // Posts at both ends.
    for (number, side) in [(0, -1.0), (0, 1.0), (line.len() - 1, -1.0), (line.len() - 1, 1.0)] {
        let [x, y, z] = at(number, side * (half + WALL[1] / 2.0), 0.0);
        let post = [(0.3, y - THICK - 0.6), (0.3, y + 1.05), (0.36, y + 1.07), (0.36, y + 1.2), (0.0, y + 1.4)];
        kit.lathe(STONE.times(1.1), [x, z], 4, &post);
    }
    kit.finish()
}
