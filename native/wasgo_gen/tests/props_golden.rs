//! The same props for the same parameters and seed: in debug and release builds, and on every machine that runs these tests.
//!
//! A change of these hashes is a change of what worlds look like. Set `WASGO_GOLDEN=print` to see the new ones.

mod props_common;

use props_common::{Fnv, check, hash};
use wasgo_gen::props::{
    CrystalSpec, FenceKind, FenceSpec, FernSpec, GrassKind, GrassSpec, LogSpec, MushroomKind, MushroomSpec, PropSpec,
    RockKind, RockSpec, Species, Style, TreeSpec, Variation, bark_texture, fence, impostor, leaf_texture, model, tree,
};

#[test]
fn trees_are_the_same_bytes() {
    let mut found = Vec::new();
    for species in Species::ALL {
        for style in [Style::Leafy, Style::LowPoly] {
            let spec = TreeSpec { style, ..TreeSpec::new(species) };
            found.push((format!("{} {style:?}", species.name()), hash(&tree(&spec, 42).unwrap())));
        }
    }
    let extreme = TreeSpec {
        height: Some(37.5),
        spread: 1.7,
        fullness: 1.9,
        gnarl: 2.5,
        triangles: Some(17_001),
        ..TreeSpec::new(Species::Willow)
    };
    found.push(("extreme willow".into(), hash(&tree(&extreme, u64::MAX).unwrap())));
    check(&found, &TREES);
}

const TREES: [u64; 29] = [
    0x0C7E_9D83_625A_3DE7, // oak Leafy
    0x6018_A4F1_D55D_6BB7, // oak LowPoly
    0xDA6F_8D3C_23A0_EEFE, // birch Leafy
    0x75AB_6C1A_9300_6370, // birch LowPoly
    0xFFBA_2FDA_08BE_40C4, // spruce Leafy
    0x3EF5_601D_D98C_E301, // spruce LowPoly
    0xE490_9BE0_6AE6_BCB8, // pine Leafy
    0xEF15_3C8C_9A79_A125, // pine LowPoly
    0x29AB_CE6C_D3A3_EA98, // willow Leafy
    0x6DFB_B626_082A_5D6C, // willow LowPoly
    0xE21A_F19D_750D_DEE2, // palm Leafy
    0xDB95_FC95_9B9E_5A0D, // palm LowPoly
    0xF5A8_80E1_8F3E_F8AC, // acacia Leafy
    0xF056_FCEC_C255_17F7, // acacia LowPoly
    0x1E7B_6F96_1908_7018, // dead Leafy
    0x3AC3_E83A_636A_FAA1, // dead LowPoly
    0xA1A9_C429_26CA_24DC, // poplar Leafy
    0xACD8_19A4_95D7_D64E, // poplar LowPoly
    0x4EE9_6192_5EB1_9FF4, // cherry Leafy
    0xE4BF_6EDC_32F8_7BC3, // cherry LowPoly
    0x9C71_B73B_6CB2_B884, // maple Leafy
    0x9A00_400E_1FC3_F6C7, // maple LowPoly
    0x01A0_C76D_05AA_7673, // shrub Leafy
    0x31AD_3F1F_1597_8B0B, // shrub LowPoly
    0xD0E2_3FC8_1A7E_7DDA, // rose Leafy
    0x1768_8E3D_345B_B7CC, // rose LowPoly
    0xC5DB_7F45_A44B_E59A, // juniper Leafy
    0x2C0B_6850_A291_C1DE, // juniper LowPoly
    0x21F0_F6E7_46BD_FECE, // extreme willow
];

#[test]
fn other_props_are_the_same_bytes() {
    let mut specs = vec![
        ("crystals".to_owned(), PropSpec::Crystals(CrystalSpec::default())),
        ("fern".to_owned(), PropSpec::Fern(FernSpec::default())),
        ("log".to_owned(), PropSpec::Log(LogSpec::default())),
        ("stump".to_owned(), PropSpec::Stump(LogSpec::stump())),
    ];
    specs.extend(RockKind::ALL.map(|kind| (format!("{kind:?}"), PropSpec::Rock(RockSpec::new(kind)))));
    specs.extend(GrassKind::ALL.map(|kind| (format!("{kind:?}"), PropSpec::Grass(GrassSpec::new(kind)))));
    let mushrooms = |kind| PropSpec::Mushrooms(MushroomSpec { kind, ..MushroomSpec::default() });
    specs.extend(MushroomKind::ALL.map(|kind| (format!("{kind:?}"), mushrooms(kind))));
    let mut found: Vec<_> = specs.into_iter().map(|(name, spec)| (name, hash(&model(&spec, 42).unwrap()))).collect();
    let line = [[-3.0, 0.0, 1.0], [0.5, 0.5, -0.5], [3.0, 0.2, 1.5]];
    found.extend(
        FenceKind::ALL.map(|kind| (format!("{kind:?}"), hash(&fence(&line, &FenceSpec::new(kind), 42).unwrap()))),
    );
    check(&found, &OTHERS);
}

const OTHERS: [u64; 24] = [
    0x9B45_750A_58F8_8ADF, // crystals
    0xED9E_04DC_4E2C_4270, // fern
    0x1D5B_B190_D163_4D70, // log
    0xCDA4_F470_7F46_3639, // stump
    0x48DF_5EAD_F38A_4E9B, // Boulder
    0x23EC_3880_5E35_E9B4, // Slab
    0x5D42_F63C_5470_C281, // Outcrop
    0x7FDB_DE65_D24B_5F7E, // Pebbles
    0x99FA_AE31_2EAD_1B15, // Cliff
    0x2A21_02A2_C8B9_C928, // Standing
    0xA451_1AA9_57D4_B42D, // Meadow
    0x6DDC_C041_8705_4D41, // Tall
    0xBC25_5E80_5F2B_2451, // Dry
    0xA6EA_02AC_679E_A3AC, // Reed
    0xF012_19F4_3E0B_A528, // Daisy
    0x2C98_9339_AD30_DEB7, // Poppy
    0x0142_32CF_1AC6_0B84, // Lavender
    0x6BFE_4E7A_9196_0285, // Toadstool
    0x2075_67D0_41F3_695D, // Bolete
    0x1F18_0FFB_ED28_3342, // Chanterelle
    0xBC96_8617_9A3A_688B, // Rails
    0x1DBE_0950_60D1_93AA, // Pickets
    0x1477_3A02_365F_8715, // Palisade
    0xDB46_8378_A98C_CE2E, // DryStone
];

#[test]
fn pictures_and_variations_are_the_same_bytes() {
    let pixels = |image: wasgo_gen::props::Image| {
        let mut fnv = Fnv::default();
        fnv.bytes(&image.pixels);
        fnv.0
    };
    let model = tree(&TreeSpec::new(Species::Maple), 42).unwrap();
    let varied = Variation::default().choose(model.bounds, 42).unwrap();
    let mut meshes = Fnv::default();
    model.lods[1].parts.iter().for_each(|part| meshes.mesh(&varied.mesh(&part.mesh)));
    let found = [
        ("impostor".to_owned(), pixels(impostor(&model, 64).unwrap())),
        ("leaf".to_owned(), pixels(leaf_texture(Species::Oak, 42, 64).unwrap())),
        ("needles".to_owned(), pixels(leaf_texture(Species::Spruce, 42, 64).unwrap())),
        ("oak bark".to_owned(), pixels(bark_texture(Species::Oak, 42, 64).unwrap())),
        ("birch bark".to_owned(), pixels(bark_texture(Species::Birch, 42, 64).unwrap())),
        ("palm bark".to_owned(), pixels(bark_texture(Species::Palm, 42, 64).unwrap())),
        ("variation".to_owned(), meshes.0),
    ];
    check(&found, &PICTURES);
}

const PICTURES: [u64; 7] = [
    0xFCD7_BDCB_7224_FC6B, // impostor
    0x1655_448C_4937_1829, // leaf
    0x44E0_80FA_83B1_3DA6, // needles
    0x9B98_162A_6FE6_E711, // oak bark
    0xFF6A_82FE_8569_FF08, // birch bark
    0xF7F7_998B_A86A_C8B9, // palm bark
    0x11F9_7ED9_60DF_7A16, // variation
];
