//! What is built: objects of chunks, buildings, dungeons, and the settlements of a plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustler::{Binary, Encoder, Env, OwnedEnv, Resource, ResourceArc, Term};
use wasgo_gen::built::{
    self, Area, BoxCollider, BuildingSpec, BuiltError, Light, Road, TileLook, TileScene, TileSet, Tiles, building,
    dungeon, interior, interior_tiles, tile_scene,
};
use wasgo_gen::{DungeonSpec, ObjectModel, ObjectSet, PlanError, built_mesh};
use wasgo_scene::{Mesh, Surface};

use crate::generate::{PlanResource, gen_error, plan_error, plan_fault};
use crate::{atoms, bytes, fault, jobs};

/// The most bytes of a building's or a dungeon's text.
const MAX_TEXT: usize = 4 << 20;

/// The most bytes of vertices and indices that are baked at once: what an engine takes in a frame.
const MAX_BAKED: usize = 48 << 20;

/// A model, whose bytes binaries of the BEAM refer to.
struct ModelResource(Arc<ObjectModel>);

#[rustler::resource_impl]
impl Resource for ModelResource {}

/// The objects of a chunk: `{kind, name, key, surfaces, boxes, transforms, numbers}` each, where `numbers` are those of the plan's objects
/// in the order of the transforms, or empty when none of them is one.
pub(crate) fn object_terms<'a>(env: Env<'a>, sets: &[ObjectSet]) -> Vec<Term<'a>> {
    sets.iter().map(|set| object_term(env, set)).collect()
}

fn object_term<'a>(env: Env<'a>, set: &ObjectSet) -> Term<'a> {
    let model = ResourceArc::new(ModelResource(Arc::clone(&set.model)));
    let surfaces: Vec<Term<'a>> = (0..set.model.mesh.surfaces.len())
        .map(|number| {
            let part = |pick: for<'s> fn(&'s Surface<'static>) -> &'s [u8]| -> Term<'a> {
                model.make_binary(env, |model| pick(&model.0.mesh.surfaces[number])).to_term(env)
            };
            let vertices = (
                part(|surface| &surface.positions),
                part(|surface| &surface.normals),
                part(|surface| &surface.colors),
                part(|surface| &surface.uvs),
                part(|surface| &surface.uvs2),
            );
            (set.model.mesh.surfaces[number].material, vertices, part(|surface| &surface.indices)).encode(env)
        })
        .collect();
    let placed = set.placements.iter().any(|it| it.object.is_some());
    let numbers: Vec<Option<u32>> =
        if placed { set.placements.iter().map(|it| it.object).collect() } else { Vec::new() };
    let key = bytes::copy(env, &set.model.key);
    let (kind, transforms) = (fault::atom(env, set.model.kind), bytes::binary(env, set.transforms()));
    (kind, &set.model.name, key, surfaces, boxes(env, &set.model.boxes), transforms, numbers).encode(env)
}

/// Six f32 a box: its middle, and half its sides.
fn boxes<'a>(env: Env<'a>, boxes: &[BoxCollider]) -> Term<'a> {
    let values: Vec<f32> = boxes.iter().flat_map(|it| it.center.into_iter().chain(it.half)).collect();
    bytes::binary(env, bytemuck::cast_slice(&values).to_vec())
}

/// A mesh's surfaces, as those of objects.
fn mesh_term<'a>(env: Env<'a>, mesh: &Mesh<'_>) -> Term<'a> {
    let each = |surface: &Surface<'_>| {
        let part = |bytes: &[u8]| bytes::binary(env, bytes.to_vec());
        let vertices = (
            part(&surface.positions),
            part(&surface.normals),
            part(&surface.colors),
            part(&surface.uvs),
            part(&surface.uvs2),
        );
        (surface.material, vertices, part(&surface.indices)).encode(env)
    };
    mesh.surfaces.iter().map(each).collect::<Vec<Term<'a>>>().encode(env)
}

/// What can go wrong with what is asked for.
enum Fault {
    Data(PlanError),
    Built(BuiltError),
}

impl From<PlanError> for Fault {
    fn from(error: PlanError) -> Self {
        Self::Data(error)
    }
}

impl From<BuiltError> for Fault {
    fn from(error: BuiltError) -> Self {
        Self::Built(error)
    }
}

fn fault_term<'a>(env: Env<'a>, fault: &Fault) -> Term<'a> {
    match fault {
        Fault::Data(error) => plan_error(env, error),
        Fault::Built(error) => {
            let (reason, field) = match error {
                BuiltError::OutOfRange { field, .. } => (atoms::out_of_range(), Some(field.as_str())),
                BuiltError::Unknown { field, .. } => (atoms::unknown(), Some(field.as_str())),
                BuiltError::Invalid { field, .. } => (atoms::invalid(), Some(field.as_str())),
                BuiltError::TooMuch { .. } => (atoms::out_of_range(), None),
                BuiltError::WrongShape { .. } | BuiltError::Contradiction { .. } | BuiltError::Sparse { .. } => {
                    (atoms::invalid(), None)
                }
            };
            plan_fault(env, reason, field, &error.to_string())
        }
    }
}

/// The text of something, of a bounded length.
fn text<'t>(env: Env<'t>, text: &Binary<'t>) -> Result<String, Term<'t>> {
    if text.len() > MAX_TEXT {
        let message = format!("it has {} bytes as text, allowed: {MAX_TEXT}", text.len());
        return Err(fault::err(env, plan_fault(env, atoms::out_of_range(), None, &message)));
    }
    String::from_utf8(text.as_slice().to_vec())
        .map_err(|_| fault::err(env, plan_fault(env, atoms::invalid(), None, "it is not UTF-8")))
}

/// Builds from text, in the pool; answers `{:ok, {lods, boxes, entrances, outline, height}}`.
#[rustler::nif]
fn gen_building<'a>(env: Env<'a>, spec: Binary<'a>, seed: u64) -> Term<'a> {
    let spec = match text(env, &spec) {
        Ok(spec) => spec,
        Err(error) => return error,
    };
    jobs::start(
        env,
        move || -> Result<built::Building, Fault> { Ok(building(&BuildingSpec::from_json(&spec)?, seed)?) },
        |env, made| match made {
            Ok(made) => {
                let lods = made.lods.into_iter().map(|lod| mesh_term(env, &built_mesh(lod.surfaces)));
                let lods: Vec<Term<'_>> = lods.collect();
                let wide = |values: [f32; 3]| values.map(f64::from).into();
                let doors = made.entrances.iter().map(|door| {
                    let at: (f64, f64, f64) = wide(door.position);
                    (at, (f64::from(door.outward[0]), f64::from(door.outward[1])), f64::from(door.width))
                });
                let outline = made.outline.iter().map(|[x, z]| (f64::from(*x), f64::from(*z)));
                let (doors, outline): (Vec<_>, Vec<_>) = (doors.collect(), outline.collect());
                fault::ok(env, (lods, boxes(env, &made.colliders), doors, outline, f64::from(made.height)))
            }
            Err(error) => fault::err(env, fault_term(env, &error)),
        },
    )
}

/// A filled grid and what it looks like.
struct Filled {
    set: TileSet,
    tiles: Tiles,
    scene: TileScene,
    look: TileLook,
    origin: [f32; 2],
}

/// Fills a grid from text, in the pool; answers as `filled_term` says.
#[rustler::nif]
fn gen_dungeon<'a>(env: Env<'a>, spec: Binary<'a>, seed: u64) -> Term<'a> {
    let spec = match text(env, &spec) {
        Ok(spec) => spec,
        Err(error) => return error,
    };
    let work = move || -> Result<Filled, Fault> {
        let DungeonSpec { tiles: style, grid, look } = DungeonSpec::from_json(&spec)?;
        let set = style.set();
        let tiles = dungeon(&set, &grid, seed)?;
        let scene = tile_scene(&set, &tiles, &look, seed)?;
        Ok(Filled { set, tiles, scene, look, origin: [0.0; 2] })
    };
    jobs::start(env, work, filled_answer)
}

/// Fills a building (text and seed) with rooms whose cells are about so many metres wide, in the pool; answers as `gen_dungeon`.
#[rustler::nif]
fn gen_interior<'a>(env: Env<'a>, spec: Binary<'a>, building_seed: u64, cell: f64, seed: u64) -> Term<'a> {
    let spec = match text(env, &spec) {
        Ok(spec) => spec,
        Err(error) => return error,
    };
    let work = move || -> Result<Filled, Fault> {
        let around = building(&BuildingSpec::from_json(&spec)?, building_seed)?;
        let rooms = interior(&around.outline, &around.entrances, cell as f32, seed)?;
        let (set, look) = (interior_tiles(), TileLook::house(rooms.cell));
        let scene = tile_scene(&set, &rooms.tiles, &look, seed)?;
        Ok(Filled { set, tiles: rooms.tiles, scene, look, origin: rooms.origin })
    };
    jobs::start(env, work, filled_answer)
}

fn filled_answer(env: Env<'_>, made: Result<Filled, Fault>) -> Term<'_> {
    match made {
        Ok(filled) => {
            let filled = filled_term(env, filled);
            fault::ok(env, filled)
        }
        Err(error) => fault::err(env, fault_term(env, &error)),
    }
}

/// `{surfaces, boxes, lights, {size, cell, height, origin}, {names, cells, rooms, attempts}}`: `cells` has four bytes a cell, to the east, then to
/// the south, then up: its tile, how it is turned, whether it can be walked on, and what is on its borders, two bits each from the north.
fn filled_term(env: Env<'_>, filled: Filled) -> Term<'_> {
    let Filled { set, tiles, scene, look, origin } = filled;
    let [width, height, depth] = tiles.size;
    let mut cells = Vec::with_capacity(tiles.cells.len() * 4);
    for (number, placed) in (0i64..).zip(&tiles.cells) {
        let (width, depth) = (i64::from(width), i64::from(depth));
        let at = [number % width, number / width / depth, number / width % depth];
        let borders = (0..4).fold(0u8, |bits, side| {
            let border = match tiles.border(&set, at, side) {
                built::Border::Open => 0,
                built::Border::Door => 1,
                built::Border::Wall => 2,
            };
            bits | border << (2 * side)
        });
        cells.extend([placed.tile as u8, placed.turn as u8, u8::from(set.walkable(*placed)), borders]);
    }
    let names: Vec<&str> = set.tiles.iter().map(|tile| tile.name.as_str()).collect();
    let wide = f64::from;
    let lights: Vec<_> = scene
        .lights
        .iter()
        .map(|Light { position: [x, y, z], color: [r, g, b], range }| {
            ((wide(*x), wide(*y), wide(*z)), (wide(*r), wide(*g), wide(*b)), wide(*range))
        })
        .collect();
    let shape = (
        (width, height, depth),
        (wide(look.cell[0]), wide(look.cell[1])),
        wide(look.height),
        (wide(origin[0]), wide(origin[1])),
    );
    let boxes = boxes(env, &scene.colliders);
    let surfaces = mesh_term(env, &built_mesh(scene.surfaces));
    let grid = (names, bytes::binary(env, cells), tiles.rooms, tiles.attempts);
    (surfaces, boxes, lights, shape, grid).encode(env)
}

/// The settlements and roads that touch an area, in the pool; answers `{:ok, {sites, roads}}`.
#[rustler::nif]
fn gen_settlements<'a>(env: Env<'a>, plan: ResourceArc<PlanResource>, min: (f64, f64), max: (f64, f64)) -> Term<'a> {
    let area = Area { min: [min.0, min.1], max: [max.0, max.1] };
    jobs::start(
        env,
        move || plan.generator().settlements(area),
        |env, found| match found {
            Ok(region) => {
                let sites: Vec<Term<'_>> = region
                    .layouts
                    .iter()
                    .map(|layout| {
                        let lots: Vec<Term<'_>> = layout
                            .lots
                            .iter()
                            .map(|lot| {
                                let [x, y, z] = lot.position;
                                let [w, d] = lot.building.half;
                                let kind = fault::atom(env, lot.preset.name());
                                (kind, (x, y, z), f64::from(lot.yaw), (w * 2.0, d * 2.0)).encode(env)
                            })
                            .collect();
                        let site = &layout.site;
                        let at = (site.position[0], f64::from(site.height), site.position[1]);
                        let size = fault::atom(env, site.size.name());
                        ((site.id.x, site.id.z), at, size, site.radius, lots).encode(env)
                    })
                    .collect();
                let streets = region.layouts.iter().flat_map(|layout| &layout.streets);
                let roads: Vec<Term<'_>> =
                    region.roads.iter().chain(streets).map(|road| road_term(env, road)).collect();
                fault::ok(env, (sites, roads))
            }
            Err(error) => fault::err(env, gen_error(env, &error.into())),
        },
    )
}

fn road_term<'a>(env: Env<'a>, road: &Road) -> Term<'a> {
    let points: Vec<_> =
        road.points.iter().map(|point| ((point.x, f64::from(point.height), point.z), point.bridge)).collect();
    let [from, to] = road.ends.map(|end| (end.x, end.z));
    ((from, to), f64::from(road.width), points).encode(env)
}

/// A part of what is baked: material, positions, normals, colours, indices, transforms.
type Part<'a> = (usize, Binary<'a>, Binary<'a>, Binary<'a>, Binary<'a>, Binary<'a>);

/// Moves surfaces by all their transforms and joins those of one material, in the pool; answers `{:ok, [{material, positions, normals,
/// colors, indices}]}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn gen_bake<'a>(env: Env<'a>, parts: Term<'a>) -> Term<'a> {
    let owned = OwnedEnv::new();
    let saved = owned.save(parts);
    jobs::start(
        env,
        move || owned.run(|env| saved.load(env).decode::<Vec<Part<'_>>>().ok().and_then(|parts| bake(&parts))),
        |env, baked| match baked {
            Some(surfaces) => {
                let each = |(material, baked): (usize, Baked)| {
                    let floats = |values: Vec<f32>| bytes::binary(env, bytemuck::cast_slice(&values).to_vec());
                    let indices = bytes::binary(env, bytemuck::cast_slice(&baked.indices).to_vec());
                    (material, floats(baked.positions), floats(baked.normals), floats(baked.colors), indices)
                        .encode(env)
                };
                let surfaces: Vec<Term<'_>> = surfaces.into_iter().map(each).collect();
                fault::ok(env, surfaces)
            }
            None => {
                let message = format!("the surfaces don't fit their transforms, or have more than {MAX_BAKED} bytes");
                fault::err(env, plan_fault(env, atoms::out_of_range(), Some("objects"), &message))
            }
        },
    )
}

#[derive(Default)]
struct Baked {
    positions: Vec<f32>,
    normals: Vec<f32>,
    colors: Vec<f32>,
    indices: Vec<u32>,
}

fn bake(parts: &[Part<'_>]) -> Option<BTreeMap<usize, Baked>> {
    let rows = |transforms: &Binary<'_>| transforms.len() / 48;
    let bytes: usize = parts
        .iter()
        .map(|(_, positions, _, _, indices, transforms)| (positions.len() * 4 + indices.len()) * rows(transforms))
        .sum();
    if bytes > MAX_BAKED {
        return None;
    }
    let floats = |binary: &Binary<'_>| -> Vec<f32> {
        binary.as_slice().as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
    };
    let mut baked: BTreeMap<usize, Baked> = BTreeMap::new();
    for (material, positions, normals, colors, indices, transforms) in parts {
        let (positions, normals, colors) = (floats(positions), floats(normals), floats(colors));
        let count = positions.len() / 3;
        let indices: Vec<u32> =
            indices.as_slice().as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four)).collect();
        let sound = normals.len() == positions.len()
            && colors.len() == count * 4
            && indices.iter().all(|index| (*index as usize) < count);
        if !sound {
            return None;
        }
        let to = baked.entry(*material).or_default();
        for m in floats(transforms).as_chunks::<12>().0 {
            let first = (to.positions.len() / 3) as u32;
            for v in positions.as_chunks::<3>().0 {
                let row = |r: usize| m[r * 4] * v[0] + m[r * 4 + 1] * v[1] + m[r * 4 + 2] * v[2] + m[r * 4 + 3];
                to.positions.extend([row(0), row(1), row(2)]);
            }
            for v in normals.as_chunks::<3>().0 {
                let row = |r: usize| m[r * 4] * v[0] + m[r * 4 + 1] * v[1] + m[r * 4 + 2] * v[2];
                let turned = [row(0), row(1), row(2)];
                let length = turned.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-12);
                to.normals.extend(turned.map(|value| value / length));
            }
            to.colors.extend(&colors);
            to.indices.extend(indices.iter().map(|index| first + index));
        }
    }
    Some(baked)
}
