//! Bounds: depth, size, declared counts, and the encoder's own rules.

use std::borrow::Cow;

use wasgo_wire::variant::{
    DEFAULT_MAX_DEPTH, DecodeReason, ElementType, EncodeError, Encoder, Limits, MAX_DEPTH, NodePath, Type, Value,
    decode_value, encode,
};

fn nested(depth: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for level in 0..depth {
        bytes.extend([28, 0, 0, 0, u8::from(level + 1 < depth), 0, 0, 0]);
    }
    bytes
}

#[test]
fn nesting_is_bounded_both_ways() {
    let depth = DEFAULT_MAX_DEPTH;
    let (value, _) = decode_value(&nested(depth), &Limits::default()).unwrap();
    assert_eq!(encode(&value, &Limits::default()).unwrap(), nested(depth));
    assert_eq!(encode(&value, &Limits::new(depth - 1, 1 << 20)), Err(EncodeError::TooDeep { limit: depth - 1 }));
    let error = decode_value(&nested(depth + 1), &Limits::default()).unwrap_err();
    assert_eq!((error.offset, error.reason), (8 * depth as usize, DecodeReason::TooDeep { limit: depth }));
    assert!(decode_value(&nested(1), &Limits::new(0, 8)).is_err());
}

#[test]
fn the_deepest_nesting_fits_half_a_megabyte_of_stack() {
    let limits = Limits::new(u32::MAX, 1 << 20);
    assert_eq!(limits.max_depth(), MAX_DEPTH);
    let deep = move || {
        let (value, _) = decode_value(&nested(MAX_DEPTH), &limits).unwrap();
        assert_eq!(encode(&value, &limits).unwrap(), nested(MAX_DEPTH));
        let error = decode_value(&nested(MAX_DEPTH + 1), &limits).unwrap_err();
        assert_eq!(error.reason, DecodeReason::TooDeep { limit: MAX_DEPTH });
    };
    std::thread::Builder::new().stack_size(512 * 1024).spawn(deep).unwrap().join().unwrap();
}

#[test]
fn size_is_bounded_both_ways() {
    let value = Value::Packed(Type::PackedByteArray, vec![7; 100]);
    let bytes = encode(&value, &Limits::new(0, 108)).unwrap();
    assert_eq!(bytes.len(), 108);
    assert_eq!(encode(&value, &Limits::new(0, 107)), Err(EncodeError::TooLarge { limit: 107 }));
    assert!(decode_value(&bytes, &Limits::new(0, 108)).is_ok());
    let error = decode_value(&bytes, &Limits::new(0, 107)).unwrap_err();
    assert_eq!(error.reason, DecodeReason::TooLarge { bytes: 108, limit: 107 });
}

#[test]
fn a_limit_of_any_size_is_kept_while_encoding() {
    let strings = Value::PackedStrings(vec!["a".into(), "bcd".into(), "é".into()]);
    let path = NodePath { names: vec![Cow::Borrowed("A")], subnames: vec![Cow::Borrowed("xyz")], absolute: true };
    let values =
        [strings, Value::NodePath(Box::new(path)), Value::Signal("sig".into(), 5), Value::String("abcde".into())];
    for value in values {
        let size = encode(&value, &Limits::default()).unwrap().len();
        for limit in 0..size {
            assert_eq!(encode(&value, &Limits::new(1, limit)), Err(EncodeError::TooLarge { limit }), "{value:?}");
        }
        assert_eq!(encode(&value, &Limits::new(1, size)).unwrap().len(), size);
    }
}

#[test]
fn declared_counts_are_checked_before_memory_is_taken() {
    for ty in Type::ALL.into_iter().filter(|ty| ty.id() >= Type::Dictionary.id()) {
        // A count as large as can be, with 40 bytes behind it: taking memory for it would be gigabytes.
        let mut bytes = vec![ty.id(), 0, 0, 0, 0xff, 0xff, 0xff, 0x7f];
        bytes.resize(48, 0);
        let error = decode_value(&bytes, &Limits::default()).unwrap_err();
        assert_eq!(error.reason, DecodeReason::Count { count: 0x7fff_ffff, left: 40 }, "{ty}");
    }
}

#[test]
fn containers_around_a_container_count_too() {
    // Each level alone would fit: 6 elements in 24 bytes, then 3 in the 12 that follow.
    let mut bytes = vec![28, 0, 0, 0, 6, 0, 0, 0, 28, 0, 0, 0, 3, 0, 0, 0];
    bytes.resize(32, 0);
    let error = decode_value(&bytes, &Limits::default()).unwrap_err();
    assert_eq!((error.offset, error.reason), (12, DecodeReason::Count { count: 3, left: 16 }));
}

#[test]
fn an_element_count_that_was_not_kept_is_an_error() {
    let mut encoder = Encoder::new(Limits::default());
    encoder.begin_array(&ElementType::Untyped, 1).unwrap();
    assert_eq!(encoder.end(), Err(EncodeError::TooFew { ty: Type::Array, missing: 1 }));

    let mut encoder = Encoder::new(Limits::default());
    encoder.begin_dictionary(&ElementType::Untyped, &ElementType::Untyped, 1).unwrap();
    encoder.nil().unwrap();
    encoder.nil().unwrap();
    assert_eq!(encoder.nil(), Err(EncodeError::TooMany));
    assert_eq!(encoder.nil(), Err(EncodeError::TooMany));
    assert_eq!(encoder.finish(), Err(EncodeError::TooMany));

    let mut encoder = Encoder::new(Limits::default());
    encoder.nil().unwrap();
    assert_eq!(encoder.nil(), Err(EncodeError::TooMany));

    let mut encoder = Encoder::new(Limits::default());
    encoder.begin_array(&ElementType::Untyped, 0).unwrap();
    assert_eq!(encoder.finish(), Err(EncodeError::Incomplete));
    assert_eq!(Encoder::new(Limits::default()).finish(), Err(EncodeError::Incomplete));
    assert_eq!(Encoder::new(Limits::default()).end(), Err(EncodeError::NothingOpen));
}

#[test]
fn typed_containers_take_only_their_type() {
    let ints = ElementType::Builtin(Type::Int);
    let mut encoder = Encoder::new(Limits::default());
    encoder.begin_dictionary(&ElementType::Builtin(Type::String), &ints, 1).unwrap();
    encoder.string("k").unwrap();
    let wrong = EncodeError::ElementType { expected: Type::Int, found: Type::Float };
    assert_eq!(encoder.float(1.0), Err(wrong));

    let mut encoder = Encoder::new(Limits::default());
    encoder.begin_dictionary(&ElementType::Builtin(Type::String), &ints, 1).unwrap();
    let wrong = EncodeError::ElementType { expected: Type::String, found: Type::Int };
    assert_eq!(encoder.int(1), Err(wrong));

    let mut encoder = Encoder::new(Limits::default());
    encoder.begin_array(&ElementType::Class("Node".into()), 3).unwrap();
    encoder.null_object().unwrap();
    encoder.object_id(9).unwrap();
    let wrong = EncodeError::ElementType { expected: Type::Object, found: Type::Rid };
    assert_eq!(encoder.rid(1), Err(wrong));
}

#[test]
fn ints_become_floats_where_floats_are_declared() {
    let mut encoder = Encoder::new(Limits::default());
    encoder.begin_array(&ElementType::Builtin(Type::Float), 1).unwrap();
    encoder.int(3).unwrap();
    encoder.end().unwrap();
    let bytes = encoder.finish().unwrap();
    assert_eq!(bytes[12..], [3, 0, 0, 0, 0, 0, 0x40, 0x40]);
}

#[test]
fn untyped_and_typed_as_nil_are_the_same() {
    let mut encoder = Encoder::new(Limits::default());
    encoder.begin_array(&ElementType::Builtin(Type::Nil), 0).unwrap();
    encoder.end().unwrap();
    assert_eq!(encoder.finish().unwrap(), [28, 0, 0, 0, 0, 0, 0, 0]);
    let (value, used) = decode_value(&[28, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], &Limits::default()).unwrap();
    assert_eq!((encode(&value, &Limits::default()).unwrap().len(), used), (8, 12));
}

#[test]
fn what_the_format_cannot_hold_is_an_error() {
    let refused = |value: Value| encode(&value, &Limits::default()).unwrap_err();
    let nul = |ty| EncodeError::Nul { ty };
    assert_eq!(refused(Value::String("a\0b".into())), nul(Type::String));
    assert_eq!(refused(Value::StringName("\0".into())), nul(Type::StringName));
    assert_eq!(refused(Value::Signal("\0".into(), 0)), nul(Type::Signal));
    assert_eq!(refused(Value::PackedStrings(vec!["a".into(), "\0".into()])), nul(Type::PackedStringArray));
    assert_eq!(
        refused(Value::NodePath(Box::new(NodePath { names: vec!["\0".into()], ..NodePath::default() }))),
        nul(Type::NodePath)
    );
    let vector3 = |components: Vec<f64>| Value::Floats(Type::Vector3, components.into());
    assert_eq!(refused(vector3(vec![1.0, 2.0])), EncodeError::Components { ty: Type::Vector3, found: 2 });
    assert_eq!(refused(vector3(vec![0.0, -1e39, 0.0])), EncodeError::FloatRange { ty: Type::Vector3, value: -1e39 });
    assert!(encode(&vector3(vec![f64::INFINITY, f64::NAN, 3.4e38]), &Limits::default()).is_ok());
    assert_eq!(
        refused(Value::Ints(Type::Vector3, [1, 2, 3].into())),
        EncodeError::Components { ty: Type::Vector3, found: 3 }
    );
    assert_eq!(
        refused(Value::Packed(Type::PackedInt32Array, vec![0; 5])),
        EncodeError::PackedSize { ty: Type::PackedInt32Array, bytes: 5 }
    );
    assert_eq!(
        refused(Value::Packed(Type::PackedStringArray, vec![])),
        EncodeError::PackedSize { ty: Type::PackedStringArray, bytes: 0 }
    );
}

#[test]
fn vectors_of_64_bit_components_keep_them() {
    let mut bytes = vec![5, 0, 1, 0];
    bytes.extend(0.1f64.to_le_bytes());
    bytes.extend(1e300f64.to_le_bytes());
    let (value, _) = decode_value(&bytes, &Limits::default()).unwrap();
    assert_eq!(value, Value::Floats(Type::Vector2, [0.1, 1e300].into()));
}

#[test]
fn a_color_is_never_of_64_bit_components() {
    let mut bytes = vec![20, 0, 1, 0];
    (0..4).for_each(|_| bytes.extend(0.5f32.to_le_bytes()));
    let (value, used) = decode_value(&bytes, &Limits::default()).unwrap();
    assert_eq!((value, used), (Value::Floats(Type::Color, [0.5; 4].into()), 20));
}
