//! Volumes of plans: what is bounded and left out changes nothing, cubes meet, and what can't be is refused.

use std::collections::BTreeMap;

use support::{check, generator, hash};
use wasgo_gen::field::{Axis, Fractal, Node, NoiseKind, Shape};
use wasgo_gen::volume::{Densities, Mesher, Neighbours, VolumeChunk, VolumeMesh, grids};
use wasgo_gen::{GenError, Generator, Plan, Volume, VolumeId, VolumePart, le_bytes, le_bytes_u32};

mod support;

fn noise(dimensions: u8, fractal: Fractal, frequency: f64, octaves: u32, seed: u32) -> Node {
    Node::Noise { kind: NoiseKind::Simplex, fractal, dimensions, frequency, octaves, lacunarity: 2.0, gain: 0.5, seed }
}

/// Hills with overhangs, a tunnel and an arch.
fn plan() -> Plan {
    let mut plan = Plan::empty(5);
    let text = |name: &str| name.to_string();
    for (name, node) in [
        ("hills", noise(2, Fractal::Fbm, 0.012, 4, 1)),
        ("land", Node::Affine { of: text("hills"), scale: 14.0, offset: 3.0 }),
        ("y", Node::Coordinate { axis: Axis::Y }),
        ("ground", Node::Subtract { a: text("land"), b: text("y") }),
        ("rough", noise(3, Fractal::Fbm, 0.05, 3, 2)),
        ("overhangs", Node::Affine { of: text("rough"), scale: 5.0, offset: 0.0 }),
        ("cliffs", Node::Add { of: vec![text("ground"), text("overhangs")] }),
        (
            "arch",
            Node::Body {
                shape: Shape::Torus { axis: Axis::Z, radius: 14.0, thickness: 3.0 },
                center: [20.0, 6.0, 20.0],
            },
        ),
        ("with_arch", Node::SmoothMax { a: text("cliffs"), b: text("arch"), radius: 4.0 }),
        (
            "tunnel",
            Node::Body { shape: Shape::Capsule { to: [90.0, 9.0, 60.0], radius: 5.0 }, center: [-30.0, -4.0, -20.0] },
        ),
        ("hollow", Node::Affine { of: text("tunnel"), scale: -1.0, offset: 0.0 }),
        ("density", Node::Min { of: vec![text("with_arch"), text("hollow")] }),
    ] {
        plan.nodes.insert(name.into(), node);
    }
    plan.volume = Some(Volume { density: "density".into(), cells: 16, spacing: 1.0 });
    plan
}

fn cube(generator: &Generator, x: i32, y: i32, z: i32) -> VolumePart {
    generator.volume(VolumeId::new(x, y, z)).unwrap()
}

#[test]
fn leaving_out_what_no_surface_is_near_changes_nothing() {
    let generator = generator(&plan());
    let chunk = VolumeChunk { cells: 16, spacing: 1.0, neighbours: Neighbours::SAME };
    let grid = grids(16, &Neighbours::SAME).unwrap()[0];
    let mut triangles = 0;
    for (x, y, z) in (-1..2).flat_map(|x| (-1..1).flat_map(move |y| (0..3).map(move |z| (x, y, z)))) {
        let part = cube(&generator, x, y, z);
        // The same samples, each from a cube of its own that is computed as a whole.
        let at = |point: [i32; 3]| {
            let [px, py, pz] = [16 * x + point[0], 16 * y + point[1], 16 * z + point[2]];
            (px.div_euclid(16), py.div_euclid(16), pz.div_euclid(16), [px, py, pz].map(|v| v.rem_euclid(16) as usize))
        };
        let mut blocks: BTreeMap<(i32, i32, i32), Vec<f32>> = BTreeMap::new();
        let samples: Vec<f32> = grid
            .points()
            .map(|point| {
                let (bx, by, bz, [i, j, k]) = at(point);
                let block = blocks
                    .entry((bx, by, bz))
                    .or_insert_with(|| generator.densities(VolumeId::new(bx, by, bz)).unwrap());
                block[(k * 17 + j) * 17 + i]
            })
            .collect();
        let mut whole = VolumeMesh::default();
        Mesher::new().mesh(&chunk, Densities::Sampled(&samples), &mut whole).unwrap();
        assert_eq!(part.mesh.positions, whole.mesh.positions, "{x} {y} {z}");
        assert_eq!(part.mesh.normals, whole.mesh.normals, "{x} {y} {z}");
        assert_eq!(part.mesh.indices, whole.mesh.indices, "{x} {y} {z}");
        assert_eq!(part.mesh.colors.len(), part.mesh.positions.len());
        triangles += part.mesh.triangles();
    }
    assert!(triangles > 3_000, "{triangles}");
}

#[test]
fn coarser_cubes_have_the_densities_of_finer_ones() {
    let generator = generator(&plan());
    let coarse = generator.densities(VolumeId { level: 1, ..VolumeId::new(0, -1, 1) }).unwrap();
    for corner in 0..8i32 {
        let [dx, dy, dz] = [corner & 1, corner >> 1 & 1, corner >> 2];
        let fine = generator.densities(VolumeId::new(dx, -2 + dy, 2 + dz)).unwrap();
        for n in 0..9 * 9 * 9usize {
            let (i, j, k) = (n % 9, n / 9 % 9, n / 81);
            let [ci, cj, ck] = [i + 8 * dx as usize, j + 8 * dy as usize, k + 8 * dz as usize];
            assert_eq!(fine[(2 * k * 17 + 2 * j) * 17 + 2 * i].to_bits(), coarse[(ck * 17 + cj) * 17 + ci].to_bits());
        }
    }
}

/// Six times the volume that the triangles of a closed body hold.
fn volume(part: &VolumePart) -> f64 {
    let p = |index: u32| part.mesh.positions[index as usize].map(f64::from);
    let corners = part.mesh.indices.chunks_exact(3).map(|t| [p(t[0]), p(t[1]), p(t[2])]);
    corners
        .map(|[a, b, c]| {
            a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0])
        })
        .sum()
}

#[test]
fn a_ball_within_a_cube_has_its_volume() {
    let mut plan = Plan::empty(1);
    plan.nodes.insert("ball".into(), Node::Body { shape: Shape::Sphere { radius: 10.0 }, center: [16.0; 3] });
    plan.volume = Some(Volume { density: "ball".into(), cells: 32, spacing: 1.0 });
    let part = cube(&generator(&plan), 0, 0, 0);
    let wanted = 4.0 / 3.0 * std::f64::consts::PI * 1000.0;
    assert!((volume(&part) / 6.0 / wanted - 1.0).abs() < 0.03, "{} of {wanted}", volume(&part) / 6.0);
    // Cubes around it are empty.
    assert!(cube(&generator(&plan), 1, 0, 0).mesh.indices.is_empty());
    assert!(cube(&generator(&plan), 0, -40, 0).mesh.indices.is_empty());
}

#[test]
fn cubes_that_are_none_are_refused() {
    let generator = generator(&plan());
    let at = |id: VolumeId| generator.volume(id).unwrap_err().to_string();
    assert_eq!(at(VolumeId::new(0, 70_000, 0)), "chunk y is 70000, allowed: -65535 to 65535 with chunks of 16 m");
    assert_eq!(at(VolumeId { level: 9, ..VolumeId::default() }), "level is 9, allowed: 0 to 6");
    assert_eq!(generator.chunk(wasgo_gen::ChunkId::default()).unwrap_err(), GenError::Nothing { what: "terrain" });
    let land = support::generator(&Plan::new(1));
    assert_eq!(land.volume(VolumeId::default()).unwrap_err().to_string(), "the plan has no volume");
    let mut wrong = plan();
    wrong.volume.as_mut().unwrap().cells = 7;
    assert_eq!(Generator::new(wrong).unwrap_err().to_string(), "volume.cells is 7, allowed: 8 to 64");
    assert_eq!(Generator::new(Plan::empty(1)).unwrap_err().to_string(), "the plan has neither a terrain nor a volume");
}

#[test]
fn cubes_are_the_same_bytes() {
    let generator = generator(&plan());
    let of = |id: VolumeId| {
        let part = generator.volume(id).unwrap();
        assert!(part.mesh.triangles() > 10);
        hash(&[
            &le_bytes(part.mesh.positions.as_flattened()),
            &le_bytes(part.mesh.normals.as_flattened()),
            &le_bytes(part.mesh.colors.as_flattened()),
            &le_bytes_u32(&part.mesh.indices),
        ])
    };
    let mut steps = [0; 18];
    (steps[1], steps[17]) = (1, 2);
    let found = [
        ("the arch", of(VolumeId::new(1, 0, 1))),
        ("the tunnel", of(VolumeId::new(0, -1, 0))),
        ("from afar", of(VolumeId { level: 2, ..VolumeId::new(-1, 0, 0) })),
        ("beside coarser ones", of(VolumeId { neighbours: Neighbours::new(steps).unwrap(), ..VolumeId::new(1, 0, 0) })),
    ];
    check(&found.map(|(name, hash)| (name.into(), hash)), &CUBES);
}

const CUBES: [u64; 4] = [
    0x12CF_83DC_935E_15D7, // the arch
    0x75EE_500D_B84E_AE2E, // the tunnel
    0x8A94_ECF0_2CA7_3901, // from afar
    0x9D20_8760_152C_0910, // beside coarser ones
];
