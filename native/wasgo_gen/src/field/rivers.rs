//! Rivers: a net of courses that runs downhill over a field of heights, and what it makes of the land.
//!
//! Every cell of a lattice of triangles has a point where it is low, and drains to its lowest neighbour; edges of such a lattice
//! never cross. Where a cell has no lower neighbour it drains over the lowest of them to what is lower beyond, if that isn't much to dig. What a cell does
//! hangs on the heights of the cells within a few steps and on nothing else, so that every chunk comes to the same net. Courses are
//! smooth curves; their water never rises on the way down, and they widen with the number of cells that they have come through.

mod course;
mod net;

use std::cell::RefCell;
use std::rc::Rc;

use super::instr::Value;
use super::kernel::{BLOCK, floor};
use super::node::RiverOutput;
use super::program::{Program, Scratch};
use super::range::{Range, Span};
use super::run::{Places, Values};
use crate::plan::MAX_HEIGHT;
use crate::script::{fail, job};
use course::Course;

/// Cells that a course has come through at which it is as wide as it gets.
pub(crate) const LONGEST: usize = 6;

/// Side of the squares in which courses are computed together, in cells.
const TILE: f64 = 8.0;

/// Parts of a tile's side: courses are looked up by such a part.
const BINS: i64 = 16;

/// The most tiles that a thread keeps: of some ten kilobytes each.
const MAX_TILES: usize = 64;

/// How far from a place the heights are that may decide about its courses, in cells.
const REACH: f64 = 8.0;

/// Rise over run of banks.
const BANK: f32 = 0.25;

/// How far water reaches under its banks before it goes down with them, in metres.
const UNDER: f32 = 0.5;

/// The share of a bed's depth that lies above the water.
const FREEBOARD: f32 = 0.3;

/// A net of rivers, compiled.
#[derive(Debug)]
pub(crate) struct Rivers {
    /// Side of a cell in metres.
    pub(crate) cell: f64,
    /// Of the widest course, in metres.
    pub(crate) width: f32,
    /// Of the widest course's bed, in metres.
    pub(crate) depth: f32,
    /// From a bank to where the land is as it was, in metres.
    pub(crate) valley: f32,
    /// Height in metres at which rivers end.
    pub(crate) sea: Option<f32>,
    /// Cells that a course has come through where it is first seen.
    pub(crate) springs: usize,
    pub(crate) seed: u32,
    /// The heights.
    pub(crate) program: Program,
    /// A digest of all of the above.
    key: u128,
}

impl PartialEq for Rivers {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

/// A tile, with whose it is and where.
type Kept = (u128, [i64; 2], Rc<Tile>);

thread_local! {
    /// What was computed last comes last.
    static TILES: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

/// The courses of a square of the world.
struct Tile {
    courses: Vec<Course>,
    /// Those near each part of the square, by number.
    bins: Vec<Box<[u32]>>,
}

impl Tile {
    fn empty() -> Self {
        Self { courses: Vec::new(), bins: vec![Box::default(); (BINS * BINS) as usize] }
    }
}

/// What the courses near a place are, put together.
#[derive(Clone, Copy, Debug)]
struct Near {
    /// Metres to the nearest bank, below 0 in the bed.
    bank: f32,
    /// Height of the water.
    water: f32,
    /// Metres of bed below the water.
    bed: f32,
    /// How much of the land is the rivers': 1 in the bed, 0 where the valley ends.
    share: f32,
    /// How much the banks are above the water, at most.
    freeboard: f32,
}

impl Rivers {
    #[allow(clippy::too_many_arguments)] // The parameters of the node.
    pub(crate) fn new(
        cell: f64,
        (width, depth, valley): (f32, f32, f32),
        sea: Option<f32>,
        springs: usize,
        seed: u32,
        program: Program,
    ) -> Self {
        let made = Self { cell, width, depth, valley, sea, springs, seed, program, key: 0 };
        // Floats are written as the shortest text that is theirs alone: the same text is the same net.
        let digest = blake3::hash(format!("{made:?}").as_bytes());
        Self { key: u128::from_le_bytes(std::array::from_fn(|n| digest.as_bytes()[n])), ..made }
    }

    /// Half the width, and the depth, of a course that has come through so many cells.
    fn size(&self, cells: usize) -> (f32, f32) {
        let share = cells.min(LONGEST) as f32 / LONGEST as f32;
        // Discharge grows with the area that is drained; width with the root of discharge, depth more slowly.
        (self.width * 0.5 * libm::powf(share, 0.8), self.depth * libm::powf(share, 0.5))
    }

    /// Heights at places, in metres.
    fn heights(&self, x: &[f64], z: &[f64], scratch: &mut Scratch) -> Vec<f32> {
        let mut out = vec![0.0; x.len()];
        crate::generator::each_block(&self.program, x, None, z, &[], scratch, &mut [&mut out]);
        for height in &mut out {
            *height = height.clamp(-MAX_HEIGHT, MAX_HEIGHT).max(self.sea.unwrap_or(f32::NEG_INFINITY));
        }
        out
    }

    fn bin(&self, at: f64) -> i64 {
        i64::from(floor(at * (BINS as f64 / (self.cell * TILE))).1)
    }

    fn tile(&self, tile: [i64; 2]) -> Rc<Tile> {
        let known = TILES.with_borrow_mut(|tiles| {
            let at = tiles.iter().rposition(|(key, at, _)| *key == self.key && *at == tile)?;
            let entry = tiles.remove(at);
            tiles.push(entry);
            tiles.last().map(|(_, _, tile)| tile.clone())
        });
        known.unwrap_or_else(|| {
            // Scripts that are asked for heights are asked for this tile alone, and what came of a failure isn't kept.
            let made = match job(|| self.make(tile)) {
                Ok(made) => Rc::new(made),
                Err(error) => {
                    fail(error);
                    return Rc::new(Tile::empty());
                }
            };
            TILES.with_borrow_mut(|tiles| {
                if tiles.len() >= MAX_TILES {
                    tiles.remove(0);
                }
                tiles.push((self.key, tile, made.clone()));
            });
            made
        })
    }

    fn make(&self, tile: [i64; 2]) -> Tile {
        let side = self.cell * TILE;
        let spans = tile.map(|at| Span { low: at as f64 * side, high: (at + 1) as f64 * side });
        let net = net::Net::new(self, spans);
        let courses = course::courses(self, &net);
        let first = tile.map(|at| at * BINS);
        let mut bins = vec![Vec::new(); (BINS * BINS) as usize];
        for (number, course) in (0u32..).zip(&courses) {
            let [columns, rows] = course.reach(self.valley).map(|span| (self.bin(span.low), self.bin(span.high)));
            for row in rows.0.max(first[1])..=rows.1.min(first[1] + BINS - 1) {
                for column in columns.0.max(first[0])..=columns.1.min(first[0] + BINS - 1) {
                    bins[((row - first[1]) * BINS + column - first[0]) as usize].push(number);
                }
            }
        }
        Tile { courses, bins: bins.into_iter().map(Vec::into_boxed_slice).collect() }
    }

    /// All courses near a place.
    fn near(&self, tile: &Tile, bin: usize, x: f64, z: f64) -> Option<Near> {
        let mut near = Near { bank: f32::INFINITY, water: 0.0, bed: 0.0, share: 0.0, freeboard: 0.0 };
        let mut total = 0.0f32;
        for number in &tile.bins[bin] {
            let at = tile.courses[*number as usize].at(x, z);
            let bank = at.distance - at.half_width;
            if bank >= self.valley {
                continue;
            }
            let out = (bank / self.valley).max(0.0);
            let share = (1.0 - out) * (1.0 - out) * (1.0 + 2.0 * out);
            // The nearest counts by far the most; none begins or ends to count with a step.
            let apart = 0.05 + at.distance / (self.valley + at.half_width);
            let weight = share * share / ((apart * apart) * (apart * apart));
            total += weight;
            near.water += weight * at.water;
            near.freeboard += weight * at.freeboard;
            near.share = near.share.max(share);
            near.bank = near.bank.min(bank);
            let across = at.distance / at.half_width;
            near.bed = near.bed.max(at.depth * (1.0 - across * across));
        }
        (total > 0.0).then(|| Near { water: near.water / total, freeboard: near.freeboard / total, ..near })
    }

    /// The land with a bed in it.
    fn cut(&self, land: f32, near: &Near) -> f32 {
        let bank = (near.bank.max(0.0) * BANK).min(near.freeboard);
        let bed = near.water + bank - near.bed;
        // Nothing is heaped up in the sea.
        let low = bed.min(land);
        let bed = low + (bed - low) * self.dry(land);
        land + (bed - land) * near.share
    }

    /// The water's height over land: that of the sea where there is sea.
    fn level(&self, land: f32, near: &Near) -> f32 {
        let low = self.sea.map_or(near.water, |sea| near.water.min(sea));
        low + (near.water - low) * self.dry(land) - (near.bank - UNDER).max(0.0)
    }

    /// 0 where land is below the sea, 1 from a metre above it.
    fn dry(&self, land: f32) -> f32 {
        self.sea.map_or(1.0, |sea| (land - sea).clamp(0.0, 1.0))
    }

    /// Runs over the points of a block; `land` is the field's own heights there.
    pub(crate) fn run(
        &self,
        output: RiverOutput,
        places: &Places,
        land: Option<&Values>,
        count: usize,
        out: &mut Values,
    ) {
        let mut last: Option<([i64; 2], Rc<Tile>)> = None;
        for n in 0..count.min(BLOCK) {
            let (x, z) = (places[0][n], places[2][n]);
            let bin = [self.bin(x), self.bin(z)];
            let at = bin.map(|bin| bin.div_euclid(BINS));
            let tile = match &last {
                Some((same, tile)) if *same == at => tile,
                _ => &last.insert((at, self.tile(at))).1,
            };
            let [column, row] = bin.map(|bin| bin.rem_euclid(BINS) as usize);
            let near = self.near(tile, row * BINS as usize + column, x, z);
            let land = land.map_or(0.0, |land| land[n]);
            out[n] = match (output, near) {
                (RiverOutput::Ground, None) => land,
                (RiverOutput::Ground, Some(near)) => self.cut(land, &near),
                (RiverOutput::Water, None) => -MAX_HEIGHT,
                (RiverOutput::Water, Some(near)) => self.level(land, &near),
                (RiverOutput::Distance, near) => near.map_or(self.valley, |near| near.bank),
            };
        }
    }

    /// Between what the values over a box of places are.
    pub(crate) fn bound(&self, output: RiverOutput, spans: &[Span; 3], land: Option<Range>) -> Range {
        if output == RiverOutput::Distance {
            return Range::new(-self.width, self.valley);
        }
        let wider = |span: Span| Span { low: span.low - REACH * self.cell, high: span.high + REACH * self.cell };
        let level = Span { low: 0.0, high: 0.0 };
        let around = self.program.bounds([wider(spans[0]), level, wider(spans[2])], &[], &mut Scratch::default());
        let cut = |height: f32| height.clamp(-MAX_HEIGHT, MAX_HEIGHT).max(self.sea.unwrap_or(f32::NEG_INFINITY));
        let around = around.first().map_or(Range::new(-MAX_HEIGHT, MAX_HEIGHT), |range| range.monotonic(cut));
        // Rounding of positions and of sums.
        let margin = 0.01 + 1e-5 * around.low.abs().max(around.high.abs());
        let made = Range::new(around.low - self.depth - margin, around.high + margin);
        match (output, land) {
            (RiverOutput::Water, _) | (_, None) => Range::new(-MAX_HEIGHT, made.high),
            (_, Some(land)) => {
                let both = made.hull(land);
                Range::new(both.low - margin, both.high + margin)
            }
        }
    }
}

/// The land's value, where the output takes it.
pub(crate) fn operand(output: RiverOutput, land: Value) -> Option<Value> {
    (output != RiverOutput::Distance).then_some(land)
}

#[cfg(test)]
mod tests;
