//! Sun, sky and water.

/// The sun of maps: from the north-west.
pub(super) const MAP_SUN: [f32; 3] = [-0.5, std::f32::consts::FRAC_1_SQRT_2, -0.5];

/// For pictures at an angle: from the left, a little from the front.
pub(super) const SIDE_SUN: [f32; 3] = [-0.742_307_8, 0.593_846_2, 0.309_795];

/// What is seen where nothing is.
pub(super) const SKY: [f32; 3] = [0.42, 0.52, 0.62];

/// The cut through what is solid.
pub(super) const CUT: [f32; 3] = [0.075, 0.055, 0.045];

const WATER: [f32; 3] = [0.02, 0.13, 0.22];

pub(super) fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// How bright a surface is: `lit` is how much of the sun comes to it, `open` how much of the sky.
pub(super) fn brightness(normal: [f32; 3], sun: [f32; 3], lit: f32, open: f32) -> f32 {
    let facing = dot(normal, sun);
    // Light that comes from everywhere a bit tells slopes apart that the sun doesn't reach.
    let wrapped = facing * 0.5 + 0.5;
    let sky = 0.6 + 0.4 * normal[1];
    (0.16 * sky + 0.32 * wrapped * wrapped) * open + 0.86 * facing.max(0.0) * lit
}

/// The colour of ground with so much light, seen through what water is above it.
pub(super) fn ground(color: [f32; 3], light: f32, flat: f32, height: f32, water: Option<f32>) -> [f32; 3] {
    let lit = color.map(|value| value * light);
    match water {
        Some(level) if height < level => {
            // A metre of water takes a quarter of what can be seen through it.
            let seen = libm::expf((height - level) * 0.29) * 0.75;
            [0, 1, 2].map(|n| WATER[n] * flat + (lit[n] - WATER[n] * flat) * seen)
        }
        _ => lit,
    }
}

/// Deep water.
pub(super) fn deep(flat: f32) -> [f32; 3] {
    WATER.map(|value| value * flat)
}

pub(super) fn srgb(linear: f32) -> u8 {
    let value = linear.clamp(0.0, 1.0);
    let encoded = if value <= 0.003_130_8 { value * 12.92 } else { 1.055 * libm::powf(value, 1.0 / 2.4) - 0.055 };
    (encoded * 255.0 + 0.5) as u8
}
