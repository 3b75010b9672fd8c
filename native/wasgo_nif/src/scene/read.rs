//! GLB into Elixir's structs.

use rustler::{Binary, Encoder, Env, NifMap, OwnedEnv, Term};
use wasgo_scene::Limits;
use wasgo_scene::glb::{self, ReadError, ReadOptions};

use super::encode::{Encode, Origins};
use crate::{atoms, fault, jobs};

/// What a file may hold and how it is read, as Elixir has it. Nothing stands for the native side's own defaults.
#[derive(Clone, Copy, NifMap)]
struct OptionsMap {
    lossy: bool,
    scene: Option<usize>,
    max_memory: Option<usize>,
    max_json_bytes: Option<usize>,
    max_vertices: Option<usize>,
    max_triangles: Option<usize>,
    max_nodes: Option<usize>,
    max_image_bytes: Option<usize>,
}

impl OptionsMap {
    fn options(self) -> ReadOptions<'static> {
        let defaults = ReadOptions::default();
        let limits = Limits {
            vertices: self.max_vertices.unwrap_or(defaults.limits.vertices),
            triangles: self.max_triangles.unwrap_or(defaults.limits.triangles),
            nodes: self.max_nodes.unwrap_or(defaults.limits.nodes),
            image_bytes: self.max_image_bytes.unwrap_or(defaults.limits.image_bytes),
            ..defaults.limits
        };
        ReadOptions {
            limits,
            json_bytes: self.max_json_bytes.unwrap_or(defaults.json_bytes),
            memory: self.max_memory.unwrap_or(defaults.memory),
            lossy: self.lossy,
            scene: self.scene,
            ..defaults
        }
    }
}

/// Reads a file in the pool. What the scene has as the file has it is a part of the file's binary.
#[rustler::nif]
fn scene_from_glb<'a>(env: Env<'a>, file: Binary<'a>, options: OptionsMap) -> Term<'a> {
    let owned = OwnedEnv::new();
    let saved = owned.save(file.to_term(env));
    jobs::start(
        env,
        move || (owned, saved),
        move |env, (owned, saved)| {
            owned.run(|inner| {
                // It is the binary that was saved.
                let Ok(file) = saved.load(inner).decode::<Binary<'_>>() else { return atoms::error().to_term(env) };
                match glb::read_with(file.as_slice(), &options.options()) {
                    Ok(scene) => {
                        let mut origins = Origins::default();
                        origins.add(file);
                        fault::ok(env, Encode::new(env, origins).scene(scene))
                    }
                    Err(error) => fault::err(env, read_fault(env, &error)),
                }
            })
        },
    )
}

fn read_fault<'a>(env: Env<'a>, error: &ReadError) -> Term<'a> {
    let offset: Option<u64> = error.place.strip_prefix("byte ").and_then(|byte| byte.parse().ok());
    let place = if offset.is_some() { "" } else { &error.place };
    let words = error.fault.to_string();
    let reason = (atoms::gltf(), fault::atom(env, error.fault.name()), place, &words).encode(env);
    fault::fault(env, atoms::gltf(), reason, &words, &[(atoms::offset(), offset.encode(env))])
}
