//! A GLB of 100,000 triangles: `cargo bench -p wasgo_scene --bench glb [-- --quick]`.
//!
//! One surface of 50,624 vertices with positions, normals, colours and texture coordinates: 3.6 MB. Both ways check every byte.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wasgo_scene::{Material, Mesh, Node, Scene, Surface, glb};

const COLUMNS: u32 = 224;
const ROWS: u32 = 226;

fn bytes(values: impl Iterator<Item = f32>) -> Vec<u8> {
    values.flat_map(f32::to_le_bytes).collect()
}

fn scene() -> Scene<'static> {
    let places = || (0..ROWS).flat_map(|z| (0..COLUMNS).map(move |x| (x as f32, z as f32)));
    let height = |x: f32, z: f32| libm::sinf(x * 0.1) + libm::cosf(z * 0.1);
    let squares = (0..ROWS - 1).flat_map(|z| (0..COLUMNS - 1).map(move |x| z * COLUMNS + x));
    let indices: Vec<u8> = squares
        .flat_map(|corner| {
            let below = corner + COLUMNS;
            [corner, below, corner + 1, corner + 1, below, below + 1]
        })
        .take(300_000)
        .flat_map(u32::to_le_bytes)
        .collect();
    let surface = Surface {
        positions: bytes(places().flat_map(|(x, z)| [x, height(x, z), z])).into(),
        normals: bytes(places().flat_map(|(x, z)| {
            let (dx, dz) = (-0.1 * libm::cosf(x * 0.1), 0.1 * libm::sinf(z * 0.1));
            let length = libm::sqrtf(dx * dx + 1.0 + dz * dz);
            [dx / length, 1.0 / length, dz / length]
        }))
        .into(),
        colors: bytes(places().flat_map(|(x, z)| [x / 300.0, z / 300.0, 0.5, 1.0])).into(),
        uvs: bytes(places().flat_map(|(x, z)| [x / 224.0, z / 226.0])).into(),
        indices: indices.into(),
        material: Some(0),
        ..Surface::default()
    };
    assert_eq!(surface.triangles(), 100_000);
    Scene {
        nodes: vec![Node { mesh: Some(0), ..Node::default() }],
        meshes: vec![Mesh { name: "hills".into(), surfaces: vec![surface], ..Mesh::default() }],
        materials: vec![Material::default()],
        roots: vec![0],
        ..Scene::default()
    }
}

fn file(criterion: &mut Criterion) {
    let scene = scene();
    let file = glb::write(&scene).unwrap_or_default();
    let mut group = criterion.benchmark_group("glb of 100,000 triangles");
    group.throughput(Throughput::Bytes(file.len() as u64));
    group.bench_function("write", |bencher| bencher.iter(|| glb::write(black_box(&scene))));
    group.bench_function("read", |bencher| bencher.iter(|| glb::read(black_box(&file)).map(drop)));
    group.bench_function("read into memory of its own", |bencher| {
        bencher.iter(|| glb::read(black_box(&file)).map(Scene::into_owned));
    });
    group.finish();
}

#[cfg(feature = "simplify")]
fn change(criterion: &mut Criterion) {
    use wasgo_scene::ops::{self, SimplifyOptions};

    let scene = scene();
    let mut group = criterion.benchmark_group("100,000 triangles");
    group.sample_size(10);
    group.bench_function("simplify to a quarter", |bencher| {
        let options = SimplifyOptions { ratio: 0.25, ..SimplifyOptions::default() };
        bencher.iter(|| ops::simplify(black_box(&scene).borrow(), &options).map(drop));
    });
    group.bench_function("optimize", |bencher| bencher.iter(|| ops::optimize(black_box(&scene).borrow()).map(drop)));
    group.bench_function("tangents", |bencher| bencher.iter(|| ops::tangents(black_box(&scene).borrow()).map(drop)));
    group.finish();
}

#[cfg(not(feature = "simplify"))]
fn change(_: &mut Criterion) {}

criterion_group!(benches, file, change);
criterion_main!(benches);
