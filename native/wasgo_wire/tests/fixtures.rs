//! Every sample of the engine's own bytes, both ways.

mod common;

use common::{LIMITS, assert_same, bytes, name, samples};
use wasgo_wire::variant::{DecodeError, DecodeReason, Limits, Reading, Type, decode_value, encode};

#[test]
fn all_39_types_have_the_engines_numbers_and_names() {
    let fixture = common::fixture();
    let types = fixture["types"].as_object().unwrap();
    assert_eq!(types.len(), Type::ALL.len());
    for (id, name) in types {
        let ty = Type::from_id(id.parse().unwrap()).unwrap();
        assert_eq!((ty.name(), ty.id().to_string()), (name.as_str().unwrap(), id.clone()));
        assert_eq!(Type::from_name(ty.name()), Some(ty));
    }
    assert_eq!(Type::from_id(39), None);
}

#[test]
fn what_the_engine_encodes_decodes_to_its_value_and_encodes_to_its_bytes() {
    let mut types = std::collections::HashSet::new();
    let mut compared = 0;
    for sample in samples("encode") {
        let bytes = bytes(&sample);
        // Full objects have their own test; the array that holds itself was refused by the engine.
        if sample["full_objects"] == true || name(&sample) == "array_circular" {
            continue;
        }
        let (value, used) = decode_value(&bytes, &LIMITS).unwrap_or_else(|error| panic!("{}: {error}", name(&sample)));
        assert_eq!(used, bytes.len(), "{}", name(&sample));
        assert_same(&value, &sample["decoded"], name(&sample));
        assert_eq!(encode(&value, &LIMITS).unwrap(), bytes, "{}", name(&sample));
        types.insert(bytes[0]);
        compared += 1;
    }
    assert_eq!((types.len(), compared), (39, 156));
}

#[test]
fn full_objects_are_refused() {
    let full: Vec<_> = samples("encode").into_iter().filter(|sample| sample["full_objects"] == true).collect();
    assert_eq!(full.len(), 7);
    for sample in full {
        let error = decode_value(&bytes(&sample), &LIMITS).unwrap_err();
        assert_eq!(error.reason, DecodeReason::FullObject, "{}", name(&sample));
        assert_eq!(error.reading, Reading::Value(Type::Object), "{}", name(&sample));
        let header = &bytes(&sample)[error.offset..error.offset + 4];
        assert_eq!(header, [24, 0, 0, 0], "{}", name(&sample));
    }
}

#[test]
fn what_the_engine_decodes_decodes_and_what_it_refuses_is_a_typed_error() {
    let (mut good, mut bad) = (0, 0);
    for sample in samples("decode") {
        let bytes = bytes(&sample);
        let result = decode_value(&bytes, &LIMITS);
        if let Some(expected) = refused(name(&sample)) {
            assert_eq!(result, Err(expected), "{}", name(&sample));
            bad += 1;
            continue;
        }
        let (value, used) = result.unwrap_or_else(|error| panic!("{}: {error}", name(&sample)));
        assert_eq!(used as u64, sample["size"].as_u64().unwrap(), "{}", name(&sample));
        if name(&sample) != "dec_dict_dup_key" {
            assert_same(&value, &sample["decoded"], name(&sample));
        }
        good += 1;
    }
    assert_eq!((good, bad), (29, 15));
}

/// The error for each bad case, and for the two that the engine takes and this crate does not: it would have to drop or
/// change an element that is not of the declared type.
fn refused(name: &str) -> Option<DecodeError> {
    use DecodeReason::{FullObject, NodePathFlags, NotUtf8, ObsoleteNodePath, Truncated, UnknownType};
    use Reading::{Header, Value};
    let (offset, reading, reason) = match name {
        "dec_string_unpadded" => (8, Value(Type::String), Truncated { needed: 4, left: 1 }),
        "dec_string_invalid_utf8" => (8, Value(Type::String), NotUtf8),
        "dec_nodepath_old_format" => (4, Value(Type::NodePath), ObsoleteNodePath),
        "dec_nodepath_prop_flag" => (12, Value(Type::NodePath), NodePathFlags(2)),
        "dec_truncated_int" => (4, Value(Type::Int), Truncated { needed: 4, left: 1 }),
        "dec_truncated_array" => (4, Reading::Count(Type::Array), DecodeReason::Count { count: 2, left: 4 }),
        "dec_bad_type_39" => (0, Header, UnknownType(39)),
        "dec_bad_type_200" => (0, Header, UnknownType(200)),
        "dec_empty" => (0, Header, Truncated { needed: 4, left: 0 }),
        "dec_3_bytes" => (0, Header, Truncated { needed: 4, left: 3 }),
        "dec_packed_huge_len" => {
            (8, Reading::Count(Type::PackedInt32Array), DecodeReason::Count { count: 0x7fff_ffff, left: 0 })
        }
        "dec_string_huge_len" => (8, Value(Type::String), Truncated { needed: 0x8000_0000, left: 4 }),
        "dec_object_full_disabled" => (0, Value(Type::Object), FullObject),
        "dec_typed_int_wrong_elem" => {
            (12, Header, DecodeReason::ElementType { expected: Type::Int, found: Type::String })
        }
        "dec_typed_int_float_elem" => {
            (12, Header, DecodeReason::ElementType { expected: Type::Int, found: Type::Float })
        }
        _ => return None,
    };
    Some(DecodeError { offset, reading, reason })
}

#[test]
fn the_error_cases_are_those_that_the_engine_refuses_and_two_more() {
    for sample in samples("decode") {
        let engine_refuses = sample["has_encoded"] == false;
        let stricter = name(&sample).starts_with("dec_typed_int_");
        assert_eq!(refused(name(&sample)).is_some(), engine_refuses || stricter, "{}", name(&sample));
    }
}

#[test]
fn a_key_that_comes_twice_is_kept_twice_in_order() {
    let sample = samples("decode").into_iter().find(|sample| name(sample) == "dec_dict_dup_key").unwrap();
    let (value, _) = decode_value(&bytes(&sample), &LIMITS).unwrap();
    assert_eq!(encode(&value, &LIMITS).unwrap(), bytes(&sample));
}

#[test]
fn every_truncation_of_a_sample_is_an_error() {
    for sample in samples("encode") {
        let bytes = bytes(&sample);
        // The two strings of 80 kB would make this quadratic test slow, and add nothing.
        for length in 0..bytes.len().min(2000) {
            let result = decode_value(&bytes[..length], &LIMITS);
            assert!(result.is_err(), "{} cut to {length} bytes", name(&sample));
        }
    }
}

#[test]
fn a_message_says_where_what_and_why() {
    let error = decode_value(&[4, 0, 0, 0, 9, 0, 0, 0, 65], &Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "at byte 8, reading the value of String: 12 bytes are needed, 1 are left");
}
