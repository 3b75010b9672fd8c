//! Where settlements are, and which are neighbours.

use super::rule::{SettlementRule, SizeClass};
use crate::built::Ground;
use crate::built::error::{BuiltError, range};
use crate::hash::{derive, hash2, unit};
use crate::plan::MAX_WORLD;

const SALT: u64 = 7_100;

/// A rectangle of the plane, in world metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// The least x and z.
    pub min: [f64; 2],
    /// The greatest x and z.
    pub max: [f64; 2],
}

impl Area {
    /// The longest side of an area that may be asked for, in metres.
    pub const MAX_SIDE: f64 = 8192.0;

    pub(super) fn check(&self) -> Result<(), BuiltError> {
        for axis in [0, 1] {
            range(|| "area.min".into(), self.min[axis], -MAX_WORLD, MAX_WORLD)?;
            range(|| "area.max".into(), self.max[axis], self.min[axis], self.min[axis] + Self::MAX_SIDE)?;
        }
        Ok(())
    }

    /// Larger by some metres on all sides.
    #[must_use]
    pub fn grown(&self, by: f64) -> Self {
        Self { min: self.min.map(|value| value - by), max: self.max.map(|value| value + by) }
    }

    /// Whether a point is in it.
    #[must_use]
    pub fn holds(&self, [x, z]: [f64; 2]) -> bool {
        (self.min[0]..=self.max[0]).contains(&x) && (self.min[1]..=self.max[1]).contains(&z)
    }

    /// Whether it has a point in common with another.
    #[must_use]
    pub fn touches(&self, other: &Self) -> bool {
        (0..2).all(|axis| self.min[axis] <= other.max[axis] && other.min[axis] <= self.max[axis])
    }

    /// The least area around points.
    pub(super) fn around(points: impl Iterator<Item = [f64; 2]>) -> Self {
        let none = Self { min: [f64::MAX; 2], max: [f64::MIN; 2] };
        points.fold(none, |area, [x, z]| Self {
            min: [area.min[0].min(x), area.min[1].min(z)],
            max: [area.max[0].max(x), area.max[1].max(z)],
        })
    }
}

/// The cell of the coarse grid that a site is in: to the south, to the east. There is one site at most in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SiteId {
    /// To the south.
    pub z: i32,
    /// To the east.
    pub x: i32,
}

/// A place where people have settled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Site {
    /// Its cell.
    pub id: SiteId,
    /// Its middle in world metres.
    pub position: [f64; 2],
    /// Height of its square, in metres.
    pub height: f32,
    /// How large it is.
    pub size: SizeClass,
    /// Everything of it is within so many metres of the middle.
    pub radius: f64,
    /// From which its layout is made.
    pub seed: u64,
}

/// The point that a cell may have, before the ground is asked.
fn candidate(rule: &SettlementRule, seed: u64, id: SiteId) -> Option<Site> {
    let hash = hash2(derive(seed, SALT), i64::from(id.x), i64::from(id.z));
    if unit(derive(hash, 1)) >= rule.density {
        return None;
    }
    let jitter = |salt| f64::from(unit(derive(hash, salt)));
    let position = [(f64::from(id.x) + jitter(2)) * rule.cell, (f64::from(id.z) + jitter(3)) * rule.cell];
    let mut left = unit(derive(hash, 4)) * rule.sizes.iter().sum::<f32>();
    let mut size = SizeClass::Hamlet;
    for (class, weight) in [SizeClass::Hamlet, SizeClass::Village, SizeClass::Town].into_iter().zip(rule.sizes) {
        if weight > 0.0 {
            size = class;
        }
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    Some(Site { id, position, height: 0.0, size, radius: size.radius(), seed: hash })
}

fn distance([a, b]: [f64; 2], [c, d]: [f64; 2]) -> f64 {
    ((c - a) * (c - a) + (d - b) * (d - b)).sqrt()
}

/// The sites in an area, by their cells.
pub(super) fn sites(rule: &SettlementRule, seed: u64, ground: &(impl Ground + ?Sized), area: Area) -> Vec<Site> {
    let cells = |min: f64, max: f64| (min / rule.cell).floor() as i32..=(max / rule.cell).floor() as i32;
    let around = (rule.spacing / rule.cell).ceil() as i32;
    let mut found = Vec::new();
    for z in cells(area.min[1], area.max[1]) {
        for x in cells(area.min[0], area.max[0]) {
            let Some(site) = candidate(rule, seed, SiteId { z, x }) else { continue };
            if !area.holds(site.position) {
                continue;
            }
            // B. Matern's second thinning: who has the greater mark stays.
            let crowded =
                (z - around..=z + around).flat_map(|z| (x - around..=x + around).map(move |x| (z, x))).any(|(z, x)| {
                    let other = candidate(rule, seed, SiteId { z, x });
                    other.is_some_and(|other| {
                        other.id != site.id
                            && distance(other.position, site.position) < rule.spacing
                            && (other.seed, other.id) > (site.seed, site.id)
                    })
                });
            if !crowded {
                found.push(site);
            }
        }
    }
    suitable(rule, ground, found)
}

/// Points around a middle where the ground is judged, as shares of the radius.
const PROBES: [[f64; 2]; 17] = [
    [0.0, 0.0],
    [0.35, 0.0],
    [0.25, 0.25],
    [0.0, 0.35],
    [-0.25, 0.25],
    [-0.35, 0.0],
    [-0.25, -0.25],
    [0.0, -0.35],
    [0.25, -0.25],
    [0.8, 0.0],
    [0.57, 0.57],
    [0.0, 0.8],
    [-0.57, 0.57],
    [-0.8, 0.0],
    [-0.57, -0.57],
    [0.0, -0.8],
    [0.57, -0.57],
];

/// How many of the outer points may be under water.
const WET: usize = 2;

/// Those where the ground is neither too steep nor under water nor too high.
fn suitable(rule: &SettlementRule, ground: &(impl Ground + ?Sized), mut sites: Vec<Site>) -> Vec<Site> {
    let (mut xs, mut zs) = (Vec::with_capacity(sites.len() * 17), Vec::with_capacity(sites.len() * 17));
    for site in &sites {
        for [x, z] in PROBES {
            xs.push(site.position[0] + x * site.radius);
            zs.push(site.position[1] + z * site.radius);
        }
    }
    let mut heights = vec![0.0; xs.len()];
    ground.heights(&xs, &zs, &mut heights);
    let mut groups = heights.chunks_exact(PROBES.len());
    sites.retain_mut(|site| {
        let Some(heights) = groups.next() else { return false };
        let dry = |height: &f32| rule.water_level.is_none_or(|level| *height > level + 0.6);
        let inner = &heights[..9];
        site.height = inner.iter().sum::<f32>() / 9.0;
        let mut slope = 0.0;
        for (height, [x, z]) in heights.iter().zip(PROBES).skip(1) {
            slope += (height - heights[0]).abs() / ((x * x + z * z).sqrt() * site.radius) as f32;
        }
        slope / 16.0 <= rule.slope
            && inner.iter().all(dry)
            && heights[9..].iter().filter(|height| !dry(height)).count() <= WET
            && (rule.heights[0]..=rule.heights[1]).contains(&site.height)
    });
    sites
}

/// The pairs of sites that are neighbours: no other site is in the circle over their distance, and they are in reach.
/// Right for pairs of which all sites within their distance are known. K. Gabriel and R. Sokal, "A New Statistical
/// Approach to Geographic Variation Analysis", 1969.
pub(super) fn links(rule: &SettlementRule, sites: &[Site]) -> Vec<[usize; 2]> {
    let mut links = Vec::new();
    for (a, one) in sites.iter().enumerate() {
        for (b, other) in sites.iter().enumerate().skip(a + 1) {
            let apart = distance(one.position, other.position);
            if apart > rule.reach {
                continue;
            }
            let middle = [(one.position[0] + other.position[0]) / 2.0, (one.position[1] + other.position[1]) / 2.0];
            let alone = sites
                .iter()
                .enumerate()
                .all(|(c, third)| c == a || c == b || distance(third.position, middle) >= apart / 2.0);
            if alone {
                links.push([a, b]);
            }
        }
    }
    links
}
