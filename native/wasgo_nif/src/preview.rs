//! Pictures of plans.

use rustler::{Env, ResourceArc, Term};
use wasgo_gen::preview::{PreviewError, View};

use crate::generate::{PlanResource, gen_error, plan_fault};
use crate::{atoms, bytes, fault, jobs};

/// Draws a plan from above, in the pool; answers `{:ok, png}`.
#[rustler::nif]
fn gen_preview<'a>(
    env: Env<'a>,
    plan: ResourceArc<PlanResource>,
    center: (f64, f64),
    metres: f64,
    size: u32,
    scatter: bool,
) -> Term<'a> {
    let view = View { center: [center.0, center.1], metres, size, scatter };
    jobs::start(
        env,
        move || plan.generator().preview(&view).map(|picture| picture.png()),
        |env, drawn| match drawn {
            Ok(png) => {
                let png = bytes::binary(env, png);
                fault::ok(env, png)
            }
            Err(PreviewError::Gen(error)) => fault::err(env, gen_error(env, &error)),
            Err(error @ PreviewError::OutOfRange { field, .. }) => {
                fault::err(env, plan_fault(env, atoms::out_of_range(), Some(field), &error.to_string()))
            }
        },
    )
}
