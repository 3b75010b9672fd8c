//! What people build: houses from a shape grammar, dungeons and rooms from tile sets, settlements, and roads that
//! follow the ground.
//!
//! [`building()`] makes one house from a footprint and a [`Grammar`] that is data; [`dungeon()`] and [`interior()`]
//! fill a grid from a [`TileSet`] that is data; [`Settlements`] says where on an endless plane villages are, how they
//! are laid out, which roads join them and how all of it shapes the ground ([`Shaping`]).
//!
//! Everything is a function of the rule, the seed and the [`Ground`]. Whoever asks for a part of the plane gets the
//! same bits as everyone else who asks for a part with the same thing in it.

mod building;
mod data;
mod elements;
mod error;
mod expand;
mod facade;
mod footprint;
pub(crate) mod furniture;
mod grammar;
mod presets;
mod roof;
mod settle;
mod solid;
mod tiles;

pub(crate) use building::building_lod;
pub use building::{BoxCollider, Building, BuildingLod, BuildingSpec, Entrance, Style, Surface, building};
pub use error::BuiltError;
pub use footprint::Footprint;
pub use grammar::{
    Axis, Choice, DoorRule, Element, Faces, Grammar, MAX_DEPTH, MAX_RULES, MAX_SHAPES, MAX_STEPS, MAX_TRIANGLES,
    Material, Paint, Part, RoofKind, RoofRule, Size, Step, Test, WindowRule,
};
pub use presets::{Preset, grammar};
pub use settle::{
    Area, Layout, Lot, Pad, Rectangle, Region, Road, RoadPoint, RoadRule, SettlementProp, SettlementPropKind,
    SettlementRule, Settlements, Shaped, Shaping, Site, SiteId, SizeClass,
};
pub use tiles::{
    Border, Fitting, Fixed, Interior, Light, MAX_ATTEMPTS, MAX_CELLS, MAX_SOCKETS, MAX_TILES, Placed, Socket, Tile,
    TileGrid, TileLook, TileScene, TileSet, Tiles, dungeon, dungeon_tiles, interior, interior_tiles, tile_scene,
};

/// The ground before anything is built on it.
///
/// It must be pure: the same point has the same height whoever asks, and however many are asked at once.
pub trait Ground {
    /// The heights in metres of the points (`xs[i]`, `zs[i]`) in world metres. All three slices have the same length.
    fn heights(&self, xs: &[f64], zs: &[f64], out: &mut [f32]);
}
