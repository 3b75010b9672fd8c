//! Writes GLB, the binary form of glTF 2.0 (Khronos, "glTF 2.0 Specification", 2021).
//!
//! Uses no extension: instances become plain nodes that share a mesh, which every reader knows.
//! The same scene is the same bytes.

mod buffer;
mod json;
mod plan;
mod tree;

use self::buffer::{Buffer, Kind};
use self::json::Json;
use self::plan::Plan;
use self::tree::Tree;
use crate::validate::{Limits, validate};
use crate::{AlphaMode, Material, Mesh, Scene, SceneError};

const GENERATOR: &str = concat!("Wasgo ", env!("CARGO_PKG_VERSION"));
const MAGIC: u32 = 0x4654_6C67;
const CHUNK_JSON: u32 = 0x4E4F_534A;
const CHUNK_BIN: u32 = 0x004E_4942;
const HEADER_BYTES: u64 = 12;
const CHUNK_HEADER_BYTES: u64 = 8;

/// The scene as a GLB file.
///
/// - Surfaces that draw nothing (no vertices or no triangles) are skipped. A mesh without any other surface
///   is skipped too; nodes that show it stay, without a mesh.
/// - Nodes that no root leads to, and meshes and materials that nothing shows, are not written.
/// - A set of [`Instances`](crate::Instances) becomes a node of its name with one child for each instance; nothing when it is empty.
/// - Colours outside 0..=1 are clamped. Normals and rotations are written as they are and normalized, respectively.
/// - Equal buffers are written once.
///
/// # Errors
///
/// What [`validate`] finds (without limits on counts); [`SceneError::BadTransform`] for a matrix that is not
/// a translation, rotation and scale, which is all that glTF allows; [`SceneError::TooLarge`] over
/// 4 GiB - 1 byte.
pub fn write(scene: &Scene<'_>) -> Result<Vec<u8>, SceneError> {
    validate(scene, &Limits::NONE)?;
    let plan = Plan::of(scene);
    let mut buffer = Buffer::default();
    let json = document(scene, &plan, &mut buffer)?;
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

fn document<'a>(scene: &'a Scene<'_>, plan: &Plan, buffer: &mut Buffer<'a>) -> Result<String, SceneError> {
    let tree = Tree::of(scene, plan)?;
    let mut json = Json::new();
    json.object(|json| {
        json.key("asset").object(|json| {
            json.key("version").text("2.0");
            json.key("generator").text(GENERATOR);
        });
        json.key("scene").integer(0);
        json.list("scenes", [scene], |json, scene| {
            json.object(|json| {
                name(json, &scene.name);
                references(json, "nodes", &tree.roots);
            });
        });
        tree.write(json, scene, plan);
        if plan.meshes.len() > 0 {
            json.key("meshes").array(|json| {
                for (_, mesh) in plan.meshes.kept(&scene.meshes) {
                    write_mesh(json, mesh, plan, buffer);
                }
            });
        }
        if plan.materials.len() > 0 {
            json.list("materials", plan.materials.kept(&scene.materials), |json, (_, material)| {
                write_material(json, material);
            });
        }
        buffer.describe(json);
    });
    Ok(json.finish())
}

fn write_mesh<'a>(json: &mut Json, mesh: &'a Mesh<'_>, plan: &Plan, buffer: &mut Buffer<'a>) {
    json.object(|json| {
        name(json, &mesh.name);
        json.key("primitives").array(|json| {
            for surface in mesh.surfaces.iter().filter(|surface| !surface.is_empty()) {
                let position = buffer.accessor(Kind::Position, &surface.positions);
                let normal = present(&surface.normals).map(|bytes| buffer.accessor(Kind::Normal, bytes));
                let color = present(&surface.colors).map(|bytes| buffer.accessor(Kind::Color, bytes));
                let indices = buffer.accessor(Kind::Index, &surface.indices);
                json.object(|json| {
                    json.key("attributes").object(|json| {
                        json.key("POSITION").integer(position);
                        if let Some(normal) = normal {
                            json.key("NORMAL").integer(normal);
                        }
                        if let Some(color) = color {
                            json.key("COLOR_0").integer(color);
                        }
                    });
                    json.key("indices").integer(indices);
                    if let Some(material) = surface.material.and_then(|material| plan.materials.new[material]) {
                        json.key("material").integer(material);
                    }
                });
            }
        });
    });
}

fn present(bytes: &[u8]) -> Option<&[u8]> {
    (!bytes.is_empty()).then_some(bytes)
}

fn write_material(json: &mut Json, material: &Material) {
    json.object(|json| {
        name(json, &material.name);
        json.key("pbrMetallicRoughness").object(|json| {
            json.list("baseColorFactor", material.base_color, |json, v| json.f32(v));
            json.key("metallicFactor").f32(material.metallic);
            json.key("roughnessFactor").f32(material.roughness);
        });
        match material.alpha_mode() {
            AlphaMode::Auto | AlphaMode::Opaque => {}
            AlphaMode::Mask(cutoff) => {
                json.key("alphaMode").text("MASK");
                json.key("alphaCutoff").f32(cutoff);
            }
            AlphaMode::Blend => json.key("alphaMode").text("BLEND"),
        }
        if material.double_sided {
            json.key("doubleSided").bool(true);
        }
    });
}

fn name(json: &mut Json, name: &str) {
    if !name.is_empty() {
        json.key("name").text(name);
    }
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
