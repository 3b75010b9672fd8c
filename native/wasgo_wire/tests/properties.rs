//! What holds for any value and any bytes.

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::prelude::*;
use wasgo_wire::variant::{Array, Dictionary, ElementType, Limits, NodePath, Type, Value, decode_value, encode};

/// Any text that a String of the engine can hold.
fn text() -> impl Strategy<Value = String> {
    "[^\0]{0,9}"
}

fn of_components(kind: fn(Type) -> Option<usize>) -> impl Strategy<Value = (Type, usize)> {
    let types: Vec<_> = Type::ALL.into_iter().filter_map(|ty| Some((ty, kind(ty)?))).collect();
    prop::sample::select(types)
}

fn node_path() -> impl Strategy<Value = Value> {
    (vec(text(), 0..4), vec(text(), 0..3), any::<bool>()).prop_map(|(names, subnames, absolute)| {
        let parts = |parts: Vec<String>| parts.into_iter().map(Cow::Owned).collect();
        Value::NodePath(Box::new(NodePath { names: parts(names), subnames: parts(subnames), absolute }))
    })
}

fn leaf() -> impl Strategy<Value = Value> {
    // Floats of 32 bits, as that is what the format keeps of these types. NaN is not equal to itself.
    let floats = of_components(Type::float_components)
        .prop_flat_map(|(ty, count)| vec(-1e38f32..1e38, count).prop_map(move |parts| (ty, parts)))
        .prop_map(|(ty, parts)| Value::Floats(ty, parts.into_iter().map(f64::from).collect()));
    let ints = of_components(Type::int_components)
        .prop_flat_map(|(ty, count)| vec(any::<i32>(), count).prop_map(move |parts| Value::Ints(ty, parts.into())));
    let packed = of_components(Type::packed_stride).prop_flat_map(|(ty, stride)| {
        vec(any::<u8>(), 0..64).prop_map(move |mut data| {
            data.truncate(data.len() / stride * stride);
            Value::Packed(ty, data)
        })
    });
    prop_oneof![
        Just(Value::Nil),
        Just(Value::Callable),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<i32>().prop_map(|value| Value::Int(value.into())),
        any::<f32>().prop_filter("equality", |value| !value.is_nan()).prop_map(|value| Value::Float(value.into())),
        any::<f64>().prop_filter("equality", |value| !value.is_nan()).prop_map(Value::Float),
        text().prop_map(Value::String),
        text().prop_map(Value::StringName),
        floats,
        ints,
        packed,
        node_path(),
        any::<u64>().prop_map(Value::Rid),
        any::<u64>().prop_map(Value::Object),
        (text(), any::<u64>()).prop_map(|(name, object)| Value::Signal(name.into(), object)),
        vec(text(), 0..5).prop_map(Value::PackedStrings),
    ]
}

/// A type that all of `values` are of, if there is one that can be declared.
fn declared(values: &[&Value], class: &str) -> ElementType<'static> {
    let types: Vec<_> = values.iter().map(|value| encode(value, &Limits::default()).unwrap()[0]).collect();
    match types.first().and_then(|id| Type::from_id((*id).into())) {
        Some(Type::Nil) if types.iter().all(|id| *id == 0) => ElementType::Script(Cow::Owned(class.to_owned())),
        Some(Type::Nil) | None => ElementType::Untyped,
        Some(Type::Object) if class.is_empty() => ElementType::Builtin(Type::Object),
        Some(ty) if types.iter().any(|id| *id != ty.id()) => ElementType::Untyped,
        Some(Type::Object) => ElementType::Class(Cow::Owned(class.to_owned())),
        Some(ty) => ElementType::Builtin(ty),
    }
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 48, 6, |inner| {
        let array = (vec(inner.clone(), 0..6), any::<bool>(), text()).prop_map(|(values, typed, class)| {
            let element =
                if typed { declared(&values.iter().collect::<Vec<_>>(), &class) } else { ElementType::Untyped };
            let fits = |value: &Value| {
                !matches!(element, ElementType::Builtin(Type::Object)) || matches!(value, Value::Nil | Value::Object(_))
            };
            let element = if values.iter().all(fits) { element } else { ElementType::Untyped };
            Value::Array(Box::new(Array { element, values }))
        });
        let dictionary = (vec((leaf(), inner), 0..5), any::<bool>(), text()).prop_map(|(pairs, typed, class)| {
            let (keys, values): (Vec<_>, Vec<_>) = pairs.iter().map(|(key, value)| (key, value)).unzip();
            let key = if typed && !class.is_empty() { declared(&keys, &class) } else { ElementType::Untyped };
            let value = if !class.is_empty() { declared(&values, &class) } else { ElementType::Untyped };
            Value::Dictionary(Box::new(Dictionary { key, value, pairs }))
        });
        prop_oneof![array, dictionary]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_value_round_trips(value in value()) {
        let bytes = encode(&value, &Limits::default()).unwrap();
        prop_assert_eq!(bytes.len() % 4, 0);
        prop_assert_eq!(decode_value(&bytes, &Limits::default()).unwrap(), (value, bytes.len()));
    }

    #[test]
    fn a_truncated_value_is_an_error(value in value(), at in any::<prop::sample::Index>()) {
        let bytes = encode(&value, &Limits::default()).unwrap();
        prop_assert!(decode_value(&bytes[..at.index(bytes.len())], &Limits::default()).is_err());
    }

    #[test]
    fn bytes_after_a_value_do_not_matter(value in value(), more in vec(any::<u8>(), 0..20)) {
        let mut bytes = encode(&value, &Limits::default()).unwrap();
        let size = bytes.len();
        bytes.extend(more);
        prop_assert_eq!(decode_value(&bytes, &Limits::default()).unwrap(), (value, size));
    }

    #[test]
    fn bytes_changed_at_random_decode_or_fail_cleanly(
        value in value(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = encode(&value, &Limits::default()).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        check_any(&bytes)?;
    }

    #[test]
    fn any_words_decode_or_fail_cleanly(
        // Types, flags and small counts, so that many of them are nearly values.
        words in vec(prop_oneof![0u32..40, (0u32..40, 0u32..16).prop_map(|(ty, flags)| ty | (flags << 16)), any::<u32>()], 0..64),
    ) {
        check_any(&words.into_iter().flat_map(u32::to_le_bytes).collect::<Vec<_>>())?;
    }

    #[test]
    fn any_bytes_decode_or_fail_cleanly(bytes in vec(any::<u8>(), 0..128)) {
        check_any(&bytes)?;
    }
}

/// What decodes from any bytes encodes again, if need be without the 64-bit components that no longer fit, and gives the
/// same from then on.
fn check_any(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok((value, used)) = decode_value(bytes, &Limits::default()) else {
        return Ok(());
    };
    prop_assert!(used <= bytes.len());
    if let Ok(encoded) = encode(&value, &Limits::default()) {
        let (again, _) = decode_value(&encoded, &Limits::default()).unwrap();
        prop_assert_eq!(encode(&again, &Limits::default()).unwrap(), encoded);
    }
    Ok(())
}
