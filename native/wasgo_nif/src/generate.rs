//! Generation: plans, chunks, props.

use rustler::{Atom, Binary, Encoder, Env, NifMap, Resource, ResourceArc, Term};
use wasgo_gen::{
    Chunk, GenError, InstanceError, Palette, Plan, PlanError, Prop, PropKind, ScatterRule, Terrain, chunk, creature,
    pack_instances, props, scene, transforms, unpack_instances,
};
use wasgo_scene::{Material, Mesh, Surface};

use crate::{atoms, bytes, fault, float, jobs};

/// A plan that was checked, and the meshes of what it scatters.
pub struct PlanResource(Plan);

#[rustler::resource_impl]
impl Resource for PlanResource {}

/// A chunk, whose bytes binaries of the BEAM refer to.
struct ChunkResource(Chunk);

#[rustler::resource_impl]
impl Resource for ChunkResource {}

/// The plan's fields as Elixir has them; numbers are terms so that a wrong one can be named.
#[derive(NifMap)]
struct PlanMap<'a> {
    seed: u64,
    chunk_size: Term<'a>,
    samples: Term<'a>,
    terrain: Vec<(Atom, Term<'a>)>,
    palette: Vec<(Atom, Term<'a>)>,
    scatter: Option<Vec<Vec<(Atom, Term<'a>)>>>,
}

/// Checks a plan; answers `{:ok, {plan, props, terrain, palette, scatter}}`, with what was not given filled in. A millisecond and more: the
/// props are made here.
#[rustler::nif(schedule = "DirtyCpu")]
fn gen_plan<'a>(env: Env<'a>, map: PlanMap<'a>) -> Term<'a> {
    let plan = match read_plan(&map) {
        Ok(plan) => plan,
        Err(fault) => return fault::err(env, plan_fault(env, atoms::unknown(), Some(&fault.0), &fault.1)),
    };
    match props(&plan) {
        Ok(props) => {
            let kinds: Vec<Term<'a>> = props.iter().map(|prop| prop_term(env, prop)).collect();
            let rules: Vec<Term<'a>> = plan.scatter.iter().map(|rule| rule_term(env, rule)).collect();
            let terrain = terrain_term(env, &plan.terrain);
            fault::ok(env, (ResourceArc::new(PlanResource(plan)), kinds, terrain, rules))
        }
        Err(error) => fault::err(env, plan_error(env, &error)),
    }
}

/// Makes a chunk in the pool.
#[rustler::nif]
fn gen_chunk<'a>(env: Env<'a>, plan: ResourceArc<PlanResource>, x: i32, z: i32) -> Term<'a> {
    jobs::start(
        env,
        move || chunk(&plan.0, x, z),
        |env, made| match made {
            Ok(chunk) => {
                let chunk = chunk_term(env, chunk);
                fault::ok(env, chunk)
            }
            Err(GenError::Plan(error)) => fault::err(env, plan_error(env, &error)),
            Err(error @ GenError::OutOfWorld { axis, .. }) => {
                let field = axis.to_string();
                fault::err(env, plan_fault(env, atoms::out_of_range(), Some(&field), &error.to_string()))
            }
        },
    )
}

/// Checks an instance table against a plan; answers `{:ok, [{kind, transforms}]}`, one for each kind that is there. The table may have
/// 8 MiB.
#[rustler::nif(schedule = "DirtyCpu")]
fn gen_instances<'a>(env: Env<'a>, plan: ResourceArc<PlanResource>, table: Binary<'a>) -> Term<'a> {
    match unpack_instances(table.as_slice(), &plan.0) {
        Ok(instances) => {
            let kinds = u32::try_from(plan.0.kinds()).unwrap_or(u32::MAX);
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

/// The materials that generated surfaces refer to by their positions: `{name, base_color, metallic, roughness, double_sided}`.
#[rustler::nif]
fn gen_materials<'a>(env: Env<'a>) -> Term<'a> {
    let wide = f64::from;
    let each = |material: Material| {
        let [r, g, b, a] = material.base_color.map(wide);
        let factors = (wide(material.metallic), wide(material.roughness), material.double_sided);
        (material.name, (r, g, b, a), factors).encode(env)
    };
    scene::materials().into_iter().map(each).collect::<Vec<Term<'a>>>().encode(env)
}

/// A sheet of water over a chunk, as one of `surfaces`.
#[rustler::nif]
fn gen_water<'a>(env: Env<'a>, size: f64, level: f64) -> Term<'a> {
    surface(env, &scene::water(size as f32, level as f32))
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
    let shape = (chunk.origin[0], chunk.origin[2], f64::from(chunk.size), chunk.samples);
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
    (shape, data, table, figures).encode(env)
}

fn prop_term<'a>(env: Env<'a>, prop: &Prop) -> Term<'a> {
    (&prop.name, fault::atom(env, prop.kind.name()), surfaces(env, &prop.mesh)).encode(env)
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

fn plan_error<'a>(env: Env<'a>, error: &PlanError) -> Term<'a> {
    let message = error.to_string();
    let field = match error {
        PlanError::OutOfRange { field, .. } | PlanError::Reversed { field, .. } | PlanError::TooDense { field, .. } => {
            Some(field.clone())
        }
        PlanError::TooFine { .. } => Some("terrain.octaves".into()),
        PlanError::TooManyRules { .. } => Some("scatter".into()),
    };
    plan_fault(env, atoms::out_of_range(), field.as_deref(), &message)
}

fn plan_fault<'a>(env: Env<'a>, reason: Atom, field: Option<&str>, message: &str) -> Term<'a> {
    fault::fault(env, atoms::plan(), reason.to_term(env), message, &[(atoms::field(), field.encode(env))])
}

/// A field at fault, and what is wrong with it.
struct Wrong(String, String);

impl Wrong {
    fn new(field: &str, wanted: &str, found: Term<'_>) -> Self {
        Self(field.into(), format!("{field} must be {wanted}, and is {found:?}"))
    }

    fn unknown(owner: &str, field: &str) -> Self {
        Self(format!("{owner}.{field}"), format!("{owner} has no field {field}"))
    }
}

fn number(field: &str, term: Term<'_>) -> Result<f32, Wrong> {
    float::decode(term).map(|value| value as f32).ok_or_else(|| Wrong::new(field, "a number", term))
}

fn count(field: &str, term: Term<'_>) -> Result<u32, Wrong> {
    term.decode().map_err(|_| Wrong::new(field, "a whole number of 0 or more", term))
}

fn pair(field: &str, term: Term<'_>) -> Result<(f32, f32), Wrong> {
    let (low, high) =
        term.decode::<(Term<'_>, Term<'_>)>().map_err(|_| Wrong::new(field, "two numbers {least, greatest}", term))?;
    Ok((number(field, low)?, number(field, high)?))
}

fn color(field: &str, term: Term<'_>) -> Result<[f32; 3], Wrong> {
    let (r, g, b) = term
        .decode::<(Term<'_>, Term<'_>, Term<'_>)>()
        .map_err(|_| Wrong::new(field, "a colour {red, green, blue}", term))?;
    Ok([number(field, r)?, number(field, g)?, number(field, b)?])
}

fn name(atom: Atom, env: Env<'_>) -> String {
    atom.to_term(env).atom_to_string().unwrap_or_default()
}

fn read_plan(map: &PlanMap<'_>) -> Result<Plan, Wrong> {
    let mut plan = Plan::new(map.seed);
    plan.chunk_size = number("chunk_size", map.chunk_size)?;
    plan.samples = count("samples", map.samples)?;
    for (key, term) in &map.terrain {
        read_terrain(&mut plan.terrain, &name(*key, term.get_env()), *term)?;
    }
    for (key, term) in &map.palette {
        read_palette(&mut plan.palette, &name(*key, term.get_env()), *term)?;
    }
    if let Some(rules) = &map.scatter {
        plan.scatter =
            rules.iter().enumerate().map(|(index, rule)| read_rule(index, rule)).collect::<Result<_, _>>()?;
    }
    Ok(plan)
}

fn read_terrain(terrain: &mut Terrain, key: &str, term: Term<'_>) -> Result<(), Wrong> {
    let field = format!("terrain.{key}");
    match key {
        "base_height" => terrain.base_height = number(&field, term)?,
        "amplitude" => terrain.amplitude = number(&field, term)?,
        "frequency" => terrain.frequency = number(&field, term)?,
        "octaves" => terrain.octaves = count(&field, term)?,
        "lacunarity" => terrain.lacunarity = number(&field, term)?,
        "gain" => terrain.gain = number(&field, term)?,
        "ridge" => terrain.ridge = number(&field, term)?,
        "warp" => terrain.warp = number(&field, term)?,
        "water_level" => {
            let none = Atom::from_term(term).is_ok_and(|atom| atom == atoms::nil());
            terrain.water_level = if none { None } else { Some(number(&field, term)?) };
        }
        _ => return Err(Wrong::unknown("terrain", key)),
    }
    Ok(())
}

fn read_palette(palette: &mut Palette, key: &str, term: Term<'_>) -> Result<(), Wrong> {
    let field = format!("palette.{key}");
    match key {
        "sand" => palette.sand = color(&field, term)?,
        "lush" => palette.lush = color(&field, term)?,
        "dry" => palette.dry = color(&field, term)?,
        "rock" => palette.rock = color(&field, term)?,
        "snow" => palette.snow = color(&field, term)?,
        "sand_height" => palette.sand_height = number(&field, term)?,
        "snow_height" => palette.snow_height = number(&field, term)?,
        "rock_slope" => palette.rock_slope = number(&field, term)?,
        "blend" => palette.blend = number(&field, term)?,
        _ => return Err(Wrong::unknown("palette", key)),
    }
    Ok(())
}

fn read_rule(index: usize, fields: &[(Atom, Term<'_>)]) -> Result<ScatterRule, Wrong> {
    let owner = format!("scatter[{index}]");
    let named: Vec<(String, Term<'_>)> = fields.iter().map(|(key, term)| (name(*key, term.get_env()), *term)).collect();
    let kind = named.iter().find(|(key, _)| key == "kind").map(|(_, term)| *term);
    let known = PropKind::ALL.map(PropKind::name).join(", ");
    let Some(term) = kind else {
        return Err(Wrong(format!("{owner}.kind"), format!("{owner} needs a kind, one of: {known}")));
    };
    let kind = term
        .atom_to_string()
        .ok()
        .and_then(|text| PropKind::from_name(&text))
        .ok_or_else(|| Wrong::new(&format!("{owner}.kind"), &format!("one of: {known}"), term))?;
    let mut rule = ScatterRule::new(kind);
    for (key, term) in named {
        let field = format!("{owner}.{key}");
        match key.as_str() {
            "kind" => {}
            "variants" => rule.variants = count(&field, term)?,
            "spacing" => rule.spacing = number(&field, term)?,
            "density" => rule.density = number(&field, term)?,
            "slope" => rule.slope = pair(&field, term)?,
            "height" => rule.height = pair(&field, term)?,
            "scale" => rule.scale = pair(&field, term)?,
            "mask_frequency" => rule.mask_frequency = number(&field, term)?,
            "mask_threshold" => rule.mask_threshold = number(&field, term)?,
            _ => return Err(Wrong::unknown(&owner, &key)),
        }
    }
    Ok(rule)
}

fn terrain_term<'a>(env: Env<'a>, terrain: &Terrain) -> Term<'a> {
    terrain.water_level.map(f64::from).encode(env)
}

fn rule_term<'a>(env: Env<'a>, rule: &ScatterRule) -> Term<'a> {
    (fault::atom(env, rule.kind.name()), rule.variants).encode(env)
}
