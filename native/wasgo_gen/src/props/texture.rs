//! Textures of leaves and bark. Both are nearly white: they are multiplied with the colours of the vertices.

use super::color::to_srgb;
use super::fault::{PropError, range};
use super::impostor::{Image, impostor};
use super::model::{Finish, PropModel};
use super::spec::PropSpec;
use super::tree::{Arrangement, Species, Style};
use crate::hash::{derive, hash2, unit as share_of};

/// The textures of a prop that has any: of bark, leaves and cards of a tree. Each is for the parts of that finish, that of leaves for
/// the first two levels of detail only, for leaves are single there. They are multiplied with the colours of the vertices, but for
/// that of cards, which replaces them. `size` pixels wide and high; that of cards has two such squares side by side, of at most 512.
///
/// # Errors
///
/// When `size` is not in 8..=1024.
pub fn textures(spec: &PropSpec, model: &PropModel, seed: u64, size: u32) -> Result<Vec<(Finish, Image)>, PropError> {
    range("textures.size", size as f32, 8.0, 1024.0)?;
    let PropSpec::Tree(tree) = spec else { return Ok(Vec::new()) };
    let has = |finish| model.lods.iter().flat_map(|lod| &lod.parts).any(|part| part.finish == finish);
    let mut made = Vec::with_capacity(3);
    if has(Finish::Bark) {
        made.push((Finish::Bark, bark_texture(tree.species, seed, size)?));
    }
    if has(Finish::Leaf) && tree.style == Style::Leafy {
        made.push((Finish::Leaf, leaf_texture(tree.species, seed, size)?));
    }
    if has(Finish::Card) {
        made.push((Finish::Card, impostor(model, size.min(512))?));
    }
    Ok(made)
}

/// Samples of a pixel along a side.
const SAMPLES: u32 = 3;

/// The leaf of a species, as it lies on the leaves of [`tree`](super::tree()): foot below, tip above; transparent around.
/// A broad leaf has a toothed rim and veins, a needle tree a spray of needles. `size` pixels wide and high.
///
/// # Errors
///
/// When `size` is not in 8..=1024.
pub fn leaf_texture(species: Species, seed: u64, size: u32) -> Result<Image, PropError> {
    range("leaf_texture.size", size as f32, 8.0, 1024.0)?;
    let form = species.form();
    let needles = matches!(form.leaves.arrangement, Arrangement::Rows | Arrangement::Tuft);
    let teeth = (share_of(derive(seed, 1)) * 4.0 + 7.0).floor();
    let samples = (SAMPLES * SAMPLES) as f32;
    Ok(draw(size, |column, row| {
        let (mut light, mut seen) = (0.0, 0.0);
        for sample in 0..SAMPLES * SAMPLES {
            let at = |pixel: u32, part: u32| (pixel as f32 + (part as f32 + 0.5) / SAMPLES as f32) / size as f32;
            let (x, y) = (at(column, sample % SAMPLES) * 2.0 - 1.0, 1.0 - at(row, sample / SAMPLES));
            let found = if needles { needle(x, y) } else { blade(x, y, teeth) };
            if let Some(value) = found {
                light += value;
                seen += 1.0;
            }
        }
        let light = if seen > 0.0 { light / seen } else { 0.85 };
        ([light, light, light * 0.94], seen / samples)
    }))
}

/// The half width of a leaf's outline at a share of its length: the kite that it lies on.
fn outline(along: f32) -> f32 {
    if along < 0.45 { along / 0.45 } else { (1.0 - along) / 0.55 }
}

/// The light on a broad leaf at `x` (-1..=1 across) and `y` (0 at the foot to 1), if it is there.
fn blade(x: f32, y: f32, teeth: f32) -> Option<f32> {
    let across = x.abs();
    // Rounder than the kite, but within it.
    let width = outline(y) * (0.8 + 0.18 * y);
    let tooth = y * teeth - across * 1.5;
    let tooth = tooth - tooth.floor();
    if across > width * (1.0 - 0.16 * tooth) {
        return None;
    }
    let middle = (1.0 - across / 0.05).clamp(0.0, 1.0);
    let vein = (y - across * 0.55) * 7.0;
    let vein = (1.0 - ((vein - vein.floor()) - 0.5).abs() * 14.0).clamp(0.0, 1.0);
    let rim = (across / width.max(0.01)).min(1.0);
    Some((0.74 + 0.1 * rim + 0.22 * middle + 0.1 * vein).min(1.0))
}

/// The light on a spray of needles.
fn needle(x: f32, y: f32) -> Option<f32> {
    let across = x.abs();
    if across < 0.07 && y < 0.96 {
        return Some(0.62);
    }
    if across > outline(y).min(1.0) * 0.98 {
        return None;
    }
    let row = (y - across * 0.35) * 13.0;
    let from = (row - row.floor() - 0.5).abs();
    (from < 0.3).then_some(1.0 - from * 0.7)
}

/// The bark of a species: repeats in both directions. `size` pixels wide and high.
///
/// # Errors
///
/// When `size` is not in 8..=1024.
pub fn bark_texture(species: Species, seed: u64, size: u32) -> Result<Image, PropError> {
    range("bark_texture.size", size as f32, 8.0, 1024.0)?;
    let marks = species.form().bark.marks;
    let palm = species == Species::Palm;
    Ok(draw(size, |column, row| {
        let (x, y) = ((column as f32 + 0.5) / size as f32, (row as f32 + 0.5) / size as f32);
        let fine = noise(derive(seed, 1), x, y, [24, 12]);
        let light = if marks > 0.0 {
            // Short dark lines across.
            let line = noise(derive(seed, 2), x, y, [4, 28]) * 0.8 + noise(derive(seed, 3), x, y, [2, 5]) * 0.35;
            let dark = ((line - 0.72) * 9.0).clamp(0.0, 1.0);
            (0.9 + 0.1 * fine) * (1.0 - 0.82 * marks * dark)
        } else if palm {
            // Rings where leaves were.
            let ring = y * 8.0 + 0.5 * noise(derive(seed, 2), x, y, [4, 8]);
            let ring = ring - ring.floor();
            0.6 + 0.32 * ring + 0.12 * fine
        } else {
            // Ridges that meet and part.
            let shift = noise(derive(seed, 4), x, y, [4, 4]) * 0.11;
            let ridge = noise(derive(seed, 2), x + shift, y, [10, 3]);
            let ridge = 1.0 - (2.0 * ridge - 1.0).abs();
            0.42 + 0.46 * ridge.sqrt() + 0.14 * fine
        };
        ([light, light, light * 0.98], 1.0)
    }))
}

/// Smooth noise in 0..=1 with so many cells in each direction, which repeats after 1.
fn noise(seed: u64, x: f32, y: f32, cells: [i64; 2]) -> f32 {
    let (x, y) = (x * cells[0] as f32, y * cells[1] as f32);
    let (left, top) = (x.floor(), y.floor());
    let ease = |share: f32| share * share * (3.0 - 2.0 * share);
    let (right_share, bottom_share) = (ease(x - left), ease(y - top));
    let at = |column: i64, row: i64| {
        share_of(hash2(seed, (left as i64 + column).rem_euclid(cells[0]), (top as i64 + row).rem_euclid(cells[1])))
    };
    let mix = |a: f32, b: f32, share: f32| a + (b - a) * share;
    mix(mix(at(0, 0), at(1, 0), right_share), mix(at(0, 1), at(1, 1), right_share), bottom_share)
}

/// A square picture of linear colours and alphas.
fn draw(size: u32, mut pixel: impl FnMut(u32, u32) -> ([f32; 3], f32)) -> Image {
    let mut pixels = Vec::with_capacity((size * size * 4) as usize);
    for row in 0..size {
        for column in 0..size {
            let (color, alpha) = pixel(column, row);
            pixels.extend(color.map(to_srgb));
            pixels.push((alpha * 255.0 + 0.5) as u8);
        }
    }
    Image { width: size, height: size, pixels }
}
