//! What generators make in a chunk.

use super::geometry::{self, MAX_ANSWER};
use super::{ASKED_CHUNK, ScriptCall, ScriptError, job};
use wasgo_scene::{Material, Surface};

use crate::bytes::{le_bytes, le_bytes_u32};
use crate::chunk::{ChunkId, Lattice};
use crate::generator::Generator;
use crate::mesh::MeshData;
use crate::plan::GeneratorRule;

/// What one generator of a plan made in a chunk.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// Which of the plan's generators.
    pub generator: usize,
    /// Meshes that stand somewhere.
    pub meshes: Vec<GeneratedMesh>,
}

/// A mesh that a script made, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneratedMesh {
    /// The generator's name and a digest of the mesh: equal meshes have equal names.
    pub name: String,
    /// Positions, normals and colours; metres from its own origin.
    pub mesh: MeshData,
    /// Its material.
    pub look: Look,
    /// 48 bytes for each place: 12 f32 little-endian, a 3x4 matrix row by row, in the space of the chunk (x and z from its origin).
    pub transforms: Vec<u8>,
}

/// How a mesh looks besides the colours of its vertices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Whether it is seen from both sides.
    pub double_sided: bool,
    /// 0 is a mirror, 1 is matt.
    pub roughness: f32,
    /// 0 is a dielectric, 1 a metal.
    pub metallic: f32,
    /// Light of its own: linear red, green, blue, 0..=64.
    pub emission: [f32; 3],
}

impl GeneratedMesh {
    /// The mesh, borrowing from this on little-endian machines. Without a material.
    #[must_use]
    pub fn surface(&self) -> Surface<'_> {
        Surface {
            positions: le_bytes(self.mesh.positions.as_flattened()),
            normals: le_bytes(self.mesh.normals.as_flattened()),
            colors: le_bytes(self.mesh.colors.as_flattened()),
            indices: le_bytes_u32(&self.mesh.indices),
            ..Surface::default()
        }
    }
}

impl Look {
    /// As a material: white, so that the colours of the vertices are seen.
    #[must_use]
    pub fn material(&self, name: impl Into<String>) -> Material {
        // Files want factors of at most 1, and the rest as strength.
        let strength = self.emission.iter().copied().fold(1.0, f32::max);
        Material {
            name: name.into(),
            double_sided: self.double_sided,
            roughness: self.roughness,
            metallic: self.metallic,
            emissive: self.emission.map(|light| light / strength),
            emissive_strength: strength,
            ..Material::default()
        }
    }
}

impl Generator {
    /// Has all generators of the plan make what stands in a chunk. After a failure, which the job knows, there is nothing more.
    pub(crate) fn generated(&self, id: &ChunkId, lattice: &Lattice, heights: &[f32]) -> Vec<Generated> {
        let rules = self.plan().generators.iter().enumerate().filter(|(_, rule)| rule.level >= id.level);
        let mut made = Vec::new();
        let mut asked = Vec::new();
        for (generator, rule) in rules {
            if job::failed() {
                break;
            }
            if asked.is_empty() {
                asked = ask(lattice, heights);
            }
            match self.run_generator(rule, id, lattice.size, &asked) {
                Ok(meshes) if meshes.is_empty() => {}
                Ok(meshes) => made.push(Generated { generator, meshes }),
                Err(fault) => {
                    let place = match rule.name.as_str() {
                        "" => format!("generators[{generator}]"),
                        name => format!("generators[{generator}] {name:?}"),
                    };
                    job::fail(ScriptError { place, script: rule.script.clone(), fault });
                }
            }
        }
        made
    }

    fn run_generator(
        &self,
        rule: &GeneratorRule,
        id: &ChunkId,
        size: f64,
        asked: &[u8],
    ) -> Result<Vec<GeneratedMesh>, super::ScriptFault> {
        // Checked where the generator was made: each rule's script is there.
        let Some(given) = self.scripts.get(&rule.script) else { return Ok(Vec::new()) };
        let script = &given.script;
        let call = ScriptCall {
            seed: self.plan().seed,
            x: id.x,
            z: id.z,
            level: id.level,
            asked,
            parameters: &rule.parameters,
            fuel: rule.fuel,
            answer: MAX_ANSWER,
        };
        let name = if rule.name.is_empty() { &rule.script } else { &rule.name };
        job::call(script, &call, |answer| Ok(geometry::read(name, answer, size)?))
    }
}

/// The first value of the row.
fn ask(lattice: &Lattice, heights: &[f32]) -> Vec<u8> {
    let mut asked = Vec::with_capacity(32 + 4 * heights.len());
    asked.extend(ASKED_CHUNK.to_le_bytes());
    asked.extend((lattice.samples as u32).to_le_bytes());
    let [x, _, z] = lattice.origin();
    asked.extend([x, z, lattice.size].map(f64::to_le_bytes).as_flattened());
    asked.extend_from_slice(&le_bytes(heights));
    asked
}
