//! Rocks, plants and fences are sound, coarser from level to level, and say what is wrong with their parameters.

mod props_common;

use props_common::{assert_formed, assert_sound, hash, volume};
use proptest::prelude::*;
use wasgo_gen::props::{
    Collider, CrystalSpec, FenceKind, FenceSpec, FernSpec, Finish, GrassKind, GrassSpec, LogSpec, MAX_POINTS,
    MushroomKind, MushroomSpec, PropError, PropModel, PropSpec, RockKind, RockSpec, Species, TreeSpec, fence, model,
};

/// One of each kind.
fn specs() -> Vec<(String, PropSpec)> {
    let mut specs = vec![
        ("crystals".to_owned(), PropSpec::Crystals(CrystalSpec::default())),
        ("fern".to_owned(), PropSpec::Fern(FernSpec::default())),
        ("log".to_owned(), PropSpec::Log(LogSpec::default())),
        ("stump".to_owned(), PropSpec::Stump(LogSpec::stump())),
    ];
    specs.extend(RockKind::ALL.map(|kind| (format!("{kind:?}"), PropSpec::Rock(RockSpec::new(kind)))));
    specs.extend(GrassKind::ALL.map(|kind| (format!("{kind:?}"), PropSpec::Grass(GrassSpec::new(kind)))));
    let mushrooms = |kind| PropSpec::Mushrooms(MushroomSpec { kind, ..MushroomSpec::default() });
    specs.extend(MushroomKind::ALL.map(|kind| (format!("{kind:?}"), mushrooms(kind))));
    specs
}

const LINE: [[f32; 3]; 4] = [[-3.0, 0.0, 1.0], [0.5, 0.5, -0.5], [3.0, 0.2, 1.5], [3.0, 1.2, 9.0]];

fn solids(model: &PropModel) -> impl Iterator<Item = &wasgo_gen::MeshData> {
    let solid = |finish| !matches!(finish, Finish::Leaf | Finish::Card | Finish::Bark | Finish::Timber);
    model.lods.iter().flat_map(|lod| &lod.parts).filter(move |part| solid(part.finish)).map(|part| &part.mesh)
}

#[test]
fn props_of_all_kinds_are_sound_for_many_seeds() {
    for (name, spec) in specs() {
        let mut hashes = std::collections::BTreeSet::new();
        for seed in 0..25 {
            let model = model(&spec, seed).unwrap();
            let name = format!("{name} {seed}");
            assert_sound(&name, &model);
            assert!(model.lods.len() >= 2, "{name}");
            assert!(solids(&model).all(|mesh| volume(mesh) > 0.0), "{name}");
            hashes.insert(hash(&model));
        }
        assert_eq!(hashes.len(), 25, "{name}: two of a kind are the same");
    }
}

#[test]
fn fences_of_all_kinds_are_sound_and_follow_their_line() {
    for kind in FenceKind::ALL {
        for seed in 0..10 {
            let spec = FenceSpec::new(kind);
            let model = fence(&LINE, &spec, seed).unwrap();
            let name = format!("{kind:?} {seed}");
            assert_sound(&name, &model);
            assert_eq!(model.lods.len(), 3, "{name}");
            let [low, high] = model.bounds;
            let near = |a: f32, b: f32| (a - b).abs() < 0.4 * spec.height;
            assert!(near(low[0], -3.0) && near(high[0], 3.0) && near(low[2], -0.5) && near(high[2], 9.0), "{name}");
            assert!(near(high[1], 1.2 + spec.height), "{name}: {high:?}");
            let hulls = model.colliders.iter().all(|c| matches!(c, Collider::Hull { points } if points.len() == 8));
            assert!(hulls && model.colliders.len() >= 6, "{name}");
        }
    }
}

#[test]
fn rocks_collide_where_they_are_seen() {
    for kind in RockKind::ALL {
        let model = model(&PropSpec::Rock(RockSpec::new(kind)), 4).unwrap();
        if kind == RockKind::Pebbles {
            assert!(model.colliders.is_empty());
            continue;
        }
        let mut high = f32::MIN;
        for collider in &model.colliders {
            let Collider::Hull { points } = collider else { panic!("{kind:?}") };
            high = points.iter().fold(high, |high, point| high.max(point[1]));
        }
        assert_eq!(high, model.bounds[1][1], "{kind:?}");
    }
}

#[test]
fn plants_sway_and_stones_do_not() {
    let most = |spec: &PropSpec| {
        let model = model(spec, 1).unwrap();
        let winds = model.lods[0].parts.iter().flat_map(|part| &part.mesh.uvs2);
        winds.fold(0.0f32, |most, wind| most.max(wind[0]))
    };
    for kind in GrassKind::ALL {
        assert!(most(&PropSpec::Grass(GrassSpec::new(kind))) > 0.9);
    }
    assert!(most(&PropSpec::Fern(FernSpec::default())) > 0.7);
    assert_eq!(most(&PropSpec::Rock(RockSpec::default())), 0.0);
    assert_eq!(most(&PropSpec::Log(LogSpec::default())), 0.0);
}

#[test]
fn any_spec_is_json() {
    for (name, spec) in specs() {
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<PropSpec>(&text).unwrap(), spec, "{name}");
    }
    let spec: PropSpec = serde_json::from_str(r#"{"rock": {"kind": "slab", "size": 3}}"#).unwrap();
    assert_eq!(spec, PropSpec::Rock(RockSpec { kind: RockKind::Slab, size: 3.0, ..RockSpec::new(RockKind::Slab) }));
    let tree: PropSpec = serde_json::from_str(r#"{"tree": {"species": "rose"}}"#).unwrap();
    assert_eq!(model(&tree, 3), model(&PropSpec::Tree(TreeSpec::new(Species::Rose)), 3));
    assert!(serde_json::from_str::<PropSpec>(r#"{"rock": {"weight": 3}}"#).is_err());
}

#[test]
fn every_number_has_bounds_and_its_error_names_it() {
    type Set = fn(f32) -> PropSpec;
    let fields: &[(&str, f32, f32, Set)] = &[
        ("rock.size", 0.02, 100.0, |v| PropSpec::Rock(RockSpec { size: v, ..RockSpec::default() })),
        ("rock.roughness", 0.0, 1.0, |v| PropSpec::Rock(RockSpec { roughness: v, ..RockSpec::default() })),
        ("rock.color", 0.0, 1.0, |v| PropSpec::Rock(RockSpec { color: [0.0, v, 0.0], ..RockSpec::default() })),
        ("rock.moss", 0.0, 1.0, |v| PropSpec::Rock(RockSpec { moss: v, ..RockSpec::default() })),
        ("crystal.height", 0.02, 50.0, |v| PropSpec::Crystals(CrystalSpec { height: v, ..CrystalSpec::default() })),
        ("crystal.color", 0.0, 1.0, |v| PropSpec::Crystals(CrystalSpec { color: [v; 3], ..CrystalSpec::default() })),
        ("grass.height", 0.02, 10.0, |v| PropSpec::Grass(GrassSpec { height: v, ..GrassSpec::default() })),
        ("grass.radius", 0.01, 10.0, |v| PropSpec::Grass(GrassSpec { radius: v, ..GrassSpec::default() })),
        ("grass.dark", 0.0, 1.0, |v| PropSpec::Grass(GrassSpec { dark: [v; 3], ..GrassSpec::default() })),
        ("grass.light", 0.0, 1.0, |v| PropSpec::Grass(GrassSpec { light: [v; 3], ..GrassSpec::default() })),
        ("grass.blossom", 0.0, 1.0, |v| PropSpec::Grass(GrassSpec { blossom: [v; 3], ..GrassSpec::default() })),
        ("fern.length", 0.05, 10.0, |v| PropSpec::Fern(FernSpec { length: v, ..FernSpec::default() })),
        ("fern.droop", 0.0, 1.0, |v| PropSpec::Fern(FernSpec { droop: v, ..FernSpec::default() })),
        ("mushroom.height", 0.01, 20.0, |v| PropSpec::Mushrooms(MushroomSpec { height: v, ..MushroomSpec::default() })),
        ("log.length", 0.05, 50.0, |v| PropSpec::Log(LogSpec { length: v, ..LogSpec::default() })),
        ("log.radius", 0.01, 10.0, |v| PropSpec::Stump(LogSpec { radius: v, ..LogSpec::default() })),
        ("log.bark", 0.0, 1.0, |v| PropSpec::Log(LogSpec { bark: [v; 3], ..LogSpec::default() })),
        ("log.moss", 0.0, 1.0, |v| PropSpec::Log(LogSpec { moss: v, ..LogSpec::default() })),
    ];
    for (name, low, high, set) in fields {
        for value in [*low, *high] {
            let made = model(&set(value), 1).unwrap_or_else(|error| panic!("{error}"));
            made.lods.iter().flat_map(|lod| &lod.parts).for_each(|part| assert_formed(name, &part.mesh));
        }
        for value in [low - 0.001, high + 0.001 + high * 0.01, f32::NAN, f32::NEG_INFINITY] {
            match model(&set(value), 1) {
                Err(PropError::OutOfRange { field, min, max, .. }) => {
                    assert_eq!((&*field, min, max), (*name, *low, *high))
                }
                other => panic!("{name} {value}: {:?}", other.map(|model| model.bounds)),
            }
        }
    }
    let counts = [
        (
            PropSpec::Crystals(CrystalSpec { count: 65, ..CrystalSpec::default() }),
            "crystal.count is 65, allowed: 1 to 64",
        ),
        (PropSpec::Grass(GrassSpec { blades: 2, ..GrassSpec::default() }), "grass.blades is 2, allowed: 3 to 500"),
        (
            PropSpec::Grass(GrassSpec { flowers: 101, ..GrassSpec::default() }),
            "grass.flowers is 101, allowed: 0 to 100",
        ),
        (PropSpec::Fern(FernSpec { fronds: 41, ..FernSpec::default() }), "fern.fronds is 41, allowed: 3 to 40"),
        (
            PropSpec::Mushrooms(MushroomSpec { count: 0, ..MushroomSpec::default() }),
            "mushroom.count is 0, allowed: 1 to 32",
        ),
        (
            PropSpec::Rock(RockSpec { triangles: 99, ..RockSpec::default() }),
            "rock.triangles is 99, allowed: 100 to 20000",
        ),
    ];
    for (spec, message) in counts {
        assert_eq!(spec.validate().unwrap_err().to_string(), message);
    }
}

#[test]
fn fences_that_can_not_be_built_are_refused() {
    let refused = |points: &[[f32; 3]], spec: &FenceSpec| fence(points, spec, 1).unwrap_err().to_string();
    let spec = FenceSpec::default();
    assert_eq!(refused(&LINE[..1], &spec), "fence.points has 1, allowed: 2 to 1024");
    assert_eq!(refused(&vec![[0.0; 3]; MAX_POINTS + 1], &spec), "fence.points has 1025, allowed: 2 to 1024");
    assert_eq!(refused(&[[0.0; 3], [0.0, 4.0, 0.0]], &spec), "fence.points: posts has 1, allowed: 2 to 2048");
    assert_eq!(refused(&[[0.0; 3], [1e6, 0.0, 0.0]], &spec), "fence.points: posts has 2049, allowed: 2 to 2048");
    assert_eq!(
        refused(&[[0.0; 3], [f32::NAN, 0.0, 0.0]], &spec),
        "fence.points[1] is NaN, allowed: -1000000 to 1000000"
    );
    let low = FenceSpec { height: 0.05, ..spec.clone() };
    assert_eq!(refused(&LINE, &low), "fence.height is 0.05, allowed: 0.1 to 20");
    let spaced = FenceSpec { spacing: 0.1, ..spec.clone() };
    assert_eq!(refused(&LINE, &spaced), "fence.spacing is 0.1, allowed: 0.5 to 20");
    let railed = FenceSpec { rails: 9, ..spec };
    assert_eq!(refused(&LINE, &railed), "fence.rails is 9, allowed: 1 to 8");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_allowed_rock_is_formed_and_within_its_triangles(
        kind in prop::sample::select(RockKind::ALL.to_vec()), size in 0.02f32..=100.0, roughness in 0.0f32..=1.0,
        moss in 0.0f32..=1.0, triangles in 100u32..=5000, seed: u64,
    ) {
        let spec = RockSpec { kind, size, roughness, moss, triangles, ..RockSpec::default() };
        let model = model(&PropSpec::Rock(spec), seed).unwrap();
        // Nine pebbles of the fewest triangles that make a body are more than 100.
        prop_assert!(model.lods[0].triangles() <= triangles.max(180) as usize);
        model.lods.iter().flat_map(|lod| &lod.parts).for_each(|part| assert_formed("any", &part.mesh));
    }

    #[test]
    fn any_allowed_fence_is_formed(
        kind in prop::sample::select(FenceKind::ALL.to_vec()), height in 0.1f32..=20.0, spacing in 0.5f32..=20.0,
        rails in 1u32..=8, age in 0.0f32..=1.0, seed: u64,
        points in prop::collection::vec((-20.0f32..=20.0, -50.0f32..=50.0, -20.0f32..=20.0), 2..6),
    ) {
        let points: Vec<[f32; 3]> = points.into_iter().map(|(x, y, z)| [x, y, z]).collect();
        let spec = FenceSpec { height, spacing, rails, age, ..FenceSpec::new(kind) };
        match fence(&points, &spec, seed) {
            Ok(model) => model.lods.iter().flat_map(|lod| &lod.parts).for_each(|part| assert_formed("any", &part.mesh)),
            Err(error) => prop_assert!(error.to_string().starts_with("fence.points"), "{error}"),
        }
    }
}
