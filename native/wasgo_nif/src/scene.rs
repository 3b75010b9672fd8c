//! Scenes out of Elixir's structs, to GLB.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rustler::{Atom, Binary, Env, NifStruct, OwnedEnv, Term};
use wasgo_scene::{
    Extra, Instances, Limits, Material, Mesh, Node, Scene, SceneError, Surface, Transform, glb, validate, winding,
};

use crate::{atoms, bytes, fault, float, jobs};

#[derive(NifStruct)]
#[module = "Wasgo.Scene"]
struct SceneTerm<'a> {
    name: &'a str,
    nodes: Vec<NodeTerm<'a>>,
    meshes: Vec<MeshTerm<'a>>,
    materials: Vec<MaterialTerm<'a>>,
    instances: Vec<InstancesTerm<'a>>,
    roots: Vec<usize>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Node"]
struct NodeTerm<'a> {
    name: &'a str,
    translation: (Term<'a>, Term<'a>, Term<'a>),
    mesh: Option<usize>,
    children: Vec<usize>,
    extras: Vec<(&'a str, Term<'a>)>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Mesh"]
struct MeshTerm<'a> {
    name: &'a str,
    surfaces: Vec<SurfaceTerm<'a>>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Surface"]
struct SurfaceTerm<'a> {
    positions: Binary<'a>,
    normals: Binary<'a>,
    colors: Binary<'a>,
    indices: Binary<'a>,
    material: Option<usize>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Material"]
struct MaterialTerm<'a> {
    name: &'a str,
    base_color: (Term<'a>, Term<'a>, Term<'a>, Term<'a>),
    metallic: Term<'a>,
    roughness: Term<'a>,
    double_sided: bool,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Instances"]
struct InstancesTerm<'a> {
    name: &'a str,
    mesh: usize,
    parent: Option<usize>,
    transforms: Binary<'a>,
}

/// Writes a scene as GLB, in the pool. The term's structure is copied for that; its binaries are not.
#[rustler::nif(schedule = "DirtyCpu")]
fn scene_to_glb<'a>(env: Env<'a>, scene: Term<'a>) -> Term<'a> {
    let owned = OwnedEnv::new();
    let saved = owned.save(scene);
    jobs::start(
        env,
        move || owned.run(|env| read(saved.load(env), glb::write)),
        |env, written| match written {
            Ok(bytes) => {
                let bytes = bytes::binary(env, bytes);
                fault::ok(env, bytes)
            }
            Err(error) => fault::err(env, scene_fault(env, &error)),
        },
    )
}

/// Checks a scene, in the pool; answers `{:ok, {meshes, surfaces, vertices, triangles, nodes, instances}}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn scene_validate<'a>(env: Env<'a>, scene: Term<'a>) -> Term<'a> {
    let owned = OwnedEnv::new();
    let saved = owned.save(scene);
    jobs::start(
        env,
        move || owned.run(|env| read(saved.load(env), |scene| validate(scene, &Limits::NONE))),
        |env, checked| match checked {
            Ok(counts) => fault::ok(
                env,
                (counts.meshes, counts.surfaces, counts.vertices, counts.triangles, counts.nodes, counts.instances),
            ),
            Err(error) => fault::err(env, scene_fault(env, &error)),
        },
    )
}

/// Indices with two of each triangle swapped: what an engine with clockwise faces takes. For up to 1 MiB.
#[rustler::nif]
fn scene_flip<'a>(env: Env<'a>, indices: Binary<'a>) -> Term<'a> {
    bytes::binary(env, winding::flip(indices.as_slice()))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn scene_flip_dirty<'a>(env: Env<'a>, indices: Binary<'a>) -> Term<'a> {
    bytes::binary(env, winding::flip(indices.as_slice()))
}

/// What is wrong with a scene: with its terms, or with what they say.
enum Fault {
    Terms(String),
    Scene(SceneError),
}

fn scene_fault<'a>(env: Env<'a>, fault: &Fault) -> Term<'a> {
    let (reason, message) = match fault {
        Fault::Terms(message) => (atoms::arguments(), message.clone()),
        Fault::Scene(error) => (atoms::invalid(), error.to_string()),
    };
    fault::fault(env, atoms::scene(), reason.to_term(env), &message, &[])
}

fn read<T>(term: Term<'_>, act: impl FnOnce(&Scene<'_>) -> Result<T, SceneError>) -> Result<T, Fault> {
    let scene: SceneTerm<'_> =
        term.decode().map_err(|_| Fault::Terms("it is no Wasgo.Scene whose fields have the types they must".into()))?;
    let scene = convert(&scene)?;
    act(&scene).map_err(Fault::Scene)
}

fn number(what: &str, name: &str, term: Term<'_>) -> Result<f32, Fault> {
    float::decode(term)
        .map(|value| value as f32)
        .ok_or_else(|| Fault::Terms(format!("{what} of \"{name}\" must be a number, and is {term:?}")))
}

fn convert<'s>(scene: &'s SceneTerm<'_>) -> Result<Scene<'s>, Fault> {
    Ok(Scene {
        name: scene.name.into(),
        nodes: scene.nodes.iter().map(node).collect::<Result<_, _>>()?,
        meshes: scene.meshes.iter().map(mesh).collect(),
        materials: scene.materials.iter().map(material).collect::<Result<_, _>>()?,
        instances: scene
            .instances
            .iter()
            .map(|set| Instances {
                name: set.name.into(),
                mesh: set.mesh,
                parent: set.parent,
                transforms: Cow::Borrowed(set.transforms.as_slice()),
            })
            .collect(),
        roots: scene.roots.clone(),
        ..Scene::default()
    })
}

fn node(node: &NodeTerm<'_>) -> Result<Node, Fault> {
    let part = |term| number("the translation", node.name, term);
    let (x, y, z) = node.translation;
    let mut extras = BTreeMap::new();
    for (key, value) in &node.extras {
        extras.insert((*key).into(), extra(node.name, key, *value)?);
    }
    Ok(Node {
        name: node.name.into(),
        transform: Transform::at([part(x)?, part(y)?, part(z)?]),
        mesh: node.mesh,
        children: node.children.clone(),
        extras,
        ..Node::default()
    })
}

fn extra(node: &str, key: &str, term: Term<'_>) -> Result<Extra, Fault> {
    if let Ok(text) = term.decode::<&str>() {
        return Ok(Extra::Text(text.into()));
    }
    if let Ok(atom) = Atom::from_term(term)
        && (atom == atoms::true_() || atom == atoms::false_())
    {
        return Ok(Extra::Bool(atom == atoms::true_()));
    }
    float::decode(term)
        .map(Extra::Number)
        .ok_or_else(|| Fault::Terms(format!("the extra \"{key}\" of \"{node}\" must be text, a number or a boolean")))
}

fn mesh<'s>(mesh: &'s MeshTerm<'_>) -> Mesh<'s> {
    let surfaces = mesh.surfaces.iter().map(|surface| Surface {
        positions: Cow::Borrowed(surface.positions.as_slice()),
        normals: Cow::Borrowed(surface.normals.as_slice()),
        colors: Cow::Borrowed(surface.colors.as_slice()),
        indices: Cow::Borrowed(surface.indices.as_slice()),
        material: surface.material,
        ..Surface::default()
    });
    Mesh { name: mesh.name.into(), surfaces: surfaces.collect(), ..Mesh::default() }
}

fn material(material: &MaterialTerm<'_>) -> Result<Material, Fault> {
    let part = |what, term| number(what, material.name, term);
    let (r, g, b, a) = material.base_color;
    let color = |term| part("the base colour", term);
    Ok(Material {
        name: material.name.into(),
        base_color: [color(r)?, color(g)?, color(b)?, color(a)?],
        metallic: part("the metallic factor", material.metallic)?,
        roughness: part("the roughness", material.roughness)?,
        double_sided: material.double_sided,
        ..Material::default()
    })
}
