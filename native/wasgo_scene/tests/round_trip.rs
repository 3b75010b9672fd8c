//! What is written and read is what it was.

mod support;

use proptest::prelude::*;
use support::random::random_scene;
use wasgo_scene::glb::{self, WriteOptions};
use wasgo_scene::{Limits, validate};

/// Where two texts of things begin to differ.
fn difference(one: &str, other: &str) -> String {
    let at = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let around = |text: &str| {
        let bytes = text.as_bytes();
        String::from_utf8_lossy(&bytes[at.saturating_sub(200)..(at + 200).min(bytes.len())]).into_owned()
    };
    format!("written: {}\n\nread: {}", around(one), around(other))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_scene_of_everything_is_read_as_it_was_written(number in any::<u64>()) {
        let scene = random_scene(number, true);
        let file = glb::write_with(&scene, &WriteOptions { instancing: true }).unwrap();
        let read = glb::read(&file).unwrap();
        if read != scene {
            prop_assert!(false, "{}", difference(&format!("{scene:?}"), &format!("{read:?}")));
        }
        prop_assert_eq!(glb::write_with(&read, &WriteOptions { instancing: true }).unwrap(), file);
    }

    #[test]
    fn instances_as_nodes_are_as_many_nodes(number in any::<u64>()) {
        let scene = random_scene(number, true);
        let counts = validate(&scene, &Limits::default()).unwrap();
        let file = glb::write(&scene).unwrap();
        let read = validate(&glb::read(&file).unwrap(), &Limits::default()).unwrap();
        prop_assert_eq!(read.nodes, counts.nodes + scene.instances.len() + counts.instances);
        prop_assert_eq!((read.meshes, read.surfaces), (counts.meshes, counts.surfaces));
        prop_assert_eq!((read.vertices, read.triangles), (counts.vertices, counts.triangles));
        prop_assert_eq!(glb::write(&glb::read(&file).unwrap()).unwrap(), file);
    }
}
