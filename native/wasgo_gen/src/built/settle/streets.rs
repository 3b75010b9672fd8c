//! The streets of a settlement: its share of the roads to its neighbours, ways out for those without, and lanes.

use std::f64::consts::TAU;

use super::path::{distance, even, smooth};
use super::road::{Road, along, square};
use super::route::route;
use super::rule::{SettlementRule, SizeClass};
use super::sites::Site;
use crate::built::Ground;
use crate::hash::{derive, unit};

/// How far apart lanes leave a street on the same side, in metres.
const BETWEEN_LANES: f64 = 46.0;

/// The least distance of a lane from other streets, in metres.
const APART: f64 = 30.0;

/// One step of a lane, in metres.
const LANE_STEP: f64 = 6.0;

/// The middle line of a street within a settlement, from its middle outwards.
#[derive(Clone, Debug)]
pub(super) struct Street {
    /// x, z and height.
    pub(super) points: Vec<[f64; 3]>,
    pub(super) half: f64,
    pub(super) main: bool,
}

impl Street {
    fn new(points: impl Iterator<Item = [f64; 3]>, width: f32, main: bool) -> Self {
        Self { points: points.collect(), half: f64::from(width) / 2.0, main }
    }

    pub(super) fn place(&self, at: usize) -> [f64; 2] {
        [self.points[at][0], self.points[at][1]]
    }

    /// The direction of the street at a point: of length 1.
    pub(super) fn tangent(&self, at: usize) -> [f64; 2] {
        let (a, b) = (self.place(at.saturating_sub(1)), self.place((at + 1).min(self.points.len() - 1)));
        let length = distance(a, b).max(1e-6);
        [(b[0] - a[0]) / length, (b[1] - a[1]) / length]
    }
}

/// The part of a road that is within a site, from the middle outwards.
pub(super) fn within(road: &Road, site: &Site) -> Option<Street> {
    let inside = |point: &[f64; 3]| distance([point[0], point[1]], site.position) <= site.radius;
    let points: Vec<[f64; 3]> = road.points.iter().map(|p| [p.x, p.z, f64::from(p.height)]).collect();
    let street = if road.ends[0] == site.id {
        Street::new(points.into_iter().take_while(inside), road.width, true)
    } else {
        Street::new(points.into_iter().rev().take_while(inside), road.width, true)
    };
    (street.points.len() >= 2).then_some(street)
}

/// Adds ways out and lanes to the streets, and returns them as roads.
pub(super) fn streets(
    rule: &SettlementRule,
    ground: &(impl Ground + ?Sized),
    site: &Site,
    all: &mut Vec<Street>,
) -> Vec<Road> {
    let mut roads = Vec::new();
    let mut add = |road: Road, main: bool, all: &mut Vec<Street>| {
        let points = road.points.iter().map(|p| [p.x, p.z, f64::from(p.height)]);
        all.push(Street::new(points, road.width, main));
        roads.push(road);
    };
    let wanted = if site.size == SizeClass::Hamlet { 2 } else { 3 };
    for number in 0..4u64 {
        if all.len() >= wanted {
            break;
        }
        if let Some(road) = way_out(rule, ground, site, all, number) {
            add(road, true, all);
        }
    }
    let reach = match site.size {
        SizeClass::Hamlet => 0.0,
        SizeClass::Village => 75.0,
        SizeClass::Town => 115.0,
    };
    if reach > 0.0 {
        let mains = all.len();
        for main in 0..mains {
            for start in starts(site, &all[main], main) {
                let line = lane(rule, ground, site, all, main, start, reach);
                if line.len() < 5 {
                    continue;
                }
                let height = all[main].points[start.at][2] as f32;
                let line = even(&line, super::path::STEP);
                let ends = [site.id; 2];
                if let Some(road) = along(rule, ground, &line, [Some((height, 0.0)), None], rule.roads.lane, ends)
                    && road.points.iter().all(|point| !point.bridge)
                {
                    add(road, false, all);
                }
            }
        }
    }
    roads
}

/// A street from the middle to the rim, where there is most room between the others.
fn way_out(
    rule: &SettlementRule,
    ground: &(impl Ground + ?Sized),
    site: &Site,
    all: &[Street],
    number: u64,
) -> Option<Road> {
    let turn = f64::from(unit(derive(site.seed, 20 + number))) * TAU;
    let free = |direction: [f64; 2]| {
        all.iter()
            .map(|street| {
                let end = street.place(street.points.len() - 1);
                let (dx, dz) = (end[0] - site.position[0], end[1] - site.position[1]);
                -(dx * direction[0] + dz * direction[1]) / (dx * dx + dz * dz).sqrt().max(1.0)
            })
            .fold(1.0, f64::min)
    };
    let mut best: Option<(f64, [f64; 2])> = None;
    for part in 0..12 {
        let (sin, cos) = libm::sincos(turn + TAU * f64::from(part) / 12.0);
        let room = free([cos, sin]);
        if best.is_none_or(|(most, _)| room > most + 1e-9) {
            best = Some((room, [cos, sin]));
        }
    }
    let (_, [cos, sin]) = best?;
    let length = site.radius * 0.85;
    let end = [site.position[0] + cos * length, site.position[1] + sin * length];
    let points = route(rule, ground, site.position, end, &[])?;
    let road = along(rule, ground, &smooth(&points), [square(site), None], rule.roads.width, [site.id; 2])?;
    road.points.iter().all(|point| !point.bridge).then_some(road)
}

/// Where a lane leaves a street: the number of the point, and to which side.
#[derive(Clone, Copy)]
struct Start {
    at: usize,
    side: f64,
}

fn starts(site: &Site, street: &Street, number: usize) -> Vec<Start> {
    let mut starts = Vec::new();
    let mut passed = 0.0;
    let shift = |salt: u64| f64::from(unit(derive(site.seed, 100 + 10 * number as u64 + salt)));
    let mut next = [0u64, 1].map(|side| site.size.square() + 16.0 + BETWEEN_LANES * 0.6 * shift(side));
    for at in 1..street.points.len().saturating_sub(4) {
        passed += distance(street.place(at - 1), street.place(at));
        for (side, next) in next.iter_mut().enumerate() {
            if passed >= *next {
                *next += BETWEEN_LANES;
                starts.push(Start { at, side: if side == 0 { 1.0 } else { -1.0 } });
            }
        }
    }
    starts
}

/// A lane that leaves a street at a right angle and then bends with the ground, as far as there is room.
fn lane(
    rule: &SettlementRule,
    ground: &(impl Ground + ?Sized),
    site: &Site,
    all: &[Street],
    main: usize,
    start: Start,
    reach: f64,
) -> Vec<[f64; 2]> {
    let street = &all[main];
    let [tx, tz] = street.tangent(start.at);
    let mut direction = [-tz * start.side, tx * start.side];
    let mut line = vec![street.place(start.at)];
    let mut height = street.points[start.at][2];
    let steps = (reach * (0.6 + 0.4 * f64::from(unit(derive(site.seed, 300 + start.at as u64)))) / LANE_STEP) as usize;
    for step in 0..steps {
        let last = line[line.len() - 1];
        let turns: &[f64] = if step < 2 { &[0.0] } else { &[0.0, 0.16, -0.16] };
        let ahead: Vec<([f64; 2], [f64; 2])> = turns
            .iter()
            .map(|turn| {
                let (sin, cos) = libm::sincos(*turn);
                let turned = [direction[0] * cos - direction[1] * sin, direction[0] * sin + direction[1] * cos];
                ([last[0] + turned[0] * LANE_STEP, last[1] + turned[1] * LANE_STEP], turned)
            })
            .collect();
        let (xs, zs): (Vec<f64>, Vec<f64>) = ahead.iter().map(|(point, _)| (point[0], point[1])).unzip();
        let mut heights = vec![0.0; xs.len()];
        ground.heights(&xs, &zs, &mut heights);
        let mut best: Option<(f64, usize)> = None;
        for (number, found) in heights.iter().enumerate() {
            let rise = (f64::from(*found) - height).abs() + if number > 0 { 0.04 } else { 0.0 };
            if best.is_none_or(|(least, _)| rise < least) {
                best = Some((rise, number));
            }
        }
        let Some((rise, chosen)) = best else { break };
        let (point, turned) = ahead[chosen];
        let steep = step > 1 && rise / LANE_STEP > f64::from(rule.roads.max_grade) * 1.4;
        let wet = rule.water_level.is_some_and(|level| heights[chosen] < level + 0.8);
        let far = distance(point, site.position) > site.radius - 14.0;
        let near = all.iter().enumerate().any(|(other, street)| {
            let least = if other == main { APART.min(LANE_STEP * (step + 1) as f64 * 0.8) } else { APART };
            street.points.iter().any(|p| distance([p[0], p[1]], point) < least)
        });
        if steep || wet || far || near || distance(point, site.position) < site.size.square() + 14.0 {
            break;
        }
        line.push(point);
        direction = turned;
        height = f64::from(heights[chosen]);
    }
    line
}
