//! Buildings along streets and around the square.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use super::layout::Lot;
use super::path::distance;
use super::plot::Rectangle;
use super::rule::{SettlementRule, SizeClass};
use super::sites::Site;
use super::streets::Street;
use crate::built::building::BuildingSpec;
use crate::built::{Footprint, Ground, Preset};
use crate::hash::{Chance, derive, unit};

/// Side of the buckets in which streets are found, in metres.
const BUCKET: f64 = 16.0;

/// How far lots keep away from the edge of a street, in metres.
const KERB: f64 = 0.5;

/// How steep the ground under a building may be.
const STEEP: f64 = 0.24;

/// A kind of building with its sizes.
struct Kind {
    preset: Preset,
    footprint: Footprint,
    /// Width and depth.
    size: [f64; 2],
    /// From the street to the building, to the sides, and behind it.
    room: [f64; 3],
}

impl Kind {
    fn new(preset: Preset, chance: &mut Chance) -> Self {
        let mut side = |low: f32, high: f32| (chance.between(low, high) * 4.0).floor() / 4.0;
        let (width, depth, room) = match preset {
            Preset::Shop | Preset::Townhouse => (side(6.0, 8.6), side(8.0, 10.5), [1.2, 0.7, 5.0]),
            Preset::Farmhouse => (side(12.0, 15.0), side(10.0, 12.0), [5.0, 4.0, 9.0]),
            Preset::Barn => (side(12.0, 16.0), side(8.0, 9.5), [5.0, 3.0, 5.0]),
            Preset::Church => (9.0, side(22.0, 27.0), [3.5, 3.0, 5.0]),
            Preset::Hall => (side(19.0, 24.0), side(12.0, 14.5), [3.0, 3.0, 4.0]),
            _ => (side(7.5, 10.5), side(6.0, 7.5), [3.4, 2.2, 8.0]),
        };
        let footprint = match preset {
            Preset::Farmhouse => Footprint::L { width, depth, wing: width * 0.42, reach: depth * 0.4 },
            Preset::Hall => Footprint::U { width, depth, wing: width * 0.28, reach: depth * 0.22 },
            Preset::Cottage if unit(chance.next()) < 0.25 => {
                Footprint::T { width, depth: depth + 3.0, wing: 4.0, reach: 3.0 }
            }
            _ => Footprint::Rectangle { width, depth },
        };
        let depth = if let Footprint::T { depth, .. } = footprint { depth } else { depth };
        Self { preset, footprint, size: [f64::from(width), f64::from(depth)], room }
    }
}

/// The kinds of buildings at a distance from the middle (0..=1), and how likely they are.
fn kinds(size: SizeClass, share: f64) -> &'static [(Preset, f32)] {
    use Preset::{Barn, Cottage, Farmhouse, Shop, Townhouse};
    match size {
        SizeClass::Town if share < 0.4 => &[(Townhouse, 0.62), (Shop, 0.38)],
        SizeClass::Town if share < 0.7 => &[(Townhouse, 0.5), (Cottage, 0.5)],
        SizeClass::Town => &[(Cottage, 0.75), (Farmhouse, 0.15), (Barn, 0.1)],
        SizeClass::Village if share < 0.3 => &[(Shop, 0.25), (Townhouse, 0.3), (Cottage, 0.45)],
        SizeClass::Village if share < 0.7 => &[(Cottage, 0.85), (Farmhouse, 0.15)],
        SizeClass::Village => &[(Cottage, 0.5), (Farmhouse, 0.3), (Barn, 0.2)],
        SizeClass::Hamlet => &[(Cottage, 0.55), (Farmhouse, 0.27), (Barn, 0.18)],
    }
}

/// The middle lines of all streets, found by place.
struct Streets {
    buckets: BTreeMap<[i64; 2], Vec<([f64; 2], f64)>>,
}

impl Streets {
    /// Points at most 2 m apart.
    fn new(streets: &[Street]) -> Self {
        let mut buckets: BTreeMap<[i64; 2], Vec<_>> = BTreeMap::new();
        for street in streets {
            let line: Vec<[f64; 2]> = (0..street.points.len()).map(|at| street.place(at)).collect();
            for pair in line.windows(2) {
                let parts = (distance(pair[0], pair[1]) / 2.0).ceil().max(1.0);
                for part in 0..=parts as u32 {
                    let share = f64::from(part) / parts;
                    let point = [0, 1].map(|axis| pair[0][axis] + (pair[1][axis] - pair[0][axis]) * share);
                    let bucket = point.map(|value| (value / BUCKET).floor() as i64);
                    buckets.entry(bucket).or_default().push((point, street.half));
                }
            }
        }
        Self { buckets }
    }

    /// Whether a rectangle keeps away from all streets.
    fn clear(&self, area: &Rectangle) -> bool {
        let reach = (area.half[0] * area.half[0] + area.half[1] * area.half[1]).sqrt() + BUCKET;
        let cells = |axis: usize| {
            let cell = |value: f64| (value / BUCKET).floor() as i64;
            cell(area.center[axis] - reach)..=cell(area.center[axis] + reach)
        };
        cells(0)
            .flat_map(|x| cells(1).map(move |z| [x, z]))
            .filter_map(|bucket| self.buckets.get(&bucket))
            .flatten()
            .all(|(point, half)| area.distance(*point) > half + KERB)
    }
}

/// A settlement's lots under construction.
struct Builder<'a, G: Ground + ?Sized> {
    rule: &'a SettlementRule,
    ground: &'a G,
    site: &'a Site,
    streets: Streets,
    lots: Vec<Lot>,
}

/// The lots of a site, those at the square first, then from the middle outwards.
pub(super) fn lots(
    rule: &SettlementRule,
    ground: &(impl Ground + ?Sized),
    site: &Site,
    streets: &[Street],
) -> Vec<Lot> {
    let mut builder = Builder { rule, ground, site, streets: Streets::new(streets), lots: Vec::new() };
    match site.size {
        SizeClass::Hamlet => {}
        SizeClass::Village => builder.at_square(Preset::Church, 1),
        SizeClass::Town => {
            builder.at_square(Preset::Hall, 1);
            builder.at_square(Preset::Church, 2);
        }
    }
    builder.along(streets);
    builder.lots
}

impl<G: Ground + ?Sized> Builder<'_, G> {
    /// A large building that looks at the square.
    fn at_square(&mut self, preset: Preset, salt: u64) {
        const TRIES: u32 = 32;
        let seed = derive(self.site.seed, 500 + salt);
        let mut kind = Kind::new(preset, &mut Chance::new(seed));
        let ahead = kind.room[0];
        let turn = f64::from(unit(derive(seed, 1))) * TAU;
        // Farther back when there is no room at the front.
        for back in [0.0, 7.0, 15.0] {
            kind.room[0] = ahead + back;
            for part in 0..TRIES {
                let (sin, cos) = libm::sincos(turn + TAU * f64::from(part) / f64::from(TRIES));
                let edge = self.site.size.square() + 1.0;
                let foot = [self.site.position[0] + cos * edge, self.site.position[1] + sin * edge];
                if self.place(&kind, foot, [-cos, -sin], self.site.height, derive(seed, 2)) {
                    return;
                }
            }
        }
    }

    /// Houses along all streets, from the middle outwards.
    fn along(&mut self, streets: &[Street]) {
        let mut slots: Vec<(f64, usize, usize, f64)> = Vec::new();
        for (number, street) in streets.iter().enumerate() {
            for at in 1..street.points.len().saturating_sub(1) {
                let far = distance(street.place(at), self.site.position);
                for side in [1.0, -1.0] {
                    slots.push((far, number, at, side));
                }
            }
        }
        slots.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)).then(b.3.total_cmp(&a.3)));
        for (far, number, at, side) in slots {
            if self.lots.len() >= self.site.size.most_lots() {
                return;
            }
            let street = &streets[number];
            let salt = (number as u64) << 32 | (at as u64) << 1 | u64::from(side > 0.0);
            let mut chance = Chance::new(derive(self.site.seed, 1_000 + salt));
            let share = far / self.site.radius;
            let mut left = unit(chance.next());
            let list = kinds(self.site.size, share);
            let preset = list.iter().find(|(_, weight)| {
                left -= weight;
                left < 0.0
            });
            let preset = preset.or(list.last()).map_or(Preset::Cottage, |(preset, _)| *preset);
            // Gaps grow towards the rim, and are more at lanes.
            if f64::from(unit(chance.next())) < share * 0.45 - if street.main { 0.12 } else { 0.0 } {
                continue;
            }
            let kind = Kind::new(preset, &mut chance);
            let [tx, tz] = street.tangent(at);
            let out = [-tz * side, tx * side];
            let edge = street.half + KERB + 0.2;
            let place = street.place(at);
            let foot = [place[0] + out[0] * edge, place[1] + out[1] * edge];
            self.place(&kind, foot, [-out[0], -out[1]], street.points[at][2] as f32, chance.next());
        }
    }

    /// Puts a building behind the middle of its lot's front line, if there is room and the ground allows it.
    fn place(&mut self, kind: &Kind, foot: [f64; 2], front: [f64; 2], street: f32, seed: u64) -> bool {
        let [width, depth] = kind.size;
        let [ahead, beside, behind] = kind.room;
        let at = |back: f64| [foot[0] - front[0] * back, foot[1] - front[1] * back];
        let building = Rectangle { center: at(ahead + depth / 2.0), half: [width / 2.0, depth / 2.0], front };
        let long = ahead + depth + behind;
        let area = Rectangle { center: at(long / 2.0), half: [width / 2.0 + beside, long / 2.0], front };
        let rim = self.site.radius - 2.0;
        let square = self.site.size.square() + KERB;
        let fits = area.corners().iter().all(|corner| distance(*corner, self.site.position) < rim)
            && area.distance(self.site.position) > square
            && self.lots.iter().all(|lot| !lot.area.overlaps(&area))
            && self.streets.clear(&area);
        if !fits {
            return false;
        }
        let mut points = building.corners().to_vec();
        points.push(building.center);
        let (xs, zs): (Vec<f64>, Vec<f64>) = points.iter().map(|point| (point[0], point[1])).unzip();
        let mut heights = [0.0f32; 5];
        self.ground.heights(&xs, &zs, &mut heights);
        let low = heights.iter().copied().fold(f32::MAX, f32::min);
        let high = heights.iter().copied().fold(f32::MIN, f32::max);
        let dry = self.rule.water_level.is_none_or(|level| low > level + 0.5);
        if !dry || f64::from(high - low) > STEEP * (width * width + depth * depth).sqrt() {
            return false;
        }
        let mean = heights.iter().sum::<f32>() / 5.0;
        // Not far from the street, so that one can walk to the door.
        let step = ahead as f32 * 0.22 + 0.2;
        let height = mean.max(street - step).min(street + step);
        let spec = BuildingSpec {
            foundation: (1.0 + (height - low).max(0.0)).min(10.0),
            ..BuildingSpec::new(kind.preset, kind.footprint.clone())
        };
        let position = [building.center[0], f64::from(height), building.center[1]];
        let yaw = building.yaw();
        // From within the street or square to the wall.
        let (from, to) = (at(-0.6), at(ahead));
        let path = [[from[0], f64::from(street), from[1]], [to[0], f64::from(height), to[1]]];
        self.lots.push(Lot { area, building, preset: kind.preset, spec, seed, position, yaw, path });
        true
    }
}
