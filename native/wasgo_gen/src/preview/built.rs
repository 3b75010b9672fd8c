//! Roads and houses in pictures of plans.

use super::{Canvas, View};
use crate::built::{Area, Preset, Rectangle};
use crate::generator::Generator;
use crate::plan::ObjectSpec;
use crate::shaped::{TileId, cover, tile_at, tiles};

/// The widest view in which settlements are drawn, in metres: in others a road would be a part of a pixel.
const WIDEST: f64 = 8192.0;

impl View {
    /// The level of detail whose ground is drawn.
    pub(super) fn level(&self) -> u8 {
        if self.metres <= WIDEST { 0 } else { u8::MAX }
    }
}

impl Generator {
    /// Puts roads into a row of colours.
    pub(super) fn pave_row(&self, level: u8, x: &[f64], z: &[f64], colors: &mut [f32]) {
        let (mut heights, mut covers) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        self.shape(x, z, level, &mut heights, |number, shaped| covers[number] = cover(shaped));
        self.pave(&covers, colors);
    }
}

/// The buildings that are still to be drawn, tile by tile.
pub(super) struct Built {
    tiles: Vec<TileId>,
    next: usize,
    below: Option<f64>,
}

/// A house as it is drawn.
struct House {
    area: Rectangle,
    foot: f64,
    /// To the eaves, and to the ridge.
    heights: [f64; 2],
    /// Linear.
    roof: [f32; 3],
}

impl Built {
    /// Nothing where nothing is built, where the view is too wide to see it, or where it stands on what is no height field.
    pub(super) fn new(generator: &Generator, view: &View) -> Option<Self> {
        let plan = generator.plan();
        let some = plan.settlements.is_some() || !plan.objects.is_empty();
        if !some || plan.volume.is_some() || view.level() > 0 {
            return None;
        }
        // At an angle more is seen to the north and the south.
        let (sin, _) = libm::sincos(f64::from(view.angle).to_radians());
        let half = [view.metres * 0.5, view.metres * 0.5 / sin];
        let area = Area {
            min: [0, 1].map(|axis: usize| view.center[axis] - half[axis]),
            max: [0, 1].map(|axis: usize| view.center[axis] + half[axis]),
        };
        Some(Self { tiles: tiles(&area).collect(), next: 0, below: view.below })
    }

    /// Draws those of a tile; whether that was the last one. From north to south, so that what is nearer comes later.
    pub(super) fn step(&mut self, generator: &Generator, canvas: &mut Canvas) -> bool {
        let Some(id) = self.tiles.get(self.next).copied() else { return true };
        self.next += 1;
        let mut houses = Vec::new();
        if let Some(tile) = generator.tile(id) {
            let lots = tile.region.layouts.iter().flat_map(|layout| &layout.lots);
            for lot in lots.filter(|lot| tile_at(lot.position[0], lot.position[2]) == id) {
                let (heights, roof) = looks(lot.preset);
                houses.push(House { area: lot.building, foot: lot.position[1], heights, roof });
            }
        }
        for object in generator.plan().objects.iter().filter(|object| tile_at(object.x, object.z) == id) {
            let scale = f64::from(object.scale);
            let mut ground = [0.0];
            generator.shape_at([object.x, object.z], &mut ground);
            let foot = object.y.map_or(f64::from(ground[0]), f64::from);
            let (sin, cos) = libm::sincos(f64::from(object.yaw));
            let front = [-sin, -cos];
            let half = object.what.half().map(|half| half.map(|half| f64::from(half) * scale));
            match (&object.what, half) {
                (ObjectSpec::Prop(_), _) | (_, None) => {
                    canvas.thing([object.x, foot, object.z], [scale, scale * 2.0], [0.03, 0.1, 0.02]);
                }
                (what, Some(half)) => {
                    let heights = if matches!(what, ObjectSpec::Building(_)) { [4.0, 7.0] } else { [3.0, 3.0] };
                    let area = Rectangle { center: [object.x, object.z], half, front };
                    let heights = heights.map(|height| height * scale);
                    houses.push(House { area, foot, heights, roof: [0.22, 0.2, 0.17] });
                }
            }
        }
        houses.retain(|house| self.below.is_none_or(|below| house.foot < below));
        houses.sort_by(|a, b| a.area.center[1].total_cmp(&b.area.center[1]));
        for house in &houses {
            canvas.house(house);
        }
        self.next == self.tiles.len()
    }
}

/// How high a building is to the eaves and to the ridge, about, and what its roof looks like.
fn looks(preset: Preset) -> ([f64; 2], [f32; 3]) {
    let tiles = [0.37, 0.09, 0.048];
    match preset {
        Preset::Church => ([8.0, 14.0], [0.14, 0.145, 0.16]),
        Preset::Hall => ([8.0, 13.0], [0.14, 0.145, 0.16]),
        Preset::Barn => ([4.5, 8.5], [0.2, 0.125, 0.065]),
        Preset::Farmhouse => ([5.0, 9.0], [0.3, 0.18, 0.065]),
        Preset::Townhouse | Preset::Shop => ([8.0, 12.5], tiles),
        Preset::Tower => ([12.0, 15.0], [0.14, 0.145, 0.16]),
        _ => ([3.0, 6.5], tiles),
    }
}

impl Canvas {
    /// Walls under a roof of two slopes, lit from the north-west, or from the side that is seen.
    fn house(&mut self, house: &House) {
        let House { area, foot, heights: [eaves, ridge], roof } = house;
        let wide = area.half[0] >= area.half[1];
        let [long, across] = if wide { area.half } else { [area.half[1], area.half[0]] };
        // A point at shares of the half length and the half width, at a height.
        let at = |u: f64, v: f64, y: f64| {
            let [x, z] = if wide { area.at(u * long, v * across) } else { area.at(v * across, u * long) };
            [x, foot + y, z]
        };
        let lit = |color: [f32; 3], by: f64| color.map(|value| value * by as f32);
        let wall = [0.5, 0.43, 0.33];
        let (e, r) = (*eaves, *ridge);
        let mut faces: Vec<(Vec<[f64; 3]>, [f32; 3])> = Vec::new();
        for side in [1.0, -1.0] {
            let out = |a: [f64; 3]| a[0] - area.center[0] + a[2] - area.center[1];
            let (toward_v, toward_u) = (out(at(0.0, side, 0.0)), out(at(side, 0.0, 0.0)));
            let bright = |toward: f64| if toward < 0.0 { 1.15 } else { 0.75 };
            let ends = [at(-1.0, side, 0.0), at(1.0, side, 0.0), at(1.0, side, e), at(-1.0, side, e)];
            faces.push((ends.to_vec(), lit(wall, bright(toward_v))));
            let gable =
                [at(side, -1.0, 0.0), at(side, 1.0, 0.0), at(side, 1.0, e), at(side, 0.0, r), at(side, -1.0, e)];
            faces.push((gable.to_vec(), lit(wall, bright(toward_u) * 0.9)));
            let slope = [at(-1.05, side * 1.1, e), at(1.05, side * 1.1, e), at(1.05, 0.0, r), at(-1.05, 0.0, r)];
            faces.push((slope.to_vec(), lit(*roof, bright(toward_v))));
        }
        // Those that are seen from behind are hidden by the others; the farthest first, and roofs over walls.
        let depth = |face: &[[f64; 3]]| {
            face.iter().map(|point| self.camera.project(*point)[2]).sum::<f64>() / face.len() as f64
        };
        let mut order: Vec<(f64, usize)> = faces.iter().enumerate().map(|(n, (face, _))| (depth(face), n)).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, number) in order {
            let (face, color) = &faces[number];
            self.polygon(face, *color);
        }
    }

    /// A convex polygon; hidden where something nearer was drawn.
    fn polygon(&mut self, points: &[[f64; 3]], color: [f32; 3]) {
        let seen: Vec<[f64; 3]> = points.iter().map(|point| self.camera.project(*point)).collect();
        let last = self.camera.size as f64 - 1.0;
        let range = |axis: usize| {
            let low = seen.iter().map(|point| point[axis]).fold(f64::MAX, f64::min);
            let high = seen.iter().map(|point| point[axis]).fold(f64::MIN, f64::max);
            (low.floor().max(0.0), high.ceil().min(last))
        };
        let ((left, right), (top, bottom)) = (range(0), range(1));
        if left > right || top > bottom {
            return;
        }
        // What it stands on is about as far away.
        let nearest = seen.iter().map(|point| point[2]).fold(f64::MAX, f64::min) - 3.0 * self.camera.step - 1.0;
        for row in top as usize..=bottom as usize {
            for column in left as usize..=right as usize {
                let (x, y) = (column as f64 + 0.5, row as f64 + 0.5);
                let side = |n: usize| {
                    let (a, b) = (seen[n], seen[(n + 1) % seen.len()]);
                    (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])
                };
                let (mut over, mut under) = (false, false);
                for n in 0..seen.len() {
                    over |= side(n) > 0.0;
                    under |= side(n) < 0.0;
                }
                let pixel = row * self.camera.size + column;
                if (over && under) || self.depths.get(pixel).is_some_and(|known| nearest > f64::from(*known)) {
                    continue;
                }
                self.put(column, row, color);
            }
        }
    }
}
