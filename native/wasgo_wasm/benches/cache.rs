//! What loading a compiled module costs, by where it comes from.

#![allow(missing_docs)]

mod common;

use std::fs;
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use common::megabyte;
use criterion::{Criterion, criterion_group, criterion_main};
use wasgo_wasm::{CompileOptions, DEFAULT_CACHE_BYTES, Engine, EngineOptions, Module};

fn cache(criterion: &mut Criterion) {
    let wasm = megabyte();
    let folder = std::env::temp_dir().join(format!("wasgo-cache-bench-{}", std::process::id()));
    let engine = Engine::new(EngineOptions::default()).expect("an engine");
    let compile = |engine: &Engine| Module::compile(engine, &wasm, CompileOptions::default()).expect("it is valid");
    let use_folder = || engine.cache().set_folder(Some((&folder, DEFAULT_CACHE_BYTES))).expect("a folder");
    use_folder();
    let start = Instant::now();
    drop(compile(&engine));
    println!(
        "module of {} bytes, entry of {}, compiled and stored in {:?}",
        wasm.len(),
        engine.cache().info().bytes,
        start.elapsed()
    );
    // Until the file's times vouch for it.
    thread::sleep(Duration::from_millis(2_100));

    let mut group = criterion.benchmark_group("cache");
    group.bench_function("digest of the module", |bencher| bencher.iter(|| blake3::hash(black_box(&wasm))));
    let artefact = fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension().is_some())
        .expect("an entry");
    let artefact = fs::read(artefact).expect("an entry");
    group.bench_function("digest of the entry, in memory", |bencher| {
        bencher.iter(|| blake3::keyed_hash(&[7; 32], black_box(&artefact)));
    });
    group.bench_function("first load of a process", |bencher| {
        bencher.iter_custom(|times| {
            (0..times)
                .map(|_| {
                    // A folder that was just opened remembers nothing.
                    use_folder();
                    let start = Instant::now();
                    let module = compile(&engine);
                    let took = start.elapsed();
                    drop(module);
                    took
                })
                .sum()
        });
    });
    use_folder();
    drop(compile(&engine));
    group.bench_function("load", |bencher| {
        bencher.iter_custom(|times| {
            (0..times)
                .map(|_| {
                    let start = Instant::now();
                    let module = compile(&engine);
                    let took = start.elapsed();
                    drop(module);
                    took
                })
                .sum()
        });
    });
    let alive = compile(&engine);
    group.bench_function("shared within the process", |bencher| bencher.iter(|| compile(&engine)));
    drop(alive);
    engine.cache().set_folder(None).expect("none");
    group.sample_size(10).measurement_time(Duration::from_secs(20));
    group.bench_function("compile", |bencher| bencher.iter(|| compile(&engine)));
    group.finish();
    let info = engine.cache().info();
    println!("{info:?}");
    let _ = fs::remove_dir_all(&folder);
}

criterion_group!(benches, cache);
criterion_main!(benches);
