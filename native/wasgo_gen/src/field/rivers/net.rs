//! Which cell drains into which.

use super::{LONGEST, Rivers};
use crate::field::kernel::{fraction, hash2};
use crate::field::program::Scratch;
use crate::field::range::Span;

/// Places of a cell that are looked at; the lowest is its point.
const PLACES: u32 = 3;

/// How far from the middle of its cell a point may be, in cells.
const JITTER: f64 = 0.3;

/// From row to row, in cells: the height of a triangle.
const ROW: f64 = 0.866_025_403_784_438_6;

/// How much is dug at most to lead a course over a neighbour that is higher, as a share of a cell's side.
const DIG: f32 = 0.12;

/// Cells beyond those with courses that must be known: as far upstream as a course's length counts, and what decides those.
const MARGIN: i64 = LONGEST as i64 + 5;

/// How far outside of a square cells may be whose courses come into it, in cells.
const COURSES: f64 = 2.3;

/// The cells of a part of the world.
pub(super) struct Net {
    /// Number of the first column and row.
    first: [i64; 2],
    pub(super) size: [usize; 2],
    /// Positions in metres.
    pub(super) points: Vec<[f64; 2]>,
    /// Heights in metres, lowered where a course was led over them.
    pub(super) heights: Vec<f32>,
    /// The cell that each drains into.
    pub(super) drains: Vec<Option<usize>>,
    /// Cells that a course has come through at each, its own among them: 1..=[`LONGEST`].
    pub(super) lengths: Vec<usize>,
}

impl Net {
    /// The cells of a square and as many around it as matter.
    pub(super) fn new(rivers: &Rivers, [x, z]: [Span; 2]) -> Self {
        let range = |span: Span, pitch: f64| {
            let low = ((span.low / rivers.cell - COURSES) / pitch).floor() as i64 - 1 - MARGIN;
            let high = ((span.high / rivers.cell + COURSES) / pitch).ceil() as i64 + 1 + MARGIN;
            (low, (high - low + 1) as usize)
        };
        let ((left, width), (top, height)) = (range(x, 1.0), range(z, ROW));
        let mut net = Self {
            first: [left, top],
            size: [width, height],
            points: Vec::new(),
            heights: Vec::new(),
            drains: vec![None; width * height],
            lengths: vec![1; width * height],
        };
        net.place(rivers);
        net.drain(rivers);
        net.measure();
        net
    }

    /// Whether courses from a cell are needed: all that decides about it is known.
    pub(super) fn inner(&self, cell: usize) -> bool {
        let margin = MARGIN as usize;
        let (column, row) = (cell % self.size[0], cell / self.size[0]);
        (margin..self.size[0] - margin).contains(&column) && (margin..self.size[1] - margin).contains(&row)
    }

    /// A number for a cell that is the same wherever it is seen from.
    pub(super) fn hash(&self, seed: u32, cell: usize) -> u32 {
        let [left, top] = self.first;
        hash2(seed, (left + (cell % self.size[0]) as i64) as i32, (top + (cell / self.size[0]) as i64) as i32)
    }

    /// The six cells around, where they are known, in an order that is the same for all.
    pub(super) fn around(&self, cell: usize) -> impl Iterator<Item = usize> + use<> {
        let [width, height] = self.size.map(|side| side as i64);
        let (column, row) = (cell as i64 % width, cell as i64 / width);
        // Every other row is half a cell on.
        let odd = (self.first[1] + row).rem_euclid(2);
        let steps = [(-1, 0), (1, 0), (odd - 1, -1), (odd, -1), (odd - 1, 1), (odd, 1)];
        steps.into_iter().filter_map(move |(dx, dz)| {
            let (x, z) = (column + dx, row + dz);
            ((0..width).contains(&x) && (0..height).contains(&z)).then_some((z * width + x) as usize)
        })
    }

    /// Gives each cell the lowest of some places near its middle.
    fn place(&mut self, rivers: &Rivers) {
        let count = self.size[0] * self.size[1];
        let (mut xs, mut zs) = (Vec::new(), Vec::new());
        for cell in 0..count {
            let (column, row) =
                (self.first[0] + (cell % self.size[0]) as i64, self.first[1] + (cell / self.size[0]) as i64);
            let middle = [column as f64 + 0.5 * row.rem_euclid(2) as f64, row as f64 * ROW];
            for place in 0..PLACES {
                let hash = self.hash(rivers.seed.wrapping_add(place.wrapping_mul(0x9E37_79B9)), cell);
                let (right, down) = (fraction(hash), fraction(hash.wrapping_mul(0x2C1B_3C6D)));
                let off = |part: f32| f64::from(part * 2.0 - 1.0) * JITTER;
                xs.push((middle[0] + off(right)) * rivers.cell);
                zs.push((middle[1] + off(down)) * rivers.cell);
            }
        }
        let heights = rivers.heights(&xs, &zs, &mut Scratch::default());
        for cell in 0..count {
            let places = cell * PLACES as usize..(cell + 1) * PLACES as usize;
            let lowest =
                places.clone().reduce(|a, b| if heights[b] < heights[a] { b } else { a }).unwrap_or(places.start);
            self.points.push([xs[lowest], zs[lowest]]);
            self.heights.push(heights[lowest]);
        }
    }

    fn drain(&mut self, rivers: &Rivers) {
        let heights = &self.heights;
        let lower = |a: usize, b: usize| if heights[b] < heights[a] { b } else { a };
        let mut drains: Vec<Option<usize>> = (0..heights.len())
            .map(|cell| self.around(cell).filter(|other| heights[*other] < heights[cell]).reduce(lower))
            .collect();
        // Out of hollows, over the lowest neighbour behind which it goes further down.
        let is_sea = |cell: usize| rivers.sea.is_some_and(|sea| heights[cell] <= sea);
        let dig = DIG * rivers.cell as f32;
        let mut wanted: Vec<Option<(usize, usize)>> = vec![None; heights.len()];
        let hollows: Vec<usize> = (0..heights.len()).filter(|cell| drains[*cell].is_none() && !is_sea(*cell)).collect();
        for hollow in hollows {
            let over = self.around(hollow).filter_map(|over| {
                let below = |beyond: &usize| *beyond != hollow && heights[*beyond] < heights[hollow];
                Some((over, self.around(over).filter(below).reduce(lower)?))
            });
            let lowest = over.reduce(|a, b| if heights[b.0] < heights[a.0] { b } else { a });
            let Some((over, beyond)) = lowest else { continue };
            if heights[over] - heights[hollow] > dig {
                continue;
            }
            drains[hollow] = Some(over);
            // The lowest hollow decides where a neighbour leads.
            if wanted[over].is_none_or(|(other, _)| heights[hollow] < heights[other]) {
                wanted[over] = Some((hollow, beyond));
            }
        }
        let mut lowered = heights.clone();
        for (over, wanted) in wanted.into_iter().enumerate() {
            if let Some((hollow, beyond)) = wanted {
                drains[over] = Some(beyond);
                lowered[over] = heights[hollow] + (heights[beyond] - heights[hollow]) * 0.5;
            }
        }
        self.drains = drains;
        self.heights = lowered;
    }

    /// The longest way down to each cell.
    fn measure(&mut self) {
        for _ in 1..LONGEST {
            let before = self.lengths.clone();
            for (cell, into) in self.drains.iter().enumerate() {
                if let Some(into) = into {
                    self.lengths[*into] = self.lengths[*into].max((before[cell] + 1).min(LONGEST));
                }
            }
        }
    }
}
