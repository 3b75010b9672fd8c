//! Surface nets beside those of `fast-surface-nets`, on the same samples: `cargo bench -p wasgo_gen --bench volume [-- --quick]`.
//!
//! Elements are triangles, each side's own: ours are those of the cells' edges that start in the chunk; theirs leave out
//! the edges that start in the last layer. Ours come with normals of length 1 from central differences, checked samples and the integer
//! lattice; theirs with gradients of the cell.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fast_surface_nets::ndshape::RuntimeShape;
use fast_surface_nets::{SurfaceNetsBuffer, surface_nets};
use wasgo_gen::noise::simplex3;
use wasgo_gen::volume::{
    Densities, Mesher, Neighbours, VolumeChunk, VolumeMesh, collider, grids, heightfield_collider,
};
use wasgo_gen::{ChunkId, Generator, Plan};

fn density(name: &str, cells: u32, point: [i32; 3]) -> f32 {
    let [x, y, z] = point.map(f64::from);
    let half = f64::from(cells) / 2.0;
    if name == "sphere" {
        let [x, y, z] = [x, y, z].map(|at| at - half);
        (half * 0.9 - (x * x + y * y + z * z).sqrt()) as f32
    } else {
        simplex3(7, x * 0.09, y * 0.09, z * 0.09) as f32
    }
}

fn meshes(criterion: &mut Criterion) {
    for (name, cells) in [("sphere", 32), ("sphere", 64), ("noise", 32), ("noise", 64)] {
        let mut group = criterion.benchmark_group(format!("volume/{name} {cells}"));
        let chunk = VolumeChunk { cells, spacing: 1.0, neighbours: Neighbours::SAME };
        let grid = grids(cells, &chunk.neighbours).unwrap()[0];
        let samples: Vec<f32> = grid.points().map(|point| density(name, cells, point)).collect();

        let (mut mesher, mut out) = (Mesher::new(), VolumeMesh::default());
        let mut ours = || {
            mesher.mesh(&chunk, Densities::Sampled(black_box(&samples)), &mut out).unwrap();
            out.mesh.triangles()
        };
        group.throughput(Throughput::Elements(ours() as u64));
        group.bench_function(BenchmarkId::from_parameter("wasgo"), |bencher| bencher.iter(&mut ours));

        // Solid is below 0 there.
        let turned: Vec<f32> = samples.iter().map(|sample| -sample).collect();
        let shape = RuntimeShape::<u32, 3>::new([cells + 4; 3]);
        let mut buffer = SurfaceNetsBuffer::default();
        let mut theirs = || {
            surface_nets(black_box(&turned), &shape, [1; 3], [cells + 1; 3], &mut buffer);
            buffer.indices.len() / 3
        };
        group.throughput(Throughput::Elements(theirs() as u64));
        group.bench_function(BenchmarkId::from_parameter("fast-surface-nets"), |bencher| bencher.iter(&mut theirs));
        group.finish();
    }
}

fn seams(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("volume/noise 32 beside coarser chunks");
    let neighbours = Neighbours::new([1; 18]).unwrap();
    let chunk = VolumeChunk { cells: 32, spacing: 1.0, neighbours };
    let grids = grids(32, &neighbours).unwrap();
    let samples: Vec<f32> = grids.iter().flat_map(|grid| grid.points()).map(|at| density("noise", 32, at)).collect();
    let (mut mesher, mut out) = (Mesher::new(), VolumeMesh::default());
    let mut mesh = || {
        mesher.mesh(&chunk, Densities::Sampled(black_box(&samples)), &mut out).unwrap();
        out.mesh.triangles()
    };
    group.throughput(Throughput::Elements(mesh() as u64));
    group.bench_function("all around", |bencher| bencher.iter(&mut mesh));
    group.finish();
}

/// Elements are triangles of what the collider is made from.
fn colliders(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("collider");
    for name in ["sphere", "noise"] {
        let chunk = VolumeChunk { cells: 32, spacing: 1.0, neighbours: Neighbours::SAME };
        let grid = grids(32, &chunk.neighbours).unwrap()[0];
        let samples: Vec<f32> = grid.points().map(|point| density(name, 32, point)).collect();
        let mut out = VolumeMesh::default();
        Mesher::new().mesh(&chunk, Densities::Sampled(&samples), &mut out).unwrap();
        group.throughput(Throughput::Elements(out.mesh.triangles() as u64));
        group.bench_function(format!("{name} 32 within 0.2 cells"), |bencher| {
            bencher.iter(|| collider(black_box(&out.mesh), 0.2).unwrap());
        });
    }
    let ground = Generator::new(Plan::new(42)).expect("the usual plan").chunk(ChunkId::new(3, 3)).unwrap();
    group.throughput(Throughput::Elements(64 * 64 * 2));
    group.bench_function("height field 65 within 0.2 m", |bencher| {
        bencher.iter(|| heightfield_collider(black_box(&ground.heights), 65, 1.0, 0.2).unwrap());
    });
    group.finish();
}

criterion_group!(benches, meshes, seams, colliders);
criterion_main!(benches);
