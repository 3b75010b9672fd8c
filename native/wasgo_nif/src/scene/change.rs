//! What is done with whole scenes, in the pool. Bytes that stay what they are stay where they are.

use rustler::{Encoder, Env, OwnedEnv, Term};
use wasgo_scene::Scene;
use wasgo_scene::ops::{self, SimplifyOptions, SplitBy};

use super::decode::Wrong;
use super::encode::{Encode, Origins};
use super::{Fault, scene_fault, with};
use crate::{fault, float, jobs};

/// An operation, as its tuple says it.
#[derive(Clone)]
enum Change {
    Compact,
    Optimize,
    Tangents,
    Transform([f32; 12]),
    Simplify(SimplifyOptions),
    Lods(Vec<f32>, f32),
    Split(SplitBy),
    Bounds,
}

/// Changes a scene; answers `{:ok, scene}`, or for `:simplify` `{:ok, {scene, error}}`, for `:split` `{:ok, [scene]}`, for `:bounds`
/// `{:ok, {low, high} | nil}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn scene_change<'a>(env: Env<'a>, scene: Term<'a>, change: Term<'a>) -> Term<'a> {
    let change = match read_change(change) {
        Ok(change) => change,
        Err(error) => return fault::err(env, scene_fault(env, &error.into())),
    };
    let owned = OwnedEnv::new();
    let saved = owned.save(scene);
    // The terms borrow from one another, so that they are made where they are sent.
    jobs::start(
        env,
        move || (owned, saved),
        move |env, (owned, saved)| {
            owned.run(|inner| {
                let changed = with(saved.load(inner), |scene, terms| apply(env, scene, Origins::of(terms), &change));
                match changed {
                    Ok(term) => fault::ok(env, term),
                    Err(error) => fault::err(env, scene_fault(env, &error)),
                }
            })
        },
    )
}

fn apply<'e, 'o>(env: Env<'e>, scene: Scene<'o>, origins: Origins<'o>, change: &Change) -> Result<Term<'e>, Fault> {
    let encode = Encode::new(env, origins);
    Ok(match change {
        Change::Compact => encode.scene(ops::compact(scene)?),
        Change::Optimize => encode.scene(ops::optimize(scene)?),
        Change::Tangents => encode.scene(ops::tangents(scene)?),
        Change::Transform(rows) => encode.scene(ops::transform(scene, rows)?),
        Change::Lods(ratios, error) => encode.scene(ops::lods(scene, ratios, *error)?),
        Change::Simplify(options) => {
            let (scene, error) = ops::simplify(scene, options)?;
            (encode.scene(scene), f64::from(error)).encode(env)
        }
        Change::Split(by) => {
            let parts = ops::split(&scene, *by)?;
            parts.into_iter().map(|part| encode.scene(part)).collect::<Vec<Term<'e>>>().encode(env)
        }
        Change::Bounds => {
            let corner = |[x, y, z]: [f32; 3]| (f64::from(x), f64::from(y), f64::from(z));
            ops::bounds(&scene)?.map(|bounds| (corner(bounds.low), corner(bounds.high))).encode(env)
        }
    })
}

fn read_change(term: Term<'_>) -> Result<Change, Wrong> {
    let wrong = || Wrong(format!("there is no change {term:?}"));
    let parts = rustler::types::tuple::get_tuple(term).map_err(|_| wrong())?;
    let name = parts.first().and_then(|name| name.atom_to_string().ok()).ok_or_else(wrong)?;
    Ok(match (name.as_str(), &parts[1..]) {
        ("compact", []) => Change::Compact,
        ("optimize", []) => Change::Optimize,
        ("tangents", []) => Change::Tangents,
        ("bounds", []) => Change::Bounds,
        ("transform", [rows]) => {
            let terms = rustler::types::tuple::get_tuple(*rows).unwrap_or_default();
            if terms.len() != 12 {
                return Err(Wrong(format!("the matrix must be a tuple of 12 numbers, and is {rows:?}")));
            }
            let mut matrix = [0.0; 12];
            for (place, term) in matrix.iter_mut().zip(terms) {
                *place = number("an element of the matrix", term)?;
            }
            Change::Transform(matrix)
        }
        ("simplify", [ratio, error, lock_borders]) => Change::Simplify(SimplifyOptions {
            ratio: number("the ratio", *ratio)?,
            error: metres(*error)?,
            lock_borders: lock_borders.decode().map_err(|_| wrong())?,
        }),
        ("lods", [ratios, error]) => {
            let ratios: Vec<Term<'_>> =
                ratios.decode().map_err(|_| Wrong(format!("the ratios must be a list, and are {ratios:?}")))?;
            let ratios = ratios.into_iter().map(|ratio| number("a ratio", ratio)).collect::<Result<_, _>>()?;
            Change::Lods(ratios, metres(*error)?)
        }
        ("split_root", []) => Change::Split(SplitBy::Root),
        ("split_material", []) => Change::Split(SplitBy::Material),
        ("split_grid", [side]) => Change::Split(SplitBy::Grid(number("the side of the grid", *side)?)),
        _ => return Err(wrong()),
    })
}

fn number(what: &str, term: Term<'_>) -> Result<f32, Wrong> {
    let value = float::decode(term).ok_or_else(|| Wrong(format!("{what} must be a number, and is {term:?}")))?;
    Ok(value as f32)
}

/// A bound in metres, of which infinity is none.
fn metres(term: Term<'_>) -> Result<f32, Wrong> {
    let value = number("the error", term)?;
    Ok(if value == f32::INFINITY { f32::MAX } else { value })
}
