//! Colliders are within their stated error, and meet at borders.

mod support;
mod volume_world;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use support::chunk;
use volume_world::{World, densities};
use wasgo_gen::volume::{Collider, ColliderError, collider, heightfield_collider};
use wasgo_gen::{MeshData, Plan};

type Edge = [[u32; 3]; 2];

/// How often each edge is passed one way more than the other, by the bits of its ends.
fn border(positions: &[[f32; 3]], indices: &[u32]) -> BTreeMap<Edge, i32> {
    let mut edges = BTreeMap::new();
    for [a, b, c] in indices.as_chunks::<3>().0 {
        for (from, to) in [(a, b), (b, c), (c, a)] {
            let [from, to] = [from, to].map(|index| positions[*index as usize].map(f32::to_bits));
            let (edge, way) = if from < to { ([from, to], 1) } else { ([to, from], -1) };
            *edges.entry(edge).or_default() += way;
        }
    }
    edges.retain(|_, balance| *balance != 0);
    edges
}

fn sub(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [0, 1, 2].map(|i| a[i] - b[i])
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|i| a[i] * b[i]).sum()
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// The distance of a point from a triangle by search for the nearest point: within a plane, then along each side.
fn distance(point: [f64; 3], [a, b, c]: [[f64; 3]; 3]) -> f64 {
    let along = |from: [f64; 3], to: [f64; 3]| {
        let way = sub(to, from);
        let share = (dot(sub(point, from), way) / dot(way, way)).clamp(0.0, 1.0);
        let off = sub(point, [0, 1, 2].map(|i| from[i] + way[i] * share));
        dot(off, off).sqrt()
    };
    let sides = along(a, b).min(along(b, c)).min(along(c, a));
    let normal = cross(sub(b, a), sub(c, a));
    let inside = [(a, b), (b, c), (c, a)].iter().all(|(p, q)| dot(cross(sub(*q, *p), sub(point, *p)), normal) >= 0.0);
    if inside { (dot(sub(point, a), normal) / dot(normal, normal).sqrt()).abs() } else { sides }
}

fn furthest(points: &[[f32; 3]], of: &Collider) -> f64 {
    let wide = |p: [f32; 3]| p.map(f64::from);
    let triangles: Vec<_> =
        of.indices.as_chunks::<3>().0.iter().map(|t| t.map(|index| wide(of.positions[index as usize]))).collect();
    let stays: BTreeSet<[u32; 3]> = of.positions.iter().map(|p| p.map(f32::to_bits)).collect();
    let points = points.iter().filter(|p| !stays.contains(&p.map(f32::to_bits)));
    let nearest = |p: &[f32; 3]| triangles.iter().map(|t| distance(wide(*p), *t)).fold(f64::INFINITY, f64::min);
    points.map(nearest).fold(0.0, f64::max)
}

fn volume(positions: &[[f32; 3]], indices: &[u32]) -> f64 {
    let of = |t: &[u32; 3]| {
        let [a, b, c] = t.map(|index| positions[index as usize].map(f64::from));
        dot(a, cross(b, c)) / 6.0
    };
    indices.as_chunks::<3>().0.iter().map(of).sum()
}

/// Meshes of chunks with borders and seams; among them sheets and checkers that are no manifolds.
fn meshes() -> Vec<(String, MeshData)> {
    let world = World::random(8, 1, 3);
    let leaf = *world.leaves.first().unwrap();
    let named = densities(world.side(), 2, 9);
    named.into_iter().map(|(name, density)| (name.to_owned(), world.mesh(leaf, &density).mesh)).collect()
}

#[test]
fn no_vertex_is_further_away_than_stated() {
    for (name, mesh) in meshes() {
        let mut before = usize::MAX;
        for target in [0.0, 0.2, 2.0] {
            let found = collider(&mesh, target).unwrap();
            let name = format!("{name} within {target}: {} of {}", found.indices.len(), mesh.indices.len());
            assert!(found.error <= target, "{name}: {}", found.error);
            let measured = furthest(&mesh.positions, &found);
            assert!(
                measured <= f64::from(found.error) * (1.0 + 1e-9) + 1e-9,
                "{name}: {measured}, stated: {}",
                found.error
            );
            assert_eq!(border(&found.positions, &found.indices), border(&mesh.positions, &mesh.indices), "{name}");
            assert!(found.indices.len() <= before, "{name}");
            before = found.indices.len();
        }
    }
}

#[test]
fn a_ball_has_few_triangles_and_stays_closed() {
    let world = World { cells: 32, depth: 0, leaves: [(0, [0; 3])].into() };
    let ball = |at: [i64; 3]| 13.0 - at.iter().map(|x| (*x as f32 - 16.0).powi(2)).sum::<f32>().sqrt();
    let mesh = world.mesh((0, [0; 3]), &ball).mesh;
    let found = collider(&mesh, 0.25).unwrap();
    assert!(border(&found.positions, &found.indices).is_empty());
    assert!(found.indices.len() * 12 < mesh.indices.len(), "{} of {}", found.indices.len(), mesh.indices.len());
    let (is, was) = (volume(&found.positions, &found.indices), volume(&mesh.positions, &mesh.indices));
    assert!((0.95..=1.0).contains(&(is / was)), "{is} of {was}");
}

#[test]
fn colliders_of_all_levels_close_together() {
    let world = World::steep(8, 3, 2, 4);
    for (number, (name, density)) in densities(world.side(), 12, 1).into_iter().enumerate() {
        let (mut positions, mut indices) = (Vec::new(), Vec::new());
        for (leaf, target) in world.leaves.iter().zip([0.0f32, 0.1, 1.0].into_iter().cycle().skip(number)) {
            let found = collider(&world.mesh(*leaf, &density).mesh, target).unwrap();
            let first = positions.len() as u32;
            indices.extend(found.indices.iter().map(|index| index + first));
            let corner = leaf.1.map(|at| ((at * 8) << leaf.0) as f32);
            // Exact: the lattice of 2^-16 of a cell, and worlds of 64 cells.
            positions.extend(found.positions.iter().map(|p| [0, 1, 2].map(|i| p[i] + corner[i])));
        }
        assert!(border(&positions, &indices).is_empty(), "{name}");
    }
}

#[test]
fn meshes_that_are_not_sound_are_refused() {
    let good = || meshes().swap_remove(0).1;
    let refused = |mesh: &MeshData, target| collider(mesh, target).unwrap_err();
    assert!(matches!(refused(&good(), -1.0), ColliderError::Target { .. }));
    assert!(matches!(refused(&good(), f32::NAN), ColliderError::Target { .. }));
    let mut mesh = good();
    mesh.positions[7][1] = f32::NAN;
    assert_eq!(refused(&mesh, 0.1).to_string(), "vertex 7 is not finite");
    let mut mesh = good();
    let vertices = mesh.positions.len();
    mesh.indices[5] = vertices as u32;
    assert_eq!(refused(&mesh, 0.1), ColliderError::Index { number: 5, vertices });
    let mut mesh = good();
    mesh.indices.pop();
    assert_eq!(refused(&mesh, 0.1), ColliderError::Index { number: mesh.indices.len(), vertices });
    let mesh = MeshData { positions: vec![[0.0; 3]; (1 << 19) + 1], ..MeshData::default() };
    assert!(matches!(refused(&mesh, 0.1), ColliderError::TooLarge { .. }));
    assert_eq!(collider(&MeshData::default(), 0.1).unwrap(), Collider::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_triangles_give_a_collider(
        positions in proptest::collection::vec(proptest::array::uniform3(-9i8..9), 1..30),
        picks in proptest::collection::vec(proptest::array::uniform3(0usize..1000), 0..120),
    ) {
        let positions: Vec<[f32; 3]> = positions.iter().map(|p| p.map(f32::from)).collect();
        let indices: Vec<u32> = picks.iter().flatten().map(|pick| (pick % positions.len()) as u32).collect();
        let mesh = MeshData { positions, indices, ..MeshData::default() };
        let found = collider(&mesh, 1.0).unwrap();
        prop_assert_eq!(border(&found.positions, &found.indices), border(&mesh.positions, &mesh.indices));
        prop_assert!(found.error <= 1.0);
    }
}

/// By how much samples are above or below a collider at most; asserts that it covers the field once.
fn deviation(heights: &[f32], samples: usize, spacing: f32, found: &Collider) -> f64 {
    let mut covered = 0;
    let mut most: f64 = 0.0;
    for triangle in found.indices.as_chunks::<3>().0 {
        let corners = triangle.map(|index| found.positions[index as usize]);
        let [a, b, c] = corners.map(|p| [(p[0] / spacing).round() as i64, (p[2] / spacing).round() as i64]);
        let turn =
            |a: [i64; 2], b: [i64; 2], c: [i64; 2]| (b[1] - a[1]) * (c[0] - a[0]) - (b[0] - a[0]) * (c[1] - a[1]);
        let area = turn(a, b, c);
        assert!(area > 0, "a triangle faces down");
        covered += area;
        let low = [0, 1].map(|axis| a[axis].min(b[axis]).min(c[axis]));
        let high = [0, 1].map(|axis| a[axis].max(b[axis]).max(c[axis]));
        for at in (low[1]..=high[1]).flat_map(|z| (low[0]..=high[0]).map(move |x| [x, z])) {
            let height = heights[at[1] as usize * samples + at[0] as usize];
            let weights = [turn(b, c, at), turn(c, a, at), turn(a, b, at)];
            if weights.iter().all(|weight| *weight >= 0) {
                let on: f64 = weights.iter().zip(corners).map(|(w, p)| *w as f64 * f64::from(p[1])).sum();
                most = most.max((f64::from(height) - on / area as f64).abs());
            }
        }
    }
    assert_eq!(covered as usize, (samples - 1) * (samples - 1) * 2);
    most
}

#[test]
fn no_height_is_further_off_than_stated() {
    for (samples, target) in [(65, 0.0), (65, 0.1), (65, 0.5), (65, 3.0), (49, 0.3), (18, 0.3), (2, 0.1)] {
        let mut plan = Plan::new(5);
        plan.chunk.samples = samples;
        let ground = chunk(&plan, 1, -2);
        let spacing = ground.size as f32 / (samples - 1) as f32;
        let found = heightfield_collider(&ground.heights, samples, spacing, target).unwrap();
        let measured = deviation(&ground.heights, samples as usize, spacing, &found);
        assert!(
            found.error <= target && (measured - f64::from(found.error)).abs() < 1e-6,
            "{measured} {}",
            found.error
        );
        // Inner edges are passed both ways; the border has every sample.
        let rim = border(&found.positions, &found.indices);
        assert_eq!(rim.len(), 4 * (samples as usize - 1));
        if samples == 65 && target == 0.5 {
            assert!(found.indices.len() / 3 < 8192 / 3, "{}", found.indices.len() / 3);
        }
    }
}

#[test]
fn height_fields_beside_each_other_meet() {
    let plan = Plan::new(77);
    let sides: Vec<Vec<[u32; 2]>> = [(0, 0.02, 64.0), (1, 1.0, 0.0)]
        .iter()
        .map(|(x, target, at)| {
            let found = heightfield_collider(&chunk(&plan, *x, 0).heights, 65, 1.0, *target).unwrap();
            let mut side: Vec<_> =
                found.positions.iter().filter(|p| p[0] == *at).map(|p| [p[2].to_bits(), p[1].to_bits()]).collect();
            side.sort_unstable();
            side
        })
        .collect();
    assert_eq!(sides[0].len(), 65);
    assert_eq!(sides[0], sides[1]);
}

#[test]
fn flat_ground_has_triangles_at_its_border_alone() {
    let found = heightfield_collider(&[3.0; 65 * 65], 65, 0.5, 0.0).unwrap();
    assert_eq!(found.error, 0.0);
    assert!(found.indices.len() / 3 < 1000, "{}", found.indices.len() / 3);
}

#[test]
fn height_fields_that_are_not_sound_are_refused() {
    let refused = |heights: &[f32], samples, spacing, target| {
        heightfield_collider(heights, samples, spacing, target).unwrap_err().to_string()
    };
    assert_eq!(refused(&[0.0; 9], 3, 1.0, f32::NAN), "the target error is NaN m, allowed: at least 0");
    for (count, samples) in [(8, 3), (1, 1), (0, 0), (0, 1026)] {
        assert_eq!(
            refused(&vec![0.0; count], samples, 1.0, 0.1),
            format!(
                "a height field of {samples} samples a side has {count} heights, allowed: 2 to 1025 samples and their square"
            )
        );
    }
    let heights = [0.0, 0.0, 0.0, f32::NAN];
    assert_eq!(refused(&heights, 2, 1.0, 0.1), "height 3 is not finite");
    assert_eq!(refused(&[0.0; 4], 2, f32::NAN, 0.1), "spacing is NaN m, allowed: above 0 and finite");
}
