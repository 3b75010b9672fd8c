//! Scenes out of Elixir's structs and into them, from GLB and to it.

mod change;
mod decode;
mod encode;
mod read;
mod terms;
mod vary;
mod words;

use rustler::{Binary, Env, OwnedEnv, Term};
use wasgo_scene::glb::{self, WriteOptions};
use wasgo_scene::{Limits, Scene, SceneError, validate, winding};

use self::decode::Wrong;
use self::terms::SceneTerm;
use crate::{atoms, bytes, fault, jobs};

/// Writes a scene as GLB, in the pool. The term's structure is copied for that; its binaries are not.
#[rustler::nif(schedule = "DirtyCpu")]
fn scene_to_glb<'a>(env: Env<'a>, scene: Term<'a>, instancing: bool) -> Term<'a> {
    let owned = OwnedEnv::new();
    let saved = owned.save(scene);
    let options = WriteOptions { instancing };
    jobs::start(
        env,
        move || owned.run(|env| with(saved.load(env), |scene, _| Ok(glb::write_with(&scene, &options)?))),
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
        move || owned.run(|env| with(saved.load(env), |scene, _| Ok(validate(&scene, &Limits::NONE)?))),
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

impl From<Wrong> for Fault {
    fn from(Wrong(words): Wrong) -> Self {
        Self::Terms(words)
    }
}

impl From<SceneError> for Fault {
    fn from(error: SceneError) -> Self {
        Self::Scene(error)
    }
}

fn scene_fault<'a>(env: Env<'a>, fault: &Fault) -> Term<'a> {
    let (reason, message) = match fault {
        Fault::Terms(message) => (atoms::arguments(), message.clone()),
        Fault::Scene(error) => (atoms::invalid(), error.to_string()),
    };
    fault::fault(env, atoms::scene(), reason.to_term(env), &message, &[])
}

/// Does something with the scene of a term, whose bytes are where the scene borrows from.
fn with<'o, T>(term: Term<'o>, act: impl FnOnce(Scene<'o>, &SceneTerm<'o>) -> Result<T, Fault>) -> Result<T, Fault> {
    let terms: SceneTerm<'o> =
        term.decode().map_err(|_| Fault::Terms("it is no Wasgo.Scene whose fields have the types they must".into()))?;
    let scene = decode::scene(&terms)?;
    act(scene, &terms)
}
