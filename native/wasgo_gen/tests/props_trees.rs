//! Trees are sound, as large as they should be, and say what is wrong with their parameters.

mod props_common;

use props_common::{assert_formed, assert_sound, hash};
use proptest::prelude::*;
use wasgo_gen::props::{
    Arrangement, Branches, Crown, Finish, Leaves, PropError, Species, Style, TreeForm, TreeSpec, Trunk, tree,
};

#[test]
fn trees_of_all_kinds_are_sound_for_many_seeds() {
    for species in Species::ALL {
        for style in [Style::Leafy, Style::LowPoly] {
            for seed in 0..16 {
                let spec = TreeSpec { style, ..TreeSpec::new(species) };
                let model = tree(&spec, seed).unwrap();
                let name = format!("{} {style:?} {seed}", species.name());
                assert_sound(&name, &model);
                let most = species.triangles() as usize;
                let most = if style == Style::Leafy { most } else { (most / 5).max(600) };
                let triangles = model.lods[0].triangles();
                assert!((most / 4..=most).contains(&triangles), "{name}: {triangles} triangles");
                let [low, high] = model.bounds;
                let [least, greatest] = species.form().height;
                assert!(high[1] > 0.9 * least && high[1] < 1.2 * greatest, "{name} is {} m high", high[1]);
                assert!((-0.2 * greatest..0.0).contains(&low[1]), "{name} starts at {} m", low[1]);
            }
        }
    }
}

#[test]
fn levels_end_in_two_crossed_cards() {
    for species in Species::ALL.into_iter().filter(|species| *species != Species::Dead) {
        let model = tree(&TreeSpec::new(species), 3).unwrap();
        assert_eq!(model.lods.len(), 4);
        let triangles: Vec<usize> = model.lods.iter().map(|lod| lod.triangles()).collect();
        assert!(triangles[1] * 5 < triangles[0] * 2 && triangles[2] <= 400 && triangles[3] <= 60, "{triangles:?}");
        let [card] = &model.lods[3].parts[..] else { panic!("{species:?}") };
        assert_eq!(card.finish, Finish::Card);
        for (at, uv) in card.mesh.positions.iter().zip(&card.mesh.uvs) {
            // Each card has its half of the image.
            assert!(uv.iter().all(|v| (0.0..=1.0).contains(v)));
            assert!(if at[2] == 0.0 { uv[0] <= 0.5 } else { uv[0] >= 0.5 }, "{at:?} {uv:?}");
        }
    }
}

#[test]
fn wind_moves_tips_and_leaves_roots_alone() {
    for species in Species::ALL {
        let model = tree(&TreeSpec::new(species), 1).unwrap();
        let mut most: f32 = 0.0;
        for part in &model.lods[0].parts {
            for (at, wind) in part.mesh.positions.iter().zip(&part.mesh.uvs2) {
                most = most.max(wind[0]);
                // Leaves may hang to the ground.
                if part.finish == Finish::Bark && at[1] <= 0.0 {
                    assert!(wind[0] < 0.01, "{species:?}");
                }
            }
        }
        assert!(most > 0.4, "{species:?}: {most}");
    }
}

#[test]
fn two_of_a_kind_differ_and_the_same_seed_is_the_same_tree() {
    let spec = TreeSpec::new(Species::Birch);
    let hashes: std::collections::BTreeSet<u64> = (0..30).map(|seed| hash(&tree(&spec, seed).unwrap())).collect();
    assert_eq!(hashes.len(), 30);
    assert_eq!(tree(&spec, 4).unwrap(), tree(&spec, 4).unwrap());
}

#[test]
fn winter_takes_the_leaves() {
    let model = tree(&TreeSpec { fullness: 0.0, ..TreeSpec::new(Species::Oak) }, 5).unwrap();
    assert_sound("bare oak", &model);
    assert!(model.lods.iter().flat_map(|lod| &lod.parts).all(|part| part.finish == Finish::Bark));
}

#[test]
fn specs_are_json_in_which_all_but_what_differs_may_be_left_out() {
    let spec: TreeSpec = serde_json::from_str(r#"{"species": "willow", "style": "low_poly", "height": 4}"#).unwrap();
    assert_eq!(spec, TreeSpec { style: Style::LowPoly, height: Some(4.0), ..TreeSpec::new(Species::Willow) });
    for species in Species::ALL {
        let spec = TreeSpec { form: Some(species.form()), ..TreeSpec::new(species) };
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<TreeSpec>(&text).unwrap(), spec);
        assert_eq!(tree(&spec, 9), tree(&TreeSpec::new(species), 9));
    }
    let error = serde_json::from_str::<TreeSpec>(r#"{"hight": 4}"#).unwrap_err();
    assert!(error.to_string().contains("hight"), "{error}");
}

#[test]
fn every_number_has_bounds_and_its_error_names_it() {
    type Set = fn(&mut TreeSpec, &mut TreeForm, f32);
    let fields: &[(&str, f32, f32, Set)] = &[
        ("tree.height", 0.1, 100.0, |s, _, v| s.height = Some(v)),
        ("tree.spread", 0.2, 3.0, |s, _, v| s.spread = v),
        ("tree.fullness", 0.0, 3.0, |s, _, v| s.fullness = v),
        ("tree.gnarl", 0.0, 3.0, |s, _, v| s.gnarl = v),
        ("tree.form.height", 0.1, 100.0, |_, f, v| f.height = [v, v]),
        ("tree.form.trunk.radius", 0.002, 0.2, |_, f, v| f.trunk.radius = v),
        ("tree.form.trunk.gnarl", 0.0, 0.8, |_, f, v| f.trunk.gnarl = v),
        ("tree.form.trunk.lean", 0.0, 0.8, |_, f, v| f.trunk.lean = v),
        ("tree.form.trunk.flare", 0.0, 2.0, |_, f, v| f.trunk.flare = v),
        ("tree.form.trunk.taper", 0.0, 1.0, |_, f, v| f.trunk.taper = v),
        ("tree.form.branches[1].length", 0.02, 1.5, |_, f, v| f.branches[1].length = v),
        ("tree.form.branches[1].place", 0.0, 1.0, |_, f, v| f.branches[1].place = [v, v]),
        ("tree.form.branches[0].angle", 0.0, 2.8, |_, f, v| f.branches[0].angle = [v, v]),
        ("tree.form.branches[0].bend", -4.0, 4.0, |_, f, v| f.branches[0].bend = v),
        ("tree.form.branches[0].gnarl", 0.0, 0.8, |_, f, v| f.branches[0].gnarl = v),
        ("tree.form.branches[0].planar", 0.0, 1.0, |_, f, v| f.branches[0].planar = v),
        ("tree.form.leaves.place", 0.0, 0.95, |_, f, v| f.leaves.place = v),
        ("tree.form.leaves.size", 0.01, 10.0, |_, f, v| f.leaves.size = [v, v]),
        ("tree.form.leaves.width", 0.02, 2.0, |_, f, v| f.leaves.width = v),
        ("tree.form.leaves.droop", 0.0, 1.0, |_, f, v| f.leaves.droop = v),
        ("tree.form.leaves.light", 0.0, 1.0, |_, f, v| f.leaves.light[2] = v),
        ("tree.form.leaves.accents", 0.0, 1.0, |_, f, v| f.leaves.accents = v),
        ("tree.form.leaves.fullness", 0.0, 1.0, |_, f, v| f.leaves.fullness = v),
        ("tree.form.bark.young", 0.0, 1.0, |_, f, v| f.bark.young[0] = v),
        ("tree.form.bark.marks", 0.0, 1.0, |_, f, v| f.bark.marks = v),
    ];
    for (name, low, high, set) in fields {
        let with = |value| {
            let (mut spec, mut form) = (TreeSpec::default(), Species::Oak.form());
            set(&mut spec, &mut form, value);
            tree(&TreeSpec { form: Some(form), ..spec }, 1)
        };
        for value in [*low, *high] {
            let model = with(value).unwrap_or_else(|error| panic!("{error}"));
            model.lods.iter().flat_map(|lod| &lod.parts).for_each(|part| assert_formed(name, &part.mesh));
        }
        for value in [low - 0.001 - low.abs() * 0.01, high + 0.001 + high * 0.01, f32::NAN, f32::INFINITY] {
            match with(value) {
                Err(PropError::OutOfRange { field, min, max, .. }) => {
                    assert_eq!((&*field, min, max), (*name, *low, *high))
                }
                other => panic!("{name} {value}: {:?}", other.map(|model| model.bounds)),
            }
        }
    }
}

#[test]
fn too_many_branches_are_refused_before_any_grows() {
    let branches = vec![Branches { count: 128, ..Branches::default() }; 3];
    let form = TreeForm { branches, ..TreeForm::default() };
    let error = tree(&TreeSpec { form: Some(form), ..TreeSpec::default() }, 1).unwrap_err();
    assert_eq!(error.to_string(), "tree.form.branches: limbs has 2113665, allowed: 1 to 4096");
    let form = TreeForm { branches: vec![], ..TreeForm::default() };
    let error = tree(&TreeSpec { form: Some(form), ..TreeSpec::default() }, 1).unwrap_err();
    assert_eq!(error.to_string(), "tree.form.branches has 0, allowed: 1 to 3");
    let form = TreeForm { height: [5.0, 4.0], ..TreeForm::default() };
    let error = tree(&TreeSpec { form: Some(form), ..TreeSpec::default() }, 1).unwrap_err();
    assert_eq!(error.to_string(), "tree.form.height is 5 to 4, allowed: the first at most the second");
}

prop_compose! {
    fn any_branches()(
        count in 1u32..=16, length in 0.02f32..=1.5, low in 0.0f32..=0.5, angle in (0.0f32..=2.8, 0.0f32..=2.8),
        bend in -4.0f32..=4.0, gnarl in 0.0f32..=0.8, segments in 1u32..=16, whorl in 1u32..=16, planar in 0.0f32..=1.0,
    ) -> Branches {
        Branches { count, length, place: [low, low + 0.5], angle: [angle.0, angle.1], bend, gnarl, segments, whorl, planar }
    }
}

prop_compose! {
    fn any_form()(
        crown in prop::sample::select(vec![
            Crown::Round, Crown::Dome, Crown::Cone, Crown::Flame, Crown::Umbrella, Crown::Even,
        ]),
        arrangement in prop::sample::select(vec![
            Arrangement::Spray, Arrangement::Rows, Arrangement::Tuft, Arrangement::Hanging,
        ]),
        trunk in (0.002f32..=0.2, 2u32..=32, 0.0f32..=0.8, 0.0f32..=0.8, 0.0f32..=2.0, 0.0f32..=1.0),
        branches in prop::collection::vec(any_branches(), 1..=2),
        leaves in (1u32..=3, 0.0f32..=0.95, 0.01f32..=10.0, 0.02f32..=2.0, 0.0f32..=1.0, 0.0f32..=1.0),
    ) -> TreeForm {
        let (radius, segments, gnarl, lean, flare, taper) = trunk;
        let (level, place, size, width, droop, fullness) = leaves;
        TreeForm {
            crown,
            trunk: Trunk { radius, segments, gnarl, lean, flare, taper },
            branches,
            leaves: Leaves { arrangement, level, place, size: [size * 0.5, size].map(|s| s.max(0.01)), width, droop, fullness, ..Leaves::default() },
            ..TreeForm::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_allowed_tree_is_formed_and_within_its_triangles(
        form in any_form(), seed: u64, height in prop::option::of(0.1f32..=100.0), spread in 0.2f32..=3.0,
        fullness in 0.0f32..=3.0, gnarl in 0.0f32..=3.0, triangles in 200u32..=12_000, low_poly: bool,
    ) {
        let style = if low_poly { Style::LowPoly } else { Style::Leafy };
        let spec = TreeSpec { species: Species::Oak, style, height, spread, fullness, gnarl, triangles: Some(triangles), form: Some(form) };
        let model = tree(&spec, seed).unwrap();
        prop_assert!(!model.lods.is_empty());
        for lod in &model.lods {
            prop_assert!(lod.triangles() <= triangles as usize);
            for part in &lod.parts {
                assert_formed("any", &part.mesh);
            }
        }
    }
}
