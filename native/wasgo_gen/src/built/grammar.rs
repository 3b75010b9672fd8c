//! A shape grammar as data: named rules, each a list of steps that turn one shape into others, until all that is left
//! are walls, windows, doors and roofs.
//!
//! Shapes are: a *plan* (a polygon on the ground), a *mass* (a plan with a height), a *face* (a rectangle of wall) and a
//! *top* (the polygon above a mass). A building begins as the plan of its footprint. The method is that of split
//! grammars: P. Mueller and others, "Procedural Modeling of Buildings", 2006.

mod check;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most rules of a grammar.
pub const MAX_RULES: usize = 256;

/// The most steps of a rule, options of a choice, parts of a split.
pub const MAX_STEPS: usize = 32;

/// How deep rules may call each other.
pub const MAX_DEPTH: usize = 24;

/// The most shapes of a building.
pub const MAX_SHAPES: usize = 4096;

/// The most triangles of a building at full detail.
pub const MAX_TRIANGLES: usize = 24_000;

/// What something is made of: one mesh of a building for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Material {
    Plaster,
    Brick,
    Stone,
    Timber,
    Plank,
    Tile,
    Slate,
    Thatch,
    Glass,
    Metal,
    Cloth,
    Earth,
    Flame,
}

impl Material {
    /// All of them, in order.
    pub const ALL: [Self; 13] = [
        Self::Plaster,
        Self::Brick,
        Self::Stone,
        Self::Timber,
        Self::Plank,
        Self::Tile,
        Self::Slate,
        Self::Thatch,
        Self::Glass,
        Self::Metal,
        Self::Cloth,
        Self::Earth,
        Self::Flame,
    ];

    /// As in data files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plaster => "plaster",
            Self::Brick => "brick",
            Self::Stone => "stone",
            Self::Timber => "timber",
            Self::Plank => "plank",
            Self::Tile => "tile",
            Self::Slate => "slate",
            Self::Thatch => "thatch",
            Self::Glass => "glass",
            Self::Metal => "metal",
            Self::Cloth => "cloth",
            Self::Earth => "earth",
            Self::Flame => "flame",
        }
    }
}

/// A material in one of some colours, chosen once for a building.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paint {
    /// The material.
    pub material: Material,
    /// Linear red, green, blue, each in 0..=1; 1 to 16 of them.
    pub colors: Vec<[f32; 3]>,
}

/// A grammar. Rules and paints are known by their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grammar {
    /// The rule for the footprint.
    pub start: String,
    /// The paints that steps name.
    pub paints: BTreeMap<String, Paint>,
    /// The steps of every rule, in order.
    pub rules: BTreeMap<String, Vec<Step>>,
}

/// A direction in which to split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// To the right on a face; west to east through a mass.
    X,
    /// Upwards.
    Y,
    /// From the front to the back of a mass.
    Z,
}

/// How long a part of a split is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// Metres: 0.01..=200.
    Fixed(f32),
    /// A share of what the fixed parts leave: 0.001..=1000, against the shares of the other parts.
    Share(f32),
    /// As many equal parts of about this many metres (0.2..=200) as fit into what the fixed parts leave. Counts as a share
    /// of 1 beside others.
    Repeat(f32),
}

/// A part of a split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// How long it is.
    pub size: Size,
    /// What to do with it.
    pub rule: String,
}

/// One of several ways on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// How likely it is beside the others: 0.001..=1000.
    pub weight: f32,
    /// What to do.
    pub rule: String,
}

/// What a shape must be like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// At least this wide: a face to the right; a plan or mass from west to east.
    Wide(f32),
    /// At least this high: a face or a mass.
    High(f32),
    /// At least this deep from front to back: a plan or a mass.
    Deep(f32),
    /// One rectangle.
    Rectangle,
}

/// The faces of a mass; those without a rule are plain wall, a top or bottom without a rule is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faces {
    /// The widest wall that looks to the front (-Z).
    pub entrance: Option<String>,
    /// The other walls that look to the front.
    pub front: Option<String>,
    /// Walls that look to the back.
    pub back: Option<String>,
    /// Walls that look to the sides.
    pub side: Option<String>,
    /// The polygon above.
    pub top: Option<String>,
}

/// The shape of a roof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoofKind {
    /// Two slopes, with the wall up to the ridge at both ends.
    Gable,
    /// A slope on every side.
    Hip,
    /// A steep slope on every side and a flat one above it.
    Mansard,
    /// Slopes to one point, for towers.
    Spire,
    /// Flat, with a low wall around.
    Flat,
    /// Flat, with battlements around.
    Battlement,
}

/// A roof on a top.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoofRule {
    /// Its shape.
    pub kind: RoofKind,
    /// Rise per metre: 0.05..=6. For flat kinds the height of the wall around, in metres.
    pub pitch: f32,
    /// How far it stands out beyond the walls: 0..=2 m.
    pub overhang: f32,
    /// Its covering.
    pub paint: String,
    /// The wall under a gable, and around a flat roof.
    pub wall: String,
    /// Chimneys: 0..=2, of which each is there with a chance of 3 in 4 after the first.
    pub chimneys: u32,
    /// What chimneys are made of.
    pub chimney: String,
    /// Dormer windows on the long slopes about every so many metres; 0 for none.
    pub dormers: f32,
}

impl Default for RoofRule {
    fn default() -> Self {
        Self {
            kind: RoofKind::Gable,
            pitch: 0.9,
            overhang: 0.45,
            paint: "roof".into(),
            wall: "wall".into(),
            chimneys: 0,
            chimney: "stone".into(),
            dormers: 0.0,
        }
    }
}

/// A window in a face.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindowRule {
    /// Metres: 0.2..=6. Narrowed to what the face has.
    pub width: f32,
    /// Metres: 0.2..=8.
    pub height: f32,
    /// Above the foot of the face: 0..=8 m.
    pub sill: f32,
    /// Panes across and up: 1..=6.
    pub panes: [u32; 2],
    /// With a round head.
    pub arch: bool,
    /// With shutters, of the paint `shutter`.
    pub shutters: bool,
    /// With a box of flowers.
    pub flowers: bool,
    /// With a balcony in front of it.
    pub balcony: bool,
}

impl Default for WindowRule {
    fn default() -> Self {
        Self {
            width: 1.0,
            height: 1.3,
            sill: 0.9,
            panes: [2, 2],
            arch: false,
            shutters: false,
            flowers: false,
            balcony: false,
        }
    }
}

/// A door in a face.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoorRule {
    /// Metres: 0.6..=8. Narrowed to what the face has.
    pub width: f32,
    /// Metres: 1.8..=8. Lowered to what the face has.
    pub height: f32,
    /// With a round head.
    pub arch: bool,
    /// Two wings.
    pub double: bool,
    /// No wings: one walks through, into the dark.
    pub open: bool,
    /// With a small roof above it.
    pub canopy: bool,
}

impl Default for DoorRule {
    fn default() -> Self {
        Self { width: 1.05, height: 2.1, arch: false, double: false, open: false, canopy: false }
    }
}

/// What a face is filled or decorated with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Element {
    /// Fills the face with wall around a window.
    Window(WindowRule),
    /// Fills the face with wall around a door.
    Door(DoorRule),
    /// Fills the face with wall around a dark opening with a round head, this many metres wide.
    Arch(f32),
    /// Timbers on the face: posts at both ends and rails at foot and head, with a brace when `true`.
    Timber(bool),
    /// A band along the foot of the face that stands out: height and depth in metres.
    Band([f32; 2]),
    /// A band along the head of the face that stands out: height and depth in metres.
    Cornice([f32; 2]),
    /// A pillar in the middle of the face, this many metres thick.
    Pillar(f32),
    /// A buttress in the middle of the face: width and depth in metres.
    Buttress([f32; 2]),
    /// A striped awning over the face, standing out by this many metres.
    Awning(f32),
    /// A sign on an arm.
    Sign,
    /// Cut stones up both ends of the face.
    Quoins,
}

/// A step of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// A plan becomes a mass of a height within the range, in metres: 0.1..=100.
    Extrude {
        /// From the least to the greatest height.
        height: [f32; 2],
        /// What to do with the mass.
        rule: String,
    },
    /// A plan, mass or top grows (or shrinks, below 0) on all sides: -20..=5 m. What would shrink to nothing is left as it is.
    Offset {
        /// Metres.
        by: f32,
        /// What to do with it.
        rule: String,
    },
    /// A face, or a mass, or a plan that is a rectangle, is cut into parts along an axis.
    Split {
        /// The axis.
        axis: Axis,
        /// The parts in order: at most [`MAX_STEPS`].
        parts: Vec<Part>,
    },
    /// A mass falls apart into its faces.
    Faces(Faces),
    /// A top gets a roof.
    Roof(RoofRule),
    /// A face or a top is filled as it is.
    Fill,
    /// Something in or on a face.
    Insert(Element),
    /// One of several rules, by chance.
    Choose(Vec<Choice>),
    /// One of two rules, by what the shape is like.
    When {
        /// What it must be like.
        test: Test,
        /// The rule if so.
        then: String,
        /// The rule if not.
        #[serde(default)]
        otherwise: Option<String>,
    },
    /// The paint of what follows here and in the rules called from here.
    Paint(String),
    /// Another rule for the same shape.
    Rule(String),
}
