//! The same bytes on every machine: of files, and of what is done with scenes. A change of these numbers is a change of what
//! everybody's worlds are made of.

mod support;

use serde_json::Value;
use support::Glb;
use support::random::random_scene;
#[cfg(feature = "simplify")]
use wasgo_scene::ops::SimplifyOptions;
use wasgo_scene::ops::{self, SplitBy};
use wasgo_scene::transform::rows_from_yaw;
use wasgo_scene::{Scene, glb};

/// FNV-1a, 64 bits.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

fn all(change: impl Fn(Scene<'static>) -> Scene<'static>) -> u64 {
    let file = |number| {
        let Glb { mut json, bin } = Glb::read(&glb::write(&change(random_scene(number, true))).unwrap());
        // A new version is no other file.
        json["asset"] = Value::Null;
        [json.to_string().into_bytes(), bin].concat()
    };
    hash(&(0..16).flat_map(file).collect::<Vec<u8>>())
}

#[test]
fn files() {
    assert_eq!(all(|scene| scene), 0x3B5B_A63A_B7D6_98BA);
}

#[test]
fn read_files() {
    assert_eq!(all(|scene| glb::read(&glb::write(&scene).unwrap()).unwrap().into_owned()), 0x3B5B_A63A_B7D6_98BA);
}

#[test]
fn moved_scenes() {
    let rows = rows_from_yaw([1.0, 2.0, 3.0], 0.7, 1.5);
    assert_eq!(all(|scene| ops::transform(scene, &rows).unwrap()), 0x45C0_091F_B7E0_47DD);
}

#[test]
fn split_scenes() {
    assert_eq!(
        all(|scene| ops::split(&scene, SplitBy::Grid(4.0)).unwrap().swap_remove(0).into_owned()),
        0x143A_F166_6976_5AFF
    );
}

#[test]
fn tangents() {
    let bare = |mut scene: Scene<'static>| {
        for surface in scene.meshes.iter_mut().flat_map(|mesh| &mut mesh.surfaces) {
            surface.tangents = Vec::new().into();
            surface.morphs.iter_mut().for_each(|morph| morph.tangents = Vec::new().into());
        }
        scene
    };
    assert_eq!(all(|scene| ops::tangents(bare(scene)).unwrap()), 0x3933_5722_4028_7D84);
}

#[cfg(feature = "simplify")]
#[test]
fn simplified_scenes() {
    let options = SimplifyOptions { ratio: 0.4, ..SimplifyOptions::default() };
    assert_eq!(all(|scene| ops::simplify(scene, &options).unwrap().0), 0x1533_61EA_C820_F05D);
}

#[cfg(feature = "simplify")]
#[test]
fn lods_and_order() {
    assert_eq!(all(|scene| ops::optimize(ops::lods(scene, &[0.5], f32::MAX).unwrap()).unwrap()), 0x8C41_B9B0_C924_7149);
}
