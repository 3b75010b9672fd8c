//! The same bytes for the same plan: in debug and release builds, and on every machine that runs these tests.
//!
//! A change of these hashes is a change of every world that was made before. Set `WASGO_GOLDEN=print` to see the new ones.

use support::{check, chunk, chunk_hash, generator, hash};
use wasgo_gen::field::{Axis, Feature, Fractal, Node, NoiseKind, RiverOutput, Shape};
use wasgo_gen::{ChunkId, Neighbours, Plan, Terrain, creature, props, scene};
use wasgo_scene::{Mesh, glb};

mod support;

fn mesh_hash<'m>(meshes: impl IntoIterator<Item = &'m Mesh<'m>>) -> u64 {
    let surfaces: Vec<_> = meshes.into_iter().flat_map(|mesh| &mesh.surfaces).collect();
    let parts: Vec<&[u8]> =
        surfaces.iter().flat_map(|s| [&*s.positions, &*s.normals, &*s.colors, &*s.indices]).collect();
    hash(&parts)
}

#[test]
fn chunks_are_the_same_bytes() {
    let default = Plan::new(42);
    let mut rough = Plan::new(u64::MAX);
    (rough.chunk.size, rough.chunk.samples) = (100.3, 18);
    let mut plain = Plan::new(0);
    plain.terrain.as_mut().unwrap().water = None;
    let at = |plan: &Plan, id: ChunkId| chunk_hash(&generator(plan).chunk(id).unwrap());
    let of = |plan: &Plan, x, z| at(plan, ChunkId::new(x, z));
    let far = ChunkId { level: 3, neighbours: Neighbours([0, 1, 2, 2, 0, 0, 1, 1]), ..ChunkId::new(-3, 2) };
    let found = [
        ("default 0 0", of(&default, 0, 0)),
        ("default -1 -1", of(&default, -1, -1)),
        ("default 7 -300", of(&default, 7, -300)),
        ("default at the edge", of(&default, -16_383, 16_383)),
        ("rough -2 5", of(&rough, -2, 5)),
        ("plain 3 3", of(&plain, 3, 3)),
        ("default of level 3 among coarser", at(&default, far)),
    ];
    check(&found.map(|(name, hash)| (name.into(), hash)), &CHUNKS);
}

const CHUNKS: [u64; 7] = [
    0xDDF3_3D98_1504_DF83, // default 0 0
    0x948F_EF5F_EF52_E42B, // default -1 -1
    0x2637_FADC_A222_B61E, // default 7 -300
    0x254C_F240_83B0_2209, // default at the edge
    0xF410_1C8E_793F_36B6, // rough -2 5
    0x2804_BA53_3A9E_2EC7, // plain 3 3
    0x63E1_7706_BAD5_1534, // default of level 3 among coarser
];

/// Every kind of node, as a terrain.
fn every_node() -> Vec<(String, Plan)> {
    let noise = |kind, fractal, dimensions| {
        let octaves = if fractal == Fractal::None { 1 } else { 4 };
        Node::Noise { kind, fractal, dimensions, frequency: 0.037, octaves, lacunarity: 2.1, gain: 0.45, seed: 3 }
    };
    let mut nodes: Vec<(String, Node)> = Vec::new();
    for kind in [NoiseKind::Simplex, NoiseKind::Perlin, NoiseKind::Value, NoiseKind::White] {
        for fractal in [Fractal::None, Fractal::Fbm, Fractal::Ridged, Fractal::Billow] {
            for dimensions in [2, 3] {
                nodes.push((format!("{kind:?} {fractal:?} {dimensions}"), noise(kind, fractal, dimensions)));
            }
        }
    }
    for feature in [Feature::Distance, Feature::Border, Feature::Value] {
        for dimensions in [2, 3] {
            let node = Node::Cellular { feature, dimensions, frequency: 0.05, jitter: 0.9, seed: 1 };
            nodes.push((format!("cellular {feature:?} {dimensions}"), node));
        }
    }
    let base = || "base".to_string();
    let slope = || "x".to_string();
    let rivers = |output| Node::Rivers {
        of: "hills".into(),
        frequency: 0.03,
        width: 2.0,
        depth: 1.5,
        valley: 3.0,
        sea: None,
        springs: 1,
        output,
        seed: 2,
    };
    nodes.extend(
        [
            ("power", Node::Power { of: base(), exponent: 2.3 }),
            ("curve", Node::Curve { of: base(), points: vec![[-1.0, 2.0], [0.0, 3.0], [0.4, -1.0], [1.0, 7.0]] }),
            ("terrace", Node::Terrace { of: slope(), height: 3.0, sharpness: 0.7 }),
            ("smooth min", Node::SmoothMin { a: base(), b: slope(), radius: 0.7 }),
            ("smooth max", Node::SmoothMax { a: base(), b: slope(), radius: 0.7 }),
            ("smoothstep", Node::Smoothstep { of: base(), low: -0.3, high: 0.6 }),
            ("blend", Node::Blend { a: slope(), b: base(), by: base() }),
            ("warp", Node::Warp { of: base(), by: vec![base(), slope()], strength: 3.0 }),
            ("place", Node::Place { of: base(), scale: [2.0, 1.0, 0.3], yaw: 0.7, offset: [5.0, 0.0, -3.5] }),
            ("sphere", Node::Body { shape: Shape::Sphere { radius: 20.0 }, center: [3.0, 2.0, 9.0] }),
            ("box", Node::Body { shape: Shape::Box { half: [9.0, 3.0, 8.0], round: 1.5 }, center: [3.0, 2.0, 9.0] }),
            (
                "capsule",
                Node::Body { shape: Shape::Capsule { to: [30.0, 4.0, 9.0], radius: 5.0 }, center: [3.0, 2.0, 9.0] },
            ),
            (
                "torus",
                Node::Body {
                    shape: Shape::Torus { axis: Axis::Z, radius: 20.0, thickness: 4.0 },
                    center: [9.0, 2.0, 9.0],
                },
            ),
            (
                "erode",
                Node::Erode { of: slope(), frequency: 0.05, strength: 4.0, octaves: 5, gain: 0.5, slope: 0.4, seed: 2 },
            ),
            ("rivers", rivers(RiverOutput::Ground)),
            ("rivers' water", rivers(RiverOutput::Water)),
            ("distance of rivers", rivers(RiverOutput::Distance)),
            (
                "climate",
                Node::Climate {
                    temperature: base(),
                    moisture: base(),
                    climates: vec![[0.1, 0.3], [0.8, 0.2], [0.5, 0.9]],
                    index: 1,
                    sharpness: 7,
                },
            ),
        ]
        .map(|(name, node)| (name.to_string(), node)),
    );
    let plan = |node: Node| {
        let mut plan = Plan::empty(99);
        plan.nodes.insert("base".into(), noise(NoiseKind::Simplex, Fractal::Fbm, 2));
        plan.nodes.insert("x".into(), Node::Coordinate { axis: Axis::X });
        plan.nodes.insert("hills".into(), Node::Affine { of: "base".into(), scale: 9.0, offset: 0.0 });
        plan.nodes.insert("top".into(), node);
        plan.terrain = Some(Terrain { height: "top".into(), water: None });
        plan
    };
    nodes.into_iter().map(|(name, node)| (name, plan(node))).collect()
}

#[test]
fn fields_are_the_same_bytes() {
    let found: Vec<_> = every_node().into_iter().map(|(name, plan)| (name, chunk_hash(&chunk(&plan, 1, -1)))).collect();
    check(&found, &FIELDS);
}

const FIELDS: [u64; 56] = [
    0xC2E9_4A37_1A88_11C7, // Simplex None 2
    0x1D1A_86E3_6925_DA05, // Simplex None 3
    0x058D_DE02_3A40_D257, // Simplex Fbm 2
    0x0454_2737_4C5F_1D29, // Simplex Fbm 3
    0xDDCA_A06D_32F6_9569, // Simplex Ridged 2
    0x8530_A118_4F9C_40F3, // Simplex Ridged 3
    0xDEDC_439A_3015_77D8, // Simplex Billow 2
    0xE936_0572_4D85_80FE, // Simplex Billow 3
    0x834F_BF1C_A042_34C6, // Perlin None 2
    0x971C_76C9_7965_AC4E, // Perlin None 3
    0x2AF9_E9E8_3165_A043, // Perlin Fbm 2
    0x4F60_57A3_D547_7AD2, // Perlin Fbm 3
    0x84F5_937C_1E46_14BB, // Perlin Ridged 2
    0x86F9_1BEE_97AB_CC92, // Perlin Ridged 3
    0x9A5F_F25A_BE3D_9A4C, // Perlin Billow 2
    0x228C_9F45_D3FE_D25B, // Perlin Billow 3
    0xF453_AF09_552D_2C2F, // Value None 2
    0xF2BE_0E3A_BB8A_622D, // Value None 3
    0xA46B_352D_8FBE_2815, // Value Fbm 2
    0x3FDA_E02A_9D38_ED7D, // Value Fbm 3
    0x7E95_84D3_6683_F4C8, // Value Ridged 2
    0x2D8C_1947_2E98_3DFE, // Value Ridged 3
    0xEFB6_4694_C224_5925, // Value Billow 2
    0x0C8B_4E9A_AB0E_8B6D, // Value Billow 3
    0xB74F_8BE8_DB1C_4F1B, // White None 2
    0xFC55_F97B_BAA8_C1C0, // White None 3
    0x71AC_5BCE_4A81_E6D5, // White Fbm 2
    0x8EF1_1BEC_E731_D844, // White Fbm 3
    0xA3B8_0FE1_B18B_39CD, // White Ridged 2
    0x1EB8_B900_809B_4458, // White Ridged 3
    0xD8E4_E658_29B2_052A, // White Billow 2
    0x7F46_51A1_8589_7516, // White Billow 3
    0x4018_7EF2_93FC_3EC6, // cellular Distance 2
    0xE4FB_CFC6_241C_2A10, // cellular Distance 3
    0xA61A_E746_C080_C795, // cellular Border 2
    0xA5BC_A2D1_95A3_AF59, // cellular Border 3
    0xC1EC_C36B_AB5E_19DA, // cellular Value 2
    0x1BC7_74CA_650F_642E, // cellular Value 3
    0xFBE7_37A9_2607_8852, // power
    0x935F_4B45_FE28_A738, // curve
    0xFF88_D266_FEE0_A421, // terrace
    0x058D_DE02_3A40_D257, // smooth min
    0xE971_C1D2_401B_8660, // smooth max
    0xB8B8_4388_0A45_26CC, // smoothstep
    0xE95E_8A09_69E5_8121, // blend
    0xAF71_A77C_E6DF_DCE3, // warp
    0x6493_BAB9_A702_1AE7, // place
    0xB066_3D24_5669_937D, // sphere
    0x4888_453E_3355_B136, // box
    0xCF01_EC1C_0791_A7DC, // capsule
    0x4C31_E2A3_CD70_D281, // torus
    0xBAAE_9DF5_ABEA_DDC8, // erode
    0x0A9C_777A_636A_B370, // rivers
    0x145D_BFE8_2747_C0F1, // rivers' water
    0x73A9_C93A_3107_C4CB, // distance of rivers
    0x9FEC_14F6_1EC8_D32A, // climate
];

#[test]
fn meshes_are_the_same_bytes() {
    let of = |seed| mesh_hash(props(&Plan::new(seed)).unwrap().iter().map(|prop| prop.mesh()));
    let found = [
        ("props 42", of(42)),
        ("props max", of(u64::MAX)),
        ("creature 1", mesh_hash([&creature(1)])),
        ("creature 2", mesh_hash([&creature(2)])),
    ];
    check(&found.map(|(name, hash)| (name.into(), hash)), &MESHES);
}

const MESHES: [u64; 4] = [
    0x3C24_655E_3D47_B05C, // props 42
    0x7BDF_1421_9F91_97EC, // props max
    0xB7BA_7D0E_AD37_62BB, // creature 1
    0x4667_5FD5_40D6_610D, // creature 2
];

#[test]
fn files_are_the_same_bytes() {
    let plan = Plan::new(42);
    let (chunk, props) = (chunk(&plan, -1, 2), props(&plan).unwrap());
    let file = glb::write(&scene::of_chunk(&plan, &chunk, &chunk.instances, &props)).unwrap();
    // Without the `asset`, which holds the version of this library.
    let length = u32::from_le_bytes(file[12..16].try_into().unwrap()) as usize;
    let json = std::str::from_utf8(&file[20..20 + length]).unwrap();
    let (_, json) = json.split_once("\"scene\"").unwrap();
    check(&[("glb of -1 2".into(), hash(&[json.trim_end().as_bytes(), &file[20 + length..]]))], &FILES);
}

const FILES: [u64; 1] = [
    0xD8BF_4422_BCD9_2956, // glb of -1 2
];

#[test]
fn another_seed_is_another_world() {
    let hashes: std::collections::BTreeSet<u64> =
        (0..20).map(|seed| chunk_hash(&chunk(&Plan::new(seed), 0, 0))).collect();
    assert_eq!(hashes.len(), 20);
}
