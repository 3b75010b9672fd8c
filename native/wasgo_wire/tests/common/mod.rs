//! The engine's own samples, and how their tagged values compare to decoded ones.

use std::fs;

use serde_json::Value as Json;
use wasgo_wire::variant::{Array, Dictionary, ElementType, Limits, NodePath, Type, Value};

/// Deep enough for every sample.
pub const LIMITS: Limits = Limits::new(128, 1 << 20);

pub fn fixture() -> Json {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test/fixtures/godot_variants.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

pub fn samples(kind: &str) -> Vec<Json> {
    fixture()[kind].as_array().unwrap().clone()
}

pub fn name(sample: &Json) -> &str {
    sample["name"].as_str().unwrap()
}

pub fn bytes(sample: &Json) -> Vec<u8> {
    let hex = sample["hex"].as_str().unwrap().as_bytes();
    hex.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// A number, or the name of one that JSON has not.
pub fn float(json: &Json) -> f64 {
    match json.as_str() {
        Some("nan") => f64::NAN,
        Some("inf") => f64::INFINITY,
        Some("-inf") => f64::NEG_INFINITY,
        Some("-0.0") => -0.0,
        _ => json.as_f64().unwrap(),
    }
}

/// Panics unless `value` is what the engine says it decoded.
pub fn assert_same(value: &Value, tagged: &Json, sample: &str) {
    let ty = match tagged["t"].as_str().unwrap() {
        "..." => return, // The sample's writer stopped at this depth.
        ty => Type::from_name(ty).unwrap(),
    };
    match value {
        Value::Nil => assert_eq!(ty, Type::Nil, "{sample}"),
        Value::Bool(value) => assert_eq!((ty, *value), (Type::Bool, tagged["v"].as_bool().unwrap()), "{sample}"),
        Value::Int(value) => assert_eq!((ty, *value), (Type::Int, tagged["v"].as_i64().unwrap()), "{sample}"),
        Value::Float(value) => {
            assert_eq!((ty, value.to_bits()), (Type::Float, float(&tagged["v"]).to_bits()), "{sample}");
        }
        Value::String(value) => assert_eq!((ty, value.as_str()), (Type::String, text(&tagged["v"])), "{sample}"),
        Value::StringName(value) => {
            assert_eq!((ty, value.as_str()), (Type::StringName, text(&tagged["v"])), "{sample}");
        }
        Value::Floats(found, components) => {
            assert_eq!(*found, ty, "{sample}");
            assert_bits(components, &numbers(tagged), sample);
        }
        Value::Ints(found, components) => {
            let expected: Vec<i32> = numbers(tagged).into_iter().map(|number| number as i32).collect();
            assert_eq!((*found, &components[..]), (ty, &expected[..]), "{sample}");
        }
        Value::NodePath(path) => {
            assert_eq!((ty, shown(path).as_str()), (Type::NodePath, text(&tagged["v"])), "{sample}")
        }
        Value::Rid(id) => assert_eq!((ty, *id), (Type::Rid, tagged["id"].as_u64().unwrap()), "{sample}"),
        Value::Object(_) => assert_eq!((ty, text(&tagged["class"])), (Type::Object, "EncodedObjectAsID"), "{sample}"),
        Value::Callable => assert_eq!((ty, &tagged["null"]), (Type::Callable, &Json::Bool(true)), "{sample}"),
        Value::Signal(name, object) => {
            assert_eq!((ty, &name[..]), (Type::Signal, text(&tagged["name"])), "{sample}");
            assert_eq!(*object == 0, tagged["null"].as_bool().unwrap(), "{sample}");
        }
        Value::Array(array) => assert_same_array(array, ty, tagged, sample),
        Value::Dictionary(dictionary) => assert_same_dictionary(dictionary, ty, tagged, sample),
        Value::Packed(found, data) => {
            assert_eq!((*found, data), (ty, &raw(ty, &tagged["v"])), "{sample}")
        }
        Value::PackedStrings(strings) => {
            let expected: Vec<&str> = items(&tagged["v"]).iter().map(text).collect();
            assert_eq!((ty, strings), (Type::PackedStringArray, &expected.iter().map(|s| s.to_string()).collect()));
        }
    }
}

fn assert_same_array(array: &Array, ty: Type, tagged: &Json, sample: &str) {
    assert_eq!(ty, Type::Array, "{sample}");
    assert_element(&array.element, &tagged["elem_type"], &tagged["elem_class"], sample);
    let expected = items(&tagged["items"]);
    assert_eq!(array.values.len(), expected.len(), "{sample}");
    for (value, tagged) in array.values.iter().zip(expected) {
        assert_same(value, tagged, sample);
    }
}

fn assert_same_dictionary(dictionary: &Dictionary, ty: Type, tagged: &Json, sample: &str) {
    assert_eq!(ty, Type::Dictionary, "{sample}");
    assert_element(&dictionary.key, &tagged["key_type"], &tagged["key_class"], sample);
    assert_element(&dictionary.value, &tagged["value_type"], &tagged["value_class"], sample);
    let expected = items(&tagged["items"]);
    assert_eq!(dictionary.pairs.len(), expected.len(), "{sample}");
    for ((key, value), tagged) in dictionary.pairs.iter().zip(expected) {
        assert_same(key, &tagged[0], sample);
        assert_same(value, &tagged[1], sample);
    }
}

fn assert_element(element: &ElementType<'_>, ty: &Json, class: &Json, sample: &str) {
    match (element, ty.as_str()) {
        (ElementType::Untyped, None | Some("Nil")) => {}
        (ElementType::Builtin(found), Some(ty)) => assert_eq!(found.name(), ty, "{sample}"),
        // The engine, not taking full objects, makes this class of every other one.
        (ElementType::Class(_) | ElementType::Script(_), Some("Object")) => {
            assert_eq!(text(class), "EncodedObjectAsID", "{sample}");
        }
        (element, ty) => panic!("{sample}: {element:?} is not {ty:?}"),
    }
}

fn assert_bits(found: &[f64], expected: &[f64], sample: &str) {
    let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(found), bits(expected), "{sample}: {found:?} is not {expected:?}");
}

/// The components of a tagged value, whose members come in the order of the engine's constructors.
fn numbers(tagged: &Json) -> Vec<f64> {
    let members = ["v", "position", "size", "x_y_origin", "columns_x_y_z", "columns_x_y_z_w", "basis", "origin"];
    let mut numbers = Vec::new();
    for member in members.into_iter().filter_map(|member| tagged.get(member)) {
        match member.as_array() {
            None => numbers.extend(self::numbers(member)),
            Some(parts) => {
                for part in parts {
                    if part.is_object() { numbers.extend(self::numbers(part)) } else { numbers.push(float(part)) }
                }
            }
        }
    }
    numbers
}

/// The raw data of a packed array.
fn raw(ty: Type, values: &Json) -> Vec<u8> {
    let mut data = Vec::new();
    for value in items(values) {
        let components = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for component in components {
            match ty {
                Type::PackedByteArray => data.push(component.as_u64().unwrap() as u8),
                Type::PackedInt32Array => data.extend((component.as_i64().unwrap() as i32).to_le_bytes()),
                Type::PackedInt64Array => data.extend(component.as_i64().unwrap().to_le_bytes()),
                Type::PackedFloat64Array => data.extend(float(component).to_le_bytes()),
                _ => data.extend((float(component) as f32).to_le_bytes()),
            }
        }
    }
    data
}

/// A node path as the engine prints it.
fn shown(path: &NodePath<'_>) -> String {
    let mut shown = if path.absolute { "/".to_owned() } else { String::new() };
    shown += &path.names.join("/");
    for subname in &path.subnames {
        shown += ":";
        shown += subname;
    }
    shown
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap()
}

fn items(json: &Json) -> &[Json] {
    json.as_array().unwrap()
}
