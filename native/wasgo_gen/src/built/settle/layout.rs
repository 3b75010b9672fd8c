//! One settlement: its square, streets, lots, and what stands around.

use super::lots;
use super::plot::Rectangle;
use super::props::{self, SettlementProp};
use super::road::Road;
use super::rule::SettlementRule;
use super::sites::{Area, Site};
use super::streets::{self, Street};
use crate::built::building::BuildingSpec;
use crate::built::{Ground, Preset};

/// A building and the ground that belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Lot {
    /// The whole lot, from the street to the end of the yard. Nothing is scattered here.
    pub area: Rectangle,
    /// Where the building stands. Its front is the middle of the lot's front.
    pub building: Rectangle,
    /// What kind of building it is.
    pub preset: Preset,
    /// What to build.
    pub spec: BuildingSpec,
    /// With which seed.
    pub seed: u64,
    /// The building's origin: world metres.
    pub position: [f64; 3],
    /// Its turn about +Y in radians.
    pub yaw: f32,
    /// The way from the street to the front of the building: world metres. The ground along it is even.
    pub path: [[f64; 3]; 2],
}

impl Lot {
    /// How wide the way to the door is, in metres.
    #[must_use]
    pub fn path_width(&self) -> f64 {
        match self.preset {
            Preset::Church | Preset::Hall | Preset::Barn => 3.0,
            _ => 1.5,
        }
    }
}

/// Ground that is made flat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pad {
    /// What is flat: the rectangle, or the circle in it.
    pub area: Rectangle,
    /// Whether it is a circle of radius `half[0]`.
    pub round: bool,
    /// The height to which the ground is brought, in metres.
    pub height: f32,
    /// How far around it the ground goes over to its own height, in metres.
    pub margin: f32,
}

impl Pad {
    /// The distance of a point from what is flat, in metres: 0 inside.
    #[must_use]
    pub fn distance(&self, point: [f64; 2]) -> f64 {
        if self.round {
            (super::path::distance(self.area.center, point) - self.area.half[0]).max(0.0)
        } else {
            self.area.distance(point)
        }
    }
}

/// A settlement.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Where it is.
    pub site: Site,
    /// Its square or green.
    pub square: Pad,
    /// Its own streets and lanes. The roads to its neighbours, which are streets too, are not among them.
    pub streets: Vec<Road>,
    /// Its buildings.
    pub lots: Vec<Lot>,
    /// The flat ground under the buildings, in their order, and that of the square as the last.
    pub pads: Vec<Pad>,
    /// Trees, fences, wells and the like.
    pub props: Vec<SettlementProp>,
    /// The area that all of it is in.
    pub bounds: Area,
}

/// How far around a building the ground is flat, and how far it goes over to its own height.
const APRON: f64 = 1.1;
const SOFT: f32 = 4.5;

/// Lays out a site. `roads` are those to its neighbours, in the order of their sites.
pub(super) fn layout(rule: &SettlementRule, ground: &(impl Ground + ?Sized), site: &Site, roads: &[&Road]) -> Layout {
    let radius = site.size.square();
    let square = Pad {
        area: Rectangle { center: site.position, half: [radius; 2], front: [0.0, -1.0] },
        round: true,
        height: site.height,
        margin: SOFT * 2.0,
    };
    let mut all: Vec<Street> = roads.iter().filter_map(|road| streets::within(road, site)).collect();
    let own = streets::streets(rule, ground, site, &mut all);
    let lots = lots::lots(rule, ground, site, &all);
    let mut pads: Vec<Pad> = lots
        .iter()
        .map(|lot| Pad { area: lot.building.grown(APRON), round: false, height: lot.position[1] as f32, margin: SOFT })
        .collect();
    pads.push(square);
    let bounds = Area::around([site.position].into_iter()).grown(site.radius + 16.0);
    let mut layout = Layout { site: *site, square, streets: own, lots, pads, props: Vec::new(), bounds };
    layout.props = props::props(ground, &layout, &all);
    layout
}
