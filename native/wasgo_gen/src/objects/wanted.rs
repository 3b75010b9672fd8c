//! What stands in a chunk, before it is made.

use std::ops::Range;
use std::sync::Arc;

use super::{MAX_CHUNK_BUILDINGS, MAX_CHUNK_OBJECTS};
use crate::built::{Area, BuildingSpec, Region, Road, SettlementPropKind, furniture};
use crate::generator::Generator;
use crate::hash::hash2;
use crate::plan::{DungeonSpec, Object, ObjectSpec};
use crate::props::PropSpec;
use crate::shaped::{self, Tile, TileId};

/// So many of each thing of settlements look different.
const VARIANTS: u64 = 4;

/// Which model.
pub(super) enum What<'a> {
    Building(&'a BuildingSpec, u64),
    Prop(&'a PropSpec, u64),
    Dungeon(&'a DungeonSpec, u64),
    Furniture(SettlementPropKind, u64),
    Bridge(&'a Road, Range<usize>),
}

/// A thing in its place.
pub(super) struct Wanted<'a> {
    pub(super) what: What<'a>,
    /// World metres.
    pub(super) position: [f64; 3],
    pub(super) yaw: f32,
    pub(super) scale: f32,
    /// Whether its height is that of the ground.
    pub(super) grounded: bool,
    pub(super) object: Option<u32>,
}

impl<'a> Wanted<'a> {
    /// An object of the plan.
    pub(super) fn object(number: u32, object: &'a Object) -> Self {
        let what = match &object.what {
            ObjectSpec::Building(spec) => What::Building(spec, object.seed),
            ObjectSpec::Prop(spec) => What::Prop(spec, object.seed),
            ObjectSpec::Dungeon(spec) => What::Dungeon(spec, object.seed),
        };
        Self {
            what,
            position: [object.x, object.y.map_or(0.0, f64::from), object.z],
            yaw: object.yaw,
            scale: object.scale,
            grounded: object.y.is_none(),
            object: Some(number),
        }
    }
}

/// The tiles that a chunk is in.
pub(super) fn tiles(generator: &Generator, [x, z]: [(f64, f64); 2]) -> Vec<(TileId, Arc<Tile>)> {
    let area = Area { min: [x.0, z.0], max: [x.1, z.1] };
    shaped::tiles(&area).filter_map(|id| Some((id, generator.tile(id)?))).collect()
}

/// The coarsest level that shows things of a kind.
fn coarsest(kind: SettlementPropKind) -> u8 {
    use SettlementPropKind as Kind;
    match kind {
        Kind::Tree | Kind::FruitTree => 3,
        Kind::Haystack | Kind::MarketCross => 2,
        Kind::Well | Kind::Stall | Kind::Fence | Kind::Cart | Kind::Lamp => 1,
        Kind::Bench | Kind::Woodpile | Kind::Signpost => 0,
    }
}

/// What has its origin in a tile, and `here`.
pub(super) fn of_tile<'a>(
    tile: TileId,
    region: &'a Region,
    level: u8,
    here: impl Fn([f64; 2]) -> bool,
    wanted: &mut Vec<Wanted<'a>>,
) {
    // A thing may be known to several tiles; it is told of by the one that it is in.
    let here = |at: [f64; 2]| here(at) && shaped::tile_at(at[0], at[1]) == tile;
    let mut buildings = wanted.iter().filter(|it| matches!(it.what, What::Building(..))).count();
    for layout in &region.layouts {
        for lot in layout.lots.iter().filter(|lot| here([lot.position[0], lot.position[2]])) {
            if buildings == MAX_CHUNK_BUILDINGS {
                break;
            }
            buildings += 1;
            let what = What::Building(&lot.spec, lot.seed);
            let (position, yaw) = (lot.position, lot.yaw);
            wanted.push(Wanted { what, position, yaw, scale: 1.0, grounded: false, object: None });
        }
        for prop in layout.props.iter().filter(|prop| here([prop.position[0], prop.position[2]])) {
            if wanted.len() >= MAX_CHUNK_OBJECTS {
                return;
            }
            if coarsest(prop.kind) < level {
                continue;
            }
            let place = [0, 2].map(|axis: usize| (prop.position[axis] * 16.0).floor() as i64);
            let variant = hash2(layout.site.seed, place[0], place[1]) % VARIANTS;
            let what = What::Furniture(prop.kind, variant);
            let (position, yaw, scale) = (prop.position, prop.yaw, prop.scale);
            wanted.push(Wanted { what, position, yaw, scale, grounded: true, object: None });
        }
    }
    for road in &region.roads {
        for run in furniture::runs(road) {
            let start = &road.points[run.start];
            if here(start.place()) && wanted.len() < MAX_CHUNK_OBJECTS {
                let position = [start.x, f64::from(start.height), start.z];
                let yaw = furniture::yaw(road, &run);
                let what = What::Bridge(road, run);
                wanted.push(Wanted { what, position, yaw, scale: 1.0, grounded: false, object: None });
            }
        }
    }
}
