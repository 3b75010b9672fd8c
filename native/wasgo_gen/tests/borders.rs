//! Chunks fit together: the same bits on common borders, no two things too near, nothing twice and nothing lost.

use proptest::prelude::*;
use support::{chunk, generator};
use wasgo_gen::built::{Area, SettlementRule};
use wasgo_gen::field::Node;
use wasgo_gen::{Avoid, Chunk, ChunkId, Generator, Neighbours, Plan, PropKind, ScatterRule};

mod support;

/// The bits of everything that belongs to the sample at a column and row.
fn sample(chunk: &Chunk, column: u32, row: u32) -> Vec<u32> {
    let at = (row * chunk.samples + column) as usize;
    let mut bits = vec![chunk.heights[at].to_bits()];
    bits.extend(chunk.normals[at * 3..at * 3 + 3].iter().map(|v| v.to_bits()));
    bits.extend(chunk.colors[at * 4..at * 4 + 4].iter().map(|v| v.to_bits()));
    bits
}

fn assert_borders_agree(plan: &Plan, x: i32, z: i32) {
    let here = chunk(plan, x, z);
    let east = chunk(plan, x + 1, z);
    let south = chunk(plan, x, z + 1);
    let last = plan.chunk.samples - 1;
    for n in 0..=last {
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
        x in -1500i32..1500,
        z in -1500i32..1500,
        octaves in 1u32..=12,
    ) {
        let mut plan = Plan::new(seed);
        plan.chunk.size = size;
        plan.chunk.samples = samples;
        if let Some(Node::Noise { octaves: of_hills, .. }) = plan.nodes.get_mut("hills") {
            *of_hills = octaves;
        }
        plan.scatter.clear();
        assert_borders_agree(&plan, x, z);
    }
}

/// Levels of chunks that fill a square of `width` finest chunks: quarters are split as a number says, never next to something much finer than
/// `steps` allows.
fn quadtree(width: i32, mut choice: u64, steps: u8) -> Vec<(i32, i32, u8)> {
    let top = width.trailing_zeros() as u8;
    let mut leaves = vec![(0, 0, top)];
    let mut at = 0;
    while at < leaves.len() {
        let (x, z, level) = leaves[at];
        choice = choice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if level > 0 && choice >> 62 != 0 {
            leaves.swap_remove(at);
            leaves.extend([(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dz)| (2 * x + dx, 2 * z + dz, level - 1)));
        } else {
            at += 1;
        }
    }
    // What is much coarser than its neighbour is split too.
    loop {
        let finest = |x0: i32, z0: i32, x1: i32, z1: i32| {
            let touches = |(x, z, level): &&(i32, i32, u8)| {
                let (a, b, w) = (x << level, z << level, 1 << level);
                a <= x1 && a + w >= x0 && b <= z1 && b + w >= z0
            };
            leaves.iter().filter(touches).map(|leaf| leaf.2).min().unwrap_or(0)
        };
        let coarse = leaves.iter().position(|(x, z, level)| {
            let (a, b, w) = (x << level, z << level, 1 << level);
            level.saturating_sub(finest(a, b, a + w, b + w)) > steps
        });
        let Some(at) = coarse else { return leaves };
        let (x, z, level) = leaves.swap_remove(at);
        leaves.extend([(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dz)| (2 * x + dx, 2 * z + dz, level - 1)));
    }
}

/// How much coarser the chunks around one are.
fn neighbours(leaves: &[(i32, i32, u8)], (x, z, level): (i32, i32, u8)) -> Neighbours {
    let side = 1i32 << level;
    let (a, b) = (x << level, z << level);
    // A finest chunk just outside of the middle of each side, and beyond each corner.
    let probes = [
        (a, b - 1),
        (a + side, b - 1),
        (a + side, b),
        (a + side, b + side),
        (a, b + side),
        (a - 1, b + side),
        (a - 1, b),
        (a - 1, b - 1),
    ];
    Neighbours(probes.map(|(px, pz)| {
        let there = leaves.iter().find(|(x, z, l)| px >> l == *x && pz >> l == *z);
        there.map_or(0, |(_, _, l)| l.saturating_sub(level))
    }))
}

/// Every edge of every triangle is met by the same edge of another one, but at the border of the world: no cracks, no vertex of one chunk on
/// the edge of another. And what is at one place has one height, normal and colour.
fn assert_no_cracks(generator: &Generator, leaves: &[(i32, i32, u8)], width: i32) -> usize {
    use std::collections::BTreeMap;
    let plan = generator.plan();
    let squares = i64::from(plan.chunk.samples) - 1;
    let mut edges: BTreeMap<[(i64, i64); 2], i32> = BTreeMap::new();
    let mut places: BTreeMap<(i64, i64), Vec<u32>> = BTreeMap::new();
    let mut shared = 0;
    for leaf in leaves {
        let (x, z, level) = *leaf;
        let id = ChunkId { x, z, level, neighbours: neighbours(leaves, *leaf) };
        let chunk = generator.chunk(id).unwrap();
        // In finest samples.
        let place = |index: u32| {
            let (column, row) = (i64::from(index) % (squares + 1), i64::from(index) / (squares + 1));
            ((i64::from(x) * squares + column) << level, (i64::from(z) * squares + row) << level)
        };
        for triangle in chunk.indices.chunks_exact(3) {
            let corners = [0, 1, 2].map(|n| place(triangle[n]));
            let [a, b, c] = corners;
            let area = (b.1 - a.1) * (c.0 - a.0) - (b.0 - a.0) * (c.1 - a.1);
            assert!(area > 0, "{id:?}: a triangle faces down or is flat");
            for (from, to) in [(a, b), (b, c), (c, a)] {
                // Each edge is run along once in each direction.
                let (key, way) = if from < to { ([from, to], 1) } else { ([to, from], -1) };
                *edges.entry(key).or_default() += way;
            }
        }
        for index in &chunk.indices {
            let (column, row) = (index % chunk.samples, index / chunk.samples);
            let found = sample(&chunk, column, row);
            match places.get(&place(*index)) {
                Some(before) => {
                    assert_eq!(*before, found, "{id:?} at {column}, {row}");
                    shared += 1;
                }
                None => drop(places.insert(place(*index), found)),
            }
        }
    }
    let border = i64::from(width) * squares;
    for ([a, b], count) in edges {
        let outside =
            |n: usize| [a, b].iter().all(|p| [p.0, p.1][n] == 0) || [a, b].iter().all(|p| [p.0, p.1][n] == border);
        assert!(count == 0 || outside(0) || outside(1), "a crack from {a:?} to {b:?}");
    }
    shared
}

#[test]
fn neighbours_of_all_pairs_of_levels_meet_without_cracks() {
    let mut plan = Plan::new(11);
    plan.chunk.samples = 17;
    plan.scatter.clear();
    let generator = generator(&plan);
    let mut pairs = std::collections::BTreeSet::new();
    for choice in 0..10u64 {
        for steps in [1, 2, 4] {
            let leaves = quadtree(16, choice * 7919 + 5, steps);
            for leaf in &leaves {
                pairs.extend(neighbours(&leaves, *leaf).0.iter().map(|steps| (leaf.2, leaf.2 + steps)));
            }
            assert!(assert_no_cracks(&generator, &leaves, 16) > 100);
        }
    }
    // Not all trees have all of them; all together do.
    let wanted = (0..4u8).flat_map(|fine| (fine..=3).map(move |coarse| (fine, coarse)));
    for pair in wanted {
        assert!(pairs.contains(&pair), "{pair:?} of {pairs:?}");
    }
}

/// A plan with a village between chunk 0, 0 and chunk 15, 15.
fn settled(level: u8) -> Plan {
    let rule = SettlementRule { heights: [1.0, 40.0], slope: 0.3, level, ..SettlementRule::default() };
    Plan { settlements: Some(rule), ..Plan::new(42) }
}

#[test]
fn villages_across_borders_agree_in_every_bit() {
    let plan = settled(3);
    let region = generator(&plan).settlements(Area { min: [0.0; 2], max: [1024.0; 2] }).unwrap();
    let lots: Vec<_> = region.layouts.iter().flat_map(|layout| &layout.lots).collect();
    assert!(lots.len() > 8, "{}", lots.len());
    for lot in lots.iter().step_by(3) {
        let [x, z] = [lot.position[0], lot.position[2]].map(|at| (at / 64.0).floor() as i32);
        assert_borders_agree(&plan, x, z);
    }
    // And where tiles of settlements meet.
    for (x, z) in [(15, 3), (-1, 15), (15, 15)] {
        assert_borders_agree(&plan, x, z);
    }
}

#[test]
fn levels_with_and_without_villages_meet_without_cracks() {
    // Chunks of up to 128 and 256 m have settlements.
    for settled_up_to in [1u8, 2] {
        // A world where roads cross many borders.
        let mut plan = Plan { settlements: settled(settled_up_to).settlements, ..Plan::new(47) };
        plan.chunk.samples = 17;
        plan.scatter.clear();
        let generator = generator(&plan);
        let bare = self::generator(&Plan { settlements: None, ..plan.clone() });
        let heights = |of: &Generator, level, x, z| of.chunk(ChunkId { level, ..ChunkId::new(x, z) }).unwrap().heights;
        let coarse = settled_up_to + 1;
        let across = 16 >> coarse;
        let all: Vec<(i32, i32)> = (0..across).flat_map(|z| (0..across).map(move |x| (x, z))).collect();
        let mut changed = 0;
        for (x, z) in &all {
            assert_eq!(heights(&generator, coarse, *x, *z), heights(&bare, coarse, *x, *z));
            // One chunk is as fine as settlements are known, or finer, among those that know of none.
            for fine in [0, settled_up_to] {
                let within = coarse - fine;
                let mut leaves: Vec<_> =
                    all.iter().filter(|other| *other != &(*x, *z)).map(|(x, z)| (*x, *z, coarse)).collect();
                let parts = 0..1 << within;
                let parts = parts.clone().flat_map(|dz| parts.clone().map(move |dx| (dx, dz)));
                leaves.extend(parts.map(|(dx, dz)| ((x << within) + dx, (z << within) + dz, fine)));
                assert!(assert_no_cracks(&generator, &leaves, 16) > 100);
                // How much there was to get wrong: samples that the coarse chunks around have too, where the ground is another one.
                let (left, top) = ((x << coarse) * 16, (z << coarse) * 16);
                let side = 16 << coarse;
                for n in (0..=side).step_by(1 << coarse) {
                    for (column, row) in [(n, 0), (n, side), (0, n), (side, n)] {
                        let place = [left + column, top + row].map(|at| vec![f64::from(at) * 4.0]);
                        let (mut one, mut other) = ([0.0], [0.0]);
                        generator.heights(&place[0], &place[1], &mut one).unwrap();
                        bare.heights(&place[0], &place[1], &mut other).unwrap();
                        changed += usize::from(one != other);
                    }
                }
            }
        }
        assert!(changed > 15, "{changed}");
        for choice in 0..2u64 {
            let leaves = quadtree(16, choice * 7919 + 5, 4);
            assert!(assert_no_cracks(&generator, &leaves, 16) > 100);
        }
    }
}

/// A flat plan, so that a rule without conditions stands everywhere.
fn meadow(seed: u64, spacing: f32, density: f32) -> Plan {
    let mut plan = Plan::flat(seed, 7.0);
    plan.chunk.size = 30.0;
    plan.chunk.samples = 9;
    plan.scatter = vec![ScatterRule {
        spacing,
        density,
        slope: (0.0, 1.0),
        height: (-100.0, 100.0),
        ..ScatterRule::new(PropKind::Rock)
    }];
    plan
}

/// World positions of all instances of a square of chunks.
fn positions(plan: &Plan, from: i32, to: i32) -> Vec<(f64, f64)> {
    let mut all = Vec::new();
    for z in from..to {
        for x in from..to {
            let chunk = chunk(plan, x, z);
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
        // Enough to mean something: no pattern of places fills more than 1.15, and random ones not much over 0.7.
        let area = f64::from((to - from) * (to - from)) * 900.0;
        let density = all.len() as f64 * f64::from(spacing * spacing) / area;
        assert!((0.5..0.72).contains(&density), "{density} with spacing {spacing}");
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
    let mut large = small.clone();
    (large.chunk.size, large.chunk.samples) = (60.0, 17);
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
        let chunk = chunk(&plan, x, z);
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
    plan.nodes.insert("nowhere".into(), Node::Constant { value: 0.0 });
    plan.scatter = vec![
        ScatterRule { slope: (0.01, 0.05), height: (3.0, 9.0), scale: (2.0, 3.0), ..ScatterRule::new(PropKind::Tree) },
        ScatterRule { variants: 2, ..ScatterRule::new(PropKind::Rock) },
        ScatterRule { density: 0.0, ..ScatterRule::new(PropKind::Bush) },
        ScatterRule { by: Some("nowhere".into()), ..ScatterRule::new(PropKind::Bush) },
    ];
    let (mut trees, mut rocks) = ([0; 4], [0; 2]);
    for x in -4..4 {
        for z in -4..4 {
            let chunk = chunk(&plan, x, z);
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

#[test]
fn things_keep_away_from_those_of_rules_before() {
    let mut plan = meadow(3, 9.0, 1.0);
    plan.scatter[0].name = "stones".into();
    let avoid = vec![Avoid { rule: "stones".into(), distance: 3.5 }];
    plan.scatter.push(ScatterRule {
        spacing: 2.0,
        avoid,
        height: (-100.0, 100.0),
        by: None,
        ..ScatterRule::new(PropKind::Bush)
    });
    let (mut stones, mut bushes) = (Vec::new(), Vec::new());
    for (x, z) in (-4..4).flat_map(|z| (-4..4).map(move |x| (x, z))) {
        let chunk = chunk(&plan, x, z);
        for it in &chunk.instances {
            let place = (chunk.origin[0] + f64::from(it.position[0]), chunk.origin[2] + f64::from(it.position[2]));
            if it.kind < 4 { stones.push(place) } else { bushes.push(place) }
        }
    }
    assert!(stones.len() > 100 && bushes.len() > 1000, "{} {}", stones.len(), bushes.len());
    for bush in &bushes {
        assert!(stones.iter().all(|stone| (stone.0 - bush.0).hypot(stone.1 - bush.1) > 3.499), "{bush:?}");
    }
    // And no farther than they must: around each stone there are some.
    let near = |stone: &&(f64, f64)| bushes.iter().any(|bush| (stone.0 - bush.0).hypot(stone.1 - bush.1) < 5.5);
    assert!(stones.iter().filter(near).count() * 10 > stones.len() * 9);
}

#[test]
fn things_stand_at_the_same_places_at_all_levels() {
    let mut plan = Plan::new(3);
    plan.chunk.samples = 33;
    for rule in &mut plan.scatter {
        rule.level = 2;
    }
    let generator = generator(&plan);
    let places = |level: u8, from: i32, to: i32| {
        let mut all = Vec::new();
        for (x, z) in (from..to).flat_map(|z| (from..to).map(move |x| (x, z))) {
            let chunk = generator.chunk(ChunkId { level, ..ChunkId::new(x, z) }).unwrap();
            all.extend(chunk.instances.iter().map(|it| {
                let world = |axis: usize| ((chunk.origin[axis] + f64::from(it.position[axis])) * 500.0).round() as i64;
                (
                    world(0),
                    world(2),
                    it.kind,
                    it.position[1].to_bits(),
                    it.yaw.to_bits(),
                    it.scale.to_bits(),
                    it.moisture.to_bits(),
                )
            }));
        }
        all.sort_unstable_by_key(|it| (it.3, it.4, it.5, it.2));
        all
    };
    let (finest, coarsest) = (places(0, 0, 4), places(2, 0, 1));
    assert!(finest.len() > 300, "{}", finest.len());
    assert_eq!(finest.len(), coarsest.len());
    for (one, other) in finest.iter().zip(&coarsest) {
        assert!((one.0 - other.0).abs() <= 1 && (one.1 - other.1).abs() <= 1);
        assert_eq!((one.2, one.3, one.4, one.5, one.6), (other.2, other.3, other.4, other.5, other.6));
    }
}
