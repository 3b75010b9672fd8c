//! Props, and what is made of meshes.

use rustler::{Binary, Encoder, Env, Term};
use wasgo_gen::props::{
    Collider, FenceSpec, Finish, Image, MAX_POINTS, PropError, PropModel, PropSpec, fence, meshes, model, textures,
};
use wasgo_gen::{Plan, PlanError, Prop, PropMesh};
use wasgo_scene::Surface;

use crate::generate::{plan_error, plan_fault};
use crate::{atoms, bytes, fault, jobs};

/// The most bytes of a prop's parameters.
const MAX_TEXT: usize = 64 << 10;

/// Text of at most [`MAX_TEXT`] bytes.
pub fn text<'a>(env: Env<'a>, text: &Binary<'a>) -> Result<String, Term<'a>> {
    if text.len() > MAX_TEXT {
        let message = format!("the parameters have {} bytes, allowed: {MAX_TEXT}", text.len());
        return Err(plan_fault(env, atoms::out_of_range(), None, &message));
    }
    match std::str::from_utf8(text.as_slice()) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(plan_fault(env, atoms::invalid(), None, "the parameters are not UTF-8")),
    }
}

/// Makes a prop of its parameters, in the pool; answers `{:ok, {name, kind, lods, colliders, bounds, textures}}`. With a texture size of
/// 0 there are none.
#[rustler::nif]
fn gen_prop<'a>(env: Env<'a>, parameters: Binary<'a>, seed: u64, texture_size: u32) -> Term<'a> {
    let parameters = match text(env, &parameters) {
        Ok(text) => text,
        Err(error) => return fault::err(env, error),
    };
    jobs::start(
        env,
        move || {
            let spec = PropSpec::from_json(&parameters)?;
            let of = |error: PropError| PlanError::of_prop(spec.kind(), error);
            let made = model(&spec, seed).map_err(of)?;
            let images = match texture_size {
                0 => Vec::new(),
                size => textures(&spec, &made, seed, size).map_err(|error| PlanError::of_prop("textures", error))?,
            };
            let images: Vec<(Finish, Vec<u8>)> =
                images.into_iter().map(|(finish, image): (Finish, Image)| (finish, image.png())).collect();
            Ok((spec.name(), spec.kind(), shape(made, &spec.name()), images))
        },
        |env, made: Result<_, PlanError>| match made {
            Ok((name, kind, (lods, colliders, bounds), images)) => {
                let images: Vec<Term<'_>> = images
                    .into_iter()
                    .map(|(finish, png)| (fault::atom(env, finish.name()), bytes::binary(env, png)).encode(env))
                    .collect();
                let shape = (lods_term(env, lods), colliders_term(env, &colliders), bounds_term(bounds));
                fault::ok(env, (name, fault::atom(env, kind), shape.0, shape.1, shape.2, images))
            }
            Err(error) => fault::err(env, plan_error(env, &error)),
        },
    )
}

/// Makes a fence along points (three f64 each), in the pool; answers as `gen_prop`.
#[rustler::nif]
fn gen_fence<'a>(env: Env<'a>, points: Binary<'a>, parameters: Binary<'a>, seed: u64) -> Term<'a> {
    let count = points.len() / 24;
    if count > MAX_POINTS {
        let message = format!("fence.points is {count}, allowed: 2 to {MAX_POINTS}");
        return fault::err(env, plan_fault(env, atoms::out_of_range(), Some("fence.points"), &message));
    }
    let numbers: Vec<f32> =
        points.as_slice().as_chunks::<8>().0.iter().map(|eight| f64::from_le_bytes(*eight) as f32).collect();
    let line = numbers.as_chunks::<3>().0.to_vec();
    let parameters = match text(env, &parameters) {
        Ok(text) => text,
        Err(error) => return fault::err(env, error),
    };
    jobs::start(
        env,
        move || {
            let spec = FenceSpec::from_json(&parameters)?;
            let made = fence(&line, &spec, seed).map_err(|error| PlanError::of_prop("fence", error))?;
            let name = format!("fence_{}", spec.kind.name());
            Ok((shape(made, &name), name))
        },
        |env, made: Result<_, PlanError>| match made {
            Ok(((lods, colliders, bounds), name)) => {
                let none: [Term<'_>; 0] = [];
                let shape = (lods_term(env, lods), colliders_term(env, &colliders), bounds_term(bounds));
                fault::ok(env, (name, atoms::fence(), shape.0, shape.1, shape.2, &none[..]))
            }
            Err(error) => fault::err(env, plan_error(env, &error)),
        },
    )
}

type Shape = (Vec<PropMesh>, Vec<Collider>, [[f32; 3]; 2]);

/// A prop's levels of detail as meshes of this name, and what else it has.
fn shape(made: PropModel, name: &str) -> Shape {
    (meshes(made.lods, name), made.colliders, made.bounds)
}

/// A prop of a plan: `{name, kind, lods, colliders, bounds, [lod of each level of chunks]}`.
pub fn placed_term<'a>(env: Env<'a>, plan: &Plan, prop: Prop) -> Term<'a> {
    let chosen: Vec<usize> = (0..=plan.chunk.levels).map(|level| prop.lod_for(plan, level)).collect();
    let kind = fault::atom(env, prop.kind.kind());
    let shape = (lods_term(env, prop.lods), colliders_term(env, &prop.colliders), bounds_term(prop.bounds));
    (prop.name, kind, shape.0, shape.1, shape.2, chosen).encode(env)
}

/// `[{name, surfaces, error}]`.
fn lods_term(env: Env<'_>, lods: Vec<PropMesh>) -> Term<'_> {
    let lod = |lod: PropMesh| {
        let surfaces: Vec<Term<'_>> = lod.mesh.surfaces.into_iter().map(|each| surface(env, each)).collect();
        (lod.mesh.name, surfaces, f64::from(lod.error)).encode(env)
    };
    lods.into_iter().map(lod).collect::<Vec<Term<'_>>>().encode(env)
}

/// `{positions, normals, colors, uvs, uvs2, indices, material}`.
fn surface<'a>(env: Env<'a>, surface: Surface<'_>) -> Term<'a> {
    let binary = |bytes: std::borrow::Cow<'_, [u8]>| bytes::binary(env, bytes.into_owned());
    let vertices = (binary(surface.positions), binary(surface.normals), binary(surface.colors));
    let (uvs, uvs2, indices) = (binary(surface.uvs), binary(surface.uvs2), binary(surface.indices));
    (vertices.0, vertices.1, vertices.2, uvs, uvs2, indices, surface.material).encode(env)
}

type Point = (f64, f64, f64);

fn point([x, y, z]: [f32; 3]) -> Point {
    (f64::from(x), f64::from(y), f64::from(z))
}

fn bounds_term([low, high]: [[f32; 3]; 2]) -> (Point, Point) {
    (point(low), point(high))
}

fn colliders_term<'a>(env: Env<'a>, colliders: &[Collider]) -> Term<'a> {
    let term = |collider: &Collider| match collider {
        Collider::Capsule { from, to, radius } => {
            (atoms::capsule(), point(*from), point(*to), f64::from(*radius)).encode(env)
        }
        Collider::Box { center, half } => (atoms::box_(), point(*center), point(*half)).encode(env),
        Collider::Hull { points } => {
            let points: Vec<Point> = points.iter().copied().map(point).collect();
            (atoms::hull(), points).encode(env)
        }
    };
    colliders.iter().map(term).collect::<Vec<Term<'a>>>().encode(env)
}
