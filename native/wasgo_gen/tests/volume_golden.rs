//! The same bytes for the same densities: in debug and release builds, and on every machine that runs these tests.
//!
//! A change of these hashes is a change of every world that was made before. Set `WASGO_GOLDEN=print` to see the new ones.

mod volume_world;

use support::chunk;
use volume_world::{World, densities};
use wasgo_gen::volume::{Collider, VolumeMesh, collider, heightfield_collider};
use wasgo_gen::{Plan, le_bytes, le_bytes_u32};

mod support;

const START: u64 = 0xCBF2_9CE4_8422_2325;

/// FNV-1a, 64 bits.
fn hash(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3))
}

fn mesh_hash(start: u64, out: &VolumeMesh) -> u64 {
    let lattice: Vec<u32> = out.lattice.as_flattened().iter().map(|at| *at as u32).collect();
    let stats = [out.stats.solid, out.stats.seam_triangles as f32];
    [
        le_bytes(out.mesh.positions.as_flattened()),
        le_bytes(out.mesh.normals.as_flattened()),
        le_bytes_u32(&out.mesh.indices),
        le_bytes_u32(&lattice),
        le_bytes(&stats),
    ]
    .iter()
    .fold(start, |start, bytes| hash(start, bytes))
}

fn check(found: &[(String, u64)], golden: &[u64]) {
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
fn meshes_of_all_levels_are_the_same_bytes() {
    let mut found = Vec::new();
    for (name, world) in [("steep", World::steep(8, 4, 2, 5)), ("random", World::random(8, 2, 5))] {
        for (density_name, density) in densities(world.side(), 3 << (world.depth - 1), 42) {
            let meshes = world.leaves.iter().map(|leaf| world.mesh(*leaf, &density));
            let hash = meshes.fold(START, |start, mesh| mesh_hash(start, &mesh));
            found.push((format!("{density_name}, {name}"), hash));
        }
    }
    check(&found, &MESHES);
}

const MESHES: [u64; 12] = [
    0x6A79_6929_D584_4E2B, // hills and caves, steep
    0x80E4_08A3_FCF1_435C, // rough, steep
    0xA8E5_7A68_F388_FC2C, // ball, steep
    0x2F91_204E_C44C_9798, // sheet thinner than a cell, steep
    0x46B1_E14C_F9DA_804B, // tunnels, steep
    0xAFC7_1AD3_F3E9_0885, // checkers, steep
    0xDE6A_A1DF_C2F5_A885, // hills and caves, random
    0xF724_C832_13B0_A53D, // rough, random
    0x8C57_2AB2_5D48_1950, // ball, random
    0x9A18_C0B5_CD0C_DE60, // sheet thinner than a cell, random
    0x7CBF_3C20_E51D_587B, // tunnels, random
    0xBA7B_F101_4D46_4828, // checkers, random
];

#[test]
fn colliders_are_the_same_bytes() {
    let of = |out: &Collider| {
        let start = hash(START, &le_bytes(out.positions.as_flattened()));
        hash(hash(start, &le_bytes_u32(&out.indices)), &le_bytes(&[out.error]))
    };
    let world = World::random(16, 1, 3);
    let leaf = *world.leaves.first().unwrap();
    let mut found = Vec::new();
    for (name, density) in densities(world.side(), 2, 9) {
        found.push((name.to_owned(), of(&collider(&world.mesh(leaf, &density).mesh, 0.2).unwrap())));
    }
    let ground = chunk(&Plan::new(42), 3, 3);
    found.push(("height field".into(), of(&heightfield_collider(&ground.heights, 65, 1.0, 0.2).unwrap())));
    check(&found, &COLLIDERS);
}

const COLLIDERS: [u64; 7] = [
    0x3726_0F8E_F140_2863, // hills and caves
    0xEDB2_3825_BF57_AF37, // rough
    0xCF71_E13F_B820_7304, // ball
    0x7098_50CE_8BD8_F9E3, // sheet thinner than a cell
    0xA4A8_ECB3_6BE8_CC7D, // tunnels
    0x3845_8BF6_03AF_C5A2, // checkers
    0xD093_3660_53E0_6A8E, // height field
];
