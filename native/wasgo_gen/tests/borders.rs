//! Chunks fit together: the same bits on common borders, no two things too near, nothing twice and nothing lost.

use proptest::prelude::*;
use wasgo_gen::{Chunk, Plan, PropKind, ScatterRule, chunk};

/// The bits of everything that belongs to the sample at a column and row.
fn sample(chunk: &Chunk, column: u32, row: u32) -> Vec<u32> {
    let at = (row * chunk.samples + column) as usize;
    let mut bits = vec![chunk.heights[at].to_bits()];
    bits.extend(chunk.normals[at * 3..at * 3 + 3].iter().map(|v| v.to_bits()));
    bits.extend(chunk.colors[at * 4..at * 4 + 4].iter().map(|v| v.to_bits()));
    bits
}

fn assert_borders_agree(plan: &Plan, x: i32, z: i32) {
    let here = chunk(plan, x, z).unwrap();
    let east = chunk(plan, x + 1, z).unwrap();
    let south = chunk(plan, x, z + 1).unwrap();
    let last = plan.samples - 1;
    for n in 0..plan.samples {
        assert_eq!(sample(&here, last, n), sample(&east, 0, n), "east of {x} {z}, row {n}");
        assert_eq!(sample(&here, n, last), sample(&south, n, 0), "south of {x} {z}, column {n}");
    }
}

#[test]
fn borders_agree_in_every_bit() {
    let plan = Plan::new(1);
    for (x, z) in [(0, 0), (-1, -1), (-7, 12), (16_381, -16_383), (-16_383, 16_381)] {
        assert_borders_agree(&plan, x, z);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn borders_agree_for_any_size(
        seed in any::<u64>(),
        size in 1.0f32..300.0,
        samples in 2u32..40,
        x in -3000i32..3000,
        z in -3000i32..3000,
        octaves in 1u32..=12,
        ridge in 0.0f32..=1.0,
    ) {
        let mut plan = Plan::new(seed);
        plan.chunk_size = size;
        plan.samples = samples;
        plan.terrain.octaves = octaves;
        plan.terrain.ridge = ridge;
        plan.scatter.clear();
        assert_borders_agree(&plan, x, z);
    }
}

/// A flat plan, so that a rule without conditions stands everywhere.
fn meadow(seed: u64, spacing: f32, density: f32) -> Plan {
    let mut plan = Plan::new(seed);
    plan.chunk_size = 30.0;
    plan.samples = 9;
    plan.terrain.amplitude = 0.0;
    plan.scatter = vec![ScatterRule {
        spacing,
        density,
        slope: (0.0, 1.0),
        height: (-100.0, 100.0),
        mask_threshold: -1.0,
        ..ScatterRule::new(PropKind::Rock)
    }];
    plan
}

/// World positions of all instances of a square of chunks.
fn positions(plan: &Plan, from: i32, to: i32) -> Vec<(f64, f64)> {
    let mut all = Vec::new();
    for z in from..to {
        for x in from..to {
            let chunk = chunk(plan, x, z).unwrap();
            let world = |it: &wasgo_gen::Instance| {
                (chunk.origin[0] + f64::from(it.position[0]), chunk.origin[2] + f64::from(it.position[2]))
            };
            all.extend(chunk.instances.iter().map(world));
        }
    }
    all
}

#[test]
fn things_keep_their_distance_across_borders() {
    for (seed, spacing, from, to) in [(1, 2.5f32, -3, 3), (2, 7.0, -4, 4), (3, 45.0, -12, 12), (4, 3.0, 2000, 2004)] {
        let all = positions(&meadow(seed, spacing, 1.0), from, to);
        // Enough to mean something: the process fills about a third of what discs of this size could.
        let area = f64::from((to - from) * (to - from)) * 900.0;
        let density = all.len() as f64 * f64::from(spacing * spacing) / area;
        assert!((0.22..0.4).contains(&density), "{density} with spacing {spacing}");
        let least = f64::from(spacing) - 1e-4;
        for (n, a) in all.iter().enumerate() {
            for b in &all[n + 1..] {
                let (dx, dz) = (a.0 - b.0, a.1 - b.1);
                assert!(dx * dx + dz * dz >= least * least, "{a:?} and {b:?} with spacing {spacing}");
            }
        }
    }
}

#[test]
fn every_thing_is_in_exactly_one_chunk() {
    // The same world cut two ways: 12 x 12 chunks of 30 m and 6 x 6 of 60 m.
    let small = meadow(9, 2.0, 0.8);
    let large = Plan { chunk_size: 60.0, samples: 17, ..small.clone() };
    // To the millimetre: positions are f32 from different origins.
    let sorted = |plan: &Plan, from, to| {
        let round = |(x, z): (f64, f64)| ((x * 1000.0).round() as i64, (z * 1000.0).round() as i64);
        let mut all: Vec<(i64, i64)> = positions(plan, from, to).into_iter().map(round).collect();
        all.sort_unstable();
        all
    };
    let (one, other) = (sorted(&small, -6, 6), sorted(&large, -3, 3));
    assert!(one.len() > 5000, "{}", one.len());
    assert_eq!(one.len(), other.len());
    let near = |a: i64, b: i64| (a - b).abs() <= 1;
    assert!(one.iter().zip(&other).all(|(a, b)| near(a.0, b.0) && near(a.1, b.1)));
}

#[test]
fn things_are_inside_their_chunk_and_on_its_ground() {
    let plan = Plan::new(77);
    let mut seen = 0;
    for (x, z) in [(0, 0), (-1, 4), (5, -3), (2, 2)] {
        let chunk = chunk(&plan, x, z).unwrap();
        for it in &chunk.instances {
            seen += 1;
            let [x, y, z] = it.position;
            assert!((0.0..=64.0).contains(&x) && (0.0..=64.0).contains(&z));
            assert!(y >= chunk.stats.min_height && y <= chunk.stats.max_height);
            // With samples a metre apart the four around the point bound its height.
            let (c, r) = ((x as usize).min(63), (z as usize).min(63));
            let corners = [(c, r), (c + 1, r), (c, r + 1), (c + 1, r + 1)].map(|(c, r)| chunk.heights[r * 65 + c]);
            let low = corners.iter().copied().fold(f32::INFINITY, f32::min);
            let high = corners.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert!((low - 1e-4..=high + 1e-4).contains(&y), "{y} not in {low}..{high}");
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn rules_are_obeyed() {
    let mut plan = Plan::new(5);
    plan.scatter = vec![
        ScatterRule { slope: (0.01, 0.05), height: (3.0, 9.0), scale: (2.0, 3.0), ..ScatterRule::new(PropKind::Tree) },
        ScatterRule { variants: 2, ..ScatterRule::new(PropKind::Rock) },
        ScatterRule { density: 0.0, ..ScatterRule::new(PropKind::Bush) },
        ScatterRule { mask_threshold: 1.0, ..ScatterRule::new(PropKind::Bush) },
    ];
    let (mut trees, mut rocks) = ([0; 4], [0; 2]);
    for x in -4..4 {
        for z in -4..4 {
            let chunk = chunk(&plan, x, z).unwrap();
            for it in &chunk.instances {
                assert!(it.moisture >= 0.0 && it.moisture <= 1.0 && (0.0..=std::f32::consts::TAU).contains(&it.yaw));
                match it.kind {
                    kind @ 0..4 => {
                        trees[kind as usize] += 1;
                        assert!((0.01..=0.05).contains(&it.slope) && (3.0..=9.0).contains(&it.position[1]));
                        assert!((2.0..=3.0).contains(&it.scale));
                    }
                    kind @ 4..6 => rocks[kind as usize - 4] += 1,
                    kind => panic!("kind {kind}"),
                }
            }
            let total: u32 = chunk.stats.counts.iter().sum();
            assert_eq!(total as usize, chunk.instances.len());
            assert_eq!(chunk.stats.counts.len(), plan.kinds());
        }
    }
    assert!(trees.iter().chain(&rocks).all(|count| *count > 20), "{trees:?} {rocks:?}");
}
