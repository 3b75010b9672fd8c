//! Chunks as scenes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use wasgo_scene::{Extra, Instances, Material, Mesh, Node, Scene, Surface, Transform};

use crate::built;
use crate::bytes::{le_bytes, le_bytes_u32};
use crate::chunk::Chunk;
use crate::instance::{Instance, transforms};
use crate::plan::Plan;
use crate::props::{Finish, Prop};
use crate::script::Look;

/// Number of the material of the ground in [`materials`].
pub const GROUND: usize = 0;
/// Number of the material of props and creatures in [`materials`]: the colours of the vertices and nothing else.
pub const PAINTED: usize = 1;
/// Number of the material of water in [`materials`].
pub const WATER: usize = 2;

/// Number of the material of the first of [`Finish::ALL`] in [`materials`]; the others follow. See [`material`].
pub const FINISHES: usize = 3;

/// Number of the material of a finish in [`materials`].
#[must_use]
pub const fn material(finish: Finish) -> usize {
    FINISHES + finish as usize
}

/// Number of the material of the first of [`built::Material::ALL`] in [`materials`]; the others follow. See [`built_material`].
pub const BUILT: usize = FINISHES + Finish::ALL.len();

/// Number of the material of what is built, in [`materials`].
#[must_use]
pub const fn built_material(material: built::Material) -> usize {
    BUILT + material as usize
}

/// The materials that generated surfaces refer to: of the ground, of what is painted, of water, of each finish, and of what
/// buildings are made of.
#[must_use]
pub fn materials() -> Vec<Material> {
    let matt = |name: &str| Material { name: name.into(), ..Material::default() };
    let mut materials = vec![
        matt("ground"),
        Material { roughness: 0.9, ..matt("painted") },
        Material { base_color: [0.03, 0.16, 0.2, 0.72], roughness: 0.12, ..matt("water") },
    ];
    materials.extend(Finish::ALL.map(|finish| Material {
        roughness: match finish {
            Finish::Bark => 0.95,
            Finish::Leaf => 0.7,
            Finish::Solid | Finish::Timber => 0.9,
            Finish::Crystal => 0.15,
            Finish::Card => 0.85,
        },
        double_sided: finish.double_sided(),
        ..matt(finish.name())
    }));
    materials.extend(built::Material::ALL.map(of_built));
    materials
}

/// How something that is built looks, besides the colours of its vertices.
fn of_built(material: built::Material) -> Material {
    use built::Material as Of;
    let plain = Material { name: format!("built_{}", material.name()), ..Material::default() };
    match material {
        Of::Plaster | Of::Brick | Of::Earth | Of::Thatch => plain,
        Of::Stone | Of::Timber | Of::Plank => Material { roughness: 0.9, ..plain },
        Of::Tile => Material { roughness: 0.8, ..plain },
        Of::Slate => Material { roughness: 0.55, ..plain },
        Of::Glass => Material { roughness: 0.12, ..plain },
        Of::Metal => Material { metallic: 0.7, roughness: 0.5, ..plain },
        Of::Cloth => Material { roughness: 0.95, double_sided: true, ..plain },
        Of::Flame => Material { emissive: [1.0, 0.55, 0.18], emissive_strength: 4.0, double_sided: true, ..plain },
    }
}

/// A chunk with what stands on it: one node at the chunk's origin with the ground as its mesh and the chunk's
/// coordinates and seed in its extras; below it the instances and what scripts made, and a sheet of water when any sample is under it.
///
/// `instances` are the chunk's own or what a script made of them; `props` are those of the same plan; an instance of a kind that
/// they lack is left out. Props are shown in the level of detail that fits the chunk's ([`Prop::lod_for`]). Bytes are borrowed
/// where they can be.
#[must_use]
pub fn of_chunk<'a>(plan: &Plan, chunk: &'a Chunk, instances: &[Instance], props: &'a [Prop]) -> Scene<'a> {
    let name = format!("chunk_{}_{}", chunk.id.x, chunk.id.z);
    let ground = Surface { material: Some(GROUND), ..chunk.surface() };
    let mut meshes = vec![Mesh { name: "ground".into(), surfaces: vec![ground], ..Mesh::default() }];
    let [x, y, z] = chunk.origin.map(|metres| metres as f32);
    let mut nodes = vec![Node {
        name: name.clone(),
        transform: Transform::at([x, y, z]),
        mesh: Some(0),
        extras: BTreeMap::from([
            ("chunk_x".into(), Extra::Number(f64::from(chunk.id.x))),
            ("chunk_z".into(), Extra::Number(f64::from(chunk.id.z))),
            // As text: a JSON number cannot hold every u64.
            ("seed".into(), Extra::Text(plan.seed.to_string())),
        ]),
        ..Node::default()
    }];
    if let Some(level) =
        plan.terrain.as_ref().and_then(|terrain| terrain.water).filter(|_| chunk.stats.water_share > 0.0)
    {
        nodes[0].children.push(1);
        nodes.push(Node { name: "water".into(), mesh: Some(meshes.len()), ..Node::default() });
        meshes.push(Mesh { name: "water".into(), surfaces: vec![water(chunk.size as f32, level)], ..Mesh::default() });
    }
    let mut sets = Vec::new();
    for (kind, prop) in (0u32..).zip(props) {
        let transforms = transforms(instances, kind);
        if !transforms.is_empty() {
            sets.push(Instances {
                name: prop.name.clone(),
                mesh: meshes.len(),
                parent: Some(0),
                transforms: transforms.into(),
            });
            meshes.push(prop.lods[prop.lod_for(plan, chunk.id.level)].mesh.borrow());
        }
    }
    for set in &chunk.objects {
        sets.push(Instances {
            name: set.model.name.clone(),
            mesh: meshes.len(),
            parent: Some(0),
            transforms: set.transforms().into(),
        });
        meshes.push(set.model.mesh.borrow());
    }
    let mut materials = materials();
    let mut looks: Vec<Look> = Vec::new();
    for made in chunk.generated.iter().flat_map(|generated| &generated.meshes) {
        let look = looks.iter().position(|look| *look == made.look).unwrap_or_else(|| {
            looks.push(made.look);
            looks.len() - 1
        });
        let surface = Surface { material: Some(materials.len() + look), ..made.surface() };
        let transforms = made.transforms.as_slice().into();
        sets.push(Instances { name: made.name.clone(), mesh: meshes.len(), parent: Some(0), transforms });
        meshes.push(Mesh { name: made.name.clone(), surfaces: vec![surface], ..Mesh::default() });
    }
    materials.extend(looks.iter().enumerate().map(|(number, look)| look.material(format!("generated_{number}"))));
    Scene { name, nodes, meshes, materials, instances: sets, roots: vec![0], ..Scene::default() }
}

/// A square of water over a whole chunk of `size` metres, at the height `level`.
#[must_use]
pub fn water(size: f32, level: f32) -> Surface<'static> {
    let owned = |bytes: Cow<'_, [u8]>| Cow::Owned(bytes.into_owned());
    let corners = [[0.0, 0.0], [size, 0.0], [0.0, size], [size, size]];
    let positions: Vec<f32> = corners.iter().flat_map(|[x, z]| [*x, level, *z]).collect();
    Surface {
        positions: owned(le_bytes(&positions)),
        normals: owned(le_bytes(&[0.0, 1.0, 0.0].repeat(4))),
        indices: owned(le_bytes_u32(&[0, 2, 1, 1, 2, 3])),
        material: Some(WATER),
        ..Surface::default()
    }
}
