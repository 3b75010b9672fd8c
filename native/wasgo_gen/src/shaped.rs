//! The ground as people have changed it: roads and pads of settlements, and pads of objects.
//!
//! Settlements are known by tiles of the plane, each a pure function of the plan. They change the ground of chunks up to a level:
//! coarser chunks are too wide, and their samples too far apart, for roads to be worth finding. Pads of objects are few, and are there
//! at all levels.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::built::{Area, Ground, Pad, Rectangle, Region, SettlementRule, Settlements, Shaped, Shaping};
use crate::cache::Cache;
use crate::chunk::GenError;
use crate::field::program::Scratch;
use crate::field::range::Range;
use crate::generator::Generator;
use crate::plan::{Fault, MAX_HEIGHT, Object, Plan, PlanError};
use crate::script::{fail, job};

/// Side of a tile, in metres.
pub(crate) const TILE: f64 = 1024.0;

/// The widest chunks that have settlements, in metres.
const MAX_WIDTH: f64 = 4096.0;

/// How deep roads are cut into the land, or heaped up on it, hardly ever more, in metres.
const DEEPEST: f32 = 60.0;

/// Tiles that are kept: some megabytes each in the densest country.
const KEPT: usize = 48;

/// Tiles whose pads are kept.
const KEPT_PADS: usize = 256;

/// Which tile: to the east, to the south.
pub(crate) type TileId = [i32; 2];

/// All that is in a tile.
#[derive(Debug)]
pub(crate) struct Tile {
    /// What touches it.
    pub(crate) region: Region,
    shaping: Shaping,
}

/// What changes the ground of a plan.
#[derive(Debug)]
pub(crate) struct Changes {
    settled: Option<Settled>,
    /// Numbers of the objects whose pads touch a tile, by tile.
    padded: BTreeMap<TileId, Vec<usize>>,
    pads: Cache<TileId, Shaping>,
}

/// A tile with what changes its ground: what people have settled there, and pads.
type Known = (TileId, Option<Arc<Tile>>, Option<Arc<Shaping>>);

#[derive(Debug)]
struct Settled {
    settlements: Settlements,
    /// The coarsest level that has them.
    level: u8,
    color: [f32; 3],
    tiles: Cache<TileId, Tile>,
}

/// The ground as fields say, for who asks often and for little.
struct Bare<'a> {
    generator: &'a Generator,
    scratch: RefCell<Scratch>,
}

impl Ground for Bare<'_> {
    fn heights(&self, xs: &[f64], zs: &[f64], out: &mut [f32]) {
        self.generator.bare_heights(xs, zs, out, &mut self.scratch.borrow_mut());
    }
}

/// The tile that a point is in.
pub(crate) fn tile_at(x: f64, z: f64) -> TileId {
    [x, z].map(|at| (at / TILE).floor() as i32)
}

/// The tiles that have a point in common with an area.
pub(crate) fn tiles(area: &Area) -> impl Iterator<Item = TileId> + use<> {
    let [left, top] = tile_at(area.min[0], area.min[1]);
    let [right, bottom] = tile_at(area.max[0], area.max[1]);
    (top..=bottom).flat_map(move |z| (left..=right).map(move |x| [x, z]))
}

/// The square of a tile.
pub(crate) fn area([x, z]: TileId) -> Area {
    let min = [x, z].map(|at| f64::from(at) * TILE);
    Area { min, max: min.map(|at| at + TILE) }
}

impl Changes {
    /// Those of a plan that was checked.
    pub(crate) fn new(plan: &Plan) -> Result<Self, PlanError> {
        let settled = plan.settlements.as_ref().map(|rule| Settled::new(plan, rule)).transpose()?;
        let mut padded: BTreeMap<TileId, Vec<usize>> = BTreeMap::new();
        for (number, object) in plan.objects.iter().enumerate() {
            let Some(pad) = pad(object, 0.0) else { continue };
            let [w, d] = pad.area.half;
            let reach = (w * w + d * d).sqrt() + f64::from(pad.margin) + 1.0;
            let around = Area { min: pad.area.center, max: pad.area.center }.grown(reach);
            for tile in tiles(&around) {
                padded.entry(tile).or_default().push(number);
            }
        }
        Ok(Self { settled, padded, pads: Cache::new(KEPT_PADS) })
    }

    /// Whether nothing changes the ground anywhere.
    pub(crate) fn nothing(&self) -> bool {
        self.settled.is_none() && self.padded.is_empty()
    }

    /// Whether chunks of a level have settlements.
    pub(crate) fn settled_at(&self, level: u8) -> bool {
        self.settled.as_ref().is_some_and(|settled| level <= settled.level)
    }

    /// Whether the ground of a chunk of one level is another one than that of a chunk of the other.
    pub(crate) fn differ(&self, level: u8, other: u8) -> bool {
        self.settled_at(level) != self.settled_at(other)
    }
}

impl Settled {
    fn new(plan: &Plan, rule: &SettlementRule) -> Result<Self, PlanError> {
        let water = plan.terrain.as_ref().and_then(|terrain| terrain.water);
        let rule = SettlementRule { water_level: rule.water_level.or(water), ..rule.clone() };
        let mut level = rule.level.min(plan.chunk.levels);
        while level > 0 && f64::from(plan.chunk.size) * f64::from(1u32 << level) > MAX_WIDTH {
            level -= 1;
        }
        let color = rule.roads.color;
        let wrong = |error| crate::plan::built("settlements", &error);
        let settlements = Settlements::new(rule, plan.seed).map_err(wrong)?;
        Ok(Self { settlements, level, color, tiles: Cache::new(KEPT) })
    }
}

impl Generator {
    /// Bounds of heights before anything was built, made wide enough for what roads and pads may have done.
    pub(crate) fn changed(&self, range: Range) -> Range {
        if self.changes.nothing() {
            return range;
        }
        let pads = self.plan().objects.iter().filter(|object| object.pad.is_some()).filter_map(|object| object.y);
        let around = Range::new(range.low - DEEPEST, range.high + DEEPEST);
        pads.fold(around, |range, y| range.hull(Range::point(y)))
    }

    /// What is in a tile. It takes some milliseconds for one that wasn't asked for lately.
    pub(crate) fn tile(&self, tile: TileId) -> Option<Arc<Tile>> {
        let settled = self.changes.settled.as_ref()?;
        let make = || {
            let bare = Bare { generator: self, scratch: RefCell::default() };
            let area = area(tile);
            // Beyond the edge of the world nobody has settled.
            let nothing = Region { area, layouts: Vec::new(), roads: Vec::new() };
            // Scripts that are asked for heights are asked for this tile alone, and what came of a failure isn't kept.
            let region = job(|| settled.settlements.region(&bare, area).unwrap_or(nothing))?;
            let shaping = region.shaping(area);
            Ok(Tile { region, shaping })
        };
        settled.tiles.get(&tile, make, |_| 1).map_err(fail).ok()
    }

    /// The pads of objects in a tile. Their heights are those that the fields say, or their objects'.
    fn pads(&self, tile: TileId) -> Option<Arc<Shaping>> {
        let numbers = self.changes.padded.get(&tile)?;
        let make = || {
            job(|| {
                let bare = Bare { generator: self, scratch: RefCell::default() };
                let objects: Vec<&Object> = numbers.iter().map(|number| &self.plan().objects[*number]).collect();
                let (x, z): (Vec<f64>, Vec<f64>) = objects.iter().map(|object| (object.x, object.z)).unzip();
                let mut heights = vec![0.0; objects.len()];
                bare.heights(&x, &z, &mut heights);
                let pads = objects.into_iter().zip(heights).filter_map(|(object, height)| pad(object, height));
                Shaping::of_pads(pads, area(tile))
            })
        };
        self.changes.pads.get(&tile, make, |_| 1).map_err(fail).ok()
    }

    /// Changes heights that the fields said for places to those of a chunk of a level, and tells of each place where anything is.
    pub(crate) fn shape(
        &self,
        x: &[f64],
        z: &[f64],
        level: u8,
        heights: &mut [f32],
        mut each: impl FnMut(usize, &Shaped),
    ) {
        if self.changes.nothing() {
            return;
        }
        let settled = self.changes.settled_at(level);
        // The tiles of these places: few, and asked for again and again.
        let mut known: Vec<Known> = Vec::new();
        for (number, ((x, z), height)) in x.iter().zip(z).zip(heights).enumerate() {
            let at = tile_at(*x, *z);
            let mut all = Shaped { height: *height, ..Shaped::default() };
            let found = known.iter().rposition(|(tile, ..)| *tile == at).unwrap_or_else(|| {
                known.push((at, if settled { self.tile(at) } else { None }, self.pads(at)));
                known.len() - 1
            });
            let (_, tile, pads) = &known[found];
            if let Some(tile) = tile {
                all = tile.shaping.shape(*x, *z, all.height);
            }
            if let Some(pads) = pads {
                let pad = pads.shape(*x, *z, all.height);
                all.clear |= pad.clear;
                all.height = pad.height;
            }
            *height = all.height.clamp(-MAX_HEIGHT, MAX_HEIGHT);
            if all != (Shaped { height: *height, ..Shaped::default() }) {
                each(number, &all);
            }
        }
    }

    /// Colours of the ground with roads and squares in them: `covers` says how much of each it is.
    pub(crate) fn pave(&self, covers: &[f32], colors: &mut [f32]) {
        let Some(settled) = &self.changes.settled else { return };
        for (cover, color) in covers.iter().zip(colors.chunks_exact_mut(4)) {
            for (value, of_road) in color.iter_mut().zip(settled.color) {
                *value += (of_road - *value) * cover;
            }
        }
    }

    /// The settlements and roads that touch an area of at most [`Area::MAX_SIDE`]: none when the plan has none.
    ///
    /// # Errors
    ///
    /// An area that is not finite, out of the world or too large; a script of the plan that fails.
    pub fn settlements(&self, area: Area) -> Result<Region, GenError> {
        let Some(settled) = &self.changes.settled else {
            return Ok(Region { area, layouts: Vec::new(), roads: Vec::new() });
        };
        let bare = Bare { generator: self, scratch: RefCell::default() };
        let found = job(|| settled.settlements.region(&bare, area))?;
        found.map_err(|error| match crate::plan::built("area", &error) {
            PlanError { fault: fault @ Fault::OutOfRange { .. }, .. } => {
                PlanError { place: "area".into(), fault }.into()
            }
            other => other.into(),
        })
    }
}

/// How much of a road or a trodden place somewhere is, for its colour.
pub(crate) fn cover(shaped: &Shaped) -> f32 {
    let trodden = shaped.pad_weight * shaped.pad_weight * 0.75;
    shaped.road_weight.max(trodden).clamp(0.0, 1.0)
}

/// The pad of an object that has one, where the ground has a height.
fn pad(object: &Object, ground: f32) -> Option<Pad> {
    let wanted = object.pad.as_ref()?;
    let half = wanted.half.map(|half| half.map(f64::from)).unwrap_or_else(|| {
        let own = object.what.half().map(|half| half.map(|half| f64::from(half * object.scale) + 1.0));
        own.unwrap_or([2.0; 2])
    });
    let (sin, cos) = libm::sincos(f64::from(object.yaw));
    let area = Rectangle { center: [object.x, object.z], half, front: [-sin, -cos] };
    Some(Pad { area, round: false, height: object.y.unwrap_or(ground), margin: wanted.margin })
}
