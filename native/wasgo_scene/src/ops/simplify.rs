//! Fewer triangles, and triangles in an order that is fast to draw: by meshoptimizer.
//!
//! It is C++ that trusts its indices: every surface is checked before.

use std::borrow::Cow;

use meshopt::{
    SimplifyOptions as Flags, optimize_overdraw_in_place_decoder, optimize_vertex_cache,
    simplify_with_attributes_and_locks_decoder,
};

use super::{vectors, word_bytes, words};
use crate::{Limits, Lod, Scene, SceneError, Surface, validate};

/// How far surfaces are simplified.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimplifyOptions {
    /// The share of the triangles that is aimed at: 0..=1.
    pub ratio: f32,
    /// How far a surface may move, in metres; it stops there even if it has more triangles left.
    pub error: f32,
    /// Whether the open borders of a surface stay where they are, so that it still meets its neighbours. Default: yes.
    pub lock_borders: bool,
}

impl Default for SimplifyOptions {
    fn default() -> Self {
        Self { ratio: 0.5, error: f32::MAX, lock_borders: true }
    }
}

/// Sizes of a surface within which its arithmetic holds, in metres.
const SIZES: std::ops::RangeInclusive<f32> = 1e-12..=1e15;

/// How much normals and colours count against positions.
const NORMAL_WEIGHT: f32 = 0.5;
const COLOR_WEIGHT: f32 = 0.5;

/// The scene with fewer triangles, but at least one of each surface, without the vertices that are left over, and how far the surface that moved most may
/// be from where it was, in metres of its mesh. LODs are dropped.
///
/// # Errors
///
/// What [`validate`] finds; [`SceneError::BadValue`] for options that are not in their range.
pub fn simplify<'a>(mut scene: Scene<'a>, options: &SimplifyOptions) -> Result<(Scene<'a>, f32), SceneError> {
    validate(&scene, &Limits::NONE)?;
    check(options.ratio, options.error)?;
    let mut greatest = 0.0f32;
    for surface in scene.meshes.iter_mut().flat_map(|mesh| &mut mesh.surfaces) {
        surface.lods.clear();
        let simplifier = Simplifier::of(surface);
        if let Some((indices, error)) = simplifier.run(options.ratio, options.error, options.lock_borders) {
            greatest = greatest.max(error);
            surface.indices = word_bytes(&indices).into();
            in_order(surface);
        }
    }
    Ok((scene, greatest))
}

/// The scene with LODs of every surface: one for each ratio, each with fewer triangles than the one before and with its own
/// error. Ratios that bring nothing within the error are left out. Borders stay where they are.
///
/// # Errors
///
/// What [`validate`] finds; [`SceneError::BadValue`] for ratios and an error (in metres) that are not in their range;
/// [`SceneError::TooMany`] for more than 16 ratios.
pub fn lods<'a>(mut scene: Scene<'a>, ratios: &[f32], error: f32) -> Result<Scene<'a>, SceneError> {
    validate(&scene, &Limits::NONE)?;
    let limit = Limits::default().lods;
    if ratios.len() > limit {
        return Err(SceneError::TooMany { what: "LODs of a surface", count: ratios.len(), limit });
    }
    for ratio in ratios {
        check(*ratio, error)?;
    }
    for surface in scene.meshes.iter_mut().flat_map(|mesh| &mut mesh.surfaces) {
        let simplifier = Simplifier::of(surface);
        let mut least = surface.indices.len() / 4;
        let mut lods = Vec::new();
        for ratio in ratios {
            let Some((indices, error)) = simplifier.run(*ratio, error, true) else { continue };
            if indices.len() < least {
                least = indices.len();
                let indices = optimize_vertex_cache(&indices, surface.vertices());
                lods.push(Lod { indices: word_bytes(&indices).into(), error });
            }
        }
        surface.lods = lods;
    }
    Ok(scene)
}

/// The scene with triangles and vertices in an order that is fast to draw. It shows the same; vertices that no triangle
/// uses are dropped.
///
/// # Errors
///
/// What [`validate`] finds.
pub fn optimize<'a>(mut scene: Scene<'a>) -> Result<Scene<'a>, SceneError> {
    validate(&scene, &Limits::NONE)?;
    for surface in scene.meshes.iter_mut().flat_map(|mesh| &mut mesh.surfaces) {
        if surface.is_empty() {
            continue;
        }
        let indices: Vec<u32> = words(&surface.indices).collect();
        let mut indices = optimize_vertex_cache(&indices, surface.vertices());
        let positions: Vec<[f32; 3]> = vectors(&surface.positions).collect();
        if SIZES.contains(&extent(&positions)) {
            // Gives up a twentieth of the cache's hits at most.
            optimize_overdraw_in_place_decoder(&mut indices, &positions, 1.05);
        }
        surface.indices = word_bytes(&indices).into();
        in_order(surface);
    }
    Ok(scene)
}

fn check(ratio: f32, error: f32) -> Result<(), SceneError> {
    let bad = |field, value, allowed| SceneError::BadValue { whose: "simplifying".into(), field, value, allowed };
    if !(0.0..=1.0).contains(&ratio) {
        return Err(bad("ratio", ratio, "0..=1"));
    }
    if error.is_nan() || error < 0.0 {
        return Err(bad("error", error, "0 or more"));
    }
    Ok(())
}

/// The greatest side of the box around points.
fn extent(points: &[[f32; 3]]) -> f32 {
    let Some(first) = points.first() else { return 0.0 };
    let (mut low, mut high) = (*first, *first);
    for point in points {
        for axis in 0..3 {
            low[axis] = low[axis].min(point[axis]);
            high[axis] = high[axis].max(point[axis]);
        }
    }
    (0..3).map(|axis| high[axis] - low[axis]).fold(0.0, f32::max)
}

/// A surface in the form that the method takes.
struct Simplifier {
    positions: Vec<[f32; 3]>,
    attributes: Vec<f32>,
    weights: Vec<f32>,
    indices: Vec<u32>,
    extent: f32,
}

impl Simplifier {
    fn of(surface: &Surface<'_>) -> Self {
        let positions: Vec<[f32; 3]> = vectors(&surface.positions).collect();
        let (normals, colors) = (!surface.normals.is_empty(), !surface.colors.is_empty());
        let mut weights = Vec::new();
        weights.extend(std::iter::repeat_n(NORMAL_WEIGHT, if normals { 3 } else { 0 }));
        weights.extend(std::iter::repeat_n(COLOR_WEIGHT, if colors { 3 } else { 0 }));
        let mut attributes = Vec::with_capacity(positions.len() * weights.len());
        let mut normal = vectors::<3>(&surface.normals);
        let mut color = vectors::<4>(&surface.colors);
        for _ in 0..positions.len() {
            attributes.extend(normal.next().into_iter().flatten());
            // Beyond 0..=1 a file clamps it too.
            attributes.extend(color.next().iter().flat_map(|rgba| rgba[..3].iter().map(|value| value.clamp(0.0, 1.0))));
        }
        let extent = extent(&positions);
        Self { positions, attributes, weights, indices: words(&surface.indices).collect(), extent }
    }

    /// The corners that are left and how far the surface moved, in metres; nothing where there is nothing to be done.
    fn run(&self, ratio: f32, error: f32, lock_borders: bool) -> Option<(Vec<u32>, f32)> {
        if self.indices.is_empty() || !SIZES.contains(&self.extent) {
            return None;
        }
        let triangles = (self.indices.len() / 3) as f64 * f64::from(ratio);
        let target = triangles.round() as usize * 3;
        let flags = Flags::ErrorAbsolute | if lock_borders { Flags::LockBorder } else { Flags::None };
        let mut moved = 0.0;
        let left = simplify_with_attributes_and_locks_decoder(
            &self.indices,
            &self.positions,
            &self.attributes,
            &self.weights,
            self.weights.len() * 4,
            &vec![false; self.positions.len()],
            target,
            error.min(self.extent * 4.0),
            flags,
            Some(&mut moved),
        );
        // Nothing is simplified away.
        if left.is_empty() { None } else { Some((left, moved)) }
    }
}

/// Vertices in the order of their first use, in the triangles and then in the LODs; those of none are dropped.
fn in_order(surface: &mut Surface<'_>) {
    let vertices = surface.vertices();
    let mut new = vec![u32::MAX; vertices];
    let mut order: Vec<usize> = Vec::with_capacity(vertices);
    let all = std::iter::once(&mut surface.indices).chain(surface.lods.iter_mut().map(|lod| &mut lod.indices));
    for indices in all {
        let moved = words(indices).flat_map(|index| {
            let place = &mut new[index as usize];
            if *place == u32::MAX {
                *place = order.len() as u32;
                order.push(index as usize);
            }
            place.to_le_bytes()
        });
        let moved: Vec<u8> = moved.collect();
        *indices = moved.into();
    }
    let move_all = |bytes: &mut Cow<'_, [u8]>, size: usize| {
        if !bytes.is_empty() {
            let moved: Vec<u8> = order.iter().flat_map(|old| &bytes[old * size..(old + 1) * size]).copied().collect();
            *bytes = moved.into();
        }
    };
    for (bytes, size) in [
        (&mut surface.positions, 12),
        (&mut surface.normals, 12),
        (&mut surface.tangents, 16),
        (&mut surface.colors, 16),
        (&mut surface.uvs, 8),
        (&mut surface.uvs2, 8),
        (&mut surface.joints, 8),
        (&mut surface.weights, 16),
    ] {
        move_all(bytes, size);
    }
    for attribute in surface.attributes.values_mut() {
        let size = attribute.element_bytes();
        move_all(&mut attribute.bytes, size);
    }
    for morph in &mut surface.morphs {
        for bytes in [&mut morph.positions, &mut morph.normals, &mut morph.tangents] {
            move_all(bytes, 12);
        }
    }
}
