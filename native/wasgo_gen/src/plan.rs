//! What to generate. Plain values; what they may be is checked by [`Plan::validate`], and by everything that takes a plan.

mod check;

pub use check::PlanError;

/// Points of the world must be within this many metres of the origin on both axes (about 1,049 km). Beyond it a world
/// position in f32, which is what most engines draw with, steps by 6 cm and more.
pub const MAX_WORLD: f64 = 1_048_576.0;

/// The most instances that a chunk may hold, and the most places that its scatter rules may try: 8 MiB of table.
pub const MAX_INSTANCES: usize = 262_144;

/// The most scatter rules of a plan.
pub const MAX_RULES: usize = 32;

/// Heights that a plan may speak of, and that instances may have: -16,384..=16,384 m.
pub const MAX_HEIGHT: f32 = 16_384.0;

/// A world: with a chunk's coordinates it fixes every byte of the chunk.
///
/// ```
/// use wasgo_gen::Plan;
/// let mut plan = Plan::new(42);
/// assert_eq!(plan.validate(), Ok(()));
/// plan.terrain.octaves = 40;
/// assert_eq!(plan.validate().unwrap_err().to_string(), "terrain.octaves is 40, allowed: 1 to 12");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Plans that differ in their seed only make different worlds of the same kind.
    pub seed: u64,
    /// Side of a chunk in metres: 1..=4096. Default 64.
    pub chunk_size: f32,
    /// Samples along a side of a chunk, both borders included: 2..=257. Default 65, one each metre.
    pub samples: u32,
    /// The shape of the ground.
    pub terrain: Terrain,
    /// What stands on it: at most [`MAX_RULES`] rules. Default: broadleaf trees, conifers, rocks, bushes.
    pub scatter: Vec<ScatterRule>,
    /// The colours of the ground.
    pub palette: Palette,
}

impl Plan {
    /// A green world of hills and lakes, with some mountains.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            chunk_size: 64.0,
            samples: 65,
            terrain: Terrain::default(),
            scatter: PropKind::ALL.into_iter().map(ScatterRule::new).collect(),
            palette: Palette::default(),
        }
    }

    /// How many different meshes the scatter rules place: what [`Instance::kind`](crate::Instance::kind) counts.
    /// First all variants of the first rule, then those of the second, and so on.
    #[must_use]
    pub fn kinds(&self) -> usize {
        self.scatter.iter().map(|rule| rule.variants as usize).fold(0, usize::saturating_add)
    }
}

/// The shape of the ground. Heights are within `amplitude` of `base_height`.
#[derive(Clone, Debug, PartialEq)]
pub struct Terrain {
    /// Height around which the ground rises and falls, in metres: -8192..=8192. Default 7.
    pub base_height: f32,
    /// The most that the ground is above or below it, in metres: 0..=4096. Default 38.
    pub amplitude: f32,
    /// Hills per metre: 0.000001..=1. Default 1/220.
    pub frequency: f32,
    /// Layers of detail: 1..=12. The finest must have at most [`Terrain::MAX_FINEST`] hills per metre. Default 5.
    pub octaves: u32,
    /// How much finer each layer is than the one before: 1..=4. Default 2.
    pub lacunarity: f32,
    /// How much lower each layer is than the one before: 0..=1. Default 0.5.
    pub gain: f32,
    /// The share of the land that is mountains (ridged noise): 0..=1. Default 0.35.
    pub ridge: f32,
    /// How far the land is bent sideways, in metres: 0..=1024. Default 24.
    pub warp: f32,
    /// Height of the water in metres, where there is any. Default 0.
    pub water_level: Option<f32>,
}

impl Terrain {
    /// The most hills per metre of the finest layer: with it, noise at the edge of the world still has 22 bits below the cell.
    pub const MAX_FINEST: f64 = 64.0;
}

impl Default for Terrain {
    fn default() -> Self {
        Self {
            base_height: 7.0,
            amplitude: 38.0,
            frequency: 1.0 / 220.0,
            octaves: 5,
            lacunarity: 2.0,
            gain: 0.5,
            ridge: 0.35,
            warp: 24.0,
            water_level: Some(0.0),
        }
    }
}

/// The colours of the ground by height and slope: linear red, green, blue, 0..=1. Heights in metres, absolute.
#[derive(Clone, Debug, PartialEq)]
pub struct Palette {
    /// Low ground.
    pub sand: [f32; 3],
    /// Moist middle ground.
    pub lush: [f32; 3],
    /// Dry middle ground.
    pub dry: [f32; 3],
    /// Steep ground.
    pub rock: [f32; 3],
    /// High ground.
    pub snow: [f32; 3],
    /// Where sand ends: -16,384..=16,384 m.
    pub sand_height: f32,
    /// Where snow begins: -16,384..=16,384 m.
    pub snow_height: f32,
    /// The slope (1 - y of the normal) from which on there is rock: 0..=1; 0.29 is 45 degrees.
    pub rock_slope: f32,
    /// Half the height over which a colour turns into the next: 0.001..=1000 m.
    pub blend: f32,
}

impl Default for Palette {
    fn default() -> Self {
        Self {
            sand: [0.58, 0.46, 0.26],
            lush: [0.075, 0.26, 0.035],
            dry: [0.24, 0.29, 0.06],
            rock: [0.20, 0.18, 0.16],
            snow: [0.86, 0.89, 0.94],
            sand_height: 1.2,
            snow_height: 27.0,
            rock_slope: 0.23,
            blend: 1.2,
        }
    }
}

/// What can stand on the ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
///
/// A place is taken when it wins over all places nearer than `spacing`, and then when the ground suits it.
/// Things of different rules do not keep apart.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterRule {
    /// What to place.
    pub kind: PropKind,
    /// How many different meshes of it: 1..=16.
    pub variants: u32,
    /// Least distance between two things of this rule, measured flat, in metres: 0.25..=1024.
    /// All rules of a plan together may try [`MAX_INSTANCES`] places in a chunk.
    pub spacing: f32,
    /// The share of the places that are tried: 0..=1.
    pub density: f32,
    /// Slopes (1 - y of the normal) on which it stands: 0..=1.
    pub slope: (f32, f32),
    /// Heights in metres at which it stands: -16,384..=16,384.
    pub height: (f32, f32),
    /// Size, as a factor: 0.01..=100.
    pub scale: (f32, f32),
    /// Groves per metre: 0.000001..=1.
    pub mask_frequency: f32,
    /// It stands where the noise of the groves is above this: -1 is everywhere, 1 nowhere.
    pub mask_threshold: f32,
}

impl ScatterRule {
    /// The rule that [`Plan::new`] has for this kind.
    #[must_use]
    pub fn new(kind: PropKind) -> Self {
        let (variants, spacing, density, mask_frequency, mask_threshold) = match kind {
            PropKind::Tree => (4, 4.2, 0.9, 1.0 / 60.0, -0.25),
            PropKind::Conifer => (4, 3.4, 0.95, 1.0 / 80.0, -0.3),
            PropKind::Rock => (4, 6.0, 0.35, 1.0 / 40.0, -1.0),
            PropKind::Bush => (3, 3.0, 0.6, 1.0 / 35.0, -0.1),
        };
        let (slope, height, scale) = match kind {
            PropKind::Tree => ((0.0, 0.2), (1.8, 15.0), (0.8, 1.35)),
            PropKind::Conifer => ((0.0, 0.26), (10.0, 27.0), (0.7, 1.3)),
            PropKind::Rock => ((0.0, 0.6), (-1.5, 60.0), (0.35, 1.6)),
            PropKind::Bush => ((0.0, 0.2), (1.5, 16.0), (0.6, 1.3)),
        };
        Self { kind, variants, spacing, density, slope, height, scale, mask_frequency, mask_threshold }
    }
}
