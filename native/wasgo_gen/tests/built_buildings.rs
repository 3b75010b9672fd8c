//! Buildings are sound: triangles, normals, no holes, doors; grammars are checked.

use std::collections::BTreeMap;

use wasgo_gen::MeshData;
use wasgo_gen::built::{
    Axis, BuildingSpec, BuiltError, Faces, Footprint, Grammar, MAX_TRIANGLES, Part, Preset, Size, Step, Style,
    building, grammar,
};

type V = [f32; 3];

fn sub(a: V, b: V) -> V {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn dot(a: V, b: V) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: V, b: V) -> V {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn footprints() -> Vec<Footprint> {
    vec![
        Footprint::Rectangle { width: 9.0, depth: 6.5 },
        Footprint::Rectangle { width: 6.0, depth: 11.0 },
        Footprint::L { width: 14.0, depth: 11.0, wing: 6.0, reach: 4.5 },
        Footprint::T { width: 15.0, depth: 12.0, wing: 5.0, reach: 5.0 },
        Footprint::U { width: 22.0, depth: 14.0, wing: 6.0, reach: 4.0 },
        Footprint::Round { width: 8.0, sides: 12 },
        Footprint::Polygon { corners: vec![[-5.0, -4.0], [5.0, -4.0], [6.0, 3.0], [0.0, 6.0], [-6.0, 3.0]] },
    ]
}

fn assert_sound(name: &str, mesh: &MeshData) {
    let count = mesh.vertices();
    assert_eq!(mesh.normals.len(), count, "{name}");
    assert_eq!(mesh.colors.len(), count, "{name}");
    assert_eq!(mesh.uvs.len(), count, "{name}");
    assert!(mesh.positions.as_flattened().iter().all(|value| value.is_finite()), "{name}");
    assert!(mesh.uvs.as_flattened().iter().all(|value| value.is_finite()), "{name}");
    assert!(mesh.colors.as_flattened().iter().all(|value| (0.0..=1.0).contains(value)), "{name}");
    for normal in &mesh.normals {
        assert!((dot(*normal, *normal) - 1.0).abs() < 1e-4, "{name}: {normal:?}");
    }
    for triangle in mesh.indices.chunks_exact(3) {
        let [a, b, c] = [0, 1, 2].map(|at| mesh.positions[triangle[at] as usize]);
        let front = cross(sub(b, a), sub(c, a));
        assert!(dot(front, front) > 1e-14, "{name}: {a:?} {b:?} {c:?} is flat");
        for index in triangle {
            assert!(dot(front, mesh.normals[*index as usize]) > 0.0, "{name}: {a:?} {b:?} {c:?} against its normal");
        }
    }
}

#[test]
fn buildings_are_sound_for_every_preset_footprint_and_seed() {
    for preset in Preset::ALL {
        for (number, footprint) in footprints().into_iter().chain([preset.footprint()]).enumerate() {
            for seed in 0..4 {
                let name = format!("{} {number} {seed}", preset.name());
                let built = match building(&BuildingSpec::new(preset, footprint.clone()), seed) {
                    Ok(built) => built,
                    // Churches and gatehouses are cut lengthwise: they want a rectangle.
                    Err(BuiltError::WrongShape { step: "split", .. }) => {
                        assert!(matches!(preset, Preset::Church | Preset::Gatehouse), "{name}");
                        continue;
                    }
                    Err(error) => panic!("{name}: {error}"),
                };
                assert_eq!(built.lods.len(), 3);
                let triangles: Vec<usize> = built.lods.iter().map(|lod| lod.triangles()).collect();
                assert!(triangles[0] <= MAX_TRIANGLES + 2000 && triangles[0] > triangles[1], "{name}: {triangles:?}");
                assert!(triangles[1] > triangles[2] && triangles[2] >= 10, "{name}: {triangles:?}");
                for (level, lod) in built.lods.iter().enumerate() {
                    assert_sound(&format!("{name} lod {level}"), &lod.merged());
                }
                assert!((2.0..40.0).contains(&built.height), "{name}: {}", built.height);
                assert!(!built.colliders.is_empty(), "{name}");
                for collider in &built.colliders {
                    assert!(collider.half.iter().all(|half| *half > 0.0), "{name}");
                }
            }
        }
    }
}

/// Where a ray meets the mesh first: the distance, and whether it meets a front.
fn first_hit(mesh: &MeshData, from: V, direction: V) -> Option<(f32, bool)> {
    let mut best: Option<(f32, bool)> = None;
    for triangle in mesh.indices.chunks_exact(3) {
        let [a, b, c] = [0, 1, 2].map(|at| mesh.positions[triangle[at] as usize]);
        let (e, f) = (sub(b, a), sub(c, a));
        let p = cross(direction, f);
        let volume = dot(e, p);
        if volume.abs() < 1e-9 {
            continue;
        }
        let t = sub(from, a);
        let u = dot(t, p) / volume;
        let q = cross(t, e);
        let v = dot(direction, q) / volume;
        let far = dot(f, q) / volume;
        if u >= 0.0 && v >= 0.0 && u + v <= 1.0 && far > 0.0 && best.is_none_or(|(least, _)| far < least) {
            best = Some((far, volume > 0.0));
        }
    }
    best
}

#[test]
fn whoever_looks_from_outside_sees_fronts() {
    for preset in Preset::ALL {
        for seed in 0..3u64 {
            let built = building(&BuildingSpec::new(preset, preset.footprint()), seed).unwrap();
            for (level, lod) in built.lods.iter().enumerate() {
                let mesh = lod.merged();
                let (mut fronts, mut backs) = (0, 0);
                for number in 0..240u32 {
                    let turn = number as f32 * 2.399_963;
                    let (sin, cos) = libm::sincosf(turn);
                    let high = 0.5 + (number % 16) as f32;
                    let from = [cos * 60.0, high + 4.0, sin * 60.0];
                    let aim = [
                        (number % 7) as f32 - 3.0,
                        (number % 11) as f32 * built.height / 12.0 + 0.1,
                        (number % 5) as f32 - 2.0,
                    ];
                    match first_hit(&mesh, from, sub(aim, from)) {
                        Some((_, true)) => fronts += 1,
                        Some((_, false)) => backs += 1,
                        None => {}
                    }
                }
                assert!(fronts > 60, "{} {seed} lod {level}: {fronts}", preset.name());
                assert!(backs * 100 <= fronts, "{} {seed} lod {level}: {backs} backs, {fronts} fronts", preset.name());
            }
        }
    }
}

#[test]
fn doors_are_at_the_ground_and_open_outwards() {
    for preset in Preset::ALL {
        for seed in 0..8 {
            let built = building(&BuildingSpec::new(preset, preset.footprint()), seed).unwrap();
            if preset == Preset::CastleWall {
                assert!(built.entrances.is_empty());
                continue;
            }
            let door = built.entrances.first().unwrap_or_else(|| panic!("{} {seed}", preset.name()));
            assert!((0.0..0.5).contains(&door.position[1]), "{}: {:?}", preset.name(), door);
            assert!(door.outward[1] < -0.5, "{}: {:?}", preset.name(), door);
            assert!(door.width >= 0.6);
        }
    }
}

#[test]
fn all_levels_of_detail_take_the_same_choices() {
    for seed in 0..12 {
        let spec = BuildingSpec::new(Preset::Townhouse, Preset::Townhouse.footprint());
        let built = building(&spec, seed).unwrap();
        let tops: Vec<f32> = built
            .lods
            .iter()
            .map(|lod| {
                let heights = lod.surfaces.iter().flat_map(|surface| &surface.mesh.positions).map(|point| point[1]);
                heights.fold(f32::MIN, f32::max)
            })
            .collect();
        // Chimneys are left out of the last one only.
        assert!((tops[0] - tops[1]).abs() < 0.6 && tops[2] > tops[0] - 2.5, "{seed}: {tops:?}");
    }
}

#[test]
fn presets_are_allowed_and_survive_a_file() {
    for preset in Preset::ALL {
        let rules = grammar(preset);
        assert_eq!(rules.validate(), Ok(()), "{}", preset.name());
        let text = serde_json::to_string(&rules).unwrap();
        let back: Grammar = serde_json::from_str(&text).unwrap();
        assert_eq!(back, rules);
        let own =
            BuildingSpec { style: Style::Grammar(Box::new(back)), ..BuildingSpec::new(preset, preset.footprint()) };
        let named = BuildingSpec::new(preset, preset.footprint());
        assert_eq!(building(&own, 5), building(&named, 5));
    }
}

fn rules(list: Vec<(&str, Vec<Step>)>) -> BuildingSpec {
    let rules: BTreeMap<String, Vec<Step>> = list.into_iter().map(|(name, steps)| (name.into(), steps)).collect();
    let own = Grammar { start: "start".into(), paints: BTreeMap::new(), rules };
    BuildingSpec {
        footprint: Footprint::Rectangle { width: 8.0, depth: 6.0 },
        style: Style::Grammar(Box::new(own)),
        foundation: 1.0,
    }
}

fn refused(spec: &BuildingSpec) -> String {
    building(spec, 1).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_with_a_grammar_is_named() {
    let call = |name: &str| Step::Rule(name.into());
    assert_eq!(
        refused(&rules(vec![("start", vec![call("roof")])])),
        "rules.start[0].rule names \"roof\", which is not there"
    );
    assert_eq!(
        refused(&rules(vec![("start", vec![call("start")])])),
        "rule \"start\" makes more than 24 rules inside each other"
    );
    assert_eq!(refused(&rules(vec![("start", vec![Step::Fill])])), "rule \"start\": fill cannot be done to a plan");
    let tall = Step::Extrude { height: [3.0, f32::NAN], rule: "start".into() };
    assert_eq!(refused(&rules(vec![("start", vec![tall])])), "rules.start[0].height is NaN, allowed: 0.1 to 100");
    let part = |rule: &str| Part { size: Size::Repeat(0.2), rule: rule.into() };
    let split = |axis, rule: &str| Step::Split { axis, parts: vec![part(rule)] };
    let many = rules(vec![
        ("start", vec![Step::Extrude { height: [100.0, 100.0], rule: "mass".into() }]),
        ("mass", vec![Step::Faces(Faces { side: Some("rows".into()), ..Faces::default() })]),
        ("rows", vec![split(Axis::Y, "row")]),
        ("row", vec![split(Axis::X, "cell")]),
        ("cell", vec![Step::Fill]),
    ]);
    assert_eq!(refused(&many), "rule \"cell\" makes more than 4096 shapes");
    let unknown = serde_json::from_str::<Grammar>(r#"{"start":"a","paints":{},"rules":{},"rule":{}}"#);
    assert!(unknown.unwrap_err().to_string().contains("unknown field `rule`"));
}

#[test]
fn outlines_that_cannot_be_built_on_are_refused() {
    let of = |corners: &[[f32; 2]]| Footprint::Polygon { corners: corners.to_vec() }.corners().unwrap_err().to_string();
    let bow = [[0.0, 0.0], [0.0, 8.0], [8.0, 8.0], [8.0, -8.0], [4.0, -8.0], [4.0, 4.0], [-4.0, 4.0], [-4.0, 0.0]];
    assert_eq!(of(&bow), "footprint.corners: two walls cross");
    let star = [[0.0, -9.0], [2.0, -2.0], [9.0, 0.0], [2.0, 2.0], [0.0, 9.0], [-2.0, 2.0], [-9.0, 0.0], [-2.0, -2.0]];
    assert_eq!(of(&star), "footprint.corners: the outline is neither convex nor along the axes");
    assert_eq!(of(&[[0.0, 0.0], [f32::NAN, 1.0], [1.0, 1.0]]), "footprint.corners is NaN, allowed: -60 to 60");
    let wide = Footprint::Rectangle { width: 1000.0, depth: 5.0 }.corners().unwrap_err();
    assert_eq!(wide.to_string(), "footprint.width is 1000, allowed: 1 to 120");
    // Either way around is the same outline.
    let clockwise = vec![[-5.0, -5.0], [5.0, -5.0], [5.0, 5.0], [-5.0, 5.0]];
    let other: Vec<[f32; 2]> = clockwise.iter().rev().copied().collect();
    let ring = |corners| Footprint::Polygon { corners }.corners().unwrap();
    assert_eq!(ring(clockwise).len(), ring(other).len());
}
