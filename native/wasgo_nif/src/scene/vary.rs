//! What props are made by, done to any mesh of a scene, in the pool.

use rustler::{Binary, Env, OwnedEnv, Term};
use wasgo_gen::PlanError;
use wasgo_gen::props::{PropError, Variation, mesh_impostor, variation};

use super::encode::{Encode, Origins};
use super::{Fault, scene_fault, with};
use crate::generate::plan_error;
use crate::{bytes, fault, jobs, prop};

/// What came of a mesh, which may not be sound.
enum Made<T> {
    Done(T),
    Refused(PropError),
}

/// Varies all meshes of a scene by one seed; answers `{:ok, scene}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn gen_vary<'a>(env: Env<'a>, scene: Term<'a>, amounts: Binary<'a>, seed: u64) -> Term<'a> {
    let amounts = match prop::text(env, &amounts).map(|text| Variation::from_json(&text)) {
        Ok(Ok(amounts)) => amounts,
        Ok(Err(error)) => return fault::err(env, plan_error(env, &error)),
        Err(error) => return fault::err(env, error),
    };
    let owned = OwnedEnv::new();
    let saved = owned.save(scene);
    // The varying itself is done where the terms are made: what it leaves as it is refers to them.
    jobs::start(
        env,
        move || (owned, saved),
        move |env, (owned, saved)| {
            owned.run(|inner| {
                let varied = with(saved.load(inner), |mut scene, terms| {
                    for mesh in &mut scene.meshes {
                        match variation(mesh, &amounts, seed) {
                            Ok(varied) => *mesh = varied,
                            Err(error) => return Ok(Made::Refused(error)),
                        }
                    }
                    Ok(Made::Done(Encode::new(env, Origins::of(terms)).scene(scene)))
                });
                answer(env, varied, |scene| scene)
            })
        },
    )
}

/// Draws the first mesh of a scene from two sides, `size` pixels each; answers `{:ok, png}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn gen_impostor<'a>(env: Env<'a>, scene: Term<'a>, size: u32) -> Term<'a> {
    let owned = OwnedEnv::new();
    let saved = owned.save(scene);
    jobs::start(
        env,
        move || {
            owned.run(|inner| {
                with(saved.load(inner), |scene, _| {
                    let drawn = scene.meshes.first().map(|mesh| mesh_impostor(mesh, size)).transpose();
                    Ok(match drawn {
                        Ok(image) => Made::Done(image.map(|image| image.png()).unwrap_or_default()),
                        Err(error) => Made::Refused(error),
                    })
                })
            })
        },
        |env, drawn| answer(env, drawn, |png| bytes::binary(env, png)),
    )
}

fn answer<'a, T>(env: Env<'a>, made: Result<Made<T>, Fault>, term: impl FnOnce(T) -> Term<'a>) -> Term<'a> {
    match made {
        Ok(Made::Done(value)) => {
            let value = term(value);
            fault::ok(env, value)
        }
        Ok(Made::Refused(error @ PropError::BadSurface { .. })) => {
            fault::err(env, scene_fault(env, &Fault::Terms(error.to_string())))
        }
        Ok(Made::Refused(error)) => fault::err(env, plan_error(env, &PlanError::of_prop("impostor", error))),
        Err(error) => fault::err(env, scene_fault(env, &error)),
    }
}
