//! What stands around in a settlement, as geometry: wells, stalls, carts and the like, and the bridges of its roads.
//!
//! The front is towards -Z, the origin on the ground.

mod bridge;
mod kit;
mod square;
mod yard;

pub(crate) use bridge::{bridge, runs, yaw};

use super::building::{BoxCollider, Surface};
use super::settle::SettlementPropKind;
use kit::Kit;

/// Geometry by material, and what one can't walk through.
#[derive(Debug)]
pub(crate) struct Furniture {
    pub(crate) surfaces: Vec<Surface>,
    pub(crate) boxes: Vec<BoxCollider>,
}

/// A thing of a kind; variants differ in their colours and details. Trees and fences, which are props, are none.
pub(crate) fn furniture(kind: SettlementPropKind, variant: u64) -> Option<Furniture> {
    use SettlementPropKind as Kind;
    let mut kit = Kit::new(variant);
    match kind {
        Kind::Well => square::well(&mut kit),
        Kind::MarketCross => square::market_cross(&mut kit),
        Kind::Stall => square::stall(&mut kit),
        Kind::Bench => square::bench(&mut kit),
        Kind::Lamp => square::lamp(&mut kit),
        Kind::Signpost => square::signpost(&mut kit),
        Kind::Haystack => yard::haystack(&mut kit),
        Kind::Cart => yard::cart(&mut kit),
        Kind::Woodpile => yard::woodpile(&mut kit),
        Kind::Tree | Kind::FruitTree | Kind::Fence => return None,
    }
    Some(kit.finish())
}
