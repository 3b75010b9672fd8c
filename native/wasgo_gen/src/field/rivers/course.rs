//! The courses of a net as smooth curves, in short straight pieces.

use super::net::Net;
use super::{FREEBOARD, Rivers};
use crate::field::kernel::fraction;
use crate::field::program::Scratch;
use crate::field::range::Span;

/// Pieces of a curve.
const PIECES: usize = 6;

/// How far a course swings out half way between two points, as a share of their distance.
const SWING: f64 = 0.16;

/// How much wider the pond is in which a course ends that finds no way on.
const POND: f32 = 1.6;

/// A place of a course, and what it is like there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Station {
    pub(super) at: [f64; 2],
    /// Height of the water in metres.
    pub(super) water: f32,
    /// Metres.
    pub(super) half_width: f32,
    /// Of the bed below the water, in the middle, in metres.
    pub(super) depth: f32,
    /// Of the banks above the water, in metres.
    pub(super) freeboard: f32,
}

impl Station {
    fn towards(&self, other: &Self, share: f64) -> Self {
        let mix = |a: f32, b: f32| a + (b - a) * share as f32;
        Self {
            at: [0, 1].map(|axis| self.at[axis] + (other.at[axis] - self.at[axis]) * share),
            water: mix(self.water, other.water),
            half_width: mix(self.half_width, other.half_width),
            depth: mix(self.depth, other.depth),
            freeboard: mix(self.freeboard, other.freeboard),
        }
    }
}

/// A straight piece of a course, downstream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Course {
    pub(super) from: Station,
    pub(super) to: Station,
    /// From one to the other, in metres, over its length's square; 0 for a pond.
    along: [f32; 2],
}

/// What a piece is like beside a place.
pub(super) struct Beside {
    /// Metres from the middle of the course.
    pub(super) distance: f32,
    pub(super) water: f32,
    pub(super) half_width: f32,
    pub(super) depth: f32,
    pub(super) freeboard: f32,
}

impl Course {
    fn new(from: Station, to: Station) -> Self {
        let [x, z] = [0, 1].map(|axis| to.at[axis] - from.at[axis]);
        let square = x * x + z * z;
        let along = if square > 1e-12 { [(x / square) as f32, (z / square) as f32] } else { [0.0; 2] };
        Self { from, to, along }
    }

    pub(super) fn at(&self, x: f64, z: f64) -> Beside {
        let (dx, dz) = ((x - self.from.at[0]) as f32, (z - self.from.at[1]) as f32);
        let share = (dx * self.along[0] + dz * self.along[1]).clamp(0.0, 1.0);
        let [x, z] = [0, 1].map(|axis| (self.to.at[axis] - self.from.at[axis]) as f32);
        let (dx, dz) = (dx - x * share, dz - z * share);
        let mix = |a: f32, b: f32| a + (b - a) * share;
        Beside {
            distance: (dx * dx + dz * dz).sqrt(),
            water: mix(self.from.water, self.to.water),
            half_width: mix(self.from.half_width, self.to.half_width).max(1e-3),
            depth: mix(self.from.depth, self.to.depth),
            freeboard: mix(self.from.freeboard, self.to.freeboard),
        }
    }

    /// The box of places that it reaches, with a valley so wide on both sides.
    pub(super) fn reach(&self, valley: f32) -> [Span; 2] {
        // A hair more than what is compared place by place.
        let by = f64::from(self.from.half_width.max(self.to.half_width) + valley) * 1.001 + 0.01;
        [0, 1].map(|axis| {
            let (a, b) = (self.from.at[axis], self.to.at[axis]);
            Span { low: a.min(b) - by, high: a.max(b) + by }
        })
    }
}

/// All courses of the inner cells of a net, in the order of cells.
pub(super) fn courses(rivers: &Rivers, net: &Net) -> Vec<Course> {
    let count = net.points.len();
    let known: Vec<usize> = (0..count).filter(|cell| net.inner(*cell)).collect();
    let is_course = |cell: usize| net.lengths[cell] >= rivers.springs && net.drains[cell].is_some();
    let stations: Vec<Station> = (0..count).map(|cell| station(rivers, net, cell)).collect();
    // Half way down from each cell that matters: those within, and those that drain into them.
    let mut wanted: Vec<bool> = vec![false; count];
    for cell in &known {
        for from in net.around(*cell).chain([*cell]) {
            wanted[from] = wanted[from] || (is_course(from) && (from == *cell || net.drains[from] == Some(*cell)));
        }
    }
    let halves = halves(rivers, net, &stations, &wanted);
    let mut courses = Vec::new();
    for cell in known {
        let here = &stations[cell];
        let down = halves[cell].as_ref().zip(net.drains[cell]);
        let into = net.around(cell).filter(|from| net.drains[*from] == Some(cell)).filter_map(|from| halves[from]);
        let mut springs = true;
        for half in into {
            springs = false;
            let start = half.towards(here, 0.5);
            match down {
                Some((next, _)) => curve(&start, here, &here.towards(next, 0.5), &mut courses),
                None => courses.push(Course::new(start, *here)),
            }
        }
        match down {
            Some((half, into)) => {
                if springs {
                    let start = Station { half_width: here.half_width * 0.2, depth: here.depth * 0.2, ..*here };
                    courses.push(Course::new(start, here.towards(half, 0.5)));
                }
                curve(&here.towards(half, 0.5), half, &half.towards(&stations[into], 0.5), &mut courses);
            }
            None if !springs && rivers.sea.is_none_or(|sea| net.heights[cell] > sea) => {
                let pond = Station { half_width: here.half_width * POND, ..*here };
                courses.push(Course::new(pond, pond));
            }
            None => {}
        }
    }
    courses
}

/// What a course is like at the point of a cell.
fn station(rivers: &Rivers, net: &Net, cell: usize) -> Station {
    let (half_width, bed) = rivers.size(net.lengths[cell]);
    let freeboard = bed * FREEBOARD;
    let water = (net.heights[cell] - freeboard).max(rivers.sea.unwrap_or(f32::NEG_INFINITY));
    Station { at: net.points[cell], water, half_width, depth: bed - freeboard, freeboard }
}

/// Half way from each wanted cell to the one that it drains into: to a side where it is lower.
fn halves(rivers: &Rivers, net: &Net, stations: &[Station], wanted: &[bool]) -> Vec<Option<Station>> {
    let mut places = Vec::new();
    let (mut xs, mut zs) = (Vec::new(), Vec::new());
    for cell in (0..wanted.len()).filter(|cell| wanted[*cell]) {
        let Some(into) = net.drains[cell] else { continue };
        let middle = stations[cell].towards(&stations[into], 0.5);
        let [x, z] = [0, 1].map(|axis| stations[into].at[axis] - stations[cell].at[axis]);
        // Not all as far, so that no two swing alike.
        let swing = SWING * f64::from(0.5 + 0.5 * fraction(net.hash(rivers.seed ^ 0x5A5A_1234, cell)));
        for side in [-swing, swing] {
            xs.push(middle.at[0] - z * side);
            zs.push(middle.at[1] + x * side);
        }
        places.push((cell, into, middle));
    }
    let heights = rivers.heights(&xs, &zs, &mut Scratch::default());
    let mut halves = vec![None; wanted.len()];
    for (number, (cell, into, middle)) in places.into_iter().enumerate() {
        let (a, b) = (number * 2, number * 2 + 1);
        let lower = if heights[b] < heights[a] { b } else { a };
        // As the land is, but never up.
        let water = (heights[lower] - middle.freeboard).clamp(stations[into].water, stations[cell].water);
        halves[cell] = Some(Station { at: [xs[lower], zs[lower]], water, ..middle });
    }
    halves
}

/// A curve from one station to another that leaves towards a third and arrives from it.
fn curve(from: &Station, by: &Station, to: &Station, courses: &mut Vec<Course>) {
    let at = |number: usize| {
        let share = number as f64 / PIECES as f64;
        from.towards(by, share).towards(&by.towards(to, share), share)
    };
    let mut last = *from;
    for number in 1..=PIECES {
        let next = if number == PIECES { *to } else { at(number) };
        courses.push(Course::new(last, next));
        last = next;
    }
}
