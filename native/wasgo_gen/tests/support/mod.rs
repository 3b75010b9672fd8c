//! What several tests need.
#![allow(dead_code)] // Not all of them need all of it.

use wasgo_gen::{Chunk, ChunkId, Generator, Plan, le_bytes, le_bytes_u32, pack_instances};

/// FNV-1a, 64 bits.
pub fn hash(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3))
}

/// Of everything in a chunk.
pub fn chunk_hash(chunk: &Chunk) -> u64 {
    hash(&[
        &le_bytes(&chunk.heights),
        &le_bytes(&chunk.positions),
        &le_bytes(&chunk.normals),
        &le_bytes(&chunk.colors),
        &le_bytes_u32(&chunk.indices),
        &pack_instances(&chunk.instances),
        &le_bytes(&[chunk.stats.mean_height, chunk.stats.mean_slope, chunk.stats.water_share]),
        &le_bytes_u32(&chunk.stats.counts),
    ])
}

pub fn generator(plan: &Plan) -> Generator {
    Generator::new(plan.clone()).unwrap_or_else(|error| panic!("{error}"))
}

/// A chunk of level 0 among others.
pub fn chunk(plan: &Plan, x: i32, z: i32) -> Chunk {
    generator(plan).chunk(ChunkId::new(x, z)).unwrap_or_else(|error| panic!("{error}"))
}

/// Compares with hashes found before; `WASGO_GOLDEN=print` shows the new ones.
pub fn check(found: &[(String, u64)], golden: &[u64]) {
    if std::env::var("WASGO_GOLDEN").is_ok_and(|value| value == "print") {
        for (name, hash) in found {
            println!("    {hash:#018X}, // {name}");
        }
    }
    assert_eq!(found.len(), golden.len());
    for ((name, found), golden) in found.iter().zip(golden) {
        assert_eq!(found, golden, "{name} is {found:#018X}");
    }
}
