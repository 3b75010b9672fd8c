//! Nodes of a plan: what a field of numbers is made of. Plain data, as it is stored.

use serde::{Deserialize, Serialize};

use crate::plan::{ScriptValue, place_fuel};

/// The name under which a plan keeps a node.
pub type NodeId = String;

/// A function of the place: in the plane (x, z), or in space where it or what it is made of says so.
///
/// Lengths are metres, frequencies 1 / metre. The ranges of parameters are in `check`; those that are not given have the defaults here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Node {
    /// The same number everywhere.
    Constant {
        /// The number.
        value: f32,
    },
    /// A coordinate of the place, in metres.
    Coordinate {
        /// Which.
        axis: Axis,
    },
    /// The terrain's height at the place, in metres: for what lies and stands on it.
    Height {},
    /// The terrain's steepness at the place: 1 - y of the normal; 0 is flat, 0.29 is 45 degrees, 1 upright.
    Slope {},
    /// Noise, of one octave or many: -1..=1; 0..=1 for `ridged` and `billow`.
    Noise {
        /// The lattice.
        #[serde(default)]
        kind: NoiseKind,
        /// How octaves are put together.
        #[serde(default)]
        fractal: Fractal,
        /// 2: in the plane (x, z); 3: in space.
        #[serde(default = "two")]
        dimensions: u8,
        /// Cells for each metre: 0.000001..=4.
        frequency: f64,
        /// Layers of detail: 1..=12; 1 without a fractal.
        #[serde(default = "one")]
        octaves: u32,
        /// How much finer each layer is than the one before: 1..=4.
        #[serde(default = "lacunarity")]
        lacunarity: f64,
        /// How much lower each layer is than the one before: 0..=1.
        #[serde(default = "half")]
        gain: f32,
        /// Fields that differ in it only are different.
        #[serde(default)]
        seed: u32,
    },
    /// Points strewn one a cell, and what is near them.
    Cellular {
        /// What is told of the nearest point.
        #[serde(default)]
        feature: Feature,
        /// 2: in the plane (x, z); 3: in space.
        #[serde(default = "two")]
        dimensions: u8,
        /// Cells for each metre: 0.000001..=4.
        frequency: f64,
        /// How far points are from the middles of their cells: 0..=1.
        #[serde(default = "whole")]
        jitter: f32,
        /// Fields that differ in it only are different.
        #[serde(default)]
        seed: u32,
    },
    /// The sum of up to 16 fields.
    Add {
        /// Which.
        of: Vec<NodeId>,
    },
    /// The product of up to 16 fields.
    Multiply {
        /// Which.
        of: Vec<NodeId>,
    },
    /// The least of up to 16 fields.
    Min {
        /// Which.
        of: Vec<NodeId>,
    },
    /// The greatest of up to 16 fields.
    Max {
        /// Which.
        of: Vec<NodeId>,
    },
    /// One field less another.
    Subtract {
        /// From which.
        a: NodeId,
        /// Which.
        b: NodeId,
    },
    /// The lesser of two fields, with the edge between them rounded.
    SmoothMin {
        /// One.
        a: NodeId,
        /// The other.
        b: NodeId,
        /// Difference below which they are blended: above 0.
        radius: f32,
    },
    /// The greater of two fields, with the edge between them rounded.
    SmoothMax {
        /// One.
        a: NodeId,
        /// The other.
        b: NodeId,
        /// Difference below which they are blended: above 0.
        radius: f32,
    },
    /// `of * scale + offset`.
    Affine {
        /// Which.
        of: NodeId,
        /// Factor.
        #[serde(default = "whole")]
        scale: f32,
        /// Added.
        #[serde(default)]
        offset: f32,
    },
    /// Without its sign.
    Abs {
        /// Of which.
        of: NodeId,
    },
    /// A power of what is above 0; 0 of the rest.
    Power {
        /// Of which.
        of: NodeId,
        /// 0.01..=100.
        exponent: f32,
    },
    /// Nothing below `low` nor above `high`.
    Clamp {
        /// Of which.
        of: NodeId,
        /// Least.
        low: f32,
        /// Greatest.
        high: f32,
    },
    /// 0 below `low`, 1 above `high`, an even curve between; the other way round when `low` is above `high`.
    Smoothstep {
        /// Of which.
        of: NodeId,
        /// Where it begins.
        low: f32,
        /// Where it ends.
        high: f32,
    },
    /// Steps.
    Terrace {
        /// Of which.
        of: NodeId,
        /// From one step to the next: above 0.
        height: f32,
        /// 0: as before; 1: sharp steps.
        #[serde(default = "sharp")]
        sharpness: f32,
    },
    /// What a smooth curve through points gives for the field's value; beyond the first and the last what those give. It never leaves the range
    /// of the two points between which it is.
    Curve {
        /// Of which.
        of: NodeId,
        /// 2 to 64 points, each value and result; values rise.
        points: Vec<[f32; 2]>,
    },
    /// `a` where `by` is 0 or less, `b` where it is 1 or more, a mixture between.
    Blend {
        /// One.
        a: NodeId,
        /// The other.
        b: NodeId,
        /// How much of the other.
        by: NodeId,
    },
    /// A field looked up elsewhere: at the place plus what other fields say.
    Warp {
        /// Which.
        of: NodeId,
        /// Fields that are added to x and z, or to x, y and z, after being multiplied with `strength`.
        by: Vec<NodeId>,
        /// Metres.
        strength: f32,
    },
    /// A field scaled, turned about y, then moved.
    Place {
        /// Which.
        of: NodeId,
        /// Factors along x, y and z: 0.001..=1000.
        #[serde(default = "ones")]
        scale: [f32; 3],
        /// Radians about +y.
        #[serde(default)]
        yaw: f32,
        /// Metres along x, y and z.
        #[serde(default)]
        offset: [f64; 3],
    },
    /// Metres inside a body, below 0 outside of it.
    Body {
        /// Which body.
        shape: Shape,
        /// Where, in metres.
        center: [f64; 3],
    },
    /// Gullies that run down the slopes of a field and branch: that field with them cut in.
    Erode {
        /// Which: heights in metres.
        of: NodeId,
        /// The widest gullies for each metre: 0.0001..=1.
        frequency: f64,
        /// Depth of the widest, in metres, where it is steep: 0..=1000.
        strength: f32,
        /// 1..=8.
        #[serde(default = "five")]
        octaves: u32,
        /// How much shallower each octave is than the one before: 0..=1.
        #[serde(default = "half")]
        gain: f32,
        /// Rise over run at which gullies are whole: 0.01..=10.
        #[serde(default = "half")]
        slope: f32,
        /// Fields that differ in it only are different.
        #[serde(default)]
        seed: u32,
    },
    /// Rivers that run down a field of heights to where it is lowest: the land with their beds in it, or what else is told of them. A river's
    /// water never rises on its way; it widens with what runs into it, and ends in the sea or in a pond.
    Rivers {
        /// Which: heights in metres, as they are at y = 0. Rivers can't be made of rivers.
        of: NodeId,
        /// Places where a river may begin or bend, for each metre: 0.0002..=0.05. Hills and valleys that are smaller than 1 / frequency are cut
        /// through.
        frequency: f64,
        /// Of the widest rivers, in metres: 0.5..=1000.
        width: f32,
        /// Of the widest rivers' beds, from bank to bottom in metres: 0..=200.
        depth: f32,
        /// How far the land beside a river is led down to it, in widths of the widest: 0.1..=32. A width and two valleys must fit into
        /// 0.9 / frequency.
        #[serde(default = "four_widths")]
        valley: f32,
        /// Height in metres at which rivers end.
        #[serde(default)]
        sea: Option<f32>,
        /// How many such places a river has come through where it is first seen: 1..=6. Fewer rivers the more.
        #[serde(default = "three")]
        springs: u32,
        /// What is told.
        #[serde(default)]
        output: RiverOutput,
        /// Fields that differ in it only are different.
        #[serde(default)]
        seed: u32,
    },
    /// How much of one climate there is where others compete with it: 0..=1, and 1 in sum over all of them.
    Climate {
        /// 0 is cold, 1 is hot.
        temperature: NodeId,
        /// 0 is dry, 1 is wet.
        moisture: NodeId,
        /// Temperature and moisture of 2 to 16 climates.
        climates: Vec<[f32; 2]>,
        /// Which of them, from 0.
        index: usize,
        /// How sharp their borders are: 1..=32.
        #[serde(default = "eight")]
        sharpness: u32,
    },
    /// What a script of a user says of the place: see [`script`](crate::script).
    Script {
        /// Which of the plan's scripts.
        script: String,
        /// What it is told besides the places.
        #[serde(default)]
        parameters: Vec<ScriptValue>,
        /// 2: in the plane (x, z); 3: in space.
        #[serde(default = "two")]
        dimensions: u8,
        /// The least that it gives. Less is an error.
        low: f32,
        /// The greatest that it gives: above `low`. More is an error.
        high: f32,
        /// Fuel that it may use for each place: 100..=1,000,000. Default 10,000, about 10 us.
        #[serde(default = "place_fuel")]
        fuel: u64,
    },
}

/// A coordinate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// East.
    X,
    /// Up.
    Y,
    /// South.
    Z,
}

/// The lattice that noise stands on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseKind {
    /// Triangles or tetrahedra: no direction is preferred.
    #[default]
    Simplex,
    /// Squares or cubes with gradients at their corners.
    Perlin,
    /// Squares or cubes with values at their corners: blobs.
    Value,
    /// A value for each square or cube, with edges.
    White,
}

/// How octaves of noise are put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fractal {
    /// One octave.
    #[default]
    None,
    /// Summed: rolling hills. -1..=1.
    Fbm,
    /// Crests where the noise crosses 0, finer ones on the flanks of coarse ones. 0..=1.
    Ridged,
    /// Round hills with sharp valleys. 0..=1.
    Billow,
}

/// What cellular noise tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Distance to the nearest point, in cells: 0 to 1.5.
    #[default]
    Distance,
    /// How much farther the next point is: 0 on the borders of cells.
    Border,
    /// A number in 0..1 for each cell.
    Value,
}

/// What rivers tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiverOutput {
    /// The land with beds and valleys in it, in metres.
    #[default]
    Ground,
    /// Height of the water in metres; under the banks it goes down with them, and is -16,384 where no river is near.
    Water,
    /// Metres to the nearest bank, below 0 in the bed; at most as far as valleys go.
    Distance,
}

/// A body for [`Node::Body`]; lengths in metres.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Shape {
    /// A ball.
    Sphere {
        /// Above 0.
        radius: f32,
    },
    /// A box.
    Box {
        /// Half its sides.
        half: [f32; 3],
        /// Radius of its edges.
        #[serde(default)]
        round: f32,
    },
    /// All points near a line from the centre to the centre plus `to`: a tunnel.
    Capsule {
        /// Where the line ends, from the centre.
        to: [f32; 3],
        /// Above 0.
        radius: f32,
    },
    /// A ring: half of it above ground is an arch.
    Torus {
        /// Which axis goes through its hole.
        #[serde(default = "axis_z")]
        axis: Axis,
        /// Of its middle line.
        radius: f32,
        /// Half its thickness.
        thickness: f32,
    },
}

const fn one() -> u32 {
    1
}
const fn two() -> u8 {
    2
}
const fn three() -> u32 {
    3
}
const fn four_widths() -> f32 {
    4.0
}
const fn five() -> u32 {
    5
}
const fn half() -> f32 {
    0.5
}
const fn whole() -> f32 {
    1.0
}
const fn eight() -> u32 {
    8
}
const fn sharp() -> f32 {
    0.8
}
const fn lacunarity() -> f64 {
    2.0
}
const fn ones() -> [f32; 3] {
    [1.0; 3]
}
const fn axis_z() -> Axis {
    Axis::Z
}

impl Node {
    /// The name of its kind, as it is stored.
    #[must_use]
    pub const fn op(&self) -> &'static str {
        match self {
            Self::Constant { .. } => "constant",
            Self::Coordinate { .. } => "coordinate",
            Self::Height {} => "height",
            Self::Slope {} => "slope",
            Self::Noise { .. } => "noise",
            Self::Cellular { .. } => "cellular",
            Self::Add { .. } => "add",
            Self::Multiply { .. } => "multiply",
            Self::Min { .. } => "min",
            Self::Max { .. } => "max",
            Self::Subtract { .. } => "subtract",
            Self::SmoothMin { .. } => "smooth_min",
            Self::SmoothMax { .. } => "smooth_max",
            Self::Affine { .. } => "affine",
            Self::Abs { .. } => "abs",
            Self::Power { .. } => "power",
            Self::Clamp { .. } => "clamp",
            Self::Smoothstep { .. } => "smoothstep",
            Self::Terrace { .. } => "terrace",
            Self::Curve { .. } => "curve",
            Self::Blend { .. } => "blend",
            Self::Warp { .. } => "warp",
            Self::Place { .. } => "place",
            Self::Body { .. } => "body",
            Self::Erode { .. } => "erode",
            Self::Rivers { .. } => "rivers",
            Self::Climate { .. } => "climate",
            Self::Script { .. } => "script",
        }
    }
}
