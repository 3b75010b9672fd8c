//! Generation: plans, chunks, props.

use rustler::{Atom, Binary, Encoder, Env, Resource, ResourceArc, Term};
use wasgo_gen::{
    Chunk, ChunkId, Fault, GenError, Generator, InstanceError, Neighbours, Plan, PlanError, Prop, ScatterRule,
    creature, pack_instances, props, scene, transforms, unpack_instances,
};
use wasgo_scene::{Material, Mesh, Surface};

use crate::generate_script::{self, Given};
use crate::objects::object_terms;
use crate::{atoms, bytes, fault, jobs, prop};

/// A plan that was compiled.
pub struct PlanResource(Generator);

#[rustler::resource_impl]
impl Resource for PlanResource {}

impl PlanResource {
    pub(crate) fn generator(&self) -> &Generator {
        &self.0
    }
}

/// A chunk, whose bytes binaries of the BEAM refer to.
pub struct ChunkResource(pub(crate) Chunk);

#[rustler::resource_impl]
impl Resource for ChunkResource {}

/// The most bytes of a plan's text.
const MAX_TEXT: usize = 4 << 20;

/// The text of the plan that is used where nothing is said of the ground.
#[rustler::nif]
fn gen_default(seed: u64) -> String {
    Plan::new(seed).to_json()
}

/// Compiles a plan from its text and the scripts that it names; answers `{:ok, {plan, text, digest, props, water, rules}}`: the text with what was not given filled in.
/// In the pool: the props are made here, a millisecond each and more.
#[rustler::nif(schedule = "DirtyCpu")]
fn gen_plan<'a>(env: Env<'a>, text: Binary<'a>, scripts: Vec<Given>) -> Term<'a> {
    if text.len() > MAX_TEXT {
        let message = format!("the plan has {} bytes, allowed: {MAX_TEXT}", text.len());
        return fault::err(env, plan_fault(env, atoms::out_of_range(), None, &message));
    }
    let Ok(text) = std::str::from_utf8(text.as_slice()) else {
        return fault::err(env, plan_fault(env, atoms::invalid(), None, "the plan is not UTF-8"));
    };
    let scripts = match generate_script::prepare(scripts) {
        Ok(scripts) => scripts,
        Err((name, error)) => return fault::err(env, generate_script::refused(env, &name, &error)),
    };
    let text = text.to_owned();
    jobs::start(
        env,
        move || {
            let generator = Plan::from_json(&text).and_then(|plan| Generator::with_scripts(plan, &scripts))?;
            let props = props(generator.plan())?;
            Ok((generator, props))
        },
        |env, made: Result<_, PlanError>| match made {
            Ok((generator, props)) => plan_term(env, generator, props),
            Err(error) => fault::err(env, plan_error(env, &error)),
        },
    )
}

fn plan_term(env: Env<'_>, generator: Generator, props: Vec<Prop>) -> Term<'_> {
    let plan = generator.plan();
    let kinds: Vec<Term<'_>> = props.into_iter().map(|prop| prop::placed_term(env, plan, prop)).collect();
    let rule = |rule: &ScatterRule| (fault::atom(env, &rule.kind.name()), rule.variants).encode(env);
    let rules: Vec<Term<'_>> = plan.scatter.iter().map(rule).collect();
    let water = plan.terrain.as_ref().and_then(|terrain| terrain.water).map(f64::from);
    let text = bytes::binary(env, plan.to_json().into_bytes());
    let digest = bytes::binary(env, generator.digest().to_vec());
    fault::ok(env, (ResourceArc::new(PlanResource(generator)), text, digest, kinds, water, rules))
}

/// `Wasgo.Gen` makes the eight bytes itself; others are as many neighbours that are too coarse, and refused as such.
fn chunk_id((x, z, level): (i32, i32, u8), neighbours: Binary<'_>) -> ChunkId {
    let neighbours = Neighbours(<[u8; 8]>::try_from(neighbours.as_slice()).unwrap_or([u8::MAX; 8]));
    ChunkId { x, z, level, neighbours }
}

/// Makes a chunk in the pool. `neighbours` are eight bytes: how many levels coarser the chunks around it are.
#[rustler::nif]
fn gen_chunk<'a>(
    env: Env<'a>,
    plan: ResourceArc<PlanResource>,
    at: (i32, i32, u8),
    neighbours: Binary<'a>,
) -> Term<'a> {
    let id = chunk_id(at, neighbours);
    jobs::start(
        env,
        move || plan.0.chunk(id),
        |env, made| match made {
            Ok(chunk) => {
                let chunk = chunk_term(env, chunk);
                fault::ok(env, chunk)
            }
            Err(error) => fault::err(env, gen_error(env, &error)),
        },
    )
}

/// The name of a chunk's content: `{:ok, 32 bytes}`.
#[rustler::nif]
fn gen_key<'a>(env: Env<'a>, plan: ResourceArc<PlanResource>, at: (i32, i32, u8), neighbours: Binary<'a>) -> Term<'a> {
    match plan.0.key(&chunk_id(at, neighbours)) {
        Ok(key) => {
            let key = bytes::binary(env, key.to_vec());
            fault::ok(env, key)
        }
        Err(error) => fault::err(env, gen_error(env, &error)),
    }
}

/// Checks an instance table against a plan; answers `{:ok, [{kind, transforms}]}`, one for each kind that is there. The table may have
/// 8 MiB.
#[rustler::nif(schedule = "DirtyCpu")]
fn gen_instances<'a>(env: Env<'a>, plan: ResourceArc<PlanResource>, table: Binary<'a>, size: f64) -> Term<'a> {
    match unpack_instances(table.as_slice(), plan.0.plan(), size as f32) {
        Ok(instances) => {
            let kinds = u32::try_from(plan.0.plan().kinds()).unwrap_or(u32::MAX);
            let sets: Vec<Term<'a>> = (0..kinds)
                .filter_map(|kind| {
                    let transforms = transforms(&instances, kind);
                    (!transforms.is_empty()).then(|| (kind, bytes::binary(env, transforms)).encode(env))
                })
                .collect();
            fault::ok(env, sets)
        }
        Err(error) => fault::err(env, instances_fault(env, &error)),
    }
}

/// The materials that generated surfaces refer to by their positions: `{name, base_color, {metallic, roughness, double_sided},
/// {emissive, emissive_strength}}`.
#[rustler::nif]
fn gen_materials<'a>(env: Env<'a>) -> Term<'a> {
    let wide = f64::from;
    let each = |material: Material| {
        let [r, g, b, a] = material.base_color.map(wide);
        let factors = (wide(material.metallic), wide(material.roughness), material.double_sided);
        let [er, eg, eb] = material.emissive.map(wide);
        let light = ((er, eg, eb), wide(material.emissive_strength));
        (material.name, (r, g, b, a), factors, light).encode(env)
    };
    scene::materials().into_iter().map(each).collect::<Vec<Term<'a>>>().encode(env)
}

/// A sheet of water over a chunk, as one of `surfaces`.
#[rustler::nif]
fn gen_water<'a>(env: Env<'a>, size: f64, level: f64) -> Term<'a> {
    surface(env, &scene::water(size as f32, level as f32))
}

/// The water of the rivers in a chunk, as one of `surfaces`, or nil: made in the pool where the plan has any.
#[rustler::nif]
fn gen_river_water<'a>(env: Env<'a>, plan: ResourceArc<PlanResource>, (x, z, level): (i32, i32, u8)) -> Term<'a> {
    if plan.0.plan().rivers.is_none() {
        return fault::ok(env, None::<()>);
    }
    jobs::start(
        env,
        move || plan.0.river_water(ChunkId { level, ..ChunkId::new(x, z) }),
        |env, made| match made {
            Ok(mesh) => {
                let water = (!mesh.indices.is_empty()).then(|| surface(env, &mesh.into_surface(None)));
                fault::ok(env, water)
            }
            Err(error) => fault::err(env, gen_error(env, &error)),
        },
    )
}

/// The surfaces of a creature's mesh.
#[rustler::nif(schedule = "DirtyCpu")]
fn gen_creature<'a>(env: Env<'a>, seed: u64) -> Term<'a> {
    surfaces(env, &creature(seed))
}

fn instances_fault<'a>(env: Env<'a>, error: &InstanceError) -> Term<'a> {
    let message = format!("the instance table is refused: {error}");
    fault::fault(env, atoms::decode(), atoms::contract().to_term(env), &message, &[])
}

fn chunk_term(env: Env<'_>, chunk: Chunk) -> Term<'_> {
    let table = bytes::binary(env, pack_instances(&chunk.instances));
    let stats = &chunk.stats;
    let figures = (
        f64::from(stats.min_height),
        f64::from(stats.max_height),
        f64::from(stats.mean_height),
        f64::from(stats.mean_slope),
        f64::from(stats.water_share),
        stats.counts.clone(),
    );
    let objects = object_terms(env, &chunk.objects);
    let shape = (chunk.origin[0], chunk.origin[2], chunk.size, chunk.samples);
    let chunk = ResourceArc::new(ChunkResource(chunk));
    let floats = |pick: fn(&Chunk) -> &Vec<f32>| -> Term<'_> {
        chunk.make_binary(env, |chunk| bytemuck::cast_slice(pick(&chunk.0))).to_term(env)
    };
    let indices = chunk.make_binary(env, |chunk| bytemuck::cast_slice(&chunk.0.indices)).to_term(env);
    let data = (
        floats(|chunk| &chunk.heights),
        floats(|chunk| &chunk.positions),
        floats(|chunk| &chunk.normals),
        floats(|chunk| &chunk.colors),
        indices,
    );
    let generated = generate_script::generated(env, &chunk);
    (shape, data, table, figures, objects, generated).encode(env)
}

/// A mesh's surfaces as `{positions, normals, colors, indices}`.
fn surfaces<'a>(env: Env<'a>, mesh: &Mesh<'_>) -> Term<'a> {
    mesh.surfaces.iter().map(|each| surface(env, each)).collect::<Vec<Term<'a>>>().encode(env)
}

fn surface<'a>(env: Env<'a>, surface: &Surface<'_>) -> Term<'a> {
    let binary = |bytes: &[u8]| bytes::binary(env, bytes.to_vec());
    (binary(&surface.positions), binary(&surface.normals), binary(&surface.colors), binary(&surface.indices))
        .encode(env)
}

pub(crate) fn gen_error<'a>(env: Env<'a>, error: &GenError) -> Term<'a> {
    let (field, message) = match error {
        GenError::Plan(error) => return plan_error(env, error),
        GenError::Script(error) => return generate_script::failed(env, error),
        GenError::OutOfWorld { axis, .. } => (axis.to_string(), error.to_string()),
        GenError::NoLevel { .. } => ("level".to_string(), error.to_string()),
        GenError::Nothing { what } => ((*what).to_string(), error.to_string()),
        GenError::Object { object, .. } => (format!("objects[{object}]"), error.to_string()),
        GenError::Settlement(_) => ("settlements".to_string(), error.to_string()),
        GenError::Volume(_) | GenError::TooCoarse { .. } => ("neighbours".to_string(), error.to_string()),
    };
    plan_fault(env, atoms::out_of_range(), Some(&field), &message)
}

pub(crate) fn plan_error<'a>(env: Env<'a>, error: &PlanError) -> Term<'a> {
    let reason = match &error.fault {
        Fault::OutOfRange { .. } | Fault::TooMany { .. } | Fault::TooDense { .. } | Fault::Unbounded { .. } => {
            atoms::out_of_range()
        }
        Fault::NoNode { .. } | Fault::NoRule { .. } | Fault::NoScript { .. } => atoms::unknown(),
        Fault::ScriptMissing | Fault::OtherScript { .. } => atoms::script(),
        Fault::Cycle | Fault::NoGround | Fault::NoTerrain | Fault::Empty | Fault::Form(_) => atoms::invalid(),
    };
    let field = (!error.place.is_empty()).then_some(error.place.as_str());
    plan_fault(env, reason, field, &error.to_string())
}

pub(crate) fn plan_fault<'a>(env: Env<'a>, reason: Atom, field: Option<&str>, message: &str) -> Term<'a> {
    fault::fault(env, atoms::plan(), reason.to_term(env), message, &[(atoms::field(), field.encode(env))])
}
