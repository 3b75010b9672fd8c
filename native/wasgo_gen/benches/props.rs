//! Props on one core: `cargo bench -p wasgo_gen --bench props`.

use criterion::{Criterion, criterion_group, criterion_main};
use wasgo_gen::props::{Species, TreeSpec, tree};

fn trees(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tree of 5,000 triangles, all levels");
    for species in Species::ALL {
        let spec = TreeSpec::new(species);
        let mut seed = 0;
        group.bench_function(species.name(), |bencher| {
            bencher.iter(|| {
                seed += 1;
                tree(&spec, seed).expect("it is as usual")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, trees);
criterion_main!(benches);
