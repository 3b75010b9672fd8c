//! The same buildings, dungeons and settlements for the same seed: in debug and release builds, and on every machine that
//! runs these tests.
//!
//! A change of these hashes is a change of every world that was made before. Set `WASGO_GOLDEN=print` to see the new ones.

use wasgo_gen::built::{
    Area, BuildingSpec, Footprint, Ground, Preset, SettlementRule, Settlements, Surface, TileGrid, TileLook, building,
    dungeon, dungeon_tiles, interior, interior_tiles, tile_scene,
};
use wasgo_gen::noise::simplex2;

mod support;

/// FNV-1a, 64 bits.
struct Hash(u64);

impl Hash {
    fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3);
        }
    }

    fn floats(&mut self, values: &[f32]) {
        values.iter().for_each(|value| self.bytes(&value.to_le_bytes()));
    }

    fn doubles(&mut self, values: &[f64]) {
        values.iter().for_each(|value| self.bytes(&value.to_le_bytes()));
    }

    fn words(&mut self, values: &[u32]) {
        values.iter().for_each(|value| self.bytes(&value.to_le_bytes()));
    }

    fn surfaces(&mut self, surfaces: &[Surface]) {
        for Surface { material, mesh } in surfaces {
            self.bytes(material.name().as_bytes());
            self.floats(mesh.positions.as_flattened());
            self.floats(mesh.normals.as_flattened());
            self.floats(mesh.colors.as_flattened());
            self.floats(mesh.uvs.as_flattened());
            self.words(&mesh.indices);
        }
    }
}

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

fn building_hash(preset: Preset) -> u64 {
    let mut hash = Hash::new();
    for (footprint, seed) in [(preset.footprint(), 1), (preset.footprint(), u64::MAX)] {
        let built = building(&BuildingSpec::new(preset, footprint), seed).unwrap();
        built.lods.iter().for_each(|lod| hash.surfaces(&lod.surfaces));
        for collider in &built.colliders {
            hash.floats(&collider.center);
            hash.floats(&collider.half);
        }
        for door in &built.entrances {
            hash.floats(&door.position);
            hash.floats(&door.outward);
        }
    }
    hash.0
}

fn dungeon_hash(width: u32, depth: u32, seed: u64) -> u64 {
    let mut hash = Hash::new();
    let set = dungeon_tiles();
    let tiles = dungeon(&set, &TileGrid::new(width, depth), seed).unwrap();
    tiles.cells.iter().for_each(|placed| hash.words(&[placed.tile, placed.turn]));
    let scene = tile_scene(&set, &tiles, &TileLook::default(), seed).unwrap();
    hash.surfaces(&scene.surfaces);
    scene.lights.iter().for_each(|light| hash.floats(&light.position));
    hash.0
}

fn interior_hash(seed: u64) -> u64 {
    let mut hash = Hash::new();
    let outline = Footprint::L { width: 16.0, depth: 14.0, wing: 7.0, reach: 6.0 }.corners().unwrap();
    let rooms = interior(&outline, &[], 1.4, seed).unwrap();
    rooms.tiles.cells.iter().for_each(|placed| hash.words(&[placed.tile, placed.turn]));
    let scene = tile_scene(&interior_tiles(), &rooms.tiles, &TileLook::house(rooms.cell), seed).unwrap();
    hash.surfaces(&scene.surfaces);
    hash.0
}

fn settlement_hash(seed: u64) -> u64 {
    let mut hash = Hash::new();
    let it = Settlements::new(rule(), seed).unwrap();
    let area = Area { min: [-1000.0, -1000.0], max: [1000.0, 1000.0] };
    let region = it.region(&Hills, area).unwrap();
    for layout in &region.layouts {
        hash.doubles(&layout.site.position);
        for lot in &layout.lots {
            hash.doubles(&lot.position);
            hash.floats(&[lot.yaw]);
            hash.bytes(&lot.seed.to_le_bytes());
            hash.bytes(lot.preset.name().as_bytes());
        }
        for prop in &layout.props {
            hash.doubles(&prop.position);
            hash.floats(&[prop.yaw, prop.scale]);
        }
    }
    for road in region.layouts.iter().flat_map(|layout| &layout.streets).chain(&region.roads) {
        for point in &road.points {
            hash.doubles(&[point.x, point.z]);
            hash.floats(&[point.height]);
        }
    }
    let shaping = region.shaping(area);
    for at in 0..10_000 {
        let (x, z) = (f64::from(at % 100) * 20.0 - 999.0, f64::from(at / 100) * 20.0 - 999.0);
        let shaped = shaping.shape(x, z, 5.0);
        hash.floats(&[shaped.height, shaped.road_weight, shaped.pad_weight]);
    }
    hash.0
}

/// Everything that is compared, by name.
pub fn found() -> Vec<(String, u64)> {
    let mut found: Vec<(String, u64)> =
        Preset::ALL.into_iter().map(|preset| (preset.name().to_owned(), building_hash(preset))).collect();
    found.push(("dungeon 16 16".into(), dungeon_hash(16, 16, 3)));
    found.push(("dungeon 24 9".into(), dungeon_hash(24, 9, u64::MAX)));
    found.push(("interior".into(), interior_hash(4)));
    found.push(("settlements 1".into(), settlement_hash(1)));
    found.push(("settlements max".into(), settlement_hash(u64::MAX)));
    found
}

#[test]
fn what_is_built_is_the_same_bytes() {
    support::check(&found(), &GOLDEN);
}

const GOLDEN: [u64; 15] = [
    0x9A8A_9522_DA5D_2243, // cottage
    0xD192_6A92_3C0E_613C, // townhouse
    0xB17C_0E72_9F66_C0AD, // farmhouse
    0xB72E_FA92_D21C_58AF, // barn
    0x852B_461B_E325_0D03, // tower
    0x4CE6_4623_AE61_6817, // church
    0xD1B1_565B_7B10_65B6, // hall
    0x7564_3E2C_5ED0_E38C, // shop
    0x71FA_5752_3A28_575B, // castle_wall
    0x8187_0994_92D3_8E41, // gatehouse
    0x5802_E98D_54F6_4266, // dungeon 16 16
    0xE7E9_46D3_937D_0AC0, // dungeon 24 9
    0x0423_E6D6_E3BE_68F0, // interior
    0x8F0C_C323_4732_F2A6, // settlements 1
    0xA9BC_B966_B158_2657, // settlements max
];
