//! What to generate: plain data, as it is stored. What it may be is checked where a [`Generator`](crate::Generator) is made of it.

mod check;
mod error;
mod kind;
mod object;
mod preset;
mod script;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use error::{Fault, PlanError};
pub use kind::ScatterKind;
pub(crate) use object::built;
pub use object::{DungeonSpec, MAX_OBJECT_CELLS, MAX_OBJECTS, Object, ObjectPad, ObjectSpec, TileStyle};
pub use script::{
    GeneratorRule, MAX_CHUNK_FUEL, MAX_GENERATORS, MAX_PARAMETER_TEXT, MAX_PARAMETERS, MAX_PLACE_FUEL, MAX_SCRIPTS,
    ScriptSource, ScriptValue,
};
pub(crate) use script::{place_fuel, wrong_parameter};

use crate::built::SettlementRule;
use crate::field::{Node, NodeId};
use crate::props::Variation;

/// The version of the form in which plans are stored, and of what is made of them: the same plan of the same version is the same world.
pub const VERSION: u32 = 1;

/// Points of the world must be within this many metres of the origin on both axes (about 1,049 km). Beyond it a world
/// position in f32, which is what most engines draw with, steps by 6 cm and more.
pub const MAX_WORLD: f64 = 1_048_576.0;

/// The most instances that a chunk may hold, and the most places that its scatter rules may try: 8 MiB of table.
pub const MAX_INSTANCES: usize = 262_144;

/// The most scatter rules of a plan.
pub const MAX_RULES: usize = 32;

/// The most triangles that the finest levels of all props of a plan may have together: a few hundred trees, some 300 MB of vertices.
pub const MAX_PROP_TRIANGLES: u64 = 1_000_000;

/// The most layers of a plan's ground.
pub const MAX_LAYERS: usize = 32;

/// The most nodes of a plan.
pub const MAX_NODES: usize = 4096;

/// The coarsest level of detail: chunks of it are 2^12 times as wide as those of level 0.
pub const MAX_LEVEL: u8 = 12;

/// Heights that a plan may speak of, and that instances may have: -16,384..=16,384 m.
pub const MAX_HEIGHT: f32 = 16_384.0;

/// A world: with a chunk's coordinates and level it fixes every byte of the chunk.
///
/// ```
/// use wasgo_gen::Plan;
/// let plan = Plan::new(42);
/// assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
/// let error = Plan::from_json(r#"{"version": 1, "seed": 42, "chunk": {"samples": 1}}"#).unwrap_err();
/// assert_eq!(error.to_string(), "chunk.samples is 1, allowed: 2 to 257");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`VERSION`].
    pub version: u32,
    /// Plans that differ in their seed only make different worlds of the same kind.
    pub seed: u64,
    /// Size and resolution of chunks.
    #[serde(default)]
    pub chunk: ChunkShape,
    /// What fields are made of, by name.
    #[serde(default)]
    pub nodes: BTreeMap<NodeId, Node>,
    /// The ground as a height field. Without it the world has none.
    #[serde(default)]
    pub terrain: Option<Terrain>,
    /// Height of the water of rivers, in metres, -16,384 where there is none: a field, [`Node::Rivers`](crate::field::Node::Rivers) that tells of
    /// its water. Without it there is none to be drawn.
    #[serde(default)]
    pub rivers: Option<NodeId>,
    /// What is solid, in space: caves, overhangs, floating rocks. Without it the world has no volumes.
    #[serde(default)]
    pub volume: Option<Volume>,
    /// How moist the ground is, 0..=1: told to scripts. Without it 0.5.
    #[serde(default)]
    pub moisture: Option<NodeId>,
    /// What the ground looks like: the first layer lies everywhere, each covers those before. At most [`MAX_LAYERS`].
    #[serde(default)]
    pub ground: Vec<Layer>,
    /// How much lighter (above 0) or darker the ground is at a place: a colour is multiplied with 1 plus it.
    #[serde(default)]
    pub shade: Option<NodeId>,
    /// What stands on it: at most [`MAX_RULES`] rules.
    #[serde(default)]
    pub scatter: Vec<ScatterRule>,
    /// The scripts that fields and generators call, by name: at most [`MAX_SCRIPTS`].
    #[serde(default)]
    pub scripts: BTreeMap<String, ScriptSource>,
    /// What scripts make, chunk by chunk: at most [`MAX_GENERATORS`].
    #[serde(default)]
    pub generators: Vec<GeneratorRule>,
    /// Where people have settled: villages with their buildings, and roads, which shape the terrain. Without it nowhere.
    #[serde(default)]
    pub settlements: Option<SettlementRule>,
    /// Things at places of their own: at most [`MAX_OBJECTS`].
    #[serde(default)]
    pub objects: Vec<Object>,
}

/// Size and resolution of chunks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChunkShape {
    /// Side of a chunk of level 0 in metres: 1..=4096. Those of the next level are twice as wide. Default 64.
    pub size: f32,
    /// Samples along a side of a chunk, both borders included: 2..=257. Default 65, one each metre at level 0.
    pub samples: u32,
    /// The coarsest level: 0..=[`MAX_LEVEL`]. Default 6.
    pub levels: u8,
}

impl Default for ChunkShape {
    fn default() -> Self {
        Self { size: 64.0, samples: 65, levels: 6 }
    }
}

/// A height field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terrain {
    /// Metres; cut off at [`MAX_HEIGHT`].
    pub height: NodeId,
    /// Height of the water in metres, where there is any.
    #[serde(default)]
    pub water: Option<f32>,
}

/// What is solid, chunk by chunk: cubes of the levels that the plan's chunks have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Above 0 is solid. The nearer it is to a distance in metres, the better the surface.
    pub density: NodeId,
    /// Cells along a side of a chunk: 8..=64. Default 32.
    #[serde(default = "thirty_two")]
    pub cells: u32,
    /// Side of a cell of level 0, in metres: 0.01..=64. Default 1.
    #[serde(default = "whole")]
    pub spacing: f32,
}

/// A kind of ground.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// A name for people.
    #[serde(default)]
    pub name: String,
    /// Linear red, green, blue, 0..=1.
    pub color: [f32; 3],
    /// How much it covers what lies below it: a field, of which what is below 0 and above 1 is cut off. The first layer needs none.
    #[serde(default)]
    pub by: Option<NodeId>,
}

/// What can stand on the ground with few triangles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PropKind {
    /// A broadleaf tree, about 5 m high.
    Tree,
    /// A conifer, about 7 m high.
    Conifer,
    /// A rock, about 1.5 m wide.
    Rock,
    /// A bush with flowers, about 1.2 m wide.
    Bush,
}

impl PropKind {
    /// All kinds, in the order in which [`Plan::new`] has them.
    pub const ALL: [Self; 4] = [Self::Tree, Self::Conifer, Self::Rock, Self::Bush];

    /// The name in lower case, as in the names of meshes: `tree`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Conifer => "conifer",
            Self::Rock => "rock",
            Self::Bush => "bush",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Where one kind of thing stands. Ranges are (least, greatest), both included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScatterRule {
    /// A name by which later rules keep away from it.
    #[serde(default)]
    pub name: String,
    /// What to place.
    pub kind: ScatterKind,
    /// By how much the variants differ, besides what their seeds make of them. What it says of materials, textures and blend
    /// shapes has nothing to change here.
    #[serde(default)]
    pub variation: Option<Variation>,
    /// How many different meshes of it: 1..=16.
    #[serde(default = "four")]
    pub variants: u32,
    /// Least distance between two things of this rule, measured flat, in metres: 0.25..=1024.
    /// All rules of a plan together may try [`MAX_INSTANCES`] places in a chunk. Default 6.
    #[serde(default = "six")]
    pub spacing: f32,
    /// The share of places that are taken: 0..=1. Default 1.
    #[serde(default = "whole")]
    pub density: f32,
    /// A field with which the density is multiplied, place by place.
    #[serde(default)]
    pub by: Option<NodeId>,
    /// Slopes (1 - y of the normal) on which it stands: 0..=1.
    #[serde(default = "any_slope")]
    pub slope: (f32, f32),
    /// Heights in metres at which it stands: -16,384..=16,384.
    #[serde(default = "any_height")]
    pub height: (f32, f32),
    /// Size, as a factor: 0.01..=100.
    #[serde(default = "one_size")]
    pub scale: (f32, f32),
    /// The coarsest level of detail whose chunks have it. Default 0.
    #[serde(default)]
    pub level: u8,
    /// Rules before this one from whose things it keeps away.
    #[serde(default)]
    pub avoid: Vec<Avoid>,
}

/// A distance to keep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Avoid {
    /// The name of a rule before.
    pub rule: String,
    /// Metres, measured flat: 0..=256.
    pub distance: f32,
}

const fn thirty_two() -> u32 {
    32
}
const fn four() -> u32 {
    4
}
const fn six() -> f32 {
    6.0
}
const fn whole() -> f32 {
    1.0
}
const fn any_slope() -> (f32, f32) {
    (0.0, 1.0)
}
const fn any_height() -> (f32, f32) {
    (-MAX_HEIGHT, MAX_HEIGHT)
}
const fn one_size() -> (f32, f32) {
    (1.0, 1.0)
}

impl Plan {
    /// A world with nothing in it.
    #[must_use]
    pub fn empty(seed: u64) -> Self {
        Self {
            version: VERSION,
            seed,
            chunk: ChunkShape::default(),
            nodes: BTreeMap::new(),
            terrain: None,
            rivers: None,
            volume: None,
            moisture: None,
            ground: Vec::new(),
            shade: None,
            scatter: Vec::new(),
            scripts: BTreeMap::new(),
            generators: Vec::new(),
            settlements: None,
            objects: Vec::new(),
        }
    }

    /// Reads what [`Plan::to_json`] wrote, or somebody else: everything is checked.
    ///
    /// # Errors
    ///
    /// The first fault, with the place in the plan.
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        let plan: Self = PlanError::read(text)?;
        plan.validate()?;
        Ok(plan)
    }

    /// As text: the same plan gives the same text.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Maps of text keys and finite numbers: what could fail isn't in a plan. Of others JSON says null, which can't be read back.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The digest of the text.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        blake3::hash(self.to_json().as_bytes()).into()
    }

    /// How many different meshes the scatter rules place: what [`Instance::kind`](crate::Instance::kind) counts.
    /// First all variants of the first rule, then those of the second, and so on.
    #[must_use]
    pub fn kinds(&self) -> usize {
        self.scatter.iter().map(|rule| rule.variants as usize).fold(0, usize::saturating_add)
    }
}
