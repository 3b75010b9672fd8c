//! What it costs to build: a house, a dungeon, a region with its settlements, and the ground of a chunk in it.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use wasgo_gen::built::{
    Area, BuildingSpec, Ground, Preset, SettlementRule, Settlements, TileGrid, TileLook, building, dungeon,
    dungeon_tiles, tile_scene,
};
use wasgo_gen::noise::simplex2;

struct Hills;

impl Ground for Hills {
    fn heights(&self, xs: &[f64], zs: &[f64], out: &mut [f32]) {
        for ((x, z), height) in xs.iter().zip(zs).zip(out) {
            let wide = simplex2(5, x / 520.0, z / 520.0) * 26.0;
            let fine = simplex2(6, x / 240.0, z / 240.0) * 11.0 + simplex2(7, x / 100.0, z / 100.0) * 3.0;
            *height = (wide + fine + 14.0) as f32;
        }
    }
}

/// With water at 0 m.
fn rule() -> SettlementRule {
    SettlementRule { water_level: Some(0.0), ..SettlementRule::default() }
}

fn houses(c: &mut Criterion) {
    for preset in [Preset::Cottage, Preset::Townhouse, Preset::Church] {
        let spec = BuildingSpec::new(preset, preset.footprint());
        let mut seed = 0;
        c.bench_function(&format!("building {}", preset.name()), |b| {
            b.iter(|| {
                seed += 1;
                building(black_box(&spec), seed)
            });
        });
    }
}

fn dungeons(c: &mut Criterion) {
    let set = dungeon_tiles();
    let grid = TileGrid::new(24, 24);
    let mut seed = 0;
    c.bench_function("dungeon 24x24", |b| {
        b.iter(|| {
            seed += 1;
            dungeon(black_box(&set), &grid, seed % 32)
        });
    });
    let Ok(tiles) = dungeon(&set, &grid, 1) else { return };
    c.bench_function("dungeon 24x24 geometry", |b| {
        b.iter(|| tile_scene(&set, black_box(&tiles), &TileLook::default(), 1))
    });
}

fn settlements(c: &mut Criterion) {
    let Ok(it) = Settlements::new(rule(), 1) else { return };
    let area = |x: f64, z: f64, side: f64| Area { min: [x, z], max: [x + side, z + side] };
    c.bench_function("region of 2 km", |b| b.iter(|| it.region(&Hills, black_box(area(-1000.0, -1000.0, 2000.0)))));
    c.bench_function("region of a chunk of 64 m in a village", |b| {
        b.iter(|| it.region(&Hills, black_box(area(-80.0, -500.0, 64.0))));
    });
    let Ok(region) = it.region(&Hills, area(-1000.0, -1000.0, 2000.0)) else { return };
    c.bench_function("shaping of a chunk in a village", |b| {
        b.iter(|| region.shaping(black_box(area(-80.0, -500.0, 64.0))));
    });
    c.bench_function("shaping of a chunk far from everything", |b| {
        b.iter(|| region.shaping(black_box(area(600.0, 0.0, 64.0))));
    });
    let shaping = region.shaping(area(-80.0, -500.0, 64.0));
    let xs: Vec<f64> = (0..4225).map(|at| -80.0 + f64::from(at % 65)).collect();
    let zs: Vec<f64> = (0..4225).map(|at| -500.0 + f64::from(at / 65)).collect();
    let mut heights = vec![0.0; 4225];
    Hills.heights(&xs, &zs, &mut heights);
    let mut roads = vec![0.0; 4225];
    c.bench_function("4225 points shaped in a village", |b| {
        b.iter(|| shaping.shape_all(&xs, &zs, black_box(&mut heights.clone()), &mut roads));
    });
}

criterion_group!(benches, houses, dungeons, settlements);
criterion_main!(benches);
