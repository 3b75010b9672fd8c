//! Noise by the block, beside FastNoise Lite's C++ header compiled with -O3.
//!
//! `WASGO_FASTNOISE` names the folder of `FastNoiseLite.h`; `bench/fastnoise` gets it. Without it ours alone is measured.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wasgo_gen::field::{Fractal, Node, NoiseKind};
use wasgo_gen::{Generator, Plan, Terrain};

const SIDE: usize = 256;
const FREQUENCY: f64 = 0.01;

fn noise(dimensions: u8, octaves: u32) -> Generator {
    let (kind, lacunarity, gain, seed) = (NoiseKind::Simplex, 2.0, 0.5, 0);
    let fractal = if octaves > 1 { Fractal::Fbm } else { Fractal::None };
    let node = Node::Noise { kind, fractal, dimensions, frequency: FREQUENCY, octaves, lacunarity, gain, seed };
    let mut plan = Plan::empty(1337);
    plan.nodes.insert("noise".into(), node);
    plan.terrain = Some(Terrain { height: "noise".into(), water: None });
    Generator::new(plan).expect("a plan of one noise")
}

/// The header's functions, compiled where there is a compiler.
fn fastnoise() -> Option<libloading::Library> {
    let folder = std::env::var("WASGO_FASTNOISE").ok()?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/fastnoise.cc");
    let library: PathBuf = std::env::temp_dir().join(format!("wasgo-fastnoise-{}.so", std::process::id()));
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    let compile = Command::new(compiler)
        .args(["-O3", "-shared", "-fPIC", "-I", &folder, "-o"])
        .arg(&library)
        .arg(source)
        .status();
    assert!(compile.is_ok_and(|status| status.success()), "FastNoiseLite.h in {folder} does not compile");
    // SAFETY: a library of plain functions, without initializers.
    let loaded = unsafe { libloading::Library::new(&library) };
    let _ = std::fs::remove_file(library);
    Some(loaded.expect("the library just compiled"))
}

type Fill = unsafe extern "C" fn(*mut f32, i32, f32);

fn benches(criterion: &mut Criterion) {
    let library = fastnoise();
    let samples = SIDE * SIDE;
    let mut group = criterion.benchmark_group("noise, samples");
    group.throughput(Throughput::Elements(samples as u64));
    let places = |n: usize| ((n % SIDE) as f64, (n / SIDE) as f64);
    let (x, z): (Vec<f64>, Vec<f64>) = (0..samples).map(places).unzip();
    let mut out = vec![0.0f32; samples];
    for (name, dimensions) in [("2D simplex", 2), ("3D simplex", 3)] {
        let generator = noise(dimensions, 1);
        group.bench_function(format!("{name}, wasgo"), |b| {
            b.iter(|| generator.heights(black_box(&x), black_box(&z), &mut out).unwrap());
        });
    }
    if let Some(library) = &library {
        // SAFETY: the functions have this type, and write side squared or cubed numbers.
        let fill2: libloading::Symbol<'_, Fill> = unsafe { library.get(b"wasgo_fill2") }.expect("it is in the source");
        group.bench_function("2D simplex, FastNoise Lite C++", |b| {
            // SAFETY: `out` holds that many.
            b.iter(|| unsafe { fill2(black_box(out.as_mut_ptr()), SIDE as i32, FREQUENCY as f32) });
        });
        let mut cube = vec![0.0f32; 40 * 40 * 40];
        group.throughput(Throughput::Elements(cube.len() as u64));
        // SAFETY: as above.
        let fill3: libloading::Symbol<'_, Fill> = unsafe { library.get(b"wasgo_fill3") }.expect("it is in the source");
        group.bench_function("3D simplex, FastNoise Lite C++", |b| {
            // SAFETY: `cube` holds that many.
            b.iter(|| unsafe { fill3(black_box(cube.as_mut_ptr()), 40, FREQUENCY as f32) });
        });
    }
    group.finish();
}

criterion_group!(noises, benches);
criterion_main!(noises);
