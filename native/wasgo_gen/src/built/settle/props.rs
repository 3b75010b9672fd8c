//! What stands around in a settlement.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::path::distance;
use super::plot::Rectangle;
use super::rule::SizeClass;
use super::shaping::Shaping;
use super::streets::Street;
use crate::built::{Ground, Preset};
use crate::hash::{Chance, derive, unit};

/// The most props of a settlement.
const MAX_PROPS: usize = 2048;

/// A length of fence, in metres.
const FENCE: f64 = 2.0;

/// A kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettlementPropKind {
    /// In the middle of a green.
    Well,
    /// In the middle of a town's square.
    MarketCross,
    /// A stall of a market; its front is where it sells.
    Stall,
    /// A seat; its front is where one looks.
    Bench,
    /// A light on a post.
    Lamp,
    /// A large tree.
    Tree,
    /// A small tree of an orchard.
    FruitTree,
    /// Two metres of fence along the local X.
    Fence,
    /// Hay.
    Haystack,
    /// A cart.
    Cart,
    /// Firewood at a wall.
    Woodpile,
    /// Where a road leaves the settlement.
    Signpost,
}

impl SettlementPropKind {
    /// As in data files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::MarketCross => "market_cross",
            Self::Stall => "stall",
            Self::Bench => "bench",
            Self::Lamp => "lamp",
            Self::Tree => "tree",
            Self::FruitTree => "fruit_tree",
            Self::Fence => "fence",
            Self::Haystack => "haystack",
            Self::Cart => "cart",
            Self::Woodpile => "woodpile",
            Self::Signpost => "signpost",
        }
    }
}

/// Something in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SettlementProp {
    /// What it is.
    pub kind: SettlementPropKind,
    /// World metres, on the shaped ground.
    pub position: [f64; 3],
    /// Its turn about +Y in radians; its front is -Z.
    pub yaw: f32,
    /// Its size beside that of others of its kind.
    pub scale: f32,
}

struct Builder<'a> {
    layout: &'a Layout,
    streets: &'a [Street],
    found: Vec<SettlementProp>,
}

/// Everything around a layout's buildings, on the ground as the layout shapes it.
pub(super) fn props(ground: &(impl Ground + ?Sized), layout: &Layout, streets: &[Street]) -> Vec<SettlementProp> {
    let mut builder = Builder { layout, streets, found: Vec::new() };
    builder.square();
    builder.streets();
    for number in 0..layout.lots.len() {
        builder.yard(number);
    }
    builder.found.truncate(MAX_PROPS);
    let mut found = builder.found;
    let xs: Vec<f64> = found.iter().map(|prop| prop.position[0]).collect();
    let zs: Vec<f64> = found.iter().map(|prop| prop.position[2]).collect();
    let mut heights = vec![0.0; found.len()];
    ground.heights(&xs, &zs, &mut heights);
    let shaping = Shaping::new(std::slice::from_ref(layout), &[], layout.bounds);
    for (prop, height) in found.iter_mut().zip(heights) {
        prop.position[1] = f64::from(shaping.shape(prop.position[0], prop.position[2], height).height);
    }
    found
}

impl Builder<'_> {
    fn put(&mut self, kind: SettlementPropKind, [x, z]: [f64; 2], front: [f64; 2], scale: f32) {
        let yaw = Rectangle { center: [x, z], half: [0.0; 2], front }.yaw();
        self.found.push(SettlementProp { kind, position: [x, 0.0, z], yaw, scale });
    }

    /// Whether nothing is driven over a point.
    fn beside_streets(&self, point: [f64; 2], room: f64) -> bool {
        self.streets
            .iter()
            .all(|street| (0..street.points.len()).all(|at| distance(street.place(at), point) > street.half + room))
    }

    fn free(&self, point: [f64; 2], room: f64) -> bool {
        self.beside_streets(point, room) && self.layout.lots.iter().all(|lot| lot.building.distance(point) > room)
    }

    fn square(&mut self) {
        use SettlementPropKind::{Bench, MarketCross, Stall, Tree, Well};
        let site = self.layout.site;
        let middle = site.position;
        let size = site.size.square();
        let on = |turn: f64, far: f64| {
            let (sin, cos) = libm::sincos(turn);
            ([middle[0] + cos * far, middle[1] + sin * far], [cos, sin])
        };
        let turn = f64::from(unit(derive(site.seed, 600))) * TAU;
        let (centre, _) = on(turn, 0.0);
        self.put(if site.size == SizeClass::Town { MarketCross } else { Well }, centre, [0.0, -1.0], 1.0);
        let stalls = match site.size {
            SizeClass::Hamlet => 0,
            SizeClass::Village => 5,
            SizeClass::Town => 10,
        };
        for stall in 0..stalls {
            let (point, out) = on(turn + TAU * f64::from(stall) / f64::from(stalls), size * 0.68);
            if self.free(point, 2.4) {
                self.put(Stall, point, [-out[0], -out[1]], 1.0);
            }
        }
        for seat in 0..4 {
            let (point, out) = on(turn + 0.4 + TAU * f64::from(seat) / 4.0, size * 0.4);
            if self.free(point, 1.0) {
                self.put(Bench, point, out, 1.0);
            }
        }
        for tree in 0..3u64 {
            let (point, out) = on(turn + 0.9 + TAU * tree as f64 / 3.0, size * 0.9);
            if self.free(point, 2.0) {
                self.put(Tree, point, out, 0.9 + 0.4 * unit(derive(site.seed, 610 + tree)));
            }
        }
    }

    fn streets(&mut self) {
        use SettlementPropKind::{Lamp, Signpost};
        let site = self.layout.site;
        for street in self.streets {
            let mut passed = 0.0;
            let mut side = 1.0;
            for at in 1..street.points.len() {
                passed += distance(street.place(at - 1), street.place(at));
                let last = at + 1 == street.points.len();
                if passed < 24.0 && !last {
                    continue;
                }
                let ([x, z], [tx, tz]) = (street.place(at), street.tangent(at));
                let out = [-tz * side, tx * side];
                let edge = street.half + 0.55;
                let point = [x + out[0] * edge, z + out[1] * edge];
                let kind = if last { Signpost } else { Lamp };
                let wanted = street.main && (last || site.size != SizeClass::Hamlet);
                if wanted && self.free(point, 0.3) && distance(point, site.position) > site.size.square() {
                    self.put(kind, point, [-out[0], -out[1]], 1.0);
                }
                passed = 0.0;
                side = -side;
            }
        }
    }

    fn yard(&mut self, number: usize) {
        use SettlementPropKind::{Cart, Fence, FruitTree, Haystack, Tree, Woodpile};
        let lot = &self.layout.lots[number];
        let (area, building) = (lot.area, lot.building);
        let mut chance = Chance::new(derive(lot.seed, 40));
        let fenced = match lot.preset {
            Preset::Cottage | Preset::Farmhouse => unit(chance.next()) < 0.8,
            _ => false,
        };
        // Where the yard behind the house begins, to the front of the lot's middle.
        let [wide, deep] = area.half;
        let from_middle =
            |point: [f64; 2]| (point[0] - area.center[0]) * area.front[0] + (point[1] - area.center[1]) * area.front[1];
        let back = from_middle(building.at(0.0, -building.half[1]));
        if fenced {
            let edge = 0.3;
            let right = area.right();
            let across = ((wide - edge) * 2.0 / FENCE).floor().max(1.0);
            for piece in 0..across as u32 {
                let u = (f64::from(piece) + 0.5) / across * 2.0 - 1.0;
                let length = ((wide - edge) * 2.0 / across / FENCE) as f32;
                self.put(Fence, area.at(u * (wide - edge), edge - deep), area.front, length);
            }
            let long = back + building.half[1] * 0.6 + deep - edge;
            let pieces = (long / FENCE).floor().max(1.0);
            for piece in 0..pieces as u32 {
                let v = edge - deep + (f64::from(piece) + 0.5) / pieces * long;
                let length = (long / pieces / FENCE) as f32;
                for side in [1.0, -1.0] {
                    self.put(Fence, area.at(side * (wide - edge), v), right, length);
                }
            }
        }
        let mut thing = |builder: &mut Self, kind, room: f64, low: f32, high: f32| {
            let depth = back + deep;
            if depth < 2.0 * room + 0.5 || wide < room + 0.5 {
                return;
            }
            let across = f64::from(chance.between(-1.0, 1.0)) * (wide - room - 0.3);
            let v = -deep + room + (depth - 2.0 * room) * f64::from(chance.between(0.0, 1.0));
            let point = area.at(across, v);
            let apart = builder.found.iter().all(|other| {
                matches!(other.kind, Fence) || distance([other.position[0], other.position[2]], point) > room * 1.6
            });
            let (sin, cos) = libm::sincos(f64::from(chance.between(0.0, 1.0)) * TAU);
            let scale = chance.between(low, high);
            if apart {
                builder.put(kind, point, [cos, sin], scale);
            }
        };
        match lot.preset {
            Preset::Cottage => {
                for _ in 0..3 {
                    thing(self, FruitTree, 1.5, 0.7, 1.1);
                }
                thing(self, Tree, 2.4, 0.7, 1.0);
            }
            Preset::Farmhouse => {
                for _ in 0..4 {
                    thing(self, FruitTree, 1.5, 0.8, 1.2);
                }
                thing(self, Cart, 1.6, 1.0, 1.0);
            }
            Preset::Barn => {
                for _ in 0..3 {
                    thing(self, Haystack, 1.4, 0.8, 1.2);
                }
            }
            Preset::Church => {
                for _ in 0..2 {
                    thing(self, Tree, 2.2, 1.0, 1.3);
                }
            }
            _ => {}
        }
        if matches!(lot.preset, Preset::Cottage | Preset::Farmhouse) && unit(derive(lot.seed, 41)) < 0.6 {
            let side = if derive(lot.seed, 42).is_multiple_of(2) { 1.0 } else { -1.0 };
            let [rx, rz] = building.right();
            let point = building.at(side * (building.half[0] + 0.55), -building.half[1] * 0.3);
            self.put(Woodpile, point, [rx * side, rz * side], 1.0);
        }
    }
}
