//! Colours as the eye sees them: the Oklab space of B. Ottosson, 2020.

use crate::vector::Vector;

/// Linear red, green, blue as lightness and two opponent axes.
pub(super) fn to_oklab([red, green, blue]: Vector) -> Vector {
    let long = libm::cbrtf(0.412_221_46 * red + 0.536_332_55 * green + 0.051_445_995 * blue);
    let medium = libm::cbrtf(0.211_903_5 * red + 0.680_699_5 * green + 0.107_396_96 * blue);
    let short = libm::cbrtf(0.088_302_46 * red + 0.281_718_85 * green + 0.629_978_7 * blue);
    [
        0.210_454_26 * long + 0.793_617_8 * medium - 0.004_072_047 * short,
        1.977_998_5 * long - 2.428_592_2 * medium + 0.450_593_7 * short,
        0.025_904_037 * long + 0.782_771_77 * medium - 0.808_675_77 * short,
    ]
}

/// The way back; what no screen can show is brought to the nearest edge.
pub(super) fn from_oklab([lightness, a, b]: Vector) -> Vector {
    let cube = |value: f32| value * value * value;
    let long = cube(lightness + 0.396_337_78 * a + 0.215_803_76 * b);
    let medium = cube(lightness - 0.105_561_346 * a - 0.063_854_17 * b);
    let short = cube(lightness - 0.089_484_18 * a - 1.291_485_5 * b);
    [
        4.076_741_7 * long - 3.307_711_6 * medium + 0.230_969_94 * short,
        -1.268_438 * long + 2.609_757_4 * medium - 0.341_319_38 * short,
        -0.004_196_086_3 * long - 0.703_418_6 * medium + 1.707_614_7 * short,
    ]
    .map(|value| value.clamp(0.0, 1.0))
}

/// A linear value as a byte of sRGB.
pub(super) fn to_srgb(value: f32) -> u8 {
    let value = value.clamp(0.0, 1.0);
    let curved = if value <= 0.003_130_8 { value * 12.92 } else { 1.055 * libm::powf(value, 1.0 / 2.4) - 0.055 };
    (curved * 255.0 + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_come_back_as_they_were() {
        for number in 0..1000u32 {
            let color = [number % 10, number / 10 % 10, number / 100].map(|part| part as f32 / 9.0);
            let back = from_oklab(to_oklab(color));
            for (a, b) in color.iter().zip(back) {
                assert!((a - b).abs() < 1e-4, "{color:?} {back:?}");
            }
        }
    }

    #[test]
    fn srgb_has_the_known_values() {
        assert_eq!([0.0, 0.002, 0.214_041_14, 0.5, 1.0].map(to_srgb), [0, 7, 128, 188, 255]);
    }
}
