//! Roads: points in even steps with heights.

use super::path::{profile, smooth};
use super::route::{Around, route};
use super::rule::SettlementRule;
use super::sites::{Area, Site, SiteId};
use crate::built::Ground;

/// A point of a road.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoadPoint {
    /// To the east, in world metres.
    pub x: f64,
    /// To the south, in world metres.
    pub z: f64,
    /// Height of the road, in metres.
    pub height: f32,
    /// Whether a bridge or a causeway carries it here: the ground is not raised to it.
    pub bridge: bool,
}

impl RoadPoint {
    /// x and z.
    #[must_use]
    pub fn place(&self) -> [f64; 2] {
        [self.x, self.z]
    }
}

/// A road, a street or a lane. From one point to the next it is straight.
#[derive(Clone, Debug, PartialEq)]
pub struct Road {
    /// The sites that it joins; the same one twice for a street within a settlement.
    pub ends: [SiteId; 2],
    /// Its middle line in steps of about 4 m.
    pub points: Vec<RoadPoint>,
    /// Its width in metres.
    pub width: f32,
    /// How far beside it the ground is shaped, in metres.
    pub margin: f32,
    /// The area that it and the ground that it shapes are in.
    pub bounds: Area,
}

/// What a road is tied to at an end: a height, and the radius around the end within which it has that height.
pub(super) type Tie = Option<(f32, f64)>;

/// The square of a site.
pub(super) fn square(site: &Site) -> Tie {
    Some((site.height, site.size.square()))
}

/// A road along a line, or nothing where that would be too steep.
pub(super) fn along(
    rule: &SettlementRule,
    ground: &(impl Ground + ?Sized),
    line: &[[f64; 2]],
    ties: [Tie; 2],
    width: f32,
    ends: [SiteId; 2],
) -> Option<Road> {
    let xs: Vec<f64> = line.iter().map(|point| point[0]).collect();
    let zs: Vec<f64> = line.iter().map(|point| point[1]).collect();
    let mut heights = vec![0.0; line.len()];
    ground.heights(&xs, &zs, &mut heights);
    let (last, water) = (line.len().checked_sub(1)?, rule.water_level);
    let wet: Vec<bool> = heights.iter().map(|height| water.is_some_and(|level| *height < level + 0.35)).collect();
    let deck = |at: usize| water.filter(|_| wet[at]).map(|level| level + rule.roads.clearance);
    let least: Vec<Option<f32>> = (0..line.len()).map(deck).collect();
    for (height, least) in heights.iter_mut().zip(&least) {
        *height = least.unwrap_or(*height);
    }
    // What is level at both ends, and the rest between.
    let level = |tie: Tie, end: usize, step: &dyn Fn(usize) -> usize| {
        let radius = tie.map_or(0.0, |(_, radius)| radius);
        (0..=last).take_while(|at| super::path::distance(line[step(*at)], line[end]) <= radius).count().max(1) - 1
    };
    let first = level(ties[0], 0, &|at| at);
    let until = last.checked_sub(level(ties[1], last, &|at| last - at))?;
    if until <= first {
        return None;
    }
    for (tie, part) in ties.into_iter().zip([0..=first, until..=last]) {
        if let Some((height, _)) = tie {
            heights[part].fill(height);
        }
    }
    let between = first..=until;
    let risen =
        profile(&line[between.clone()], &heights[between.clone()], &least[between.clone()], rule.roads.max_grade)?;
    heights[between].copy_from_slice(&risen);
    let points: Vec<RoadPoint> = (0..line.len())
        .map(|at| RoadPoint { x: line[at][0], z: line[at][1], height: heights[at], bridge: wet[at] })
        .collect();
    let margin = rule.roads.margin;
    let bounds = Area::around(line.iter().copied()).grown(f64::from(width / 2.0 + margin));
    Some(Road { ends, points, width, margin, bounds })
}

/// The road between two sites, or nothing when the ground does not allow one.
pub(super) fn between(
    rule: &SettlementRule,
    ground: &(impl Ground + ?Sized),
    sites: &[Site],
    [a, b]: [usize; 2],
) -> Option<Road> {
    let (one, other) = (sites.get(a)?, sites.get(b)?);
    // It goes around the sites between.
    let near = |site: &&Site| {
        let far = |from: [f64; 2]| super::path::distance(from, site.position);
        site.id != one.id && site.id != other.id && far(one.position).min(far(other.position)) <= rule.reach
    };
    let avoid: Vec<Around> = sites.iter().filter(near).map(|site| (site.position, site.radius + 20.0)).collect();
    let points = route(rule, ground, one.position, other.position, &avoid)?;
    along(rule, ground, &smooth(&points), [square(one), square(other)], rule.roads.width, [one.id, other.id])
}
