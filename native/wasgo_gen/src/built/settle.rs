//! Where people settle on an endless plane, how their villages are laid out, and the roads between them.
//!
//! Sites come from a coarse grid: one candidate a cell, thinned so that no two are too near, kept where the ground
//! suits. Neighbours in their Gabriel graph are joined by roads. All of it depends on a bounded neighbourhood only, so
//! that a site, a layout or a road has the same bits whoever asks.
//!
//! Asking costs some milliseconds: ask for a region of a few chunks at once ([`Settlements::region`]), keep it, and take
//! the [`Shaping`] of each chunk from it.

mod layout;
mod lots;
mod path;
mod plot;
mod props;
mod road;
mod route;
mod rule;
mod shaping;
mod sites;
mod streets;

pub use layout::{Layout, Lot, Pad};
pub use plot::Rectangle;
pub use props::{SettlementProp, SettlementPropKind};
pub use road::{Road, RoadPoint};
pub use rule::{RoadRule, SettlementRule, SizeClass};
pub use shaping::{Shaped, Shaping};
pub use sites::{Area, Site, SiteId};

use super::Ground;
use super::error::BuiltError;

/// Settlements of an endless plane.
///
/// ```
/// use wasgo_gen::built::{Area, Ground, SettlementRule, Settlements};
/// struct Flat;
/// impl Ground for Flat {
///     fn heights(&self, _xs: &[f64], _zs: &[f64], out: &mut [f32]) {
///         out.fill(10.0);
///     }
/// }
/// let settlements = Settlements::new(SettlementRule::default(), 42)?;
/// let area = Area { min: [0.0, 0.0], max: [2000.0, 2000.0] };
/// let region = settlements.region(&Flat, area)?;
/// assert!(!region.layouts.is_empty());
/// # Ok::<(), wasgo_gen::built::BuiltError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Settlements {
    rule: SettlementRule,
    seed: u64,
}

/// All that touches an area.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// The area that was asked for.
    pub area: Area,
    /// The settlements of which any part may be in the area, by site.
    pub layouts: Vec<Layout>,
    /// The roads of which any part may be in the area, by the sites that they join.
    pub roads: Vec<Road>,
}

impl Settlements {
    /// Checks a rule.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn new(rule: SettlementRule, seed: u64) -> Result<Self, BuiltError> {
        rule.validate()?;
        Ok(Self { rule, seed })
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> &SettlementRule {
        &self.rule
    }

    /// The sites whose middles are in an area, by their cells.
    ///
    /// # Errors
    ///
    /// An area that is not finite or too large.
    pub fn sites(&self, ground: &(impl Ground + ?Sized), area: Area) -> Result<Vec<Site>, BuiltError> {
        area.check()?;
        Ok(sites::sites(&self.rule, self.seed, ground, area))
    }

    /// Everything that touches an area of at most [`Area::MAX_SIDE`].
    ///
    /// # Errors
    ///
    /// An area that is not finite or too large.
    pub fn region(&self, ground: &(impl Ground + ?Sized), area: Area) -> Result<Region, BuiltError> {
        area.check()?;
        // The sites of layouts that touch the area, and one end of every road that does.
        let reach = self.rule.farthest();
        let known = sites::sites(&self.rule, self.seed, ground, area.grown(reach + self.rule.reach));
        let links = sites::links(&self.rule, &known);
        let near = |site: &Site| area.grown(site.radius).holds(site.position);
        let mut wanted = vec![false; links.len()];
        for (number, link) in links.iter().enumerate() {
            let [a, b] = link.map(|end| &known[end]);
            wanted[number] = near(a) || near(b) || route::may_touch(a, b, &area);
        }
        let mut roads: Vec<Option<Road>> = Vec::with_capacity(links.len());
        for (link, wanted) in links.iter().zip(&wanted) {
            let road = wanted.then(|| road::between(&self.rule, ground, &known, *link));
            roads.push(road.flatten());
        }
        let mut layouts = Vec::new();
        for (number, site) in known.iter().enumerate().filter(|(_, site)| near(site)) {
            let own: Vec<&Road> = links
                .iter()
                .zip(&roads)
                .filter(|(link, _)| link.contains(&number))
                .filter_map(|(_, road)| road.as_ref())
                .collect();
            layouts.push(layout::layout(&self.rule, ground, site, &own));
        }
        let roads = roads.into_iter().flatten().filter(|road| road.bounds.touches(&area)).collect();
        Ok(Region { area, layouts, roads })
    }
}

impl Region {
    /// What roads and pads do to the ground in a part of the region.
    #[must_use]
    pub fn shaping(&self, area: Area) -> Shaping {
        Shaping::new(&self.layouts, &self.roads, area)
    }
}
