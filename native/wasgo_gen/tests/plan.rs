//! The allowed range of every field, and what comes of extreme plans.

use proptest::prelude::*;
use wasgo_gen::{GenError, MAX_WORLD, Plan, PlanError, PropKind, ScatterRule, Terrain, chunk, props};

type Set = fn(&mut Plan, f32);

/// Every number of a plan: its name, its bounds, a value just outside each, and how to set it.
const FIELDS: &[(&str, [f32; 2], [f32; 2], Set)] = &[
    ("terrain.base_height", [-8192.0, 8192.0], [-8193.0, 8193.0], |p, v| p.terrain.base_height = v),
    ("terrain.amplitude", [0.0, 4096.0], [-0.1, 4097.0], |p, v| p.terrain.amplitude = v),
    ("terrain.frequency", [1e-6, 1.0], [0.9e-6, 1.01], |p, v| p.terrain.frequency = v),
    ("terrain.lacunarity", [1.0, 4.0], [0.9, 4.1], |p, v| p.terrain.lacunarity = v),
    ("terrain.gain", [0.0, 1.0], [-0.1, 1.1], |p, v| p.terrain.gain = v),
    ("terrain.ridge", [0.0, 1.0], [-0.1, 1.1], |p, v| p.terrain.ridge = v),
    ("terrain.warp", [0.0, 1024.0], [-0.1, 1025.0], |p, v| p.terrain.warp = v),
    ("terrain.water_level", [-16384.0, 16384.0], [-16385.0, 16385.0], |p, v| p.terrain.water_level = Some(v)),
    ("palette.sand", [0.0, 1.0], [-0.1, 1.1], |p, v| p.palette.sand[0] = v),
    ("palette.lush", [0.0, 1.0], [-0.1, 1.1], |p, v| p.palette.lush[1] = v),
    ("palette.dry", [0.0, 1.0], [-0.1, 1.1], |p, v| p.palette.dry[2] = v),
    ("palette.rock", [0.0, 1.0], [-0.1, 1.1], |p, v| p.palette.rock[0] = v),
    ("palette.snow", [0.0, 1.0], [-0.1, 1.1], |p, v| p.palette.snow[2] = v),
    ("palette.sand_height", [-16384.0, 16384.0], [-16385.0, 16385.0], |p, v| p.palette.sand_height = v),
    ("palette.snow_height", [-16384.0, 16384.0], [-16385.0, 16385.0], |p, v| p.palette.snow_height = v),
    ("palette.rock_slope", [0.0, 1.0], [-0.1, 1.1], |p, v| p.palette.rock_slope = v),
    ("palette.blend", [0.001, 1000.0], [0.0, 1001.0], |p, v| p.palette.blend = v),
    ("scatter[1].spacing", [0.25, 1024.0], [0.24, 1025.0], |p, v| p.scatter[1].spacing = v),
    ("scatter[1].density", [0.0, 1.0], [-0.1, 1.1], |p, v| p.scatter[1].density = v),
    ("scatter[1].mask_frequency", [1e-6, 1.0], [0.9e-6, 1.1], |p, v| p.scatter[1].mask_frequency = v),
    ("scatter[1].mask_threshold", [-1.0, 1.0], [-1.1, 1.1], |p, v| p.scatter[1].mask_threshold = v),
    ("scatter[1].slope", [0.0, 1.0], [-0.1, 1.1], |p, v| p.scatter[1].slope = (v, v)),
    ("scatter[1].height", [-16384.0, 16384.0], [-16385.0, 16385.0], |p, v| p.scatter[1].height = (v, v)),
    ("scatter[1].scale", [0.01, 100.0], [0.009, 101.0], |p, v| p.scatter[1].scale = (v, v)),
];

fn refused(set: impl FnOnce(&mut Plan)) -> PlanError {
    let mut plan = Plan::new(3);
    set(&mut plan);
    let error = plan.validate().unwrap_err();
    assert_eq!(chunk(&plan, 0, 0).unwrap_err().to_string(), error.to_string());
    assert!(props(&plan).is_err());
    error
}

#[test]
fn every_field_has_bounds_and_its_error_names_it() {
    for (name, allowed, outside, set) in FIELDS {
        for value in allowed {
            let mut plan = Plan::new(3);
            plan.samples = 9;
            set(&mut plan, *value);
            let chunk = chunk(&plan, 1, -1).unwrap_or_else(|error| panic!("{name} {value}: {error}"));
            assert!(chunk.positions.iter().chain(&chunk.normals).chain(&chunk.colors).all(|v| v.is_finite()), "{name}");
        }
        for value in outside.iter().chain(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY]) {
            match refused(|plan| set(plan, *value)) {
                PlanError::OutOfRange { field, value: found, .. } => {
                    assert_eq!(field, *name);
                    assert_eq!(found.to_bits(), f64::from(*value).to_bits());
                }
                other => panic!("{name} {value}: {other}"),
            }
        }
    }
}

#[test]
fn sizes_and_counts_have_bounds() {
    for (size, allowed) in [(1.0, true), (4096.0, true), (0.9, false), (4097.0, false), (f32::NAN, false)] {
        let plan = Plan { chunk_size: size, scatter: Vec::new(), ..Plan::new(0) };
        assert_eq!(plan.validate().is_ok(), allowed, "{size}");
    }
    for (samples, allowed) in [(2, true), (257, true), (0, false), (1, false), (258, false), (u32::MAX, false)] {
        assert_eq!(Plan { samples, ..Plan::new(0) }.validate().is_ok(), allowed, "{samples}");
    }
    for (octaves, allowed) in [(1, true), (12, true), (0, false), (13, false), (u32::MAX, false)] {
        let terrain = Terrain { octaves, ..Terrain::default() };
        assert_eq!(Plan { terrain, ..Plan::new(0) }.validate().is_ok(), allowed, "{octaves}");
    }
    for (variants, allowed) in [(1, true), (16, true), (0, false), (17, false), (u32::MAX, false)] {
        let mut plan = Plan::new(0);
        plan.scatter[0].variants = variants;
        assert_eq!(plan.validate().is_ok(), allowed, "{variants}");
    }
    let rule = ScatterRule::new(PropKind::Rock);
    assert!(Plan { scatter: vec![rule.clone(); 32], ..Plan::new(0) }.validate().is_ok());
    let error = refused(|plan| plan.scatter = vec![rule; 33]);
    assert_eq!(error.to_string(), "scatter has 33 rules, allowed: at most 32");
}

#[test]
fn errors_say_what_is_allowed() {
    assert_eq!(refused(|p| p.chunk_size = 0.5).to_string(), "chunk_size is 0.5, allowed: 1 to 4096");
    assert_eq!(refused(|p| p.samples = 1).to_string(), "samples is 1, allowed: 2 to 257");
    assert_eq!(
        refused(|p| p.scatter[2].height = (5.0, 4.0)).to_string(),
        "scatter[2].height is 5 to 4, allowed: the first at most the second"
    );
    let too_fine = refused(|p| {
        p.terrain.frequency = 1.0;
        p.terrain.octaves = 8;
    });
    assert_eq!(too_fine.to_string(), "terrain.octaves is 8: the finest has 128 hills per metre, allowed: at most 64");
}

#[test]
fn places_of_all_rules_together_are_bounded() {
    let too_dense = refused(|plan| {
        plan.chunk_size = 1024.0;
        plan.scatter[3].spacing = 2.0;
    });
    match too_dense {
        PlanError::TooDense { field, max, .. } => assert_eq!((field.as_str(), max), ("scatter[3].spacing", 262_144)),
        other => panic!("{other}"),
    }
    // The densest that is allowed stays below the limit on instances.
    let mut plan = Plan::new(0);
    plan.chunk_size = 127.0;
    plan.samples = 3;
    plan.terrain.amplitude = 0.0;
    plan.scatter.truncate(1);
    plan.scatter[0] = ScatterRule {
        spacing: 0.25,
        density: 1.0,
        height: (0.0, 100.0),
        mask_threshold: -1.0,
        ..plan.scatter[0].clone()
    };
    let count = chunk(&plan, 0, 0).unwrap().instances.len();
    assert!((50_000..262_144).contains(&count), "{count}");
}

#[test]
fn the_world_has_an_end() {
    let mut plan = Plan::new(0);
    plan.samples = 5;
    for size in [1.0f32, 37.5, 64.0, 4096.0] {
        plan.chunk_size = size;
        plan.scatter.clear();
        let limit = (MAX_WORLD / f64::from(size)) as i32 - 1;
        for (x, z) in [(limit, -limit), (-limit, limit)] {
            let chunk = chunk(&plan, x, z).unwrap();
            assert!(chunk.origin[0].abs() + f64::from(size) <= MAX_WORLD);
            assert!(chunk.heights.iter().all(|h| (h - 7.0).abs() <= 38.0));
        }
        for (x, z, axis, value) in [
            (limit + 1, 0, 'x', limit + 1),
            (0, -limit - 1, 'z', -limit - 1),
            (i32::MIN, 0, 'x', i32::MIN),
            (0, i32::MAX, 'z', i32::MAX),
        ] {
            let error = GenError::OutOfWorld { axis, value, limit, chunk_size: size };
            assert_eq!(chunk(&plan, x, z), Err(error));
        }
    }
    plan.chunk_size = 64.0;
    assert_eq!(
        chunk(&plan, 20_000, 0).unwrap_err().to_string(),
        "chunk x is 20000, allowed: -16383 to 16383 with chunks of 64 m"
    );
}

#[test]
fn names_of_kinds_read_back() {
    for kind in PropKind::ALL {
        assert_eq!(PropKind::from_name(kind.name()), Some(kind));
    }
    assert_eq!(PropKind::from_name("Tree"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn heights_are_within_the_amplitude(
        seed in any::<u64>(),
        base_height in -8192.0f32..8192.0,
        amplitude in 0.0f32..4096.0,
        frequency in 1e-6f32..0.02,
        octaves in 1u32..=12,
        gain in 0.0f32..=1.0,
        ridge in 0.0f32..=1.0,
        warp in 0.0f32..1024.0,
        x in -200i32..200,
        z in -200i32..200,
    ) {
        let mut plan = Plan::new(seed);
        plan.samples = 9;
        plan.terrain = Terrain { base_height, amplitude, frequency, octaves, gain, ridge, warp, ..Terrain::default() };
        plan.scatter.clear();
        let chunk = chunk(&plan, x, z).unwrap();
        for height in &chunk.heights {
            prop_assert!((height - base_height).abs() <= amplitude * 1.0001 + 0.01, "{height}");
        }
        prop_assert!(chunk.stats.min_height <= chunk.stats.mean_height + 0.01);
        prop_assert!(chunk.stats.mean_height <= chunk.stats.max_height + 0.01);
    }
}
