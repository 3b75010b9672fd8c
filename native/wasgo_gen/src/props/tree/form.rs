//! How a kind of tree grows: plain numbers with allowed ranges.

use serde::{Deserialize, Serialize};

use super::species::Species;
use crate::props::fault::{PropError, color, count, pair, range};

/// Levels of branches that a tree may have.
pub const MAX_LEVELS: usize = 3;
/// Limbs that a tree may have, the trunk included.
pub const MAX_LIMBS: usize = 4096;

/// The outline of a crown: how long branches are from the foot of the crown to its top.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Crown {
    /// A ball.
    #[default]
    Round,
    /// Half a ball: widest below.
    Dome,
    /// A cone.
    Cone,
    /// Narrow, widest at a third.
    Flame,
    /// A flat top: all branches end at the same height.
    Umbrella,
    /// All alike.
    Even,
}

impl Crown {
    /// The length of branches at a share of the crown's height, of the longest.
    pub(super) fn length(self, share: f32) -> f32 {
        let s = share.clamp(0.0, 1.0);
        match self {
            Self::Round => {
                let s = 0.14 + 0.8 * s;
                2.0 * (s * (1.0 - s)).sqrt()
            }
            Self::Dome => 0.2 + 0.8 * (1.0 - s * s).sqrt(),
            Self::Cone => 1.0 - 0.93 * s,
            Self::Flame if s < 0.35 => 0.55 + 0.45 * s / 0.35,
            Self::Flame => 1.0 - 0.8 * (s - 0.35) / 0.65,
            Self::Umbrella | Self::Even => 1.0,
        }
    }
}

/// How leaves stand on a branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrangement {
    /// All around, facing out of the crown.
    #[default]
    Spray,
    /// In two rows, left and right.
    Rows,
    /// In a ball at the end.
    Tuft,
    /// Hanging.
    Hanging,
}

/// The trunk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trunk {
    /// Radius above the roots, of the height: 0.002..=0.2.
    pub radius: f32,
    /// Parts of its path: 2..=32.
    pub segments: u32,
    /// How much it turns from part to part, in radians: 0..=0.8.
    pub gnarl: f32,
    /// How far it leans at its foot, at most, in radians: 0..=0.8.
    pub lean: f32,
    /// How much wider it is at the ground: 0..=2.
    pub flare: f32,
    /// How much thinner the top is: 0 is as thick as the foot, 1 is as thin as a twig.
    pub taper: f32,
}

/// Branches of one level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Branches {
    /// On each limb of the level before: 1..=128.
    pub count: u32,
    /// Length, of the height for the first level, of the limb they grow on for others: 0.02..=1.5. Under an umbrella
    /// those of the first level are as long as they must be to reach its top, times this.
    pub length: f32,
    /// Where on the limb they grow, as shares of its length: 0..=1.
    pub place: [f32; 2],
    /// Angle to the limb at the first and at the last place, in radians: 0..=2.8.
    pub angle: [f32; 2],
    /// How far they bend up (above 0) or down, in about radians over their length: -4..=4.
    pub bend: f32,
    /// How much they turn from part to part, in radians: 0..=0.8.
    pub gnarl: f32,
    /// Parts of their path: 1..=16.
    pub segments: u32,
    /// How many grow at one place: 1..=16. 1 is a spiral.
    pub whorl: u32,
    /// How much they keep to the plane of the limb, left and right: 0..=1.
    pub planar: f32,
}

/// The leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Leaves {
    /// How they stand.
    pub arrangement: Arrangement,
    /// The first level of branches that has leaves: 1..=3; the last level always has.
    pub level: u32,
    /// The first place on a branch that has leaves, as a share of its length: 0..=0.95.
    pub place: f32,
    /// Length in metres for a tree of the usual height and 5,000 triangles, shortest and longest: 0.01..=10.
    pub size: [f32; 2],
    /// Width, of the length: 0.02..=2.
    pub width: f32,
    /// How far their tips sink: 0..=1.
    pub droop: f32,
    /// In the shade, linear.
    pub dark: [f32; 3],
    /// In the light, linear.
    pub light: [f32; 3],
    /// Of some leaves or blossoms, linear.
    pub accent: [f32; 3],
    /// How many of them, as a share: 0..=1.
    pub accents: f32,
    /// How full: leaf area, 0 (none) ..=1.
    pub fullness: f32,
}

/// The bark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bark {
    /// In the shade, linear.
    pub dark: [f32; 3],
    /// In the light, linear.
    pub light: [f32; 3],
    /// Of thin limbs, linear.
    pub young: [f32; 3],
    /// Dark marks across the trunk, as on birches: 0..=1.
    pub marks: f32,
}

/// How a kind of tree grows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TreeForm {
    /// Metres, least and greatest: 0.1..=100.
    pub height: [f32; 2],
    /// The outline.
    pub crown: Crown,
    /// The trunk.
    pub trunk: Trunk,
    /// Levels of branches, first those on the trunk: 1 to [`MAX_LEVELS`], at most [`MAX_LIMBS`] limbs.
    pub branches: Vec<Branches>,
    /// The leaves.
    pub leaves: Leaves,
    /// The bark.
    pub bark: Bark,
}

impl Default for TreeForm {
    fn default() -> Self {
        Species::Oak.form()
    }
}

impl Default for Trunk {
    fn default() -> Self {
        Self { radius: 0.035, segments: 8, gnarl: 0.1, lean: 0.06, flare: 0.6, taper: 0.9 }
    }
}

impl Default for Branches {
    fn default() -> Self {
        Self {
            count: 12,
            length: 0.4,
            place: [0.3, 1.0],
            angle: [1.1, 0.6],
            bend: 0.3,
            gnarl: 0.15,
            segments: 5,
            whorl: 1,
            planar: 0.0,
        }
    }
}

impl Default for Leaves {
    fn default() -> Self {
        Self {
            arrangement: Arrangement::Spray,
            level: 2,
            place: 0.1,
            size: [0.4, 0.6],
            width: 0.62,
            droop: 0.2,
            dark: [0.018, 0.060, 0.008],
            light: [0.130, 0.300, 0.035],
            accent: [0.260, 0.340, 0.040],
            accents: 0.1,
            fullness: 1.0,
        }
    }
}

impl Default for Bark {
    fn default() -> Self {
        Self { dark: [0.035, 0.022, 0.014], light: [0.17, 0.115, 0.07], young: [0.11, 0.075, 0.04], marks: 0.0 }
    }
}

impl TreeForm {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), PropError> {
        pair("tree.form.height", self.height, 0.1, 100.0)?;
        let trunk = &self.trunk;
        range("tree.form.trunk.radius", trunk.radius, 0.002, 0.2)?;
        range("tree.form.trunk.segments", trunk.segments as f32, 2.0, 32.0)?;
        range("tree.form.trunk.gnarl", trunk.gnarl, 0.0, 0.8)?;
        range("tree.form.trunk.lean", trunk.lean, 0.0, 0.8)?;
        range("tree.form.trunk.flare", trunk.flare, 0.0, 2.0)?;
        range("tree.form.trunk.taper", trunk.taper, 0.0, 1.0)?;
        count("tree.form.branches", self.branches.len(), 1, MAX_LEVELS)?;
        let (mut limbs, mut level) = (1usize, 1usize);
        for (number, branches) in self.branches.iter().enumerate() {
            branches.validate(number)?;
            // At most 128 to the power of MAX_LEVELS: no overflow in 32 bits.
            level *= branches.count as usize;
            limbs += level;
        }
        count("tree.form.branches: limbs", limbs, 1, MAX_LIMBS)?;
        self.leaves.validate()?;
        color("tree.form.bark.dark", self.bark.dark)?;
        color("tree.form.bark.light", self.bark.light)?;
        color("tree.form.bark.young", self.bark.young)?;
        range("tree.form.bark.marks", self.bark.marks, 0.0, 1.0)
    }
}

impl Branches {
    fn validate(&self, number: usize) -> Result<(), PropError> {
        let field = |name: &str| format!("tree.form.branches[{number}].{name}");
        range(&field("count"), self.count as f32, 1.0, 128.0)?;
        range(&field("length"), self.length, 0.02, 1.5)?;
        pair(&field("place"), self.place, 0.0, 1.0)?;
        range(&field("angle"), self.angle[0], 0.0, 2.8)?;
        range(&field("angle"), self.angle[1], 0.0, 2.8)?;
        range(&field("bend"), self.bend, -4.0, 4.0)?;
        range(&field("gnarl"), self.gnarl, 0.0, 0.8)?;
        range(&field("segments"), self.segments as f32, 1.0, 16.0)?;
        range(&field("whorl"), self.whorl as f32, 1.0, 16.0)?;
        range(&field("planar"), self.planar, 0.0, 1.0)
    }
}

impl Leaves {
    fn validate(&self) -> Result<(), PropError> {
        range("tree.form.leaves.level", self.level as f32, 1.0, MAX_LEVELS as f32)?;
        range("tree.form.leaves.place", self.place, 0.0, 0.95)?;
        pair("tree.form.leaves.size", self.size, 0.01, 10.0)?;
        range("tree.form.leaves.width", self.width, 0.02, 2.0)?;
        range("tree.form.leaves.droop", self.droop, 0.0, 1.0)?;
        color("tree.form.leaves.dark", self.dark)?;
        color("tree.form.leaves.light", self.light)?;
        color("tree.form.leaves.accent", self.accent)?;
        range("tree.form.leaves.accents", self.accents, 0.0, 1.0)?;
        range("tree.form.leaves.fullness", self.fullness, 0.0, 1.0)
    }
}
