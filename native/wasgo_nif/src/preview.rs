//! Pictures of plans.

use rustler::{Env, ResourceArc, Term};
use wasgo_gen::preview::{Drawing, PreviewError, View};

use crate::generate::{PlanResource, gen_error, plan_fault};
use crate::jobs::Slice;
use crate::{atoms, bytes, fault, jobs};

/// A picture under way.
struct Sketch {
    plan: ResourceArc<PlanResource>,
    view: View,
    drawing: Option<Box<Drawing>>,
}

impl Sketch {
    fn draw(mut self) -> Result<Slice<Self, Vec<u8>>, PreviewError> {
        let generator = self.plan.generator();
        let mut drawing = match self.drawing.take() {
            Some(drawing) => drawing,
            None => Box::new(Drawing::new(generator, &self.view)?),
        };
        if drawing.step(generator)? {
            return Ok(Slice::Done(drawing.finish().png()));
        }
        Ok(Slice::More(Self { drawing: Some(drawing), ..self }))
    }
}

/// Draws a plan, in slices in the pool; answers `{:ok, png}`. `look` is the angle above the horizon in degrees, and the height above which
/// everything is cut away.
#[rustler::nif]
fn gen_preview<'a>(
    env: Env<'a>,
    plan: ResourceArc<PlanResource>,
    center: (f64, f64),
    metres: f64,
    size: u32,
    scatter: bool,
    look: (f64, Option<f64>),
) -> Term<'a> {
    let (angle, below) = look;
    let view = View { scatter, angle: angle as f32, below, ..View::new([center.0, center.1], metres, size) };
    jobs::start_in_slices(
        env,
        Sketch { plan, view, drawing: None },
        |sketch| match sketch.draw() {
            Ok(Slice::More(sketch)) => Slice::More(sketch),
            Ok(Slice::Done(png)) => Slice::Done(Ok(png)),
            Err(error) => Slice::Done(Err(error)),
        },
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
