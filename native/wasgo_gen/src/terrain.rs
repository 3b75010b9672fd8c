//! The ground as functions of world coordinates: height, moisture, colour. A point has one value, whichever chunk
//! asks for it; that is what makes chunks fit together.

use crate::hash::derive;
use crate::noise::{Fractal, simplex2, warp};
use crate::plan::{Palette, Plan, Terrain};

/// Uses of the plan's seed. Numbers once given stay, or worlds change.
mod salt {
    pub const HILLS: u64 = 1;
    pub const RIDGES: u64 = 2;
    pub const MOUNTAINS: u64 = 3;
    pub const WARP: u64 = 4;
    pub const MOISTURE: u64 = 5;
    pub const TINT: u64 = 6;
}

/// A plan's ground, ready to be asked. Made once for a chunk; asking allocates nothing.
pub(crate) struct Ground<'p> {
    terrain: &'p Terrain,
    palette: &'p Palette,
    frequency: f64,
    hills: Fractal,
    ridges: Fractal,
    mountains_seed: u64,
    warp_seed: u64,
    moisture: Fractal,
    tint_seed: u64,
}

impl<'p> Ground<'p> {
    /// Expects a plan that is allowed.
    pub(crate) fn new(plan: &'p Plan) -> Self {
        let terrain = &plan.terrain;
        let (lacunarity, gain) = (f64::from(terrain.lacunarity), f64::from(terrain.gain));
        let seed = |salt| derive(plan.seed, salt);
        Self {
            terrain,
            palette: &plan.palette,
            frequency: f64::from(terrain.frequency),
            hills: Fractal::new(seed(salt::HILLS), terrain.octaves, lacunarity, gain),
            ridges: Fractal::new(seed(salt::RIDGES), terrain.octaves, lacunarity, gain),
            mountains_seed: seed(salt::MOUNTAINS),
            warp_seed: seed(salt::WARP),
            moisture: Fractal::new(seed(salt::MOISTURE), 2, 2.0, 0.5),
            tint_seed: seed(salt::TINT),
        }
    }

    /// Metres, at a world point in metres.
    pub(crate) fn height(&self, x: f64, z: f64) -> f32 {
        let terrain = self.terrain;
        let frequency = self.frequency;
        let (x, z) = if terrain.warp > 0.0 {
            warp(self.warp_seed, x, z, frequency * 1.5, f64::from(terrain.warp))
        } else {
            (x, z)
        };
        let (u, v) = (x * frequency, z * frequency);
        let mountains = self.mountains(u, v);
        let mut shape = 0.0;
        if mountains < 1.0 {
            shape += self.rolling(u, v) * (1.0 - mountains);
        }
        if mountains > 0.0 {
            shape += (self.ridges.ridged(u * 0.6, v * 0.6) * 1.3 - 0.3) * mountains;
        }
        (f64::from(terrain.base_height) + f64::from(terrain.amplitude) * shape) as f32
    }

    /// How much of a mountain a point is: 0..=1, over areas of some hills each.
    fn mountains(&self, u: f64, v: f64) -> f64 {
        let share = f64::from(self.terrain.ridge);
        if share <= 0.0 {
            return 0.0;
        }
        if share >= 1.0 {
            return 1.0;
        }
        let border = 1.0 - 2.0 * share;
        let noise = simplex2(self.mountains_seed, u * 0.4, v * 0.4);
        smooth(border - 0.35, border + 0.35, noise)
    }

    /// Hills with wide, flat valleys: -0.5..=1.
    fn rolling(&self, u: f64, v: f64) -> f64 {
        let hills = self.hills.fbm(u, v);
        if hills < 0.0 { hills * 0.5 } else { hills * (0.5 + 0.5 * hills) }
    }

    /// 0 is dry, 1 is wet. The climate changes over a few hundred metres, whatever the terrain.
    pub(crate) fn moisture(&self, x: f64, z: f64) -> f32 {
        let noise = self.moisture.fbm(x * (1.0 / 300.0), z * (1.0 / 300.0));
        // Stretched: sums of noise seldom come near their bounds.
        ((0.5 + 0.8 * noise) as f32).clamp(0.0, 1.0)
    }

    /// Linear red, green, blue, alpha at a world point of this height and slope (1 - y of the normal).
    pub(crate) fn color(&self, x: f64, z: f64, height: f32, slope: f32) -> [f32; 4] {
        let palette = self.palette;
        let tint = simplex2(self.tint_seed, x * 0.11, z * 0.11);
        let height = f64::from(height);
        let blend = f64::from(palette.blend);
        let above = |level: f32, unevenness: f64, blend: f64| {
            let level = f64::from(level);
            smooth(level - blend, level + blend, height + tint * unevenness) as f32
        };
        let mut color = lerp(palette.dry, palette.lush, self.moisture(x, z));
        color = lerp(palette.sand, color, above(palette.sand_height, blend * 0.5, blend));
        color = lerp(color, palette.snow, above(palette.snow_height, blend * 2.0, blend * 2.0));
        let rock = f64::from(palette.rock_slope);
        color = lerp(color, palette.rock, smooth(rock - 0.05, rock + 0.05, f64::from(slope) + tint * 0.02) as f32);
        let light = 1.0 + 0.1 * tint as f32;
        let [red, green, blue] = color.map(|value| (value * light).clamp(0.0, 1.0));
        [red, green, blue, 1.0]
    }
}

fn lerp(from: [f32; 3], to: [f32; 3], share: f32) -> [f32; 3] {
    [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share, from[2] + (to[2] - from[2]) * share]
}

/// 0 below `low`, 1 above `high`, an even curve between.
fn smooth(low: f64, high: f64, value: f64) -> f64 {
    let t = ((value - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
