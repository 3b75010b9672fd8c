//! Props on one core: `cargo bench -p wasgo_gen --bench props`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wasgo_gen::props::{
    FenceSpec, GrassSpec, RockSpec, Species, Style, TreeSpec, Variation, fence, grass, impostor, rock, tree, variation,
};
use wasgo_scene::Mesh;

/// Trees with all their levels of detail: 5,000 triangles in the finest.
fn trees(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tree of 5,000 triangles with its levels");
    for species in Species::ALL {
        let spec = TreeSpec { triangles: Some(5000), ..TreeSpec::new(species) };
        let mut seed = 0;
        group.bench_function(species.name(), |bencher| {
            bencher.iter(|| {
                seed += 1;
                tree(&spec, seed).expect("it is as usual")
            });
        });
    }
    group.finish();
    let spec = TreeSpec { style: Style::LowPoly, ..TreeSpec::default() };
    criterion.bench_function("low-poly tree with its levels", |bencher| bencher.iter(|| tree(&spec, 1)));
}

fn others(criterion: &mut Criterion) {
    criterion.bench_function("rock of 720 triangles with its levels", |bencher| {
        bencher.iter(|| rock(&RockSpec::default(), 1));
    });
    criterion.bench_function("tuft of grass with its levels", |bencher| {
        bencher.iter(|| grass(&GrassSpec::default(), 1));
    });
    let line: Vec<[f32; 3]> = (0..51).map(|number| [number as f32 * 2.0, 0.0, 0.0]).collect();
    criterion.bench_function("100 m of fence with its levels", |bencher| {
        bencher.iter(|| fence(&line, &FenceSpec::default(), 1));
    });
}

fn pictures(criterion: &mut Criterion) {
    let model = tree(&TreeSpec::default(), 1).expect("it is as usual");
    criterion.bench_function("impostor of 128 pixels", |bencher| bencher.iter(|| impostor(&model, 128)));
}

fn variations(criterion: &mut Criterion) {
    let model = tree(&TreeSpec::default(), 1).expect("it is as usual");
    let surfaces = model.lods[0].parts.iter().map(|part| part.mesh.clone().into_surface(None));
    let mesh = Mesh { name: "tree".into(), surfaces: surfaces.collect(), ..Mesh::default() };
    let vertices: usize = mesh.surfaces.iter().map(|surface| surface.vertices()).sum();
    let mut group = criterion.benchmark_group("variation");
    group.throughput(Throughput::Elements(vertices as u64));
    group.bench_function("of a tree", |bencher| bencher.iter(|| variation(&mesh, &Variation::default(), 1)));
    group.finish();
}

criterion_group!(benches, trees, others, pictures, variations);
criterion_main!(benches);
