//! How common trees grow.

use serde::{Deserialize, Serialize};

use super::form::{Arrangement, Bark, Branches, Crown, Leaves, TreeForm, Trunk};

/// A kind of tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Species {
    /// Broad and round, on a thick trunk.
    #[default]
    Oak,
    /// Slender, white, with hanging twigs.
    Birch,
    /// A cone of whorls that hang.
    Spruce,
    /// A high bare trunk, tufts of needles.
    Pine,
    /// Arches from which long twigs hang.
    Willow,
    /// A bare stem with fronds at its top.
    Palm,
    /// A flat top over forked limbs.
    Acacia,
    /// Bare and crooked.
    Dead,
    /// A narrow flame.
    Poplar,
    /// Low and wide, in blossom.
    Cherry,
    /// A dome of red and gold.
    Maple,
    /// A shrub: leaves down to the ground.
    Shrub,
    /// A low shrub in blossom.
    Rose,
    /// A small dense cone, evergreen.
    Juniper,
}

impl Species {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Oak,
        Self::Birch,
        Self::Spruce,
        Self::Pine,
        Self::Willow,
        Self::Palm,
        Self::Acacia,
        Self::Dead,
        Self::Poplar,
        Self::Cherry,
        Self::Maple,
        Self::Shrub,
        Self::Rose,
        Self::Juniper,
    ];

    /// As in JSON: `oak`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Oak => "oak",
            Self::Birch => "birch",
            Self::Spruce => "spruce",
            Self::Pine => "pine",
            Self::Willow => "willow",
            Self::Palm => "palm",
            Self::Acacia => "acacia",
            Self::Dead => "dead",
            Self::Poplar => "poplar",
            Self::Cherry => "cherry",
            Self::Maple => "maple",
            Self::Shrub => "shrub",
            Self::Rose => "rose",
            Self::Juniper => "juniper",
        }
    }

    /// The triangles that are usual for its finest level.
    #[must_use]
    pub const fn triangles(self) -> u32 {
        match self {
            Self::Shrub | Self::Rose | Self::Juniper => 1500,
            _ => 5000,
        }
    }

    /// How it grows.
    #[must_use]
    pub fn form(self) -> TreeForm {
        match self {
            Self::Oak => oak(),
            Self::Birch => birch(),
            Self::Spruce => spruce(),
            Self::Pine => pine(),
            Self::Willow => willow(),
            Self::Palm => palm(),
            Self::Acacia => acacia(),
            Self::Dead => dead(),
            Self::Poplar => poplar(),
            Self::Cherry => cherry(),
            Self::Maple => maple(),
            Self::Shrub => shrub(),
            Self::Rose => rose(),
            Self::Juniper => juniper(),
        }
    }
}

/// A level of branches from what differs most between kinds.
fn level(count: u32, length: f32, place: [f32; 2], angle: [f32; 2], bend: f32) -> Branches {
    Branches { count, length, place, angle, bend, ..Branches::default() }
}

fn oak() -> TreeForm {
    TreeForm {
        height: [9.0, 12.0],
        crown: Crown::Round,
        trunk: Trunk { radius: 0.045, segments: 8, gnarl: 0.16, lean: 0.08, flare: 0.75, taper: 0.95 },
        branches: vec![
            Branches { gnarl: 0.2, segments: 6, ..level(12, 0.6, [0.36, 0.84], [1.3, 0.35], 0.25) },
            Branches { gnarl: 0.22, segments: 4, ..level(7, 0.5, [0.35, 1.0], [1.0, 0.7], 0.2) },
            Branches { gnarl: 0.2, segments: 2, ..level(5, 0.5, [0.3, 1.0], [0.9, 0.7], 0.1) },
        ],
        leaves: Leaves { level: 3, size: [0.52, 0.76], width: 0.72, ..Leaves::default() },
        bark: Bark::default(),
    }
}

fn birch() -> TreeForm {
    TreeForm {
        height: [10.0, 14.0],
        crown: Crown::Flame,
        trunk: Trunk { radius: 0.016, segments: 24, gnarl: 0.045, lean: 0.08, flare: 0.35, taper: 0.92 },
        branches: vec![
            Branches { gnarl: 0.12, segments: 6, ..level(24, 0.27, [0.24, 0.97], [0.85, 0.45], -0.35) },
            Branches { gnarl: 0.14, segments: 4, ..level(6, 0.6, [0.3, 1.0], [0.8, 0.6], -1.5) },
        ],
        leaves: Leaves {
            size: [0.4, 0.6],
            width: 0.66,
            droop: 0.5,
            dark: [0.045, 0.105, 0.012],
            light: [0.30, 0.44, 0.055],
            accent: [0.52, 0.46, 0.05],
            accents: 0.12,
            level: 2,
            place: 0.0,
            ..Leaves::default()
        },
        bark: Bark { dark: [0.12, 0.11, 0.10], light: [0.78, 0.75, 0.70], young: [0.16, 0.11, 0.08], marks: 0.85 },
    }
}

fn spruce() -> TreeForm {
    TreeForm {
        height: [11.0, 16.0],
        crown: Crown::Cone,
        trunk: Trunk { radius: 0.02, segments: 8, gnarl: 0.015, lean: 0.015, flare: 0.4, taper: 0.97 },
        branches: vec![
            Branches { gnarl: 0.05, segments: 4, whorl: 7, ..level(84, 0.27, [0.07, 0.985], [1.95, 0.7], 0.5) },
            Branches { gnarl: 0.05, segments: 2, planar: 0.92, ..level(4, 0.42, [0.25, 0.9], [0.85, 0.75], -0.3) },
        ],
        leaves: Leaves {
            arrangement: Arrangement::Rows,
            level: 1,
            place: 0.0,
            size: [0.85, 1.25],
            width: 0.36,
            droop: 0.5,
            dark: [0.006, 0.028, 0.014],
            light: [0.040, 0.140, 0.060],
            accent: [0.09, 0.21, 0.085],
            accents: 0.12,
            fullness: 1.0,
        },
        bark: Bark { dark: [0.030, 0.018, 0.012], light: [0.12, 0.075, 0.05], young: [0.07, 0.045, 0.028], marks: 0.0 },
    }
}

fn pine() -> TreeForm {
    TreeForm {
        height: [12.0, 17.0],
        crown: Crown::Dome,
        trunk: Trunk { radius: 0.021, segments: 12, gnarl: 0.07, lean: 0.1, flare: 0.35, taper: 0.8 },
        branches: vec![
            Branches { gnarl: 0.2, segments: 5, ..level(15, 0.32, [0.58, 0.985], [1.45, 0.75], 0.35) },
            Branches { gnarl: 0.2, segments: 3, planar: 0.4, ..level(6, 0.45, [0.4, 1.0], [0.9, 0.6], 0.55) },
        ],
        leaves: Leaves {
            arrangement: Arrangement::Tuft,
            level: 2,
            place: 0.35,
            size: [0.8, 1.1],
            width: 0.22,
            droop: 0.0,
            dark: [0.012, 0.042, 0.022],
            light: [0.085, 0.200, 0.085],
            accent: [0.16, 0.27, 0.10],
            accents: 0.1,
            fullness: 1.0,
        },
        bark: Bark { dark: [0.07, 0.035, 0.02], light: [0.30, 0.15, 0.075], young: [0.36, 0.17, 0.07], marks: 0.0 },
    }
}

fn willow() -> TreeForm {
    TreeForm {
        height: [7.5, 10.0],
        crown: Crown::Dome,
        trunk: Trunk { radius: 0.042, segments: 7, gnarl: 0.18, lean: 0.12, flare: 0.7, taper: 0.9 },
        branches: vec![
            Branches { gnarl: 0.16, segments: 7, ..level(14, 0.52, [0.36, 0.95], [1.0, 0.4], -0.8) },
            Branches { gnarl: 0.1, segments: 6, ..level(12, 0.95, [0.3, 1.0], [0.9, 0.6], -3.6) },
        ],
        leaves: Leaves {
            arrangement: Arrangement::Hanging,
            level: 2,
            place: 0.0,
            size: [0.62, 0.9],
            width: 0.24,
            droop: 0.4,
            dark: [0.035, 0.080, 0.014],
            light: [0.240, 0.360, 0.070],
            accent: [0.38, 0.42, 0.09],
            accents: 0.15,
            fullness: 1.0,
        },
        bark: Bark { dark: [0.04, 0.030, 0.018], light: [0.19, 0.14, 0.085], young: [0.20, 0.18, 0.06], marks: 0.0 },
    }
}

fn palm() -> TreeForm {
    TreeForm {
        height: [7.0, 11.0],
        crown: Crown::Even,
        trunk: Trunk { radius: 0.022, segments: 14, gnarl: 0.02, lean: 0.35, flare: 0.9, taper: 0.25 },
        branches: vec![Branches { gnarl: 0.05, segments: 7, ..level(22, 0.4, [0.985, 1.0], [1.9, 0.55], -2.0) }],
        leaves: Leaves {
            arrangement: Arrangement::Rows,
            level: 1,
            place: 0.08,
            size: [0.75, 0.95],
            width: 0.11,
            droop: 0.45,
            dark: [0.025, 0.075, 0.012],
            light: [0.150, 0.330, 0.045],
            accent: [0.34, 0.34, 0.06],
            accents: 0.06,
            fullness: 0.9,
        },
        bark: Bark { dark: [0.09, 0.065, 0.045], light: [0.30, 0.235, 0.165], young: [0.16, 0.20, 0.05], marks: 0.0 },
    }
}

fn acacia() -> TreeForm {
    TreeForm {
        height: [6.0, 8.0],
        crown: Crown::Umbrella,
        trunk: Trunk { radius: 0.032, segments: 6, gnarl: 0.16, lean: 0.15, flare: 0.45, taper: 0.95 },
        branches: vec![
            Branches { gnarl: 0.13, segments: 6, ..level(11, 1.0, [0.42, 0.76], [0.85, 0.8], -0.1) },
            Branches { gnarl: 0.12, segments: 4, planar: 0.95, ..level(9, 0.42, [0.5, 1.0], [0.75, 0.6], 0.3) },
            Branches { gnarl: 0.12, segments: 2, planar: 0.95, ..level(4, 0.45, [0.3, 1.0], [0.8, 0.6], 0.4) },
        ],
        leaves: Leaves {
            level: 3,
            place: 0.0,
            size: [0.4, 0.6],
            width: 0.55,
            droop: 0.0,
            dark: [0.028, 0.060, 0.012],
            light: [0.190, 0.280, 0.060],
            accent: [0.30, 0.32, 0.08],
            accents: 0.1,
            ..Leaves::default()
        },
        bark: Bark { dark: [0.05, 0.035, 0.025], light: [0.21, 0.155, 0.105], young: [0.16, 0.11, 0.07], marks: 0.0 },
    }
}

fn dead() -> TreeForm {
    TreeForm {
        height: [6.0, 9.0],
        crown: Crown::Even,
        trunk: Trunk { radius: 0.045, segments: 12, gnarl: 0.2, lean: 0.1, flare: 0.8, taper: 0.92 },
        branches: vec![
            Branches { gnarl: 0.36, segments: 9, ..level(9, 0.45, [0.3, 0.95], [1.2, 0.6], 0.6) },
            Branches { gnarl: 0.4, segments: 5, ..level(5, 0.45, [0.3, 0.95], [1.1, 0.7], 0.5) },
            Branches { gnarl: 0.4, segments: 3, ..level(3, 0.5, [0.3, 0.95], [1.0, 0.7], 0.3) },
        ],
        leaves: Leaves { fullness: 0.0, ..Leaves::default() },
        bark: Bark { dark: [0.055, 0.048, 0.042], light: [0.27, 0.245, 0.215], young: [0.20, 0.18, 0.155], marks: 0.0 },
    }
}

fn poplar() -> TreeForm {
    TreeForm {
        height: [13.0, 18.0],
        crown: Crown::Flame,
        trunk: Trunk { radius: 0.02, segments: 10, gnarl: 0.03, lean: 0.02, flare: 0.4, taper: 0.95 },
        branches: vec![
            Branches { gnarl: 0.08, segments: 5, ..level(36, 0.22, [0.08, 0.97], [0.62, 0.3], 1.0) },
            Branches { gnarl: 0.1, segments: 3, ..level(5, 0.45, [0.3, 1.0], [0.6, 0.45], 0.6) },
        ],
        leaves: Leaves {
            size: [0.5, 0.75],
            width: 0.72,
            level: 1,
            droop: 0.1,
            dark: [0.020, 0.065, 0.012],
            light: [0.140, 0.310, 0.045],
            ..Leaves::default()
        },
        bark: Bark { dark: [0.045, 0.040, 0.032], light: [0.22, 0.195, 0.155], young: [0.15, 0.12, 0.08], marks: 0.0 },
    }
}

fn cherry() -> TreeForm {
    TreeForm {
        height: [4.5, 6.5],
        crown: Crown::Dome,
        trunk: Trunk { radius: 0.038, segments: 6, gnarl: 0.2, lean: 0.15, flare: 0.5, taper: 0.95 },
        branches: vec![
            Branches { gnarl: 0.18, segments: 6, ..level(10, 0.6, [0.28, 0.95], [1.0, 0.5], 0.25) },
            Branches { gnarl: 0.2, segments: 4, ..level(7, 0.5, [0.25, 1.0], [0.9, 0.6], 0.0) },
            Branches { gnarl: 0.2, segments: 2, ..level(4, 0.45, [0.3, 1.0], [0.9, 0.6], -0.1) },
        ],
        leaves: Leaves {
            size: [0.26, 0.38],
            width: 0.85,
            dark: [0.42, 0.13, 0.20],
            light: [0.88, 0.52, 0.60],
            accent: [0.95, 0.82, 0.84],
            accents: 0.3,
            ..Leaves::default()
        },
        bark: Bark { dark: [0.030, 0.018, 0.016], light: [0.13, 0.08, 0.068], young: [0.09, 0.05, 0.045], marks: 0.0 },
    }
}

fn maple() -> TreeForm {
    TreeForm {
        height: [8.0, 11.0],
        crown: Crown::Dome,
        trunk: Trunk { radius: 0.03, segments: 8, gnarl: 0.1, lean: 0.06, flare: 0.55, taper: 0.95 },
        branches: vec![
            Branches { gnarl: 0.14, segments: 6, ..level(17, 0.46, [0.22, 0.97], [1.05, 0.4], 0.45) },
            Branches { gnarl: 0.16, segments: 4, ..level(6, 0.48, [0.3, 1.0], [0.85, 0.6], 0.3) },
            Branches { gnarl: 0.16, segments: 2, ..level(4, 0.45, [0.3, 1.0], [0.8, 0.6], 0.1) },
        ],
        leaves: Leaves {
            size: [0.44, 0.64],
            width: 0.8,
            dark: [0.22, 0.030, 0.010],
            light: [0.72, 0.20, 0.025],
            accent: [0.80, 0.46, 0.04],
            accents: 0.3,
            ..Leaves::default()
        },
        bark: Bark { dark: [0.045, 0.034, 0.026], light: [0.20, 0.155, 0.12], young: [0.13, 0.09, 0.06], marks: 0.0 },
    }
}

fn shrub() -> TreeForm {
    TreeForm {
        height: [1.3, 2.0],
        crown: Crown::Round,
        trunk: Trunk { radius: 0.022, segments: 5, gnarl: 0.2, lean: 0.15, flare: 0.2, taper: 0.95 },
        branches: vec![
            Branches { gnarl: 0.16, segments: 4, ..level(18, 0.72, [0.0, 0.7], [1.1, 0.3], 0.4) },
            Branches { gnarl: 0.18, segments: 3, ..level(8, 0.5, [0.25, 1.0], [0.9, 0.6], 0.3) },
        ],
        leaves: Leaves {
            size: [0.13, 0.19],
            width: 0.6,
            level: 1,
            place: 0.15,
            dark: [0.016, 0.052, 0.010],
            light: [0.120, 0.270, 0.040],
            ..Leaves::default()
        },
        bark: Bark::default(),
    }
}

fn rose() -> TreeForm {
    TreeForm {
        height: [0.9, 1.4],
        crown: Crown::Dome,
        leaves: Leaves {
            size: [0.1, 0.14],
            width: 0.75,
            level: 1,
            place: 0.15,
            dark: [0.014, 0.055, 0.016],
            light: [0.105, 0.255, 0.060],
            accent: [0.80, 0.10, 0.22],
            accents: 0.2,
            ..Leaves::default()
        },
        ..shrub()
    }
}

fn juniper() -> TreeForm {
    TreeForm {
        height: [1.8, 3.2],
        crown: Crown::Flame,
        trunk: Trunk { radius: 0.022, segments: 6, gnarl: 0.06, lean: 0.05, flare: 0.2, taper: 0.95 },
        branches: vec![
            Branches { gnarl: 0.1, segments: 4, ..level(44, 0.3, [0.02, 0.97], [0.75, 0.3], 0.9) },
            Branches { gnarl: 0.12, segments: 2, ..level(5, 0.45, [0.3, 1.0], [0.7, 0.5], 0.6) },
        ],
        leaves: Leaves {
            arrangement: Arrangement::Tuft,
            size: [0.22, 0.32],
            width: 0.34,
            level: 1,
            place: 0.3,
            droop: 0.0,
            dark: [0.016, 0.042, 0.026],
            light: [0.105, 0.190, 0.110],
            accent: [0.15, 0.23, 0.17],
            ..Leaves::default()
        },
        bark: Bark::default(),
    }
}
