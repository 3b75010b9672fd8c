//! Props in plans: how they are stored, what is refused, and which level of detail a chunk has.

use std::collections::BTreeSet;

use props_common::plans::{oak, rule, wood};
use serde_json::json;
use support::generator;
use wasgo_gen::props::{
    Collider, FenceSpec, Finish, GrassKind, GrassSpec, LogSpec, MushroomKind, PropSpec, RockKind, RockSpec, Species,
    TreeSpec, Variation, lod_error, mesh_impostor, model,
};
use wasgo_gen::{ChunkId, Generator, MAX_PROP_TRIANGLES, Plan, PropKind, preview::View, props, scene};
use wasgo_scene::{Limits, Mesh, Morph, Surface, glb, validate};

mod props_common;
mod support;

fn with_kind(kind: serde_json::Value) -> String {
    let mut plan: serde_json::Value = serde_json::from_str(&wood(1).to_json()).unwrap();
    plan["scatter"][2]["kind"] = kind;
    plan.to_string()
}

fn refused(kind: serde_json::Value) -> String {
    Plan::from_json(&with_kind(kind)).unwrap_err().to_string()
}

#[test]
fn plans_with_props_are_stored_with_everything_filled_in() {
    let plan = wood(7);
    let text = plan.to_json();
    assert_eq!(Plan::from_json(&text).unwrap(), plan);
    assert_eq!(Plan::from_json(&text).unwrap().to_json(), text);
    let read = Plan::from_json(&with_kind(json!({"tree": {"species": "oak"}}))).unwrap();
    assert_eq!(read.scatter[2].kind, PropSpec::Tree(TreeSpec::new(Species::Oak)).into());
    assert!(read.to_json().contains(r#""kind":{"tree":{"species":"oak","style":"leafy","height":null,"spread":1.0"#));
    assert_eq!(Plan::from_json(&with_kind(json!("rock"))).unwrap().scatter[2].kind, PropKind::Rock.into());
    let read = Plan::from_json(&with_kind(json!({"fern": {}}))).unwrap();
    assert_eq!(read.scatter[2].kind.name(), "fern");
}

#[test]
fn what_is_not_said_is_as_is_usual_for_the_kind() {
    let read = |text: &str| PropSpec::from_json(text).unwrap();
    for kind in GrassKind::ALL {
        let text = format!(r#"{{"grass": {{"kind": "{}", "radius": 0.5}}}}"#, kind.name());
        assert_eq!(read(&text), PropSpec::Grass(GrassSpec { radius: 0.5, ..GrassSpec::new(kind) }));
    }
    for kind in RockKind::ALL {
        let text = format!(r#"{{"rock": {{"kind": "{}", "moss": 1}}}}"#, kind.name());
        assert_eq!(read(&text), PropSpec::Rock(RockSpec { moss: 1.0, ..RockSpec::new(kind) }));
    }
    assert_eq!(read(r#"{"stump": {"moss": 0}}"#), PropSpec::Stump(LogSpec { moss: 0.0, ..LogSpec::stump() }));
    assert_eq!(read(r#"{"log": {}}"#), PropSpec::Log(LogSpec::default()));
    let fence = FenceSpec::from_json(r#"{"kind": "dry_stone", "age": 1}"#).unwrap();
    let usual = FenceSpec::new(wasgo_gen::props::FenceKind::DryStone);
    assert_eq!(fence, FenceSpec { age: 1.0, ..usual });
    for (text, error) in [
        (r#"{"rock": {"size": null}}"#, "rock.size: invalid type: null, expected f32"),
        (r#"{"rock": {"weight": 1}}"#, "rock.weight: unknown field `weight`"),
        (r#"{"stump": {"kind": 1}}"#, "stump.kind: unknown field `kind`"),
        (r#"{"tree": {"height": 900}}"#, "tree.height is 900, allowed: 0.1 to 100"),
        (r#"{"crystals": {"count": 65}}"#, "crystals.count is 65, allowed: 1 to 64"),
        (r#"{"stump": {"length": 0}}"#, "stump.length is 0, allowed: 0.05 to 50"),
        (r#"{"mountain": {}}"#, "unknown variant `mountain`, expected one of `tree`, `rock`"),
    ] {
        let found = PropSpec::from_json(text).unwrap_err().to_string();
        assert!(found.starts_with(error), "{found}");
    }
    let fence = FenceSpec::from_json(r#"{"height": 50}"#).unwrap_err();
    assert_eq!(fence.to_string(), "fence.height is 50, allowed: 0.1 to 20");
    let fence = FenceSpec::from_json(r#"{"kind": "hedge"}"#).unwrap_err();
    assert!(fence.to_string().starts_with("fence.kind: unknown variant `hedge`"), "{fence}");
    let amounts = Variation::from_json(r#"{"size": 2}"#).unwrap_err();
    assert_eq!(amounts.to_string(), "variation.size is 2, allowed: 0 to 0.9");
}

#[test]
fn errors_name_the_place_within_the_prop() {
    assert_eq!(
        refused(json!({"tree": {"species": "oak", "height": 900}})),
        "scatter[2].kind.tree.height is 900, allowed: 0.1 to 100"
    );
    let shape = json!({"tree": {"form": {"branches": [{"count": 500}]}}});
    assert_eq!(refused(shape), "scatter[2].kind.tree.form.branches[0].count is 500, allowed: 1 to 128");
    assert_eq!(refused(json!({"mushrooms": {"count": 33}})), "scatter[2].kind.mushrooms.count is 33, allowed: 1 to 32");
    let starts = |kind, expected: &str| {
        let found = refused(kind);
        assert!(found.starts_with(expected), "{found}");
    };
    starts(json!("fern"), "scatter[2].kind: unknown variant `fern`, expected one of `tree`, `conifer`, `rock`, `bush`");
    starts(json!(7), "scatter[2].kind: invalid type: integer `7`, expected the name of a low-poly kind, or a prop");
    starts(json!({"tree": {"species": "beech"}}), "scatter[2].kind.tree.species: unknown variant `beech`");
    starts(json!({"tree": {"hight": 3}}), "scatter[2].kind.tree.hight: unknown field `hight`");
    starts(json!({"grass": {"height": "tall"}}), "scatter[2].kind.grass.height: invalid type: string");
    starts(json!({"rock": {"triangles": -1}}), "scatter[2].kind.rock.triangles: invalid value: integer `-1`");
    assert!(!refused(json!({"fern": {}, "rock": {}})).is_empty());
    assert!(!refused(json!({})).is_empty());

    let mut plan = wood(1);
    plan.scatter[1].variation = Some(Variation { bend: f32::NAN, ..Variation::NONE });
    assert_eq!(plan.validate().unwrap_err().to_string(), "scatter[1].variation.bend is NaN, allowed: 0 to 1");
    plan.scatter[1].variation = None;
    plan.scatter[0].kind = PropSpec::Log(LogSpec { radius: -1.0, ..LogSpec::default() }).into();
    assert_eq!(plan.validate().unwrap_err().to_string(), "scatter[0].kind.log.radius is -1, allowed: 0.01 to 10");
}

#[test]
fn all_triangles_of_a_plan_are_bounded_before_any_is_made() {
    let mut plan = Plan::flat(0, 1.0);
    let huge = TreeSpec { triangles: Some(50_000), ..TreeSpec::new(Species::Oak) };
    plan.scatter = vec![rule(PropSpec::Tree(huge.clone()), 16, 50.0), rule(PropSpec::Tree(huge), 4, 50.0)];
    assert!(plan.validate().is_ok());
    plan.scatter[1].variants = 5;
    let error = Generator::new(plan).unwrap_err().to_string();
    let more = format!("more than {MAX_PROP_TRIANGLES} triangles in the meshes of it and of the rules before");
    assert_eq!(error, format!("scatter[1].variants: {more}"));
}

#[test]
fn no_prop_has_more_triangles_than_it_says() {
    let mut specs = vec![
        json!({"crystals": {"count": 64}}),
        json!({"crystals": {"count": 1}}),
        json!({"fern": {"fronds": 40}}),
        json!({"log": {}}),
        json!({"stump": {}}),
        json!({"rock": {"kind": "pebbles", "triangles": 100}}),
        json!({"rock": {"kind": "outcrop", "triangles": 20_000}}),
        json!({"tree": {"triangles": 50_000, "fullness": 3}}),
        json!({"tree": {"species": "spruce", "style": "low_poly"}}),
    ];
    specs.extend(GrassKind::ALL.map(|kind| json!({"grass": {"kind": kind.name(), "blades": 3, "flowers": 100}})));
    specs.extend(GrassKind::ALL.map(|kind| json!({"grass": {"kind": kind.name(), "blades": 500, "flowers": 0}})));
    specs.extend(MushroomKind::ALL.map(|kind| json!({"mushrooms": {"kind": kind.name(), "count": 32}})));
    for spec in specs {
        let read = PropSpec::from_json(&spec.to_string()).unwrap();
        let (made, most) = (model(&read, 3).unwrap().lods[0].triangles(), read.max_triangles());
        assert!(made <= most as usize, "{spec}: {made}, said at most {most}");
    }
}

#[test]
fn every_variant_is_one_of_its_own_with_what_belongs_to_it() {
    let plan = wood(42);
    let props = props(&plan).unwrap();
    assert_eq!(props.len(), plan.kinds());
    let names: Vec<&str> = props.iter().map(|prop| &*prop.name).collect();
    assert_eq!(
        names,
        [
            "tree_oak_0",
            "tree_oak_1",
            "rock_slab_0",
            "rock_slab_1",
            "rock_slab_2",
            "bush_0",
            "grass_reed_0",
            "tree_oak_2"
        ]
    );
    let meshes: BTreeSet<&str> = props.iter().flat_map(|prop| &prop.lods).map(|lod| &*lod.mesh.name).collect();
    assert_eq!(meshes.len(), props.iter().map(|prop| prop.lods.len()).sum::<usize>());
    assert!(meshes.contains("tree_oak_1_lod3"));
    let looks: BTreeSet<&[u8]> = props.iter().map(|prop| &*prop.mesh().surfaces[0].positions).collect();
    assert_eq!(looks.len(), props.len());
    for prop in &props {
        assert!(prop.lods.windows(2).all(|pair| pair[1].error >= pair[0].error), "{}", prop.name);
        let triangles = |lod: &wasgo_gen::PropMesh| lod.mesh.surfaces.iter().map(Surface::triangles).sum::<usize>();
        assert!(prop.lods.windows(2).all(|pair| triangles(&pair[1]) < triangles(&pair[0])), "{}", prop.name);
        assert!(prop.bounds[1][1] > 0.0 && prop.bounds[0][0] < 0.0);
    }
    assert!(matches!(props[0].colliders[..], [Collider::Capsule { .. }]));
    assert!(matches!(props[2].colliders[..], [Collider::Hull { .. }]));
    assert_eq!(props[6].colliders, []);
    let materials = scene::materials();
    let of_oak: Vec<&str> = props[0].mesh().surfaces.iter().map(|s| &*materials[s.material.unwrap()].name).collect();
    assert_eq!(of_oak, ["bark", "leaf"]);
    for finish in Finish::ALL {
        let material = &materials[scene::material(finish)];
        assert_eq!((&*material.name, material.double_sided), (finish.name(), finish.double_sided()));
    }
}

#[test]
fn a_variation_changes_the_variants_and_nothing_else() {
    let plain = props(&wood(42)).unwrap();
    let mut plan = wood(42);
    plan.scatter[1].variation = None;
    plan.scatter[2].variation = Some(Variation::default());
    let other = props(&plan).unwrap();
    for (number, (a, b)) in plain.iter().zip(&other).enumerate() {
        assert_eq!((2..6).contains(&number), a.lods != b.lods, "{}", a.name);
        assert_eq!(a.name, b.name);
    }
}

#[test]
fn coarser_chunks_have_coarser_props() {
    let plan = wood(42);
    let props = props(&plan).unwrap();
    assert_eq!([0, 1, 2, 4].map(|level| lod_error(&plan, level)), [0.0, 0.5, 1.0, 4.0]);
    for prop in &props {
        assert_eq!(prop.lod_for(&plan, 0), 0);
        let chosen: Vec<usize> = (0..=plan.chunk.levels).map(|level| prop.lod_for(&plan, level)).collect();
        assert!(chosen.windows(2).all(|pair| pair[0] <= pair[1]), "{}: {chosen:?}", prop.name);
        assert_eq!(*chosen.last().unwrap(), prop.lods.len() - 1, "{}: {chosen:?}", prop.name);
        for (level, lod) in chosen.iter().enumerate() {
            let allowed = lod_error(&plan, level as u8);
            assert!(prop.lods[*lod].error * prop.max_scale <= allowed);
            let next = prop.lods.get(lod + 1);
            assert!(next.is_none_or(|next| next.error * prop.max_scale > allowed));
        }
    }
    // From afar an oak is a cross of cards, and what is placed at twice the size is so only from further.
    let oak = &props[0];
    let card = Some(scene::material(Finish::Card));
    assert_eq!(oak.lods[oak.lod_for(&plan, 4)].mesh.surfaces[0].material, card);
    let large = wasgo_gen::Prop { max_scale: 8.0, ..oak.clone() };
    assert_ne!(large.lods[large.lod_for(&plan, 4)].mesh.surfaces[0].material, card);
}

#[test]
fn chunks_become_files_with_the_props_of_their_level() {
    let plan = wood(42);
    let (generator, props) = (generator(&plan), props(&plan).unwrap());
    let mut triangles = Vec::new();
    for level in [0, 1, 3, 4] {
        let chunk = generator.chunk(ChunkId { level, ..ChunkId::default() }).unwrap();
        assert!(chunk.stats.counts.iter().all(|count| *count > 0), "{:?}", chunk.stats.counts);
        let scene = scene::of_chunk(&plan, &chunk, &chunk.instances, &props);
        let counts = validate(&scene, &Limits::default()).unwrap();
        assert_eq!(counts.instances, chunk.instances.len());
        let oak = scene.meshes.iter().find(|mesh| mesh.name.starts_with("tree_oak_0")).unwrap();
        triangles.push(oak.surfaces.iter().map(Surface::triangles).sum::<usize>());
        assert!(glb::write(&scene).unwrap().len() > 1000);
    }
    assert!(triangles.windows(2).all(|pair| pair[1] <= pair[0]), "{triangles:?}");
    assert!(triangles[0] > 3000 && triangles[3] < 60, "{triangles:?}");
}

#[test]
fn pictures_of_plans_show_props_in_their_colours() {
    let mut plan = Plan::flat(3, 1.0);
    let petals = GrassSpec { radius: 2.0, dark: [0.9, 0.0, 0.0], light: [0.9, 0.0, 0.0], ..GrassSpec::default() };
    plan.scatter = vec![rule(PropSpec::Grass(petals), 2, 8.0)];
    plan.scatter[0].level = 0;
    let view = View::new([0.0; 2], 64.0, 64);
    let picture = generator(&plan).preview(&view).unwrap();
    let red = picture.pixels.chunks_exact(3).filter(|pixel| pixel[0] > 120 && pixel[1] < 40).count();
    assert!((60..2000).contains(&red), "{red}");
}

#[test]
fn blend_shapes_and_tangents_vary_with_their_mesh() {
    let floats = |values: &[f32]| wasgo_gen::le_bytes(values).into_owned();
    let surface = |lift: f32| Surface {
        positions: floats(&[0.0, lift, 0.0, 1.0, lift, 0.0, 0.0, lift + 1.0, 0.0]).into(),
        normals: floats(&[0.0, 0.0, 1.0].repeat(3)).into(),
        tangents: floats(&[1.0, 0.0, 0.0, 1.0].repeat(3)).into(),
        indices: wasgo_gen::le_bytes_u32(&[0, 1, 2]).into_owned().into(),
        ..Surface::default()
    };
    let mesh = |surface| Mesh { name: "face".into(), surfaces: vec![surface], ..Mesh::default() };
    let moved =
        Morph { name: "smile".into(), positions: floats(&[0.1, 0.2, 0.3].repeat(3)).into(), ..Morph::default() };
    let base = mesh(Surface { morphs: vec![moved], ..surface(0.0) });
    let amounts = Variation { size: 0.5, twist: 2.0, taper: 0.5, bend: 1.0, ..Variation::NONE };
    let varied = wasgo_gen::props::variation(&base, &amounts, 5).unwrap();
    let (before, after) = (&base.surfaces[0], &varied.surfaces[0]);
    let read = |bytes: &[u8]| -> Vec<f32> {
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    // The shape that is blended to is the varied one: both ways come to the same points.
    let choice = amounts.choose([[0.0; 3], [1.0, 1.0, 0.0]], 5).unwrap();
    let (points, deltas) = (read(&after.positions), read(&after.morphs[0].positions));
    for vertex in 0..3 {
        let at = &read(&before.positions)[3 * vertex..3 * vertex + 3];
        let shaped = choice.point([at[0] + 0.1, at[1] + 0.2, at[2] + 0.3]);
        for axis in 0..3 {
            let found = points[3 * vertex + axis] + deltas[3 * vertex + axis];
            assert!((found - shaped[axis]).abs() < 1e-5, "{found} {shaped:?}");
        }
    }
    let (normals, tangents) = (read(&after.normals), read(&after.tangents));
    assert_ne!(tangents, read(&before.tangents));
    for vertex in 0..3 {
        let (n, t) = (&normals[3 * vertex..3 * vertex + 3], &tangents[4 * vertex..4 * vertex + 4]);
        assert!((n[0] * t[0] + n[1] * t[1] + n[2] * t[2]).abs() < 1e-4);
        assert!(((t[0] * t[0] + t[1] * t[1] + t[2] * t[2]) - 1.0).abs() < 1e-4);
        assert_eq!(t[3], 1.0);
    }
    assert_eq!(varied.weights, Vec::<f32>::new());
    let faces = wasgo_gen::props::variation(&base, &Variation { morphs: 0.5, ..Variation::NONE }, 5).unwrap();
    assert!(matches!(faces.weights[..], [weight] if (0.0..=0.5).contains(&weight)));
    let broken = Morph { positions: floats(&[f32::NAN; 9]).into(), ..Morph::default() };
    let broken = mesh(Surface { morphs: vec![broken], ..surface(0.0) });
    assert!(wasgo_gen::props::variation(&broken, &amounts, 5).unwrap_err().to_string().contains("a blend shape"));
}

#[test]
fn any_mesh_has_a_picture_and_no_mesh_takes_for_ever() {
    let prop = &props(&wood(42)).unwrap()[0];
    let picture = mesh_impostor(prop.mesh(), 64).unwrap();
    assert_eq!((picture.width, picture.height), (128, 64));
    let made = wasgo_gen::props::impostor(&model(&oak(), 3).unwrap(), 64).unwrap();
    let seen = |image: &wasgo_gen::props::Image| image.pixels.chunks_exact(4).filter(|pixel| pixel[3] > 127).count();
    assert!((seen(&picture) as f32 / seen(&made) as f32 - 1.0).abs() < 0.3);
    assert_eq!(&picture.png()[1..4], b"PNG");
    let mut wild = prop.mesh().clone();
    wild.surfaces[0].indices = wasgo_gen::le_bytes_u32(&[0, 1, u32::MAX]).into_owned().into();
    assert!(mesh_impostor(&wild, 64).unwrap_err().to_string().ends_with("its triangles are not of its vertices"));
    let mut walls = Mesh { name: "walls".into(), surfaces: vec![Surface::default()], ..Mesh::default() };
    let corners = [0.0f32, 0.0, 0.0, 9.0, 0.0, 9.0, 9.0, 9.0, 9.0];
    walls.surfaces[0].positions = wasgo_gen::le_bytes(&corners).into_owned().into();
    walls.surfaces[0].indices = wasgo_gen::le_bytes_u32(&[0, 1, 2].repeat(100_000)).into_owned().into();
    assert!(mesh_impostor(&walls, 512).unwrap_err().to_string().ends_with("too much of it lies on top of each other"));
    assert!(mesh_impostor(prop.mesh(), 4).is_err());
}
