//! Grounds, props, creatures and files of them are sound.

use support::chunk;
use wasgo_gen::{Plan, PropKind, ScatterKind, ScatterRule, creature, props, scene};
use wasgo_scene::{Limits, Mesh, Node, Scene, Surface, glb, validate};

mod support;

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn vectors(bytes: &[u8]) -> Vec<[f32; 3]> {
    floats(bytes).chunks_exact(3).map(|v| [v[0], v[1], v[2]]).collect()
}

fn corners(surface: &Surface<'_>) -> Vec<[usize; 3]> {
    let words: Vec<usize> =
        surface.indices.chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap()) as usize).collect();
    words.chunks_exact(3).map(|t| [t[0], t[1], t[2]]).collect()
}

/// Twice the area, towards the front.
fn area([a, b, c]: [[f32; 3]; 3]) -> [f32; 3] {
    let (u, v) = ([b[0] - a[0], b[1] - a[1], b[2] - a[2]], [c[0] - a[0], c[1] - a[1], c[2] - a[2]]);
    [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn scene_of<'m>(meshes: impl Iterator<Item = &'m Mesh<'static>>) -> Scene<'m> {
    let meshes: Vec<Mesh<'_>> = meshes.map(Mesh::borrow).collect();
    let node = |mesh| Node { mesh: Some(mesh), ..Node::default() };
    Scene {
        nodes: (0..meshes.len()).map(node).collect(),
        roots: (0..meshes.len()).collect(),
        meshes,
        materials: scene::materials(),
        ..Scene::default()
    }
}

/// Fronts are where the normals point, and there are no triangles that nobody can see.
fn assert_faces_match_normals(name: &str, surface: &Surface<'_>) {
    let (points, normals) = (vectors(&surface.positions), vectors(&surface.normals));
    for triangle in corners(surface) {
        let front = area(triangle.map(|index| points[index]));
        assert!(dot(front, front) > 1e-16, "{name}: {triangle:?} is flat");
        for index in triangle {
            assert!(dot(front, normals[index]) > 0.0, "{name}: {triangle:?} against the normal of {index}");
        }
    }
}

/// Six times the volume under the triangles: above 0 when a closed body faces outwards.
fn volume(surface: &Surface<'_>) -> f32 {
    let points = vectors(&surface.positions);
    corners(surface).into_iter().map(|t| dot(points[t[0]], area(t.map(|index| points[index])))).sum()
}

#[test]
fn props_are_sound_for_many_seeds() {
    for seed in 0..40 {
        let plan = Plan::new(seed);
        let props = props(&plan).unwrap();
        assert_eq!(props.len(), plan.kinds());
        assert!(validate(&scene_of(props.iter().map(|prop| prop.mesh())), &Limits::default()).is_ok());
        for prop in &props {
            let surface = &prop.mesh().surfaces[0];
            let name = format!("{} of {seed}", prop.name);
            assert!((100..=400).contains(&surface.triangles()), "{name}: {}", surface.triangles());
            assert_faces_match_normals(&name, surface);
            assert!(volume(surface) > 0.0, "{name}");
            let heights = vectors(&surface.positions).into_iter().map(|p| p[1]);
            let high = heights.clone().fold(f32::MIN, f32::max);
            let low = heights.fold(f32::MAX, f32::min);
            let expected = match prop.kind {
                ScatterKind::LowPoly(PropKind::Tree) => 3.5..6.5,
                ScatterKind::LowPoly(PropKind::Conifer) => 5.5..8.0,
                ScatterKind::LowPoly(PropKind::Rock) => 0.3..1.5,
                ScatterKind::LowPoly(PropKind::Bush) => 0.4..1.5,
                ScatterKind::Model(_) => panic!("{name} is not in the usual plan"),
            };
            assert!(expected.contains(&high), "{name} is {high} m high");
            assert!((-0.7..=0.1).contains(&low), "{name} starts at {low} m");
        }
    }
}

#[test]
fn names_are_unique_though_rules_repeat() {
    let mut plan = Plan::new(0);
    plan.scatter.push(ScatterRule { variants: 2, ..ScatterRule::new(PropKind::Tree) });
    let props = props(&plan).unwrap();
    let names: std::collections::BTreeSet<&str> = props.iter().map(|prop| prop.name.as_str()).collect();
    assert_eq!(names.len(), props.len());
    assert_eq!(props.last().unwrap().name, "tree_5");
    let looks: std::collections::BTreeSet<&[u8]> =
        props.iter().map(|prop| &*prop.mesh().surfaces[0].positions).collect();
    assert_eq!(looks.len(), props.len());
}

#[test]
fn creatures_are_sound_and_look_north() {
    for seed in 0..40 {
        let creature = creature(seed);
        assert!(validate(&scene_of([&creature].into_iter()), &Limits::default()).is_ok());
        let surface = &creature.surfaces[0];
        assert!(volume(surface) > 0.0);
        let points = vectors(&surface.positions);
        let high = points.iter().map(|p| p[1]).fold(f32::MIN, f32::max);
        let low = points.iter().map(|p| p[1]).fold(f32::MAX, f32::min);
        assert!((0.72..1.0).contains(&high) && low.abs() < 0.02, "{seed}: {low}..{high}");
        // The darkest things, eyes and nose, are in front.
        let dark = floats(&surface.colors).chunks_exact(4).map(|c| c[0] + c[1] + c[2] < 0.06).collect::<Vec<_>>();
        let eyes: Vec<_> = points.iter().zip(dark).filter(|(_, dark)| *dark).map(|(point, _)| point).collect();
        assert!(eyes.len() > 20 && eyes.iter().all(|point| point[2] < -0.1 && point[1] > 0.4));
    }
}

#[test]
fn grounds_are_sound_and_face_up() {
    for (size, samples) in [(64.0, 65), (1.0, 2), (250.0, 33)] {
        let mut plan = Plan::new(8);
        plan.chunk.size = size;
        plan.chunk.samples = samples;
        let chunk = chunk(&plan, -2, 1);
        let surface = chunk.surface();
        assert_eq!(surface.triangles() as u32, (samples - 1) * (samples - 1) * 2);
        let points = vectors(&surface.positions);
        assert_eq!((points[0][0], points[0][2]), (0.0, 0.0));
        let last = points.last().unwrap();
        assert_eq!((last[0], last[2]), (size, size));
        for triangle in corners(&surface) {
            assert!(area(triangle.map(|index| points[index]))[1] > 0.0);
        }
        for (point, height) in points.iter().zip(&chunk.heights) {
            assert_eq!(point[1], *height);
        }
        // The ground is one piece: its area seen from above is the square.
        let seen: f32 = corners(&surface).into_iter().map(|t| area(t.map(|index| points[index]))[1] / 2.0).sum();
        assert!((seen / (size * size) - 1.0).abs() < 1e-3, "{seen}");
    }
}

#[test]
fn normals_are_those_of_the_ground() {
    let chunk = chunk(&Plan::new(21), 3, 3);
    let normals = vectors(&chunk.surface().normals);
    for row in 1..64usize {
        for column in 1..64usize {
            let at = |c: usize, r: usize| chunk.heights[r * 65 + c];
            let (dx, dz) = (at(column + 1, row) - at(column - 1, row), at(column, row + 1) - at(column, row - 1));
            let length = (dx * dx + dz * dz + 4.0).sqrt();
            let expected = [-dx / length, 2.0 / length, -dz / length];
            let found = normals[row * 65 + column];
            assert!(expected.iter().zip(found).all(|(a, b)| (a - b).abs() < 1e-5), "{expected:?} {found:?}");
        }
    }
}

#[test]
fn a_chunk_becomes_a_file_with_all_that_stands_on_it() {
    let plan = Plan::new(42);
    let props = props(&plan).unwrap();
    let mut with_water = 0;
    for (x, z) in [(0, 0), (-1, 0), (3, -2), (-4, -4), (1, 4), (9, 9), (20, -7), (-13, 5)] {
        let chunk = chunk(&plan, x, z);
        let scene = scene::of_chunk(&plan, &chunk, &chunk.instances, &props);
        let counts = validate(&scene, &Limits::default()).unwrap();
        assert_eq!(counts.instances, chunk.instances.len());
        let file = glb::write(&scene).unwrap();
        let json_length = u32::from_le_bytes(file[12..16].try_into().unwrap()) as usize;
        let json: serde_json::Value = serde_json::from_slice(&file[20..20 + json_length]).unwrap();
        let nodes = json["nodes"].as_array().unwrap();
        let kinds = chunk.stats.counts.iter().filter(|count| **count > 0).count();
        let water = usize::from(chunk.stats.water_share > 0.0);
        with_water += water;
        assert_eq!(nodes.len(), 1 + water + kinds + chunk.instances.len());
        assert_eq!(json["meshes"].as_array().unwrap().len(), 1 + water + kinds);
        assert_eq!(nodes[0]["extras"]["seed"], "42");
        assert_eq!(nodes[0]["extras"]["chunk_x"], x);
        assert_eq!(json["scenes"][0]["nodes"].as_array().unwrap().len(), 1);
    }
    assert!((1..8).contains(&with_water), "{with_water} of 8 with water: the test should see both");
}
