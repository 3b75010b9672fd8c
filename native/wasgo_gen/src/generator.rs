//! A plan made ready to generate from: its fields compiled, once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::density::Density;
use crate::field::compile::{Compiler, Scope};
use crate::field::kernel::BLOCK;
use crate::field::program::{Points, Program, Scratch};
use crate::field::range::{Range, Span};
use crate::objects::Models;
use crate::plan::{Fault, MAX_HEIGHT, MAX_WORLD, Plan, PlanError};
use crate::script::{GivenScript, ScriptError, Scripts, bind, job};
use crate::shaped::Changes;

/// A plan with its programs. Makes chunks from any thread: [`Generator::chunk`].
#[derive(Debug)]
pub struct Generator {
    plan: Plan,
    digest: [u8; 32],
    height: Option<Program>,
    pub(crate) rivers: Option<Program>,
    pub(crate) density: Option<Density>,
    ground: Program,
    moisture: Option<Program>,
    masks: Vec<Option<Program>>,
    pub(crate) scripts: Scripts,
    pub(crate) changes: Changes,
    pub(crate) models: Models,
}

thread_local! {
    /// A thread's memory for programs: kept, so that chunks don't begin with asking the system for it.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Runs with the thread's memory for programs.
pub(crate) fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => work(&mut scratch),
        Err(_) => work(&mut Scratch::default()),
    })
}

/// As [`with_scratch`], for what is made in one go: scripts that it calls are started for it, and their failure is its error.
pub(crate) fn with_job<T>(work: impl FnOnce(&mut Scratch) -> T) -> Result<T, ScriptError> {
    job(|| with_scratch(work))
}

impl Generator {
    /// Compiles a plan.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with the plan, with its place.
    pub fn new(plan: Plan) -> Result<Self, PlanError> {
        Self::with_scripts(plan, &BTreeMap::new())
    }

    /// Compiles a plan that calls scripts. Those that are given and that it doesn't name are left alone.
    ///
    /// # Errors
    ///
    /// As [`Generator::new`]; a script that is not given, or another than the plan has.
    pub fn with_scripts(plan: Plan, scripts: &BTreeMap<String, GivenScript>) -> Result<Self, PlanError> {
        plan.validate()?;
        let scripts = bind(&plan, scripts)?;
        if plan.terrain.is_none() && plan.volume.is_none() {
            return Err(PlanError { place: String::new(), fault: Fault::Empty });
        }
        let height = plan
            .terrain
            .as_ref()
            .map(|terrain| program(&plan, &scripts, Scope::Terrain, &[("terrain.height".into(), &terrain.height)]));
        let height = height.transpose()?;
        let rivers = plan.rivers.as_ref();
        let rivers = rivers.map(|id| program(&plan, &scripts, Scope::Terrain, &[("rivers".into(), id)])).transpose()?;
        let density = plan.volume.as_ref().map(|volume| Density::new(&plan, volume, &scripts)).transpose()?;
        let mut looks = Vec::new();
        for (at, layer) in plan.ground.iter().enumerate().skip(1) {
            looks.extend(layer.by.as_ref().map(|by| (format!("ground[{at}].by"), by)));
        }
        looks.extend(plan.shade.as_ref().map(|shade| ("shade".into(), shade)));
        let ground = program(&plan, &scripts, Scope::Ground, &looks)?;
        let one = |place: String, id| program(&plan, &scripts, Scope::Ground, &[(place, id)]);
        let moisture = plan.moisture.as_ref().map(|id| one("moisture".into(), id)).transpose()?;
        let masks = plan.scatter.iter().enumerate();
        let masks = masks.map(|(at, rule)| rule.by.as_ref().map(|id| one(format!("scatter[{at}].by"), id)).transpose());
        let masks = masks.collect::<Result<_, _>>()?;
        let digest = plan.digest();
        let (changes, models) = (Changes::new(&plan)?, Models::default());
        Ok(Self { plan, digest, height, rivers, density, ground, moisture, masks, scripts, changes, models })
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The digest of the plan: what it generates is the same wherever this is.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Heights of the terrain in metres at any places, in metres from the origin of the world, with all that was built on it. Where the
    /// plan has settlements, places far apart take some milliseconds each: what has been built there must be found out.
    ///
    /// # Errors
    ///
    /// A script of the plan that fails.
    ///
    /// # Panics
    ///
    /// When there aren't as many of each.
    pub fn heights(&self, x: &[f64], z: &[f64], out: &mut [f32]) -> Result<(), ScriptError> {
        assert!(x.len() == z.len() && x.len() == out.len(), "as many x as z as heights");
        with_job(|scratch| self.heights_in(x, z, 0, out, scratch))
    }

    /// The heights of samples of chunks of a level.
    pub(crate) fn heights_in(&self, x: &[f64], z: &[f64], level: u8, out: &mut [f32], scratch: &mut Scratch) {
        self.bare_heights(x, z, out, scratch);
        self.shape(x, z, level, out, |_, _| {});
    }

    /// Heights before anything is built.
    pub(crate) fn bare_heights(&self, x: &[f64], z: &[f64], out: &mut [f32], scratch: &mut Scratch) {
        let Some(program) = &self.height else {
            return out.fill(0.0);
        };
        each_block(program, x, None, z, &[], scratch, &mut [&mut *out]);
        for height in out {
            *height = height.clamp(-MAX_HEIGHT, MAX_HEIGHT);
        }
    }

    /// Between what the heights of the terrain over a box of places are: close enough for pictures.
    pub(crate) fn height_bounds(&self, spans: [Span; 3], scratch: &mut Scratch) -> Range {
        let level = Span { low: 0.0, high: 0.0 };
        let bounds = |program: &Program| program.bounds([spans[0], level, spans[2]], &[], scratch)[0];
        let range = self.height.as_ref().map_or(Range::point(0.0), bounds);
        self.changed(range).monotonic(|height| height.clamp(-MAX_HEIGHT, MAX_HEIGHT))
    }

    /// Linear red, green, blue, alpha of the ground at places with these heights and slopes, appended to `out`.
    pub(crate) fn colors(
        &self,
        (x, y, z): (&[f64], Option<&[f64]>, &[f64]),
        (heights, slopes): (&[f32], &[f32]),
        out: &mut Vec<f32>,
        scratch: &mut Scratch,
    ) {
        let count = x.len();
        let values = self.ground_values((x, y, z), (heights, slopes), scratch);
        let base = self.plan.ground.first().map_or([0.5; 3], |layer| layer.color);
        let start = out.len();
        out.reserve(count * 4);
        for _ in 0..count {
            out.extend([base[0], base[1], base[2], 1.0]);
        }
        let colors = &mut out[start..];
        let layers = self.plan.ground.iter().skip(1).filter(|layer| layer.by.is_some());
        let mut rows = values.chunks_exact(count.max(1));
        for (layer, weights) in layers.zip(&mut rows) {
            for (color, weight) in colors.chunks_exact_mut(4).zip(weights) {
                let weight = weight.clamp(0.0, 1.0);
                for (value, of_layer) in color.iter_mut().zip(layer.color) {
                    *value += (of_layer - *value) * weight;
                }
            }
        }
        let shade = rows.next();
        for (at, color) in colors.chunks_exact_mut(4).enumerate() {
            let light = shade.map_or(1.0, |shade| 1.0 + shade[at]);
            for value in &mut color[..3] {
                *value = (*value * light).clamp(0.0, 1.0);
            }
        }
    }

    /// What the fields of the ground say of places: a row for each layer that has one, and one of the shade, if there is any.
    pub(crate) fn ground_values(
        &self,
        (x, y, z): (&[f64], Option<&[f64]>, &[f64]),
        (heights, slopes): (&[f32], &[f32]),
        scratch: &mut Scratch,
    ) -> Vec<f32> {
        let mut values = vec![0.0; self.ground.outputs() * x.len()];
        let mut rows: Vec<&mut [f32]> = values.chunks_exact_mut(x.len().max(1)).collect();
        each_block(&self.ground, x, y, z, &[heights, slopes], scratch, &mut rows);
        values
    }

    /// How moist it is, 0..=1.
    pub(crate) fn moistures(
        &self,
        x: &[f64],
        z: &[f64],
        ground: (&[f32], &[f32]),
        out: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let Some(program) = &self.moisture else {
            return out.fill(0.5);
        };
        each_block(program, x, None, z, &[ground.0, ground.1], scratch, &mut [&mut *out]);
        for value in out {
            *value = value.clamp(0.0, 1.0);
        }
    }

    /// What a scatter rule's density is multiplied with.
    pub(crate) fn mask(
        &self,
        rule: usize,
        (x, z): (&[f64], &[f64]),
        ground: (&[f32], &[f32]),
        out: &mut [f32],
        scratch: &mut Scratch,
    ) {
        match &self.masks[rule] {
            Some(program) => each_block(program, x, None, z, &[ground.0, ground.1], scratch, &mut [&mut *out]),
            None => out.fill(1.0),
        }
    }
}

/// Compiles some fields to one program, and makes sure that nowhere in the world its numbers run away.
fn program(plan: &Plan, scripts: &Scripts, scope: Scope, fields: &[(String, &String)]) -> Result<Program, PlanError> {
    let mut compiler = Compiler::new(&plan.nodes, scripts, plan.seed, scope);
    for (place, id) in fields {
        compiler.output(place, id)?;
    }
    let program = Program::new(&compiler.finish());
    let place = fields.iter().map(|(place, _)| place.as_str()).collect::<Vec<_>>().join(", ");
    check_bounds(&program, &place)?;
    Ok(program)
}

/// That a program's numbers run away nowhere in the world.
pub(crate) fn check_bounds(program: &Program, place: &str) -> Result<(), PlanError> {
    let world = Span { low: -MAX_WORLD, high: MAX_WORLD };
    let inputs = [Range::new(-MAX_HEIGHT, MAX_HEIGHT), Range::new(0.0, 1.0)];
    match program.unbounded([world; 3], &inputs, &mut Scratch::default()) {
        None => Ok(()),
        Some((what, value)) => Err(PlanError { place: place.into(), fault: Fault::Unbounded { what, value } }),
    }
}

/// Runs a program over places, however many; in the plane without `y`.
pub(crate) fn each_block(
    program: &Program,
    x: &[f64],
    y: Option<&[f64]>,
    z: &[f64],
    inputs: &[&[f32]],
    scratch: &mut Scratch,
    out: &mut [&mut [f32]],
) {
    let level = [0.0; BLOCK];
    for start in (0..x.len()).step_by(BLOCK) {
        let end = (start + BLOCK).min(x.len());
        let points =
            Points { x: &x[start..end], y: y.map_or(&level[..end - start], |y| &y[start..end]), z: &z[start..end] };
        let inputs: Vec<&[f32]> = inputs.iter().map(|values| &values[start..end]).collect();
        let mut out: Vec<&mut [f32]> = out.iter_mut().map(|values| &mut values[start..end]).collect();
        program.run(&points, &inputs, scratch, &mut out);
    }
}
