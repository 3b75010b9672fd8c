//! The allowed range of everything in a plan, how plans are stored, and what comes of extreme ones.

use proptest::prelude::*;
use support::{chunk, generator};
use wasgo_gen::field::Node;
use wasgo_gen::{
    Avoid, ChunkId, GenError, Generator, Layer, MAX_WORLD, Neighbours, Plan, PlanError, PropKind, ScatterRule, props,
};

mod support;

type Set = fn(&mut Plan, f32);

/// Every number of a plan: its name, its bounds, a value just outside each, and how to set it.
const FIELDS: &[(&str, [f32; 2], [f32; 2], Set)] = &[
    ("chunk.size", [20.0, 200.0], [0.9, 4097.0], |p, v| p.chunk.size = v),
    ("terrain.water", [-16384.0, 16384.0], [-16385.0, 16385.0], |p, v| p.terrain.as_mut().unwrap().water = Some(v)),
    ("ground[0].color", [0.0, 1.0], [-0.1, 1.1], |p, v| p.ground[0].color[0] = v),
    ("ground[3].color", [0.0, 1.0], [-0.1, 1.1], |p, v| p.ground[3].color[2] = v),
    ("scatter[1].spacing", [0.5, 1024.0], [0.24, 1025.0], |p, v| p.scatter[1].spacing = v),
    ("scatter[1].density", [0.0, 1.0], [-0.1, 1.1], |p, v| p.scatter[1].density = v),
    ("scatter[1].slope", [0.0, 1.0], [-0.1, 1.1], |p, v| p.scatter[1].slope = (v, v)),
    ("scatter[1].height", [-16384.0, 16384.0], [-16385.0, 16385.0], |p, v| p.scatter[1].height = (v, v)),
    ("scatter[1].scale", [0.01, 100.0], [0.009, 101.0], |p, v| p.scatter[1].scale = (v, v)),
    ("scatter[1].avoid[0].distance", [0.0, 256.0], [-0.1, 257.0], |p, v| {
        p.scatter[1].avoid = vec![Avoid { rule: "tree".into(), distance: v }];
    }),
];

fn refused(set: impl FnOnce(&mut Plan)) -> String {
    let mut plan = Plan::new(3);
    set(&mut plan);
    let error = Generator::new(plan.clone()).unwrap_err();
    assert_eq!(plan.validate().unwrap_err(), error);
    assert!(props(&plan).is_err());
    error.to_string()
}

#[test]
fn every_number_has_bounds_and_its_error_names_it() {
    for (name, allowed, outside, set) in FIELDS {
        for value in allowed {
            let mut plan = Plan::new(3);
            plan.chunk.samples = 9;
            set(&mut plan, *value);
            let chunk = chunk(&plan, 1, -1);
            assert!(chunk.positions.iter().chain(&chunk.normals).chain(&chunk.colors).all(|v| v.is_finite()), "{name}");
        }
        for value in outside.iter().chain(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY]) {
            let message = refused(|plan| set(plan, *value));
            assert!(message.starts_with(&format!("{name} is {value}, allowed: ")), "{name}: {message}");
        }
    }
}

#[test]
fn counts_have_bounds() {
    for (samples, allowed) in [(2, true), (257, true), (0, false), (1, false), (258, false), (u32::MAX, false)] {
        let mut plan = Plan::new(0);
        plan.chunk.samples = samples;
        assert_eq!(plan.validate().is_ok(), allowed, "{samples}");
    }
    for (variants, allowed) in [(1, true), (16, true), (0, false), (17, false), (u32::MAX, false)] {
        let mut plan = Plan::new(0);
        plan.scatter[0].variants = variants;
        assert_eq!(plan.validate().is_ok(), allowed, "{variants}");
    }
    let rule = ScatterRule { spacing: 30.0, ..ScatterRule::new(PropKind::Rock) };
    assert!(Plan { scatter: vec![rule.clone(); 32], ..Plan::new(0) }.validate().is_ok());
    assert_eq!(refused(|plan| plan.scatter = vec![rule; 33]), "scatter: more than 32 rules");
    let layer = Layer { name: String::new(), color: [0.5; 3], by: Some("rock".into()) };
    assert_eq!(refused(|plan| plan.ground = vec![layer; 33]), "ground: more than 32 layers");
    let many = |plan: &mut Plan| {
        plan.nodes.extend((0..5000).map(|n| (n.to_string(), Node::Slope {})));
    };
    assert_eq!(refused(many), "nodes: more than 4096 nodes");
    assert_eq!(refused(|plan| plan.chunk.levels = 13), "chunk.levels is 13, allowed: 0 to 12");
}

#[test]
fn errors_say_what_is_allowed() {
    assert_eq!(refused(|p| p.chunk.size = 0.5), "chunk.size is 0.5, allowed: 1 to 4096");
    assert_eq!(refused(|p| p.version = 2), "version is 2, allowed: 1");
    assert_eq!(
        refused(|p| p.scatter[2].height = (5.0, 4.0)),
        "scatter[2].height is 5 to 4, allowed: the first at most the second"
    );
    assert_eq!(
        refused(|p| p.ground[1].by = None),
        "ground[1].by is not given, allowed: a field that says where the layer lies"
    );
    assert_eq!(
        refused(|p| p.scatter[0].avoid = vec![Avoid { rule: "rock".into(), distance: 1.0 }]),
        "scatter[0].avoid[0]: no rule before this one is named \"rock\""
    );
    assert_eq!(refused(|p| p.terrain = None), "scatter: the plan has no terrain for it to stand on");
}

#[test]
fn places_of_all_rules_together_are_bounded() {
    let too_dense = refused(|plan| {
        plan.chunk.size = 1024.0;
        plan.scatter[3].spacing = 2.0;
    });
    assert!(too_dense.starts_with("scatter[3].spacing: with the rules before it "), "{too_dense}");
    // Coarse chunks are wide.
    let too_wide = refused(|plan| plan.scatter[1].level = 6);
    assert!(
        too_wide.starts_with("scatter[1].spacing: ") && too_wide.contains("places are tried in a chunk of "),
        "{too_wide}"
    );
    // The densest that is allowed stays below the limit on instances.
    let mut plan = Plan::flat(0, 5.0);
    (plan.chunk.size, plan.chunk.samples) = (120.0, 3);
    plan.scatter =
        vec![ScatterRule { spacing: 0.25, height: (-9.0, 9.0), density: 1.0, ..ScatterRule::new(PropKind::Rock) }];
    let instances = chunk(&plan, 0, 0).instances.len();
    assert!((100_000..wasgo_gen::MAX_INSTANCES).contains(&instances), "{instances}");
}

#[test]
fn chunks_are_in_the_world_of_a_level_and_among_possible_neighbours() {
    let generator = generator(&Plan::new(1));
    let limit = (MAX_WORLD / 64.0) as i32 - 1;
    for (x, z, level, axis, value, limit, size) in [
        (limit + 1, 0, 0, 'x', limit + 1, limit, 64.0),
        (0, i32::MIN, 0, 'z', i32::MIN, limit, 64.0),
        (0, i32::MAX, 6, 'z', i32::MAX, 255, 4096.0),
    ] {
        let error = generator.chunk(ChunkId { level, ..ChunkId::new(x, z) }).unwrap_err();
        assert_eq!(error, GenError::OutOfWorld { axis, value, limit, size });
    }
    assert!(generator.chunk(ChunkId { level: 6, ..ChunkId::new(255, -255) }).is_ok());
    let error = generator.chunk(ChunkId { level: 7, ..ChunkId::default() }).unwrap_err();
    assert_eq!(error.to_string(), "level is 7, allowed: 0 to 6");
    let among = |neighbours| generator.chunk(ChunkId { neighbours, level: 2, ..ChunkId::default() });
    assert!(among(Neighbours::all(4)).is_ok());
    let error = among(Neighbours([0, 0, 0, 0, 0, 0, 5, 0])).unwrap_err();
    assert_eq!(error.to_string(), "the neighbour west is 5 levels coarser, allowed: 0 to 4 with 65 samples a side");
}

#[test]
fn a_chunk_has_a_key_that_tells_its_content() {
    let generator = generator(&Plan::new(1));
    let key = generator.key(&ChunkId::new(3, 4)).unwrap();
    assert_eq!(key, support::generator(&Plan::new(1)).key(&ChunkId::new(3, 4)).unwrap());
    assert!(generator.key(&ChunkId { level: 9, ..ChunkId::default() }).is_err());
    let others = [
        generator.key(&ChunkId::new(4, 3)).unwrap(),
        generator.key(&ChunkId { level: 1, ..ChunkId::new(3, 4) }).unwrap(),
        generator.key(&ChunkId { neighbours: Neighbours([0, 0, 1, 0, 0, 0, 0, 0]), ..ChunkId::new(3, 4) }).unwrap(),
        support::generator(&Plan::new(2)).key(&ChunkId::new(3, 4)).unwrap(),
    ];
    assert!(others.iter().all(|other| *other != key));
}

fn unread(text: &str) -> String {
    Plan::from_json(text).unwrap_err().to_string()
}

#[test]
fn stored_plans_are_read_with_care() {
    let text = Plan::new(u64::MAX).to_json();
    assert_eq!(Plan::from_json(&text).unwrap(), Plan::new(u64::MAX));
    assert_eq!(Plan::from_json(r#"{"version": 1, "seed": 7}"#).unwrap(), Plan::empty(7));
    assert!(unread(r#"{"version": 1, "seed": -7}"#).starts_with("seed: "));
    assert!(unread(r#"{"version": 1, "seed": 7, "sead": 3}"#).starts_with("sead: unknown field `sead`"));
    let node = unread(r#"{"version": 1, "seed": 7, "nodes": {"dunes": {"op": "wobble"}}}"#);
    assert!(node.starts_with("nodes.dunes.op: unknown variant `wobble`"), "{node}");
    let field = unread(r#"{"version": 1, "seed": 7, "nodes": {"dunes": {"op": "abs", "of": "a", "off": 3}}}"#);
    assert!(field.starts_with("nodes.dunes: unknown field `off`"), "{field}");
    assert!(unread(&format!("{text} x")).contains("trailing characters"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_is_more_than_an_error(at in 0usize..4000, with in any::<u8>(), cut in 0usize..4000) {
        let mut bytes = Plan::new(5).to_json().into_bytes();
        let length = bytes.len();
        bytes[at % length] = with;
        bytes.truncate(length - cut % 50);
        let read: Result<Plan, PlanError> = Plan::from_json(&String::from_utf8_lossy(&bytes));
        if let Ok(plan) = read {
            let _ = Generator::new(plan);
        }
    }
}
