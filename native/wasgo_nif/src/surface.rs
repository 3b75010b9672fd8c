//! Surfaces of densities that somebody else computed.

use std::borrow::Cow;
use std::cell::RefCell;

use rustler::{Binary, Env, OwnedEnv, Resource, ResourceArc, Term};
use wasgo_gen::MeshData;
use wasgo_gen::volume::{self, Densities, Mesher, Neighbours, VolumeChunk, VolumeError, VolumeMesh};

use crate::generate::plan_fault;
use crate::{atoms, fault, jobs};

/// A surface, whose bytes binaries of the BEAM refer to.
struct SurfaceResource(MeshData);

#[rustler::resource_impl]
impl Resource for SurfaceResource {}

thread_local! {
    /// A thread's memory for surfaces, some 10 MB at most: what grows while it is written takes longer than copying it once does.
    static MESHER: RefCell<(Mesher, VolumeMesh)> = RefCell::default();
}

/// The surface of (cells + 4)^3 densities, in the pool: `{:ok, {positions, normals, colors, indices}}`.
#[rustler::nif]
fn gen_surface<'a>(env: Env<'a>, densities: Binary<'a>, cells: u32, spacing: f64) -> Term<'a> {
    let chunk = VolumeChunk { cells, spacing: spacing as f32, neighbours: Neighbours::SAME };
    // Before anything else: so what the pool is given is bounded too.
    match volume::samples(cells, &chunk.neighbours) {
        Ok(expected) if densities.len() == expected * 4 => {}
        Ok(expected) => return refused(env, &VolumeError::Count { found: densities.len() / 4, expected }),
        Err(error) => return refused(env, &error),
    }
    // The binary is shared with the pool, not copied.
    let owned = OwnedEnv::new();
    let saved = owned.save(densities.to_term(env));
    jobs::start(
        env,
        move || {
            owned.run(|env| {
                let binary: Option<Binary> = saved.load(env).decode().ok();
                let bytes = binary.as_ref().map_or(&[][..], |binary| binary.as_slice());
                // A part of a binary may begin anywhere.
                let samples: Cow<[f32]> = match bytemuck::try_cast_slice(bytes) {
                    Ok(samples) if cfg!(target_endian = "little") => Cow::Borrowed(samples),
                    _ => bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect(),
                };
                MESHER.with_borrow_mut(|(mesher, out)| {
                    mesher.mesh(&chunk, Densities::Sampled(&samples), out).map(|()| out.mesh.clone())
                })
            })
        },
        |env, made| match made {
            Ok(mesh) => {
                let mesh = ResourceArc::new(SurfaceResource(mesh));
                let bytes = |pick: fn(&MeshData) -> &[u8]| -> Term<'_> {
                    mesh.make_binary(env, |mesh| pick(&mesh.0)).to_term(env)
                };
                let surface = (
                    bytes(|mesh| bytemuck::cast_slice(mesh.positions.as_flattened())),
                    bytes(|mesh| bytemuck::cast_slice(mesh.normals.as_flattened())),
                    bytes(|_| &[]),
                    bytes(|mesh| bytemuck::cast_slice(&mesh.indices)),
                );
                fault::ok(env, surface)
            }
            Err(error) => refused(env, &error),
        },
    )
}

fn refused<'a>(env: Env<'a>, error: &VolumeError) -> Term<'a> {
    let field = match error {
        VolumeError::Cells { .. } | VolumeError::Unaligned { .. } => "cells",
        VolumeError::Spacing { .. } => "cell_size",
        VolumeError::Count { .. } | VolumeError::Sample { .. } => "densities",
        VolumeError::Step { .. } => "neighbours",
    };
    fault::err(env, plan_fault(env, atoms::out_of_range(), Some(field), &error.to_string()))
}
