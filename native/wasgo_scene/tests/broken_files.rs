//! Files that are not what they should be: errors with their places, and never more memory than allowed.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::Glb;
use support::random::random_scene;
use wasgo_scene::glb::{self, ReadOptions, WriteOptions};
use wasgo_scene::{Limits, validate};

/// Counts what the current thread takes.
struct Counting;

thread_local! {
    static TAKEN: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

fn note(more: usize, less: usize) {
    let _ = TAKEN.try_with(|taken| {
        let now = (taken.get().0 + more).saturating_sub(less);
        taken.set((now, taken.get().1.max(now)));
    });
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most that was taken at once during `work`, in bytes.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = TAKEN.with(|taken| {
        taken.set((taken.get().0, taken.get().0));
        taken.get().0
    });
    let result = work();
    (result, TAKEN.with(|taken| taken.get().1) - before)
}

const MEMORY: usize = 4 << 20;

fn options() -> ReadOptions<'static> {
    ReadOptions { memory: MEMORY, ..ReadOptions::default() }
}

/// Reads what may be anything: it is refused, or a sound scene; memory stays in proportion to the file and the limit.
fn read(file: &[u8]) -> Result<(), String> {
    let (result, peak) = peak(|| glb::read_with(file, &options()).map(|scene| validate(&scene, &Limits::default())));
    let allowed = MEMORY + file.len() * 256 + 65_536;
    if peak > allowed {
        return Err(format!("{peak} bytes were taken, {allowed} are allowed"));
    }
    match result {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("it was read, and is not sound: {error}")),
        Err(error) if error.to_string().is_empty() => Err("no message".into()),
        Err(_) => Ok(()),
    }
}

fn file(number: u64) -> Vec<u8> {
    glb::write_with(&random_scene(number, true), &WriteOptions { instancing: number.is_multiple_of(2) }).unwrap()
}

/// The file with its JSON changed.
fn changed(file: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let glb = Glb::read(file);
    let mut json = glb.json;
    change(&mut json);
    packed(&json, &glb.bin)
}

fn packed(json: &Value, bin: &[u8]) -> Vec<u8> {
    let mut text = json.to_string().into_bytes();
    text.resize(text.len().next_multiple_of(4), b' ');
    let total = 12 + 8 + text.len() + if bin.is_empty() { 0 } else { 8 + bin.len() };
    let mut file = b"glTF\x02\0\0\0".to_vec();
    file.extend((total as u32).to_le_bytes());
    file.extend((text.len() as u32).to_le_bytes());
    file.extend(b"JSON");
    file.extend(text);
    if !bin.is_empty() {
        file.extend((bin.len() as u32).to_le_bytes());
        file.extend(b"BIN\0");
        file.extend(bin);
    }
    file
}

/// Puts another value in the place of the one that `left` counts down to.
fn replace(json: &mut Value, left: &mut usize, other: &Value) {
    if *left == 0 {
        *json = other.clone();
    }
    *left = left.wrapping_sub(1);
    match json {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, left, other)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, left, other)),
        _ => {}
    }
}

fn count(json: &Value) -> usize {
    1 + match json {
        Value::Array(items) => items.iter().map(count).sum::<usize>(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!([])),
        Just(json!({})),
        Just(json!("x")),
        Just(json!(-1)),
        Just(json!(0)),
        Just(json!(1.5)),
        Just(json!(1e30)),
        Just(json!(u32::MAX)),
        Just(json!(1_000_000_000)),
        Just(json!(u64::MAX)),
        Just(json!(i64::MAX)),
        Just(json!([0, 0, 0])),
        Just(json!({"KHR_x": {"index": 1}})),
        (0u64..64).prop_map(|small| json!(small)),
        Just(json!(5121)),
        Just(json!(5126)),
        Just(json!("data:application/octet-stream;base64,AAAA")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn flipped_bits_are_refused_or_make_a_sound_scene(
        number in 0u64..8,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..6),
    ) {
        let mut file = file(number);
        for (place, bit) in flips {
            let place = place.index(file.len());
            file[place] ^= 1 << bit;
        }
        read(&file).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn a_file_that_ends_early_is_refused(number in 0u64..8, end in any::<prop::sample::Index>()) {
        let file = file(number);
        let end = end.index(file.len());
        prop_assert!(glb::read(&file[..end]).is_err());
    }

    #[test]
    fn other_values_in_the_json_are_refused_or_make_a_sound_scene(
        number in 0u64..8,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any_value()), 1..4),
    ) {
        let file = changed(&file(number), |json| {
            for (place, value) in &edits {
                let mut place = place.index(count(json));
                replace(json, &mut place, value);
            }
        });
        read(&file).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(glb::read(&bytes).is_err());
    }
}

type Change<'c> = &'c dyn Fn(&mut Value);

/// What the error of a changed file says.
fn refused(change: impl FnOnce(&mut Value)) -> String {
    let file = changed(&glb::write(&support::scene()).unwrap(), change);
    glb::read_with(&file, &options()).unwrap_err().to_string()
}

#[test]
fn every_fault_is_named_with_its_place() {
    let cases: [(&str, Change<'_>); 30] = [
        ("\"asset\" is missing", &|j| drop(j.as_object_mut().unwrap().remove("asset"))),
        ("/asset/version: version 1.0 of glTF, and only 2.0 is known", &|j| j["asset"]["version"] = json!("1.0")),
        ("/asset/minVersion: version 2.1", &|j| j["asset"]["minVersion"] = json!("2.1")),
        ("/meshes/0: \"primitives\" is missing", &|j| j["meshes"][0] = json!({})),
        ("/meshes/0/primitives/0/attributes/NORMAL: there is no accessor 99, the file has 4", &|j| {
            j["meshes"][0]["primitives"][0]["attributes"]["NORMAL"] = json!(99);
        }),
        ("/meshes/0/primitives/0/attributes/NORMAL: a whole number of 0 or more is expected", &|j| {
            j["meshes"][0]["primitives"][0]["attributes"]["NORMAL"] = json!(-1);
        }),
        ("/meshes/0/primitives/0/attributes/NORMAL: an accessor of VEC3 is expected", &|j| {
            j["meshes"][0]["primitives"][0]["attributes"]["NORMAL"] = json!(2);
        }),
        ("/meshes/0/primitives/0/attributes/HEAT: the attribute \"HEAT\" is not supported", &|j| {
            j["meshes"][0]["primitives"][0]["attributes"]["HEAT"] = json!(0);
        }),
        ("/meshes/0/primitives/0: a primitive of lines is not supported", &|j| {
            j["meshes"][0]["primitives"][0]["mode"] = json!(1);
        }),
        ("/meshes/0/primitives/0/material: there is no material 1, the file has 1", &|j| {
            j["meshes"][0]["primitives"][0]["material"] = json!(1);
        }),
        ("/accessors/0/count: vertices: 1000000000, at most 16777216 are allowed", &|j| {
            j["accessors"][0]["count"] = json!(1_000_000_000);
        }),
        ("/accessors/0/bufferView: 48 bytes are needed, 36 are left", &|j| j["accessors"][0]["count"] = json!(4)),
        ("bytes of decoded data: 12000000, at most 4194304 are allowed", &|j| {
            j["accessors"][0] = json!({"componentType": 5126, "type": "VEC3", "count": 1_000_000});
        }),
        ("/accessors/0/componentType: a component type is expected", &|j| {
            j["accessors"][0]["componentType"] = json!(5124);
        }),
        ("/accessors/0/type: the type MAT2 is not supported", &|j| j["accessors"][0]["type"] = json!("MAT2")),
        ("/bufferViews/0: 4096 bytes are needed", &|j| j["bufferViews"][0]["byteLength"] = json!(4096)),
        ("/accessors/0/bufferView: a view whose stride is not less than an element is expected", &|j| {
            j["bufferViews"][0]["byteStride"] = json!(4);
        }),
        ("/buffers/0: 9999 bytes are needed", &|j| j["buffers"][0]["byteLength"] = json!(9999)),
        ("/buffers/0/uri: the file \"x.bin\" beside this one is not supported", &|j| {
            j["buffers"][0]["uri"] = json!("x.bin");
        }),
        ("/buffers/0/uri: base64 is expected", &|j| j["buffers"][0]["uri"] = json!("data:;base64,!")),
        ("/extensionsRequired/0: the extension KHR_draco_mesh_compression is not supported", &|j| {
            j["extensionsRequired"] = json!(["KHR_draco_mesh_compression"]);
        }),
        ("/nodes/0/extensions/VENDOR_thing: the extension VENDOR_thing is not supported", &|j| {
            j["nodes"][0]["extensions"] = json!({"VENDOR_thing": {"node": 3}});
        }),
        ("/bufferViews/1/extensions/EXT_meshopt_compression: the extension EXT_meshopt_compression", &|j| {
            j["bufferViews"][1]["extensions"] = json!({"EXT_meshopt_compression": {}});
        }),
        ("/nodes/0/matrix: sixteen numbers is expected", &|j| j["nodes"][0]["matrix"] = json!([1])),
        ("/nodes/0/translation/1: a number is expected", &|j| j["nodes"][0]["translation"] = json!([0, "1", 2])),
        ("node 0 \"root\" is its own ancestor", &|j| {
            j["nodes"][0]["children"] = json!([0]);
            j["scenes"][0] = json!({});
        }),
        ("/scenes/0/nodes/0: there is no node 5, the file has 1", &|j| j["scenes"][0]["nodes"] = json!([5])),
        ("material 0 \"paint\": metallic is 2, allowed: 0..=1", &|j| {
            j["materials"][0]["pbrMetallicRoughness"]["metallicFactor"] = json!(2);
        }),
        ("/images/0: an image of \"image/gif\" is not supported", &|j| {
            j["images"] = json!([{"bufferView": 0, "mimeType": "image/gif"}]);
        }),
        ("/nodes/0/extras: bytes of the text of an extra: 2000, at most 1024 are allowed", &|j| {
            j["nodes"][0]["extras"] = json!({"long": "x".repeat(2000)});
        }),
    ];
    for (words, change) in cases {
        let error = refused(change);
        assert!(error.contains(words), "{error:?} does not say {words:?}");
    }
}

#[test]
fn data_that_is_out_of_order_is_named_with_its_primitive() {
    let file = glb::write(&support::scene()).unwrap();
    let glb = Glb::read(&file);
    let offset = |view: usize| glb.json["bufferViews"][view]["byteOffset"].as_u64().unwrap() as usize;
    let refused = |at: usize, bytes: &[u8]| {
        let mut bin = glb.bin.clone();
        bin[at..at + bytes.len()].copy_from_slice(bytes);
        glb::read(&packed(&glb.json, &bin)).unwrap_err().to_string()
    };
    assert_eq!(
        refused(offset(3) + 4, &7u32.to_le_bytes()),
        "/meshes/0/primitives/0: mesh \"flat\", surface 0: index 1 is 7, but there are 3 vertices"
    );
    assert_eq!(
        refused(offset(0), &f32::NAN.to_le_bytes()),
        "/meshes/0/primitives/0: mesh \"flat\", surface 0: position of vertex 0 is not finite"
    );
}

#[test]
fn the_container_is_checked_before_what_is_in_it() {
    let file = glb::write(&support::scene()).unwrap();
    let said = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut file = file.clone();
        change(&mut file);
        glb::read(&file).unwrap_err().to_string()
    };
    assert_eq!(said(&|f| f.clear()), "byte 0: it is no glTF file: it begins neither as GLB nor as JSON");
    assert_eq!(said(&|f| f[4] = 1), "byte 4: version 1 of glTF, and only 2.0 is known");
    assert!(said(&|f| f[11] = 0xFF).starts_with("byte 8: "));
    assert!(said(&|f| f[15] = 0x7F).starts_with("byte 12: "));
    assert_eq!(said(&|f| f[16] = b'X'), "byte 16: a chunk of JSON is expected");
    assert_eq!(said(&|f| f[20] = b'['), "byte 28: a comma or the end of the list is expected");
    let text = format!("{{\"asset\":{}", "[".repeat(1000));
    assert_eq!(
        glb::read(text.as_bytes()).unwrap_err().to_string(),
        "byte 105: lists and objects around a value: 97, at most 96 are allowed"
    );
    let small = ReadOptions { json_bytes: 10, ..options() };
    assert!(glb::read_with(&file, &small).unwrap_err().to_string().contains("bytes of JSON"));
}

#[test]
fn one_accessor_used_many_times_takes_no_more_memory_than_allowed() {
    let file = changed(&glb::write(&support::scene()).unwrap(), |json| {
        json["accessors"][0] = json!({"componentType": 5126, "type": "VEC3", "count": 10_000});
        json["meshes"][0]["primitives"] = json!(vec![json!({"attributes": {"POSITION": 0}}); 10_000]);
    });
    let (result, peak) = peak(|| glb::read_with(&file, &options()).map(drop));
    assert!(result.unwrap_err().to_string().contains("bytes of decoded data"));
    assert!(peak < MEMORY * 2 + file.len() * 256, "{peak}");
}

#[test]
fn files_beside_the_file_are_handed_out_by_whom_knows_them() {
    let file = glb::write(&support::scene()).unwrap();
    let Glb { mut json, bin } = Glb::read(&file);
    json["buffers"][0]["uri"] = json!("x.bin");
    let folder = [("x.bin", bin)];
    let resolver = |uri: &str| folder.iter().find(|(name, _)| *name == uri).map(|(_, bytes)| bytes.clone());
    let text = json.to_string();
    let read = glb::read_with(text.as_bytes(), &ReadOptions { resolver: Some(&resolver), ..options() }).unwrap();
    assert_eq!(glb::write(&read).unwrap(), file);
    let small = ReadOptions { resolver: Some(&resolver), memory: 10, ..options() };
    assert!(glb::read_with(text.as_bytes(), &small).is_err());
}
