//! The surface in one chunk.

use std::collections::BTreeSet;

use proptest::prelude::*;
use wasgo_gen::volume::{
    DIRECTIONS, Densities, MAX_DENSITY, Mesher, Neighbours, VolumeChunk, VolumeError, VolumeMesh, grids, samples,
};

type Cell = [i32; 3];

const CHUNK: VolumeChunk = VolumeChunk { cells: 8, spacing: 1.0, neighbours: Neighbours::SAME };

fn sampled(chunk: &VolumeChunk, density: impl Fn([i32; 3]) -> f32) -> Vec<f32> {
    let grids = grids(chunk.cells, &chunk.neighbours).unwrap();
    grids.iter().flat_map(|grid| grid.points().map(&density)).collect()
}

fn mesh(chunk: &VolumeChunk, samples: &[f32]) -> Result<VolumeMesh, VolumeError> {
    let mut out = VolumeMesh::default();
    Mesher::new().mesh(chunk, Densities::Sampled(samples), &mut out).map(|()| out)
}

fn ball(radius: f32, center: f32) -> impl Fn([i32; 3]) -> f32 {
    move |point| {
        let [x, y, z] = point.map(|at| at as f32 - center);
        radius - (x * x + y * y + z * z).sqrt()
    }
}

/// By a steps of a number of levels everywhere.
fn all(step: i8) -> Neighbours {
    Neighbours::new([step; 18]).unwrap()
}

/// The quads of a chunk of 8 cells, each as the cells around its edge, as slow and simple as can be; and for a cell the
/// mean of where its edges are crossed.
struct Reference<'s>(&'s [f32]);

impl Reference<'_> {
    fn density(&self, [x, y, z]: [i32; 3]) -> f64 {
        f64::from(self.0[((z + 2) * 144 + (y + 2) * 12 + x + 2) as usize])
    }

    fn quads(&self) -> Vec<BTreeSet<Cell>> {
        let mut quads = Vec::new();
        for number in 0..8 * 8 * 8 * 3 {
            let (axis, start) = (number % 3, [number / 3 % 8, number / 24 % 8, number / 192]);
            let mut end = start;
            end[axis as usize] += 1;
            if (self.density(start) > 0.0) != (self.density(end) > 0.0) {
                let cells = (0..8).map(|corner| [0, 1, 2].map(|a| start[a] - (corner >> a & 1)));
                quads.push(cells.filter(|cell| cell[axis as usize] == start[axis as usize]).collect());
            }
        }
        quads.sort();
        quads
    }

    fn vertex(&self, cell: Cell) -> [f64; 3] {
        let (mut sum, mut count) = ([0.0; 3], 0.0);
        for (corner, axis) in (0..8).flat_map(|corner| (0..3).map(move |axis| (corner, axis))) {
            let mut offset = [0, 1, 2].map(|a| corner >> a & 1);
            if offset[axis] == 1 {
                continue;
            }
            let at = |offset: [i32; 3]| self.density([0, 1, 2].map(|a| cell[a] + offset[a]));
            let from = at(offset);
            let place = offset.map(f64::from);
            offset[axis] = 1;
            let to = at(offset);
            if (from > 0.0) != (to > 0.0) {
                (0..3).for_each(|a| sum[a] += place[a]);
                sum[axis] += from / (from - to);
                count += 1.0;
            }
        }
        [0, 1, 2].map(|a| f64::from(cell[a]) + sum[a] / count)
    }
}

fn density() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -1.0f32..1.0,
        1 => Just(0.0),
        1 => Just(-0.0),
        1 => Just(1e-40),
        1 => Just(-1e-40),
        1 => Just(MAX_DENSITY),
        1 => Just(-MAX_DENSITY),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn meshes_are_those_of_the_reference(samples in proptest::collection::vec(density(), 12 * 12 * 12)) {
        let out = mesh(&CHUNK, &samples).unwrap();
        let reference = Reference(&samples);
        let cell = |index: u32| out.lattice[index as usize].map(|at| at >> 16);
        let mut quads: Vec<BTreeSet<Cell>> =
            out.mesh.indices.chunks(6).map(|quad| quad.iter().map(|index| cell(*index)).collect()).collect();
        quads.sort();
        prop_assert_eq!(quads, reference.quads());
        for (index, lattice) in out.lattice.iter().enumerate() {
            let expected = reference.vertex(cell(index as u32));
            for axis in 0..3 {
                // Vertices keep a thousandth of a cell from its faces.
                let found = f64::from(lattice[axis]) / 65_536.0;
                prop_assert!((found - expected[axis]).abs() < 1.0 / 1000.0, "{found} {expected:?}");
            }
            let normal = out.mesh.normals[index];
            let length = normal.iter().map(|n| n * n).sum::<f32>();
            prop_assert!((length - 1.0).abs() < 1e-5, "{normal:?}");
        }
    }

    #[test]
    fn triangles_have_an_area_and_face_the_air(samples in proptest::collection::vec(density(), 12 * 12 * 12)) {
        let out = mesh(&CHUNK, &samples).unwrap();
        for quad in out.mesh.indices.as_chunks::<6>().0 {
            // The edge of the quad: the corner that all its cells share, and the next one.
            let cells = quad.map(|index| out.lattice[index as usize].map(|at| at >> 16));
            let low = [0, 1, 2].map(|a| cells.iter().map(|cell| cell[a]).min().unwrap());
            let high = [0, 1, 2].map(|a| cells.iter().map(|cell| cell[a]).max().unwrap());
            let axis = (0..3).find(|a| low[*a] == high[*a]).unwrap();
            let solid = Reference(&samples).density(high) > 0.0;
            for triangle in quad.as_chunks::<3>().0 {
                let [a, b, c] = triangle.map(|index| out.lattice[index as usize].map(i64::from));
                let [u, v] = [b, c].map(|p| [0, 1, 2].map(|i| p[i] - a[i]));
                let (y, z) = ((axis + 1) % 3, (axis + 2) % 3);
                let area = u[y] * v[z] - u[z] * v[y];
                prop_assert!(if solid { area > 0 } else { area < 0 }, "{area}");
            }
        }
    }

    #[test]
    fn any_levels_around_give_a_mesh(
        steps in proptest::array::uniform18(-2i8..=3),
        seed in proptest::collection::vec(density(), 64),
    ) {
        // Also such that no octree has.
        let chunk = VolumeChunk { neighbours: Neighbours::new(steps).unwrap(), ..CHUNK };
        let count = samples(8, &chunk.neighbours).unwrap();
        let samples: Vec<f32> = seed.iter().cycle().take(count).copied().collect();
        let out = mesh(&chunk, &samples).unwrap();
        prop_assert!(out.mesh.indices.iter().all(|index| (*index as usize) < out.mesh.vertices()));
        prop_assert!(out.mesh.positions.as_flattened().iter().all(|p| (-8.0..=16.0).contains(p)));
    }
}

#[test]
fn vertices_of_a_ball_are_on_it_and_normals_point_outwards() {
    let chunk = VolumeChunk { cells: 32, spacing: 0.5, neighbours: Neighbours::SAME };
    let out = mesh(&chunk, &sampled(&chunk, ball(12.0, 16.0))).unwrap();
    assert_eq!(out.mesh.vertices() - out.mesh.triangles() / 2, 2);
    for (position, normal) in out.mesh.positions.iter().zip(&out.mesh.normals) {
        let from = position.map(|at| at - 8.0);
        let radius = from.iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!((radius - 6.0).abs() < 0.02, "{radius}");
        let along = from.iter().zip(normal).map(|(x, n)| x * n).sum::<f32>() / radius;
        assert!(along > 0.999, "{along}");
    }
    assert!((out.stats.solid - 4.0 / 3.0 * std::f32::consts::PI * (12.0f32 / 33.0).powi(3)).abs() < 0.01);
}

#[test]
fn a_plane_is_flat_up_to_the_border_of_a_coarser_neighbour() {
    for step in 1..=3 {
        let chunk = VolumeChunk { neighbours: all(step), ..CHUNK };
        let out = mesh(&chunk, &sampled(&chunk, |[_, y, _]| 4.5 - y as f32)).unwrap();
        assert!(out.stats.seam_triangles > 0);
        for (position, normal) in out.mesh.positions.iter().zip(&out.mesh.normals) {
            assert_eq!((position[1], *normal), (4.5, [0.0, 1.0, 0.0]));
        }
    }
}

#[test]
fn edges_at_the_border_of_finer_neighbours_are_left_to_them() {
    let chunk = VolumeChunk { neighbours: all(-1), ..CHUNK };
    let out = mesh(&chunk, &sampled(&chunk, |[_, y, _]| 4.5 - y as f32)).unwrap();
    assert_eq!(out.mesh.triangles(), 7 * 7 * 2);
    assert_eq!(mesh(&CHUNK, &sampled(&CHUNK, |[_, y, _]| 4.5 - y as f32)).unwrap().mesh.triangles(), 8 * 8 * 2);
}

#[test]
fn what_is_uniform_has_no_triangles() {
    let mut out = mesh(&CHUNK, &sampled(&CHUNK, ball(3.0, 4.0))).unwrap();
    for (densities, solid) in [
        (Densities::Air, 0.0),
        (Densities::Solid, 1.0),
        (Densities::Sampled(&[0.0; 12 * 12 * 12]), 0.0),
        (Densities::Sampled(&[0.1; 12 * 12 * 12]), 1.0),
    ] {
        Mesher::new().mesh(&CHUNK, densities, &mut out).unwrap();
        let expected = VolumeMesh { stats: out.stats, ..VolumeMesh::default() };
        assert_eq!((&out, out.stats.solid), (&expected, solid));
    }
}

#[test]
fn what_was_meshed_before_has_no_influence() {
    let big = VolumeChunk { cells: 64, spacing: 3.0, neighbours: all(2) };
    let small = VolumeChunk { cells: 16, spacing: 0.3, neighbours: all(1) };
    let (big_samples, small_samples) = (sampled(&big, ball(32.0, 30.0)), sampled(&small, ball(9.0, 8.0)));
    let (mut mesher, mut out) = (Mesher::new(), VolumeMesh::default());
    for _ in 0..2 {
        mesher.mesh(&big, Densities::Sampled(&big_samples), &mut out).unwrap();
        assert_eq!(out, mesh(&big, &big_samples).unwrap());
        mesher.mesh(&small, Densities::Sampled(&small_samples), &mut out).unwrap();
        assert_eq!(out, mesh(&small, &small_samples).unwrap());
    }
}

#[test]
fn a_sample_that_is_no_density_is_named() {
    let chunk = VolumeChunk { neighbours: all(1), ..CHUNK };
    let good = sampled(&chunk, ball(3.0, 4.0));
    let points: Vec<_> = grids(8, &chunk.neighbours).unwrap().iter().flat_map(|grid| grid.points()).collect();
    for (index, value) in [(0, f32::NAN), (700, f32::INFINITY), (1728, f32::NEG_INFINITY), (good.len() - 1, 2e12)] {
        let mut samples = good.clone();
        samples[index] = value;
        let error = mesh(&chunk, &samples).unwrap_err();
        let VolumeError::Sample { index: found, point, value: named, max } = error.clone() else { panic!("{error}") };
        assert_eq!((found, point, named.to_bits(), max), (index, points[index], value.to_bits(), MAX_DENSITY));
        assert!(error.to_string().starts_with(&format!("sample {index}, at [")), "{error}");
    }
}

#[test]
fn chunks_that_are_not_allowed_are_refused() {
    let refused = |chunk: VolumeChunk, count: usize| {
        let mut out = mesh(&CHUNK, &sampled(&CHUNK, ball(3.0, 4.0))).unwrap();
        let error = Mesher::new().mesh(&chunk, Densities::Sampled(&vec![0.0; count]), &mut out).unwrap_err();
        assert_eq!(out, VolumeMesh::default());
        error.to_string()
    };
    let cells = |cells| refused(VolumeChunk { cells, ..CHUNK }, 0);
    assert_eq!(cells(7), "a chunk has 7 cells along a side, allowed: 8 to 64");
    assert_eq!(cells(u32::MAX), "a chunk has 4294967295 cells along a side, allowed: 8 to 64");
    let unaligned = refused(VolumeChunk { cells: 12, neighbours: all(3), ..CHUNK }, 0);
    assert_eq!(unaligned, "a chunk has 12 cells along a side, allowed beside cells 8 times as wide: multiples of 8");
    for spacing in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let error = refused(VolumeChunk { spacing, ..CHUNK }, 1728);
        assert_eq!(error, format!("spacing is {spacing} m, allowed: above 0, at most 65536"));
    }
    assert_eq!(refused(CHUNK, 1727), "there are 1727 samples, expected: 1728");
    assert_eq!(
        refused(VolumeChunk { neighbours: all(1), ..CHUNK }, 1728).split(':').next().unwrap(),
        "there are 1728 samples, expected"
    );
    let error = Neighbours::new(DIRECTIONS.map(|direction| direction[0] * 5)).unwrap_err();
    assert_eq!(error.to_string(), "the neighbour at [1, 0, 0] is 5 levels coarser, allowed: at most 4");
}

#[test]
fn grids_ask_for_little_beside_a_coarser_neighbour() {
    let own = 36 * 36 * 36;
    assert_eq!(samples(32, &Neighbours::SAME).unwrap(), own);
    assert_eq!(samples(32, &all(-1)).unwrap(), own);
    let mut steps = [0; 18];
    steps[0] = 1;
    assert_eq!(samples(32, &Neighbours::new(steps).unwrap()).unwrap(), own + 4 * 19 * 19);
    assert!(samples(32, &all(1)).unwrap() < own * 13 / 10);
    assert!(samples(32, &all(4)).unwrap() < own * 11 / 10);
}

#[test]
fn positions_are_the_lattice_in_metres() {
    for (spacing, exact) in [(0.25, true), (1.0, true), (4.0, true), (0.3, false)] {
        let chunk = VolumeChunk { spacing, ..CHUNK };
        let out = mesh(&chunk, &sampled(&chunk, ball(3.3, 4.1))).unwrap();
        for (position, lattice) in out.mesh.positions.iter().zip(&out.lattice) {
            for axis in 0..3 {
                let expected = f64::from(lattice[axis]) / 65_536.0 * f64::from(spacing);
                let off = (f64::from(position[axis]) - expected).abs();
                assert!(if exact { off == 0.0 } else { off < 1e-6 });
            }
        }
    }
}
