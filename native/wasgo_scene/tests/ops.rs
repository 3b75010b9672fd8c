//! What is done with whole scenes.

mod support;

use proptest::prelude::*;
use support::random::random_scene;
use support::{f32s, scene, u32s};
use wasgo_scene::ops::{self, Bounds, SimplifyOptions, SplitBy};
use wasgo_scene::transform::row_bytes;
use wasgo_scene::{Counts, Instances, Limits, Mesh, Node, Scene, SceneError, Surface, Transform, glb, validate};

type Point = [f32; 3];

fn points(bytes: &[u8]) -> Vec<Point> {
    let part = |bytes: &[u8], at: usize| f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    bytes.chunks_exact(12).map(|bytes| [part(bytes, 0), part(bytes, 4), part(bytes, 8)]).collect()
}

fn corners(bytes: &[u8]) -> Vec<[usize; 3]> {
    let part = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    bytes.chunks_exact(12).map(|bytes| [part(bytes, 0), part(bytes, 4), part(bytes, 8)]).collect()
}

/// Hills of `side` by `side` squares of a metre.
fn hills(side: usize) -> Surface<'static> {
    let place = |at: usize| (at % (side + 1), at / (side + 1));
    let height = |x: usize, z: usize| libm::sinf(x as f32 * 0.2) * 2.0 + libm::cosf(z as f32 * 0.15) * 3.0;
    let all = 0..(side + 1) * (side + 1);
    let positions: Vec<f32> = all
        .clone()
        .flat_map(|at| {
            let (x, z) = place(at);
            [x as f32, height(x, z), z as f32]
        })
        .collect();
    let normal = |at: usize| {
        let (x, z) = place(at);
        let (dx, dz) = (libm::cosf(x as f32 * 0.2) * 0.4, -libm::sinf(z as f32 * 0.15) * 0.45);
        let length = libm::sqrtf(dx * dx + 1.0 + dz * dz);
        [-dx / length, 1.0 / length, -dz / length]
    };
    let uvs: Vec<f32> = all.clone().flat_map(|at| [place(at).0 as f32, place(at).1 as f32]).collect();
    let squares = (0..side).flat_map(|z| (0..side).map(move |x| (x, z)));
    let indices: Vec<u32> = squares
        .flat_map(|(x, z)| {
            let corner = (z * (side + 1) + x) as u32;
            let below = corner + side as u32 + 1;
            [corner, below, corner + 1, corner + 1, below, below + 1]
        })
        .collect();
    Surface {
        positions: f32s(&positions),
        normals: f32s(&all.flat_map(normal).collect::<Vec<_>>()),
        uvs: f32s(&uvs),
        indices: u32s(&indices),
        ..Surface::default()
    }
}

fn of(surface: Surface<'static>) -> Scene<'static> {
    Scene {
        nodes: vec![Node { mesh: Some(0), ..Node::default() }],
        meshes: vec![Mesh { name: "hills".into(), surfaces: vec![surface], ..Mesh::default() }],
        roots: vec![0],
        ..Scene::default()
    }
}

fn counts(scene: &Scene<'_>) -> Counts {
    validate(scene, &Limits::default()).unwrap()
}

/// How far the ground of some triangles is above or below a point.
fn above(point: Point, points: &[Point], triangles: &[[usize; 3]]) -> f32 {
    let mut nearest = f32::MAX;
    for corners in triangles {
        let [a, b, c] = corners.map(|corner| points[corner]);
        let area = (b[0] - a[0]) * (c[2] - a[2]) - (c[0] - a[0]) * (b[2] - a[2]);
        let u = ((point[0] - a[0]) * (c[2] - a[2]) - (c[0] - a[0]) * (point[2] - a[2])) / area;
        let v = ((b[0] - a[0]) * (point[2] - a[2]) - (point[0] - a[0]) * (b[2] - a[2])) / area;
        if u >= -1e-4 && v >= -1e-4 && u + v <= 1.0 + 1e-4 {
            let y = a[1] + (b[1] - a[1]) * u + (c[1] - a[1]) * v;
            nearest = nearest.min((y - point[1]).abs());
        }
    }
    nearest
}

#[test]
fn simplifying_keeps_within_the_error_that_it_states() {
    let before = hills(48);
    let options = SimplifyOptions { ratio: 0.25, ..SimplifyOptions::default() };
    let (after, error) = ops::simplify(of(before.clone()), &options).unwrap();
    let counts = counts(&after);
    assert!(counts.triangles < before.triangles() * 3 / 10, "{counts:?}");
    assert!(counts.vertices < before.vertices() / 2, "vertices that are left over are dropped: {counts:?}");
    let surface = &after.meshes[0].surfaces[0];
    assert_eq!(surface.uvs.len() / 8, surface.vertices());
    let (points_after, triangles) = (points(&surface.positions), corners(&surface.indices));
    let worst = points(&before.positions).iter().map(|p| above(*p, &points_after, &triangles)).fold(0.0, f32::max);
    assert!(error > 0.0 && error < 1.0, "{error}");
    assert!(worst <= error * 3.0, "{worst} metres away, {error} were stated");
}

#[test]
fn an_error_of_nothing_only_drops_what_is_flat() {
    let options = SimplifyOptions { ratio: 0.0, error: 0.0, ..SimplifyOptions::default() };
    let (after, error) = ops::simplify(of(hills(16)), &options).unwrap();
    assert_eq!(error, 0.0);
    assert!(counts(&after).triangles > 400);
}

#[test]
fn borders_stay_where_they_are_when_locked() {
    let border = |scene: &Scene<'_>| {
        let mut border: Vec<[u32; 3]> = points(&scene.meshes[0].surfaces[0].positions)
            .into_iter()
            .filter(|[x, _, z]| *x == 0.0 || *z == 0.0 || *x == 32.0 || *z == 32.0)
            .map(|point| point.map(f32::to_bits))
            .collect();
        border.sort_unstable();
        border
    };
    let before = of(hills(32));
    let all = border(&before);
    let options = SimplifyOptions { ratio: 0.05, ..SimplifyOptions::default() };
    assert_eq!(border(&ops::simplify(before.clone(), &options).unwrap().0), all);
    let free = SimplifyOptions { lock_borders: false, ..options };
    assert!(border(&ops::simplify(before, &free).unwrap().0).len() < all.len());
}

#[test]
fn lods_are_coarser_and_coarser_and_survive_a_file() {
    let scene = ops::lods(of(hills(32)), &[0.5, 0.25, 0.1, 0.1], 5.0).unwrap();
    let lods = &scene.meshes[0].surfaces[0].lods;
    assert_eq!(lods.len(), 3, "the same ratio again brings nothing");
    let mut sizes: Vec<usize> = lods.iter().map(|lod| lod.indices.len()).collect();
    sizes.insert(0, scene.meshes[0].surfaces[0].indices.len());
    assert!(sizes.windows(2).all(|pair| pair[0] > pair[1]), "{sizes:?}");
    assert!(lods.windows(2).all(|pair| pair[0].error <= pair[1].error));
    let file = glb::write(&scene).unwrap();
    assert_eq!(&glb::read(&file).unwrap().meshes[0].surfaces[0].lods, lods);
}

#[test]
fn an_optimized_surface_has_the_same_triangles() {
    let mut before = hills(32);
    // In an order that is none.
    let mut triangles = corners(&before.indices);
    let count = triangles.len();
    triangles = (0..count).map(|at| triangles[at * 997 % count]).collect();
    before.indices = u32s(&triangles.iter().flatten().map(|corner| *corner as u32).collect::<Vec<_>>());
    let after = ops::optimize(of(before.clone())).unwrap();
    let shown = |surface: &Surface<'_>| {
        let points = points(&surface.positions);
        let mut shown: Vec<[[u32; 3]; 3]> = corners(&surface.indices)
            .into_iter()
            .map(|corners| {
                let mut triangle = corners.map(|corner| points[corner].map(f32::to_bits));
                let first = (0..3).min_by_key(|at| triangle[*at]).unwrap();
                triangle.rotate_left(first);
                triangle
            })
            .collect();
        shown.sort_unstable();
        shown
    };
    let misses = |surface: &Surface<'_>| {
        let mut cache = std::collections::VecDeque::new();
        let mut misses = 0;
        for corner in corners(&surface.indices).into_iter().flatten() {
            if !cache.contains(&corner) {
                misses += 1;
                cache.push_back(corner);
                if cache.len() > 16 {
                    cache.pop_front();
                }
            }
        }
        misses
    };
    let surface = &after.meshes[0].surfaces[0];
    assert_eq!(shown(surface), shown(&before));
    assert!(misses(surface) * 2 < misses(&before));
    let first_uses = corners(&surface.indices).into_iter().flatten();
    let mut next = 0;
    for corner in first_uses {
        assert!(corner <= next, "vertices are in the order of their use");
        next = next.max(corner + 1);
    }
}

#[test]
fn options_beyond_their_ranges_are_refused() {
    for (ratio, error) in [(1.5, 1.0), (f32::NAN, 1.0), (0.5, -1.0), (0.5, f32::NAN)] {
        let options = SimplifyOptions { ratio, error, lock_borders: true };
        assert!(matches!(ops::simplify(scene(), &options), Err(SceneError::BadValue { .. })));
        assert!(ops::lods(scene(), &[ratio], error).is_err());
    }
    assert!(ops::lods(scene(), &[0.5; 17], 1.0).is_err());
    let mut rubbish = scene();
    rubbish.meshes[0].surfaces[0].indices = u32s(&[0, 1, 4_000_000]);
    assert!(ops::optimize(rubbish).is_err());
}

#[test]
fn moving_a_scene_moves_its_bounds() {
    let mut scene = scene();
    let place = row_bytes(&[1.0, 0.0, 0.0, 50.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    scene.instances = vec![Instances { name: "i".into(), mesh: 0, parent: None, transforms: place.to_vec().into() }];
    let expected = Bounds { low: [0.0, 0.0, -2.0], high: [50.1, 0.0, 1.5] };
    assert_eq!(ops::bounds(&scene).unwrap(), Some(expected));
    let twice = [2.0, 0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 2.0, 0.0, 0.0, 2.0, 3.0];
    let moved = ops::transform(scene, &twice).unwrap();
    let expected = Bounds { low: [1.0, 2.0, -1.0], high: [101.2, 2.0, 6.0] };
    assert_eq!(ops::bounds(&moved).unwrap(), Some(expected));
    assert_eq!(moved.nodes.len(), 1);
    assert_eq!(ops::bounds(&Scene::default()).unwrap(), None);
    let mut sheared = twice;
    sheared[1] = 1.0;
    assert!(matches!(ops::transform(moved, &sheared), Err(SceneError::BadTransform { .. })));
}

#[test]
fn tangents_are_at_right_angles_and_follow_u() {
    let after = ops::tangents(of(hills(8))).unwrap();
    counts(&after);
    let surface = &after.meshes[0].surfaces[0];
    let tangents: Vec<f32> =
        surface.tangents.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    for (tangent, normal) in tangents.chunks_exact(4).zip(points(&surface.normals)) {
        let along: f32 = (0..3).map(|axis| tangent[axis] * normal[axis]).sum();
        assert!(along.abs() < 1e-5, "{along}");
        assert!(tangent[0] > 0.8, "u runs along x: {tangent:?}");
        // The bitangent runs upwards in the texture, against v, which is z.
        let bitangent_z = (normal[0] * tangent[1] - normal[1] * tangent[0]) * tangent[3];
        assert!(bitangent_z < -0.8, "{bitangent_z}");
    }
}

#[test]
fn a_grid_has_each_instance_once() {
    let mut scene = scene();
    let place = |x: f32| row_bytes(&[1.0, 0.0, 0.0, x, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, -5.0]);
    let transforms: Vec<u8> = (0..30).flat_map(|at| place(at as f32)).collect();
    scene.instances = vec![Instances { name: "i".into(), mesh: 0, parent: None, transforms: transforms.into() }];
    let parts = ops::split(&scene, SplitBy::Grid(10.0)).unwrap();
    let names: Vec<&str> = parts.iter().map(|part| &*part.name).collect();
    assert_eq!(names, ["test_0_-1", "test_1_-1", "test_2_-1"]);
    assert_eq!(parts.iter().map(|part| counts(part).instances).collect::<Vec<_>>(), [10, 10, 10]);
    assert_eq!(parts.iter().map(|part| part.roots.len()).sum::<usize>(), 1);
    assert!(ops::split(&scene, SplitBy::Grid(0.0)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_operation_leaves_a_sound_scene(number in any::<u64>()) {
        let scene = random_scene(number, true);
        let before = counts(&scene);
        for part in [
            ops::compact(scene.clone()).unwrap(),
            ops::optimize(scene.clone()).unwrap(),
            ops::tangents(scene.clone()).unwrap(),
            ops::lods(scene.clone(), &[0.5], 1.0).unwrap(),
            ops::transform(scene.clone(), &[0.0, 0.0, 2.0, 1.0, 0.0, 2.0, 0.0, 2.0, -2.0, 0.0, 0.0, 3.0]).unwrap(),
        ] {
            let after = counts(&part);
            prop_assert_eq!((after.triangles, after.instances), (before.triangles, before.instances));
            glb::write(&part).unwrap();
        }
        let (simplified, _) = ops::simplify(scene.clone(), &SimplifyOptions::default()).unwrap();
        prop_assert!(counts(&simplified).triangles <= before.triangles);
        for by in [SplitBy::Root, SplitBy::Material, SplitBy::Grid(4.0)] {
            let parts = ops::split(&scene, by).unwrap();
            for part in &parts {
                counts(part);
                glb::write(part).unwrap();
            }
            if by != SplitBy::Material {
                let instances: usize = parts.iter().map(|part| counts(part).instances).sum();
                prop_assert_eq!(instances, before.instances);
                let nodes: usize = parts.iter().map(|part| part.nodes.len()).sum();
                prop_assert_eq!(nodes, scene.nodes.len());
            }
        }
    }

    #[test]
    fn what_a_file_keeps_is_what_compacting_keeps(number in any::<u64>()) {
        let mut scene = random_scene(number, true);
        scene.roots.truncate(2);
        if let Ok(compact) = ops::compact(scene.clone()) {
            prop_assert_eq!(glb::write(&compact).unwrap(), glb::write(&scene).unwrap());
        }
    }
}

#[test]
fn a_root_that_moves_comes_below_the_matrix() {
    let scene = (0..).map(|number| random_scene(number, false)).find(|scene| {
        scene.animations.iter().any(|each| each.channels.iter().any(|channel| scene.roots.contains(&channel.node)))
    });
    let scene = scene.unwrap();
    let up = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 7.0, 0.0, 0.0, 1.0, 0.0];
    let moved = ops::transform(scene.clone(), &up).unwrap();
    assert_eq!(moved.roots, [scene.nodes.len()]);
    assert_eq!(moved.nodes[scene.nodes.len()].children, scene.roots);
    assert_eq!(moved.nodes[scene.nodes.len()].transform, Transform::at([0.0, 7.0, 0.0]));
}
