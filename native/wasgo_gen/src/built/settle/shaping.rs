//! What roads and pads do to the ground.

use super::layout::{Layout, Pad};
use super::plot::Rectangle;
use super::road::Road;
use super::sites::Area;

/// Beside a road, and so far, nothing is scattered, in metres.
const VERGE: f64 = 1.5;

/// How far beside the way to a door the ground is shaped, in metres.
const PATH_MARGIN: f64 = 2.5;

/// Side of the cells in which pieces are found, in metres.
const CELL: f64 = 8.0;

/// How far off a point may be taken to be, in metres.
const ROUNDING: f64 = 1e-3;

/// The most cells along a side.
const MAX_CELLS: f64 = 256.0;

/// A point of the ground, shaped.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shaped {
    /// Its height, in metres.
    pub height: f32,
    /// How much of a road it is: 1 on it, 0 off it, in between at its edge.
    pub road_weight: f32,
    /// How much of a pad it is: 1 on it, 0 beyond its margin.
    pub pad_weight: f32,
    /// Whether nothing may be scattered here: on roads, squares and lots.
    pub clear: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Segment {
    from: [f64; 2],
    along: [f64; 2],
    length: f64,
    height: f64,
    slope: f64,
    half: f64,
    margin: f64,
}

impl Segment {
    fn new(from: [f64; 2], to: [f64; 2], heights: [f64; 2], half: f64, margin: f64) -> Option<Self> {
        let length = super::path::distance(from, to);
        (length > 1e-6).then(|| Self {
            from,
            along: [(to[0] - from[0]) / length, (to[1] - from[1]) / length],
            length,
            height: heights[0],
            slope: (heights[1] - heights[0]) / length,
            half,
            margin,
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Segment(Segment),
    Pad(Pad),
    Clear(Rectangle),
}

/// The area that a rectangle and so many metres around it are in.
fn around(rectangle: &Rectangle, by: f64) -> Area {
    Area::around(rectangle.corners().into_iter()).grown(by)
}

/// What shapes the ground of an area. The result for a point is the same whichever area that holds it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Shaping {
    area: Area,
    /// In the order of settlements and roads: sums must not depend on who asks.
    pieces: Vec<Piece>,
    columns: usize,
    cell: [f64; 2],
    /// Where the pieces of each cell begin in `found`, row by row; and where those of the last end.
    starts: Vec<u32>,
    found: Vec<u32>,
}

impl Shaping {
    /// From settlements and roads in the order of their sites.
    pub(super) fn new(layouts: &[Layout], roads: &[Road], area: Area) -> Self {
        let mut found = Vec::new();
        let mut add = |piece: Piece, around: Area| found.push((piece, around));
        for layout in layouts {
            for pad in &layout.pads {
                add(Piece::Pad(*pad), around(&pad.area, f64::from(pad.margin)));
            }
            for lot in &layout.lots {
                add(Piece::Clear(lot.area), around(&lot.area, 0.0));
                let [from, to] = lot.path.map(|[x, _, z]| [x, z]);
                let half = lot.path_width() / 2.0;
                if let Some(segment) = Segment::new(from, to, lot.path.map(|[_, y, _]| y), half, PATH_MARGIN) {
                    add(Piece::Segment(segment), Area::around([from, to].into_iter()).grown(half + PATH_MARGIN));
                }
            }
        }
        for road in layouts.iter().flat_map(|layout| &layout.streets).chain(roads) {
            for pair in road.points.windows(2) {
                let (from, to) = (pair[0].place(), pair[1].place());
                if pair[0].bridge || pair[1].bridge {
                    continue;
                }
                let heights = [pair[0].height, pair[1].height].map(f64::from);
                let (half, margin) = (f64::from(road.width) / 2.0, f64::from(road.margin));
                if let Some(segment) = Segment::new(from, to, heights, half, margin) {
                    add(Piece::Segment(segment), Area::around([from, to].into_iter()).grown(half + margin));
                }
            }
        }
        Self::of_pieces(found, area)
    }

    /// Of some pads alone.
    #[must_use]
    pub fn of_pads(pads: impl IntoIterator<Item = Pad>, area: Area) -> Self {
        let piece = |pad: Pad| (Piece::Pad(pad), around(&pad.area, f64::from(pad.margin)));
        Self::of_pieces(pads.into_iter().map(piece).collect(), area)
    }

    fn of_pieces(mut found: Vec<(Piece, Area)>, area: Area) -> Self {
        found.retain(|(_, around)| around.touches(&area));
        let (pieces, bounds): (Vec<Piece>, Vec<Area>) = found.into_iter().unzip();
        let size = [0, 1].map(|axis| (area.max[axis] - area.min[axis]).max(1e-3));
        let counts = size.map(|side| (side / CELL).ceil().clamp(1.0, MAX_CELLS));
        let cell = [size[0] / counts[0], size[1] / counts[1]];
        let (columns, rows) = (counts[0] as usize, counts[1] as usize);
        let span = |around: &Area, axis: usize, count: usize| {
            // A little more on each side, as rounding may put a point into the next cell.
            let at = |value: f64| ((value - area.min[axis]) / cell[axis]).floor().clamp(0.0, count as f64 - 1.0);
            at(around.min[axis] - ROUNDING) as usize..=at(around.max[axis] + ROUNDING) as usize
        };
        let of_piece = |around: &Area| {
            let across = span(around, 0, columns);
            span(around, 1, rows).flat_map(move |row| across.clone().map(move |column| row * columns + column))
        };
        let mut starts = vec![0u32; columns * rows + 1];
        for at in bounds.iter().flat_map(of_piece) {
            starts[at + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let (mut ends, mut found) = (starts.clone(), vec![0; starts[columns * rows] as usize]);
        for (number, around) in (0u32..).zip(&bounds) {
            for at in of_piece(around) {
                found[ends[at] as usize] = number;
                ends[at] += 1;
            }
        }
        Self { area, pieces, columns, cell, starts, found }
    }

    /// Whether nothing here shapes anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Shapes a point (world metres) of the area whose own height is known. A point outside the area stays as it is.
    #[must_use]
    pub fn shape(&self, x: f64, z: f64, height: f32) -> Shaped {
        let plain = Shaped { height, ..Shaped::default() };
        if self.pieces.is_empty() || !self.area.holds([x, z]) {
            return plain;
        }
        let column = (((x - self.area.min[0]) / self.cell[0]) as usize).min(self.columns - 1);
        let rows = (self.starts.len() - 1) / self.columns;
        let row = (((z - self.area.min[1]) / self.cell[1]) as usize).min(rows - 1);
        let at = row * self.columns + column;
        let near = &self.found[self.starts[at] as usize..self.starts[at + 1] as usize];
        if near.is_empty() {
            return plain;
        }
        let mut sum = Sum::default();
        for number in near {
            match &self.pieces[*number as usize] {
                Piece::Segment(segment) => sum.road(segment, [x, z]),
                Piece::Pad(pad) => {
                    let far = pad.distance([x, z]);
                    let weight = falloff(far, f64::from(pad.margin));
                    sum.add(weight, far, f64::from(pad.height));
                    sum.pad = sum.pad.max(weight);
                    sum.clear |= far <= 0.0;
                }
                Piece::Clear(area) => sum.clear |= area.distance([x, z]) <= 0.0,
            }
        }
        if sum.share <= 0.0 {
            return Shaped { clear: sum.clear, ..plain };
        }
        let wanted = sum.heights / sum.share;
        let height = f64::from(height) + (wanted - f64::from(height)) * sum.most;
        Shaped { height: height as f32, road_weight: sum.road as f32, pad_weight: sum.pad as f32, clear: sum.clear }
    }

    /// Shapes many points: `heights` become the new ones, `road_weights` is filled. All slices have the same length; what
    /// is longer than the shortest stays.
    pub fn shape_all(&self, xs: &[f64], zs: &[f64], heights: &mut [f32], road_weights: &mut [f32]) {
        for (((x, z), height), road) in xs.iter().zip(zs).zip(heights).zip(road_weights) {
            let shaped = self.shape(*x, *z, *height);
            (*height, *road) = (shaped.height, shaped.road_weight);
        }
    }
}

/// From 1 at 0 to 0 at `margin`, level at both ends.
fn falloff(far: f64, margin: f64) -> f64 {
    let share = 1.0 - (far / margin).clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}

/// What the pieces around a point want, weighted by how near they are.
#[derive(Default)]
struct Sum {
    share: f64,
    heights: f64,
    most: f64,
    road: f64,
    pad: f64,
    clear: bool,
}

impl Sum {
    fn add(&mut self, weight: f64, far: f64, height: f64) {
        // The nearest counts by far the most, so that a road stays a road beside a pad.
        let share = weight * weight / (0.05 + far * far);
        self.share += share;
        self.heights += share * height;
        self.most = self.most.max(weight);
    }

    fn road(&mut self, segment: &Segment, [x, z]: [f64; 2]) {
        let (dx, dz) = (x - segment.from[0], z - segment.from[1]);
        let along = dx * segment.along[0] + dz * segment.along[1];
        let on = along.clamp(0.0, segment.length);
        let (ox, oz) = (dx - segment.along[0] * on, dz - segment.along[1] * on);
        let reach = segment.half + segment.margin;
        if ox * ox + oz * oz >= reach * reach {
            return;
        }
        let far = (ox * ox + oz * oz).sqrt();
        let beside = (far - segment.half).max(0.0);
        let weight = falloff(beside, segment.margin);
        if weight <= 0.0 {
            return;
        }
        // The slope goes on a little beyond the ends, so that joints are smooth.
        let reach = 2.0;
        let height = segment.height + segment.slope * along.clamp(-reach, segment.length + reach);
        // Of the segments of a road, the one that a point is beside counts.
        self.add(weight, beside + (along - on).abs(), height);
        // The visible road has a soft edge of half a metre.
        self.road = self.road.max(falloff((far - segment.half + 0.25).max(0.0), 0.5));
        self.clear |= far <= segment.half + VERGE;
    }
}
