//! Writes GLB.

mod buffer;
mod json;
mod material;
mod mesh;
mod plan;
mod thing;
mod tree;

use std::borrow::Cow;
use std::collections::BTreeMap;

use self::buffer::Buffer;
use self::json::Json;
use self::plan::Plan;
use self::tree::Tree;
use super::{CHUNK_BIN, CHUNK_HEADER_BYTES, CHUNK_JSON, GENERATOR, HEADER_BYTES, LIGHTS, MAGIC};
use crate::validate::{Limits, validate};
use crate::{Extra, Extras, Scene, SceneError};

/// How a file is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Whether sets of instances are written by `EXT_mesh_gpu_instancing`, one node a set, instead of a node for each
    /// instance. The file is smaller, and only for readers that know the extension: Godot does not. Default: no.
    pub instancing: bool,
}

/// The scene as a GLB file, with the default [`WriteOptions`].
///
/// # Errors
///
/// As [`write_with`].
pub fn write(scene: &Scene<'_>) -> Result<Vec<u8>, SceneError> {
    write_with(scene, &WriteOptions::default())
}

/// The scene as a GLB file.
///
/// - Surfaces that draw nothing (no vertices or no triangles) are skipped. A mesh without any other surface
///   is skipped too; nodes that show it stay, without a mesh.
/// - Nodes that no root leads to, and meshes, materials and the like that nothing shows, are not written.
/// - A set of [`Instances`](crate::Instances) becomes a node of its name with one child for each instance; nothing when it is empty.
/// - Colours outside 0..=1 are clamped. Normals and rotations are written as they are and normalized, respectively.
/// - Joints and weights of a mesh that no node shows with a skin are left out. Weights are brought to a sum of 1.
/// - LODs are in the extras of their primitive; [`read`](super::read) finds them there.
/// - Equal buffers are written once.
///
/// # Errors
///
/// What [`validate`] finds (without limits on counts); [`SceneError::BadTransform`] for a matrix that is not
/// a translation, rotation and scale, which is all that glTF allows; [`SceneError::TooLarge`] over
/// 4 GiB - 1 byte.
pub fn write_with(scene: &Scene<'_>, options: &WriteOptions) -> Result<Vec<u8>, SceneError> {
    validate(scene, &Limits::NONE)?;
    let plan = Plan::of(scene);
    let mut buffer = Buffer::default();
    let json = document(scene, &plan, options, &mut buffer)?;
    assemble(json.into_bytes(), &buffer)
}

fn assemble(mut json: Vec<u8>, buffer: &Buffer<'_>) -> Result<Vec<u8>, SceneError> {
    json.resize(json.len().next_multiple_of(4), b' ');
    let [total, json_length, bin_length] = lengths(json.len() as u64, buffer.len())?;
    let mut file = Vec::with_capacity(total as usize);
    let words = |file: &mut Vec<u8>, words: &[u32]| {
        for word in words {
            file.extend_from_slice(&word.to_le_bytes());
        }
    };
    words(&mut file, &[MAGIC, 2, total, json_length, CHUNK_JSON]);
    file.extend_from_slice(&json);
    if bin_length > 0 {
        words(&mut file, &[bin_length, CHUNK_BIN]);
        buffer.append_to(&mut file);
    }
    Ok(file)
}

/// The lengths of the file and of its two chunks, as the 32-bit numbers that the format has.
fn lengths(json: u64, bin: u64) -> Result<[u32; 3], SceneError> {
    let headers = HEADER_BYTES + CHUNK_HEADER_BYTES * if bin > 0 { 2 } else { 1 };
    let bytes = json.saturating_add(bin).saturating_add(headers);
    let fit = |length: u64| u32::try_from(length).map_err(|_| SceneError::TooLarge { bytes });
    Ok([fit(bytes)?, fit(json)?, fit(bin)?])
}

/// The extensions that a file uses, and whether a reader must know them.
#[derive(Default)]
struct Used<'a>(BTreeMap<Cow<'a, str>, bool>);

impl<'a> Used<'a> {
    fn optional(&mut self, name: &'a str) {
        self.0.entry(Cow::Borrowed(name)).or_insert(false);
    }

    fn required(&mut self, name: &'a str) {
        self.0.insert(Cow::Borrowed(name), true);
    }
}

fn document<'a>(
    scene: &'a Scene<'_>,
    plan: &Plan,
    options: &WriteOptions,
    buffer: &mut Buffer<'a>,
) -> Result<String, SceneError> {
    let tree = Tree::of(scene, plan, options)?;
    let mut json = Json::new();
    let mut used = Used::default();
    json.object(|json| {
        json.key("asset").object(|json| {
            json.key("version").text("2.0");
            json.key("generator").text(GENERATOR);
            if !scene.copyright.is_empty() {
                json.key("copyright").text(&scene.copyright);
            }
        });
        json.key("scene").integer(0);
        json.list("scenes", [scene], |json, scene| {
            json.object(|json| {
                name(json, &scene.name);
                references(json, "nodes", &tree.roots);
                extras(json, &scene.extras);
            });
        });
        tree.write(json, scene, plan, buffer, &mut used);
        mesh::write(json, scene, plan, buffer, &mut used);
        material::write(json, scene, plan, buffer, &mut used);
        thing::write(json, scene, plan, buffer);
        write_extensions(json, scene, plan, &mut used);
        buffer.describe(json);
    });
    Ok(json.finish())
}

fn write_extensions<'a>(json: &mut Json, scene: &'a Scene<'_>, plan: &Plan, used: &mut Used<'a>) {
    let lights = plan.lights.len() > 0;
    if lights || !scene.extensions.is_empty() {
        json.key("extensions").object(|json| {
            if lights {
                thing::write_lights(json, scene, plan, used);
            }
            for (name, value) in scene.extensions.iter().filter(|(name, _)| *name != LIGHTS) {
                used.optional(name);
                json.key(name).extra(value);
            }
        });
    }
    if !used.0.is_empty() {
        json.list("extensionsUsed", used.0.keys(), |json, name| json.text(name));
    }
    let required: Vec<_> = used.0.iter().filter(|(_, required)| **required).map(|(name, _)| name).collect();
    if !required.is_empty() {
        json.list("extensionsRequired", required, |json, name| json.text(name));
    }
}

fn name(json: &mut Json, name: &str) {
    if !name.is_empty() {
        json.key("name").text(name);
    }
}

fn extras(json: &mut Json, extras: &Extras) {
    if !extras.is_empty() {
        json.key("extras").extras(extras);
    }
}

/// The extensions of a thing: those of this crate, and the others but for the same names.
fn extensions<'a: 'v, 'v>(
    json: &mut Json,
    used: &mut Used<'a>,
    kept: impl Iterator<Item = (&'a str, &'v Extra)>,
    own: &'v [(&'a str, Extra)],
) {
    let mut kept = kept.filter(|(name, _)| own.iter().all(|(own, _)| own != name)).peekable();
    if own.is_empty() && kept.peek().is_none() {
        return;
    }
    json.key("extensions").object(|json| {
        for (name, value) in own.iter().map(|(name, value)| (*name, value)).chain(kept) {
            used.optional(name);
            json.key(name).extra(value);
        }
    });
}

/// An array of indices; glTF has no empty ones.
fn references(json: &mut Json, key: &str, indices: &[u64]) {
    if !indices.is_empty() {
        json.list(key, indices, |json, index| json.integer(*index));
    }
}

#[cfg(test)]
mod tests {
    use super::{SceneError, lengths};

    #[test]
    fn a_file_has_at_most_4_gib_less_one_byte() {
        let largest = u64::from(u32::MAX) - 12 - 8 - 8;
        assert_eq!(lengths(100, largest - 100), Ok([u32::MAX, 100, (largest - 100) as u32]));
        let bytes = u64::from(u32::MAX) + 1;
        assert_eq!(lengths(100, largest - 99), Err(SceneError::TooLarge { bytes }));
        assert_eq!(lengths(u64::MAX, 4), Err(SceneError::TooLarge { bytes: u64::MAX }));
        assert_eq!(lengths(40, 0), Ok([60, 40, 0]));
    }
}
