//! The same bytes for the same plan with props: in debug and release builds, and on every machine that runs these tests.
//!
//! A change of these hashes is a change of worlds that were made before. Set `WASGO_GOLDEN=print` to see the new ones.

use props_common::check;
use props_common::plans::{rule, wood};
use support::{chunk_hash, generator};
use wasgo_gen::props::{MushroomKind, MushroomSpec, PropSpec, Species, Style, TreeSpec, Variation};
use wasgo_gen::{ChunkId, Plan, ScatterRule, props};

mod props_common;
mod support;

fn prop_hash(prop: &wasgo_gen::Prop) -> u64 {
    let mut parts: Vec<Vec<u8>> = vec![prop.name.clone().into_bytes(), format!("{:?}", prop.colliders).into_bytes()];
    for lod in &prop.lods {
        parts.push(lod.error.to_le_bytes().to_vec());
        for s in &lod.mesh.surfaces {
            parts.extend([&s.positions, &s.normals, &s.colors, &s.uvs, &s.uvs2, &s.indices].map(|b| b.to_vec()));
        }
    }
    support::hash(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

#[test]
fn plans_with_props_are_the_same_bytes() {
    let plan = wood(42);
    let generator = generator(&plan);
    let mut found: Vec<(String, u64)> =
        props(&plan).unwrap().iter().map(|prop| (prop.name.clone(), prop_hash(prop))).collect();
    for level in [0, 3] {
        let chunk = generator.chunk(ChunkId { level, ..ChunkId::new(-1, 2) }).unwrap();
        found.push((format!("chunk of level {level}"), chunk_hash(&chunk)));
    }
    let style = TreeSpec { style: Style::LowPoly, ..TreeSpec::new(Species::Birch) };
    let low = Plan { scatter: vec![rule(PropSpec::Tree(style), 1, 9.0)], ..Plan::flat(1, 0.0) };
    let low = Plan { scatter: vec![ScatterRule { level: 0, ..low.scatter[0].clone() }], ..low };
    found.push(("low-poly birch".into(), prop_hash(&props(&low).unwrap()[0])));
    let spec = PropSpec::Mushrooms(MushroomSpec { kind: MushroomKind::Bolete, ..MushroomSpec::default() });
    let varied = ScatterRule { variation: Some(Variation::default()), level: 0, ..rule(spec, 1, 9.0) };
    found.push(("varied boletes".into(), prop_hash(&props(&Plan { scatter: vec![varied], ..low }).unwrap()[0])));
    check(&found, &GOLDEN);
}

const GOLDEN: [u64; 12] = [
    0x982A_76A9_85F0_BB70, // tree_oak_0
    0xE551_3D9D_6C2B_7C14, // tree_oak_1
    0xEDAD_2F01_A8E2_B3A1, // rock_slab_0
    0xF3A3_A141_53F4_3FCD, // rock_slab_1
    0xD260_D849_C723_3030, // rock_slab_2
    0x5DDD_2201_C282_7FFE, // bush_0
    0xF9FB_076F_F598_B6DE, // grass_reed_0
    0x466E_DE31_9C24_0A74, // tree_oak_2
    0x7BE0_F18F_B913_8827, // chunk of level 0
    0xC86E_F9C7_1FAB_3216, // chunk of level 3
    0x117E_E73D_567A_44E1, // low-poly birch
    0x8D4C_EA1A_C006_2F5D, // varied boletes
];
