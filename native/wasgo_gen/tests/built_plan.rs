//! Settlements and placed objects in chunks: each thing in one chunk, the same whoever asks, on ground that is made for it.

use std::collections::BTreeMap;
use std::thread;

use support::generator;
use wasgo_gen::built::{
    Area, BuildingSpec, Footprint, Preset, Region, SettlementRule, SizeClass, TileGrid, TileLook, TileSet,
    dungeon_tiles,
};
use wasgo_gen::props::{PropSpec, Species, TreeSpec};
use wasgo_gen::{
    Chunk, ChunkId, DungeonSpec, Generator, Object, ObjectPad, ObjectSet, ObjectSpec, Plan, PropKind, ScatterRule,
    TileStyle, scene,
};
use wasgo_scene::glb;

mod support;

/// The usual world, with a village that has its middle near 252, 1647, and others.
fn settled() -> Plan {
    let rule = SettlementRule { heights: [1.0, 40.0], slope: 0.3, ..SettlementRule::default() };
    Plan { settlements: Some(rule), ..Plan::new(42) }
}

fn village() -> [f64; 2] {
    let region = generator(&settled()).settlements(square(-300.0, 1100.0, 1024.0)).unwrap();
    let village = region.layouts.iter().max_by_key(|layout| layout.lots.len()).unwrap();
    assert!(village.site.size == SizeClass::Village && village.lots.len() > 10);
    village.site.position
}

fn square(x: f64, z: f64, side: f64) -> Area {
    Area { min: [x, z], max: [x + side, z + side] }
}

/// Where things of a kind stand in the world, in centimetres.
fn places(chunks: &[Chunk], wanted: impl Fn(&ObjectSet) -> bool) -> Vec<[i64; 3]> {
    let mut found = Vec::new();
    for chunk in chunks {
        for set in chunk.objects.iter().filter(|set| wanted(set)) {
            for it in &set.placements {
                let world = |axis: usize| ((chunk.origin[axis] + f64::from(it.position[axis])) * 100.0).round() as i64;
                found.push([world(0), world(1), world(2)]);
            }
        }
    }
    found.sort_unstable();
    found
}

fn is_house(set: &ObjectSet) -> bool {
    Preset::ALL.iter().any(|preset| preset.name() == set.model.kind)
}

fn near(a: &[[i64; 3]], b: &[[i64; 3]], axes: &[usize]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| axes.iter().all(|axis| (a[*axis] - b[*axis]).abs() <= 1))
}

/// The chunks of a square of the world, which they fill exactly.
fn chunks(generator: &Generator, level: u8, area: &Area) -> Vec<Chunk> {
    let size = f64::from(generator.plan().chunk.size) * f64::from(1u32 << level);
    let range = |axis: usize| (area.min[axis] / size) as i32..(area.max[axis] / size) as i32;
    let mut made = Vec::new();
    for z in range(1) {
        made.extend(range(0).map(|x| generator.chunk(ChunkId { level, ..ChunkId::new(x, z) }).unwrap()));
    }
    made
}

/// What a region says of the buildings and things whose origins are in an area, as `places` tells of them.
fn expected(region: &Region, area: &Area) -> (Vec<[i64; 3]>, Vec<[i64; 3]>) {
    let inside =
        |at: &[f64; 3]| (area.min[0]..area.max[0]).contains(&at[0]) && (area.min[1]..area.max[1]).contains(&at[2]);
    let round = |at: [f64; 3]| at.map(|value| (value * 100.0).round() as i64);
    let lots = region.layouts.iter().flat_map(|layout| &layout.lots).map(|lot| lot.position);
    let props = region.layouts.iter().flat_map(|layout| &layout.props).map(|prop| prop.position);
    let sorted = |mut all: Vec<[i64; 3]>| {
        all.sort_unstable();
        all
    };
    (sorted(lots.filter(inside).map(round).collect()), sorted(props.filter(inside).map(round).collect()))
}

#[test]
fn every_object_is_in_exactly_one_chunk_of_any_size() {
    let area = square(0.0, 1400.0, 600.0);
    let mut all: Vec<Vec<[i64; 3]>> = Vec::new();
    for (size, samples) in [(50.0, 9), (100.0, 17), (200.0, 33)] {
        let mut plan = settled();
        // The same ground under things: samples 6.25 m apart.
        (plan.chunk.size, plan.chunk.samples) = (size, samples);
        let generator = generator(&plan);
        let region = generator.settlements(area).unwrap();
        let found = chunks(&generator, 0, &area);
        let (lots, props) = expected(&region, &area);
        assert!(lots.len() > 10 && props.len() > 50, "{} {}", lots.len(), props.len());
        assert!(near(&places(&found, is_house), &lots, &[0, 1, 2]));
        // Props stand on the drawn ground, wherever the layout has them.
        let things = places(&found, |set| !is_house(set) && set.model.kind != "bridge");
        assert!(near(&things, &props, &[0, 2]), "{} {}", things.len(), props.len());
        all.push(places(&found, |_| true));
    }
    assert!(near(&all[0], &all[1], &[0, 1, 2]) && near(&all[1], &all[2], &[0, 1, 2]));
}

#[test]
fn buildings_stand_at_the_same_places_at_all_levels_that_have_them() {
    let generator = generator(&settled());
    let area = square(0.0, 1024.0, 1024.0);
    let finest = chunks(&generator, 0, &area);
    let houses = places(&finest, is_house);
    assert!(houses.len() > 10);
    let trees = places(&finest, |set| set.model.kind == "fruit_tree");
    assert!(!trees.is_empty());
    let triangles = |chunks: &[Chunk]| -> usize {
        let sets = chunks.iter().flat_map(|chunk| &chunk.objects).filter(|set| is_house(set));
        sets.flat_map(|set| &set.model.mesh.surfaces).map(|surface| surface.indices.len() / 12).sum()
    };
    let mut last = triangles(&finest);
    for level in 1..=3 {
        let coarse = chunks(&generator, level, &area);
        assert!(near(&places(&coarse, is_house), &houses, &[0, 1, 2]), "{level}");
        assert!(near(&places(&coarse, |set| set.model.kind == "fruit_tree"), &trees, &[0, 1, 2]), "{level}");
        let now = triangles(&coarse);
        assert!(now < last || (level == 3 && now == last), "{level}: {now} of {last}");
        last = now;
        assert!(coarse.iter().flat_map(|chunk| &chunk.objects).all(|set| set.model.boxes.is_empty()));
    }
    assert!(places(&chunks(&generator, 4, &area), |_| true).is_empty());
}

#[test]
fn a_chunk_is_the_same_whoever_asks_and_whatever_was_asked_before() {
    let plan = settled();
    let [x, z] = village().map(|at| (at / 64.0).floor() as i32);
    let ids: Vec<ChunkId> = (-2..=2).flat_map(|dz| (-2..=2).map(move |dx| ChunkId::new(x + dx, z + dz))).collect();
    let one = generator(&plan);
    let forwards: Vec<Chunk> = ids.iter().map(|id| one.chunk(*id).unwrap()).collect();
    assert!(forwards.iter().filter(|chunk| !chunk.objects.is_empty()).count() > 10);
    let other = generator(&plan);
    // Others first, so that what is kept is something else.
    for far in 0..60 {
        other.chunk(ChunkId::new(x + 16 * far, z - 16 * far)).unwrap();
    }
    let backwards: Vec<Chunk> = ids.iter().rev().map(|id| other.chunk(*id).unwrap()).collect();
    assert!(forwards.iter().eq(backwards.iter().rev()));
    let fresh = generator(&plan);
    thread::scope(|scope| {
        let (ids, forwards, fresh) = (&ids, &forwards, &fresh);
        for first in 0..4 {
            scope.spawn(move || {
                for at in 0..ids.len() {
                    let at = (at + first * 7) % ids.len();
                    assert_eq!(fresh.chunk(ids[at]).unwrap(), forwards[at]);
                }
            });
        }
    });
}

#[test]
fn nothing_is_scattered_on_roads_and_lots() {
    let mut plan = settled();
    let rock = ScatterRule {
        spacing: 1.5,
        density: 1.0,
        slope: (0.0, 1.0),
        height: (-50.0, 100.0),
        ..ScatterRule::new(PropKind::Rock)
    };
    plan.scatter = vec![rock];
    let generator = generator(&plan);
    let [x, z] = village().map(|at| (at / 64.0).floor() * 64.0);
    let area = square(x - 128.0, z - 128.0, 256.0);
    let shaping = generator.settlements(area).unwrap().shaping(area);
    let (mut beside, mut on_roads) = (0, 0);
    for chunk in chunks(&generator, 0, &area) {
        for it in &chunk.instances {
            let at = [0, 2].map(|axis: usize| chunk.origin[axis] + f64::from(it.position[axis]));
            assert!(!shaping.shape(at[0], at[1], 0.0).clear, "{at:?}");
            beside += 1;
        }
        let samples = chunk.positions.chunks_exact(3);
        on_roads += samples
            .filter(|p| {
                let at = [0, 2].map(|axis: usize| chunk.origin[axis] + f64::from(p[axis]));
                shaping.shape(at[0], at[1], 0.0).road_weight > 0.9
            })
            .count();
    }
    assert!(beside > 5000 && on_roads > 500, "{beside} {on_roads}");
}

#[test]
fn heights_at_places_are_those_of_chunks_and_roads_have_a_colour() {
    let (generator, bare) = (generator(&settled()), generator(&Plan::new(42)));
    let [x, z] = village().map(|at| (at / 64.0).floor() as i32);
    let (with, without) = (generator.chunk(ChunkId::new(x, z)).unwrap(), bare.chunk(ChunkId::new(x, z)).unwrap());
    let place = |axis: usize| -> Vec<f64> {
        with.positions.chunks_exact(3).map(|p| with.origin[axis] + f64::from(p[axis])).collect()
    };
    let mut heights = vec![0.0; with.heights.len()];
    generator.heights(&place(0), &place(2), &mut heights).unwrap();
    assert_eq!(heights, with.heights);
    let changed = with.heights.iter().zip(&without.heights).filter(|(a, b)| a != b).count();
    assert!(changed > 1000, "{changed}");
    let road = SettlementRule::default().roads.color;
    let paved = with.colors.chunks_exact(4).filter(|color| (0..3).all(|n| (color[n] - road[n]).abs() < 1e-6));
    assert!(paved.count() > 100);
}

fn object(what: ObjectSpec, x: f64, z: f64) -> Object {
    Object { name: String::new(), what, x, z, y: None, yaw: 0.5, scale: 1.0, seed: 3, level: 2, pad: None }
}

fn house() -> ObjectSpec {
    let footprint = Footprint::Rectangle { width: 9.0, depth: 6.5 };
    ObjectSpec::Building(Box::new(BuildingSpec::new(Preset::Cottage, footprint)))
}

fn maze(width: u32, depth: u32) -> ObjectSpec {
    let (grid, look) = (TileGrid::new(width, depth), TileLook::default());
    ObjectSpec::Dungeon(Box::new(DungeonSpec { tiles: TileStyle::Dungeon, grid, look }))
}

#[test]
fn objects_stand_where_the_plan_puts_them() {
    let mut plan = Plan::new(5);
    let oak = ObjectSpec::Prop(Box::new(PropSpec::Tree(TreeSpec::new(Species::Oak))));
    let pad = Some(ObjectPad { half: None, margin: 5.0 });
    plan.objects = vec![
        Object { pad, ..object(house(), 20.0, 30.0) },
        Object { y: Some(77.0), ..object(house(), 40.0, 50.0) },
        Object { scale: 2.0, level: 0, ..object(oak, -10.25, 8.5) },
        object(maze(8, 6), -64.0, 64.0),
    ];
    let (generator, bare) = (generator(&plan), generator(&Plan::new(5)));
    let area = square(-192.0, -192.0, 384.0);
    let found = chunks(&generator, 0, &area);
    let mut of_object = BTreeMap::new();
    for chunk in &found {
        for set in &chunk.objects {
            for it in &set.placements {
                let world = [0, 1, 2].map(|axis| chunk.origin[axis] + f64::from(it.position[axis]));
                let before = of_object.insert(it.object.unwrap(), (chunk.id, world, it.scale, set.clone()));
                assert!(before.is_none());
            }
        }
    }
    assert_eq!(of_object.len(), 4);
    let at = |number: u32| &of_object[&number];
    let (id, world, _, set) = at(0);
    assert_eq!((id.x, id.z, set.model.kind), (0, 0, "cottage"));
    assert!(!set.model.boxes.is_empty());
    let mut raw = [0.0];
    bare.heights(&[20.0], &[30.0], &mut raw).unwrap();
    assert!((world[1] - f64::from(raw[0])).abs() < 1e-3, "{world:?} {raw:?}");
    // The ground beneath is level, out to the pad's edge and no farther than its margin.
    let height = |x: f64, z: f64| {
        let mut out = [0.0];
        generator.heights(&[x], &[z], &mut out).unwrap();
        out[0]
    };
    for (dx, dz) in [(0.0, 0.0), (3.0, 2.0), (-3.0, 1.5), (1.0, -3.0)] {
        assert!((height(20.0 + dx, 30.0 + dz) - raw[0]).abs() < 1e-4);
    }
    let mut far = [0.0];
    bare.heights(&[34.0], &[30.0], &mut far).unwrap();
    assert_eq!(height(34.0, 30.0), far[0]);
    assert_eq!(at(1).1[1], 77.0);
    assert_eq!((at(1).3.model.key, at(2).2, at(2).3.model.kind), (at(0).3.model.key, 2.0, "prop"));
    // On a border it is in the chunk to the east and south.
    assert_eq!((at(3).0.x, at(3).0.z, at(3).3.model.kind), (-1, 1, "dungeon"));
    // Both houses are one model, stored once.
    let home = found.iter().find(|chunk| (chunk.id.x, chunk.id.z) == (0, 0)).unwrap();
    assert_eq!(home.objects.len(), 1);
    assert_eq!(home.objects[0].placements.len(), 2);
    assert_eq!(home.objects[0].transforms().len(), 96);
    // Levels: the oak is in chunks of the finest only, nothing in those of the fourth.
    let coarse = |level| places(&chunks(&generator, level, &square(-512.0, -512.0, 1024.0)), |_| true).len();
    assert_eq!([coarse(1), coarse(2), coarse(3)], [3, 3, 0]);
}

fn refused(plan: Plan) -> String {
    let error = Generator::new(plan.clone()).unwrap_err();
    assert_eq!(plan.validate().unwrap_err(), error);
    error.to_string()
}

#[test]
fn what_is_wrong_is_named_by_its_place() {
    let rule = |change: fn(&mut SettlementRule)| {
        let mut plan = settled();
        plan.settlements.iter_mut().for_each(change);
        refused(plan)
    };
    assert_eq!(rule(|rule| rule.roads.width = 0.5), "settlements.roads.width is 0.5, allowed: 1.5 to 20");
    assert_eq!(rule(|rule| rule.roads.color[1] = 2.0), "settlements.roads.color is 2, allowed: 0 to 1");
    assert_eq!(rule(|rule| rule.cell = f64::NAN), "settlements.cell is NaN, allowed: 256 to 8192");
    assert_eq!(rule(|rule| rule.level = 13), "settlements.level is 13, allowed: 0 to 12");
    assert_eq!(rule(|rule| rule.heights = [9.0, 1.0]), "settlements.heights: the least is above the greatest");
    let one = |object: Object| refused(Plan { objects: vec![object], ..Plan::new(1) });
    let at = |change: fn(&mut Object)| {
        let mut it = object(house(), 1.0, 2.0);
        change(&mut it);
        one(it)
    };
    assert_eq!(at(|it| it.x = 1e9), "objects[0].x is 1000000000, allowed: -1048576 to 1048576");
    assert_eq!(at(|it| it.yaw = f32::NAN), "objects[0].yaw is NaN, allowed: -1000 to 1000");
    assert_eq!(at(|it| it.scale = 0.0), "objects[0].scale is 0, allowed: 0.01 to 100");
    assert_eq!(at(|it| it.level = 40), "objects[0].level is 40, allowed: 0 to 12");
    assert_eq!(
        at(|it| it.pad = Some(ObjectPad { half: None, margin: 900.0 })),
        "objects[0].pad.margin is 900, allowed: 0.5 to 64"
    );
    let thin = Footprint::Rectangle { width: 0.2, depth: 6.5 };
    let thin = ObjectSpec::Building(Box::new(BuildingSpec::new(Preset::Cottage, thin)));
    assert_eq!(one(object(thin, 0.0, 0.0)), "objects[0].what.building.footprint.width is 0.2, allowed: 1 to 120");
    let tree = TreeSpec { height: Some(900.0), ..TreeSpec::new(Species::Oak) };
    let tree = ObjectSpec::Prop(Box::new(PropSpec::Tree(tree)));
    assert_eq!(one(object(tree, 0.0, 0.0)), "objects[0].what.prop.tree.height is 900, allowed: 0.1 to 100");
    assert_eq!(one(object(maze(65, 64), 0.0, 0.0)), "objects[0].what.dungeon.grid.size: more than 4096 cells");
    assert!(one(object(maze(0, 4), 0.0, 0.0)).starts_with("objects[0].what.dungeon.grid.size (east) is 0, allowed: "));
    let many = Plan { objects: vec![object(house(), 0.0, 0.0); 1025], ..Plan::new(1) };
    assert_eq!(refused(many), "objects: more than 1024 objects");
    let nowhere = Plan { terrain: None, scatter: Vec::new(), ..settled() };
    assert_eq!(nowhere.validate().unwrap_err().to_string(), "settlements: the plan has no terrain for it to stand on");
    let text = r#"{"version": 1, "seed": 7, "settlements": {"roads": {"widht": 3}}}"#;
    let error = Plan::from_json(text).unwrap_err().to_string();
    assert!(error.starts_with("settlements.roads.widht: unknown field `widht`"), "{error}");
}

#[test]
fn plans_with_settlements_and_objects_are_stored_as_text() {
    let mut plan = settled();
    plan.objects = vec![object(house(), 1.0, 2.0), object(maze(4, 5), 3.0, 4.0)];
    assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
    let text = r#"{"version": 1, "seed": 7, "nodes": {"flat": {"op": "constant", "value": 5}}, "terrain": {"height": "flat"}, "settlements": {}}"#;
    assert_eq!(Plan::from_json(text).unwrap().settlements, Some(SettlementRule::default()));
    assert_ne!(generator(&plan).digest(), generator(&settled()).digest());
}

#[test]
fn an_object_that_cannot_be_made_is_an_error_of_the_chunks_that_have_it() {
    // Tiles of which none may stand beside another.
    let lonely = TileSet {
        sockets: [("never".to_string(), Default::default())].into(),
        tiles: vec![wasgo_gen::built::Tile { sides: ["never"; 4].map(Into::into), ..dungeon_tiles().tiles[1].clone() }],
        outside: None,
        name: "lonely".into(),
    };
    let grid = TileGrid { attempts: 2, ..TileGrid::new(3, 3) };
    let spec = DungeonSpec { tiles: TileStyle::Set(Box::new(lonely)), grid, look: TileLook::default() };
    let plan = Plan { objects: vec![object(ObjectSpec::Dungeon(Box::new(spec)), 10.0, 10.0)], ..Plan::new(1) };
    let generator = generator(&plan);
    let error = generator.chunk(ChunkId::new(0, 0)).unwrap_err().to_string();
    assert!(error.starts_with("objects[0]: tile set \"lonely\": no way found"), "{error}");
    assert!(generator.chunk(ChunkId::new(1, 0)).is_ok());
}

#[test]
fn at_the_edge_of_the_world_there_are_chunks_too() {
    let generator = generator(&settled());
    for (x, z) in [(-16_383, 16_383), (16_383, 0)] {
        assert!(generator.chunk(ChunkId::new(x, z)).is_ok());
    }
    assert!(generator.settlements(square(1e9, 0.0, 1.0)).unwrap_err().to_string().starts_with("area is "));
    assert!(generator.settlements(square(0.0, 0.0, 9000.0)).is_err());
}

#[test]
fn a_scene_has_the_objects_and_can_be_written() {
    let plan = settled();
    let generator = generator(&plan);
    let [x, z] = village().map(|at| (at / 64.0).floor() as i32);
    let chunk = generator.chunk(ChunkId::new(x, z)).unwrap();
    let props = wasgo_gen::props(&plan).unwrap();
    let scene = scene::of_chunk(&plan, &chunk, &chunk.instances, &props);
    let placed: usize = chunk.objects.iter().map(|set| set.placements.len()).sum();
    let rows: usize = scene.instances.iter().map(|set| set.transforms.len() / 48).sum();
    assert_eq!(rows, placed + chunk.instances.len());
    assert!(placed > 5);
    let materials = scene.materials.len();
    let surfaces = scene.meshes.iter().flat_map(|mesh| &mesh.surfaces);
    assert!(surfaces.clone().all(|surface| surface.material.is_some_and(|at| at < materials)));
    let used = |name: &str| {
        let number = scene.materials.iter().position(|material| material.name == name).unwrap();
        surfaces.clone().any(|surface| surface.material == Some(number))
    };
    assert!(used("ground") && used("built_stone") && used("built_timber"));
    glb::write(&scene).unwrap();
}
