//! The same villages for the same plan: in debug and release builds, and on every machine that runs these tests.
//!
//! A change of these hashes is a change of every world that was made before. Set `WASGO_GOLDEN=print` to see the new ones.

use support::{chunk_hash, generator, hash};
use wasgo_gen::built::{Area, SettlementRule};
use wasgo_gen::{Chunk, ChunkId, Plan};

mod support;

/// Of everything that a chunk's objects are made of.
fn objects_hash(chunk: &Chunk) -> u64 {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for set in &chunk.objects {
        parts.push(set.model.name.clone().into_bytes());
        parts.push(set.transforms());
        for surface in &set.model.mesh.surfaces {
            parts.extend([&surface.positions, &surface.normals, &surface.colors, &surface.indices].map(|b| b.to_vec()));
        }
        for it in &set.model.boxes {
            parts.push([it.center, it.half].as_flattened().iter().flat_map(|value| value.to_le_bytes()).collect());
        }
    }
    hash(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

#[test]
fn villages_are_the_same_bytes() {
    let rule = SettlementRule { heights: [1.0, 40.0], slope: 0.3, ..SettlementRule::default() };
    let generator = generator(&Plan { settlements: Some(rule), ..Plan::new(42) });
    let area = Area { min: [-300.0, 1100.0], max: [724.0, 2124.0] };
    let region = generator.settlements(area).unwrap();
    let village = region.layouts.iter().max_by_key(|layout| layout.lots.len()).unwrap();
    let [x, z] = village.site.position;
    let at = |level: u8| {
        let size = 64.0 * f64::from(1u32 << level);
        let [x, z] = [x, z].map(|at| (at / size).floor() as i32);
        generator.chunk(ChunkId { level, ..ChunkId::new(x, z) }).unwrap()
    };
    let mut found = Vec::new();
    for level in 0..4 {
        let chunk = at(level);
        found.push((format!("ground of level {level}"), chunk_hash(&chunk)));
        found.push((format!("objects of level {level}"), objects_hash(&chunk)));
    }
    let mut around =
        (-8..-4).flat_map(|z| (32..36).map(move |x| (x, z))).map(|(x, z)| generator.chunk(ChunkId::new(x, z)).unwrap());
    let bridge = around.find(|chunk| chunk.objects.iter().any(|set| set.model.kind == "bridge")).unwrap();
    found.push(("a bridge".into(), objects_hash(&bridge)));
    support::check(&found, &GOLDEN);
}

const GOLDEN: [u64; 9] = [
    0x391C_7682_9956_CAB1, // ground of level 0
    0x51A3_AA0E_B2B6_A4C7, // objects of level 0
    0xB818_602D_3A34_F86F, // ground of level 1
    0x4533_D5F2_CB2B_1630, // objects of level 1
    0xE735_42B7_E109_1EA4, // ground of level 2
    0x5195_D40B_52B2_A70F, // objects of level 2
    0xF91B_2191_52BA_0BBB, // ground of level 3
    0x3325_48C7_EFAE_B7B0, // objects of level 3
    0xF4B4_A015_73B6_8806, // a bridge
];
