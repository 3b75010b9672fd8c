//! The same bytes for the same plan: in debug and release builds, and on every machine that runs these tests.
//!
//! A change of these hashes is a change of every world that was made before. Set `WASGO_GOLDEN=print` to see the new ones.

use wasgo_gen::{Chunk, Plan, chunk, creature, le_bytes, le_bytes_u32, pack_instances, props, scene};
use wasgo_scene::{Mesh, glb};

/// FNV-1a, 64 bits.
fn hash(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3))
}

fn chunk_hash(chunk: &Chunk) -> u64 {
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

fn mesh_hash<'m>(meshes: impl IntoIterator<Item = &'m Mesh<'m>>) -> u64 {
    let surfaces: Vec<_> = meshes.into_iter().flat_map(|mesh| &mesh.surfaces).collect();
    let parts: Vec<&[u8]> =
        surfaces.iter().flat_map(|s| [&*s.positions, &*s.normals, &*s.colors, &*s.indices]).collect();
    hash(&parts)
}

fn check(found: &[(&str, u64)], golden: &[u64]) {
    if std::env::var("WASGO_GOLDEN").is_ok_and(|value| value == "print") {
        for (name, hash) in found {
            println!("{hash:#018X}, // {name}");
        }
    }
    assert_eq!(found.len(), golden.len());
    for ((name, found), golden) in found.iter().zip(golden) {
        assert_eq!(found, golden, "{name} is {found:#018X}");
    }
}

#[test]
fn chunks_are_the_same_bytes() {
    let default = Plan::new(42);
    let mut rough = Plan::new(u64::MAX);
    rough.chunk_size = 100.3;
    rough.samples = 18;
    rough.terrain.octaves = 12;
    rough.terrain.frequency = 0.013;
    rough.terrain.lacunarity = 1.9;
    rough.terrain.ridge = 0.8;
    let mut plain = Plan::new(0);
    plain.terrain.ridge = 0.0;
    plain.terrain.warp = 0.0;
    plain.terrain.water_level = None;
    let of = |plan: &Plan, x, z| chunk_hash(&chunk(plan, x, z).unwrap());
    let found = [
        ("default 0 0", of(&default, 0, 0)),
        ("default -1 -1", of(&default, -1, -1)),
        ("default 7 -300", of(&default, 7, -300)),
        ("default at the edge", of(&default, -16_383, 16_383)),
        ("rough -2 5", of(&rough, -2, 5)),
        ("plain 3 3", of(&plain, 3, 3)),
    ];
    check(&found, &CHUNKS);
}

const CHUNKS: [u64; 6] = [
    0xFC40_7E95_0634_588A,
    0x46FB_B21D_57BD_40C5,
    0x1559_07B8_F0F8_BAC3,
    0x13EA_0C80_49D2_8582,
    0xECAC_1D75_D0BD_5ECA,
    0xDDC6_3866_CE9F_D725,
];

#[test]
fn meshes_are_the_same_bytes() {
    let of = |seed| mesh_hash(props(&Plan::new(seed)).unwrap().iter().map(|prop| &prop.mesh));
    let found = [
        ("props 42", of(42)),
        ("props max", of(u64::MAX)),
        ("creature 1", mesh_hash([&creature(1)])),
        ("creature 2", mesh_hash([&creature(2)])),
    ];
    check(&found, &MESHES);
}

const MESHES: [u64; 4] = [0x452A_8A98_86DF_1FF8, 0xB5AD_D7EA_3DA5_F434, 0xB7BA_7D0E_AD37_62BB, 0x4667_5FD5_40D6_610D];

#[test]
fn files_are_the_same_bytes() {
    let plan = Plan::new(42);
    let (chunk, props) = (chunk(&plan, -1, 2).unwrap(), props(&plan).unwrap());
    let file = glb::write(&scene::of_chunk(&plan, &chunk, &chunk.instances, &props)).unwrap();
    // Without the `asset`, which holds the version of this library.
    let length = u32::from_le_bytes(file[12..16].try_into().unwrap()) as usize;
    let json = std::str::from_utf8(&file[20..20 + length]).unwrap();
    let (_, json) = json.split_once("\"scene\"").unwrap();
    check(&[("glb of -1 2", hash(&[json.trim_end().as_bytes(), &file[20 + length..]]))], &FILES);
}

const FILES: [u64; 1] = [0x3315_89D6_866C_347D];

#[test]
fn another_seed_is_another_world() {
    let hashes: std::collections::BTreeSet<u64> =
        (0..20).map(|seed| chunk_hash(&chunk(&Plan::new(seed), 0, 0).unwrap())).collect();
    assert_eq!(hashes.len(), 20);
}
