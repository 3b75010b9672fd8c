//! Roads and roofs in pictures of plans.

use super::{Picture, View};
use crate::built::{Area, Preset, Rectangle};
use crate::generator::Generator;
use crate::plan::ObjectSpec;
use crate::shaped::{cover, tile_at, tiles};

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
    pub(super) fn pave_row(&self, view: &View, x: &[f64], z: &[f64], colors: &mut [f32]) {
        let (mut heights, mut covers) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        self.shape(x, z, view.level(), &mut heights, |number, shaped| covers[number] = cover(shaped));
        self.pave(&covers, colors);
    }

    /// Draws roofs, and the objects of the plan.
    pub(super) fn draw_built(&self, view: &View, picture: &mut Picture) {
        if view.level() > 0 {
            return;
        }
        let corner = view.center.map(|at| at - view.metres * 0.5);
        let area = Area { min: corner, max: view.center.map(|at| at + view.metres * 0.5) };
        let scale = f64::from(view.size) / view.metres;
        for id in tiles(&area) {
            let Some(tile) = self.tile(id) else { break };
            let lots = tile.region.layouts.iter().flat_map(|layout| &layout.lots);
            for lot in lots.filter(|lot| tile_at(lot.position[0], lot.position[2]) == id) {
                picture.roof(&lot.building, corner, scale, roof(Some(lot.preset)));
            }
        }
        for object in &self.plan().objects {
            let center = [object.x, object.z];
            match (&object.what, object.what.half()) {
                (ObjectSpec::Prop(_), _) | (_, None) => {
                    let at = [0, 1].map(|axis: usize| (center[axis] - corner[axis]) * scale);
                    picture.dot(at, f64::from(object.scale) * scale, [40, 84, 30]);
                }
                (_, Some(half)) => {
                    let (sin, cos) = libm::sincos(f64::from(object.yaw));
                    let half = half.map(|half| f64::from(half * object.scale));
                    picture.roof(&Rectangle { center, half, front: [-sin, -cos] }, corner, scale, roof(None));
                }
            }
        }
    }
}

/// What roofs look like from above, in sRGB.
fn roof(preset: Option<Preset>) -> [f64; 3] {
    match preset {
        Some(Preset::Church | Preset::Hall) => [104.0, 106.0, 112.0],
        Some(Preset::Barn) => [122.0, 98.0, 72.0],
        Some(Preset::Farmhouse) => [150.0, 118.0, 72.0],
        Some(_) => [164.0, 86.0, 62.0],
        None => [128.0, 120.0, 112.0],
    }
}

impl Picture {
    /// A roof of two slopes, one of them in the sun, with an edge that sets it off. `corner` is the world position of the picture's
    /// upper left, `scale` the pixels of a metre.
    fn roof(&mut self, area: &Rectangle, corner: [f64; 2], scale: f64, color: [f64; 3]) {
        let last = i64::from(self.size) - 1;
        let reach = (area.half[0] + area.half[1]) * scale + 1.0;
        let middle = [0, 1].map(|axis: usize| (area.center[axis] - corner[axis]) * scale);
        let range = |at: f64| (((at - reach).floor() as i64).max(0), ((at + reach).ceil() as i64).min(last));
        let ((left, right), (top, bottom)) = (range(middle[0]), range(middle[1]));
        let [rx, rz] = area.right();
        for row in top..=bottom {
            for column in left..=right {
                let world = [column, row].map(|at| (at as f64 + 0.5) / scale);
                let (dx, dz) = (world[0] + corner[0] - area.center[0], world[1] + corner[1] - area.center[1]);
                let (u, v) = (dx * rx + dz * rz, dx * area.front[0] + dz * area.front[1]);
                let inside = (area.half[0] - u.abs()).min(area.half[1] - v.abs());
                if inside < 0.0 {
                    continue;
                }
                // The ridge runs along the longer side; the light comes from the north-west.
                let slope = if area.half[0] >= area.half[1] {
                    [area.front[0] * v, area.front[1] * v]
                } else {
                    [rx * u, rz * u]
                };
                let lit = if slope[0] + slope[1] < 0.0 { 1.12 } else { 0.78 };
                let edge = if inside * scale < 1.0 && scale > 0.8 { 0.6 } else { 1.0 };
                let at = (row as usize * self.size as usize + column as usize) * 3;
                let pixel = color.map(|value| (value * lit * edge).clamp(0.0, 255.0) as u8);
                self.pixels[at..at + 3].copy_from_slice(&pixel);
            }
        }
    }
}
