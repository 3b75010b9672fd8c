//! Volumes of plans, and colliders.

use rustler::{Binary, Env, Resource, ResourceArc, Term};
use wasgo_gen::volume::{self, Collider, ColliderError};
use wasgo_gen::{MeshData, VolumeId, VolumePart};

use crate::generate::{PlanResource, gen_error, plan_fault};
use crate::{atoms, bytes, fault, jobs};

/// A cube of the volume, whose bytes binaries of the BEAM refer to.
struct VolumeResource(VolumePart);

#[rustler::resource_impl]
impl Resource for VolumeResource {}

/// Which cube, from terms: `neighbours` are 18 signed bytes.
fn volume_id((x, y, z): (i32, i32, i32), level: u8, neighbours: &[u8]) -> Result<VolumeId, String> {
    let steps = <[u8; 18]>::try_from(neighbours).map_err(|_| "neighbours must be 18 levels".to_string())?;
    let neighbours = volume::Neighbours::new(steps.map(|step| step as i8)).map_err(|error| error.to_string())?;
    Ok(VolumeId { x, y, z, level, neighbours })
}

/// Makes a cube of the volume in the pool; answers `{:ok, {origin, size, surface, {solid, seam_triangles}}}`.
#[rustler::nif]
fn gen_volume<'a>(
    env: Env<'a>,
    plan: ResourceArc<PlanResource>,
    at: (i32, i32, i32),
    level: u8,
    neighbours: Binary<'a>,
) -> Term<'a> {
    let id = match volume_id(at, level, neighbours.as_slice()) {
        Ok(id) => id,
        Err(message) => return fault::err(env, plan_fault(env, atoms::out_of_range(), Some("neighbours"), &message)),
    };
    jobs::start(
        env,
        move || plan.generator().volume(id),
        |env, made| match made {
            Ok(part) => {
                let ([x, y, z], size, stats) = (part.origin, part.size, part.stats);
                let part = ResourceArc::new(VolumeResource(part));
                let floats = |pick: fn(&VolumePart) -> &[f32]| -> Term<'_> {
                    part.make_binary(env, |part| bytemuck::cast_slice(pick(&part.0))).to_term(env)
                };
                let surface = (
                    floats(|part| part.mesh.positions.as_flattened()),
                    floats(|part| part.mesh.normals.as_flattened()),
                    floats(|part| part.mesh.colors.as_flattened()),
                    part.make_binary(env, |part| bytemuck::cast_slice(&part.0.mesh.indices)).to_term(env),
                );
                fault::ok(env, ((x, y, z), size, surface, (f64::from(stats.solid), stats.seam_triangles)))
            }
            Err(error) => fault::err(env, gen_error(env, &error)),
        },
    )
}

/// The densities of a cube, in the pool: `{:ok, binary}` of (cells + 1)^3 f32, x fastest, then y, then z.
#[rustler::nif]
fn gen_densities<'a>(env: Env<'a>, plan: ResourceArc<PlanResource>, at: (i32, i32, i32), level: u8) -> Term<'a> {
    let id = VolumeId { level, ..VolumeId::new(at.0, at.1, at.2) };
    jobs::start(
        env,
        move || plan.generator().densities(id),
        |env, made| match made {
            Ok(densities) => {
                let densities = bytes::binary(env, bytemuck::cast_slice(&densities).to_vec());
                fault::ok(env, densities)
            }
            Err(error) => fault::err(env, gen_error(env, &error)),
        },
    )
}

/// A collider of a mesh, in the pool: `{:ok, {positions, indices, error}}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn gen_collider<'a>(env: Env<'a>, positions: Binary<'a>, indices: Binary<'a>, error: f64) -> Term<'a> {
    let positions = vectors(positions.as_slice());
    let indices = words(indices.as_slice());
    let mesh = MeshData { positions, indices, ..MeshData::default() };
    jobs::start(env, move || volume::collider(&mesh, error as f32), answer)
}

/// A collider of a height field, in the pool: as `gen_collider`.
#[rustler::nif(schedule = "DirtyCpu")]
fn gen_height_collider<'a>(env: Env<'a>, heights: Binary<'a>, samples: u32, spacing: f64, error: f64) -> Term<'a> {
    let heights: Vec<f32> =
        heights.as_slice().as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    let make = move || volume::heightfield_collider(&heights, samples, spacing as f32, error as f32);
    jobs::start(env, make, answer)
}

fn answer(env: Env<'_>, made: Result<Collider, ColliderError>) -> Term<'_> {
    match made {
        Ok(collider) => {
            let positions = bytes::binary(env, bytemuck::cast_slice(collider.positions.as_flattened()).to_vec());
            let indices = bytes::binary(env, bytemuck::cast_slice(&collider.indices).to_vec());
            fault::ok(env, (positions, indices, f64::from(collider.error)))
        }
        Err(error) => fault::err(env, plan_fault(env, atoms::out_of_range(), Some("error"), &error.to_string())),
    }
}

fn vectors(bytes: &[u8]) -> Vec<[f32; 3]> {
    words(bytes).as_chunks::<3>().0.iter().map(|vector| vector.map(f32::from_bits)).collect()
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}
