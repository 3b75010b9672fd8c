//! What holds for any term and any bytes, in each of the serde formats.

use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use wasgo_wire::format::{
    Data, DataBuilder, DecodeReason, EncodeOptions, EncodeReason, Format, Framing, Lacking, Limits, MAX_DEPTH, Scanner,
    Step, check_etf, decode, encode, from_slice,
};

const FORMATS: [Format; 4] = [Format::Json, Format::MessagePack, Format::Cbor, Format::Postcard];

fn write(data: &Data, format: Format) -> Vec<u8> {
    encode(data, format, EncodeOptions::default(), &Limits::default()).unwrap()
}

fn read(bytes: &[u8], format: Format) -> Result<(Data, usize), wasgo_wire::format::DecodeError> {
    decode(bytes, format, &Limits::default(), &mut DataBuilder)
}

fn float() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("JSON has it", |value| value.is_finite())
}

/// Any term that all formats have.
fn common() -> impl Strategy<Value = Data> {
    let leaf = prop_oneof![
        Just(Data::Nil),
        any::<bool>().prop_map(Data::Bool),
        any::<i64>().prop_map(Data::Int),
        (-200_i64..200).prop_map(Data::Int),
        float().prop_map(Data::Float),
        any::<f32>().prop_filter("JSON has it", |value| value.is_finite()).prop_map(|value| Data::Float(value.into())),
        ".{0,12}".prop_map(Data::Text),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Data::List),
            vec((".{0,6}".prop_map(Data::Text), inner), 0..6).prop_map(Data::Map),
        ]
    })
}

/// Any term of the format: with the kinds that only it has.
fn own(format: Format) -> impl Strategy<Value = Data> {
    let wide = any::<i128>().prop_filter("wide", |value| i64::try_from(*value).is_err()).prop_map(Data::Wide);
    let bytes = vec(any::<u8>(), 0..80);
    let leaf = match format {
        Format::Json => wide.boxed(),
        Format::MessagePack => prop_oneof![
            (u64::MAX / 2 + 1..).prop_map(|value| Data::Wide(value.into())),
            bytes.clone().prop_map(Data::Bytes),
            (any::<i8>(), bytes).prop_map(|(ty, bytes)| Data::Extension(ty, bytes)),
            Just(Data::Float(f64::INFINITY)),
        ]
        .boxed(),
        Format::Cbor => prop_oneof![
            wide,
            bytes.prop_map(Data::Bytes),
            (4_u64.., common()).prop_map(|(number, value)| Data::Tag(number, Box::new(value))),
            Just(Data::Float(f64::NEG_INFINITY)),
        ]
        .boxed(),
        Format::Postcard => prop_oneof![wide, bytes.prop_map(Data::Bytes)].boxed(),
    };
    prop_oneof![2 => common(), 1 => leaf].prop_recursive(3, 32, 6, move |inner| {
        let key = if format == Format::Json { ".{0,4}".prop_map(Data::Text).boxed() } else { inner.clone().boxed() };
        prop_oneof![vec(inner.clone(), 0..6).prop_map(Data::List), vec((key, inner), 0..5).prop_map(Data::Map)]
    })
}

fn formats() -> impl Strategy<Value = Format> {
    prop::sample::select(&FORMATS[..])
}

fn framing(format: Format) -> Framing {
    match format {
        Format::Json => Framing::Json,
        Format::MessagePack => Framing::MessagePack,
        Format::Cbor => Framing::Cbor,
        Format::Postcard => Framing::Postcard,
    }
}

/// As the documentation of `postcard` has it: what programs in Rust declare.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Wide(i128),
    Float(f64),
    Text(String),
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
}

fn value(data: &Data) -> Value {
    match data {
        Data::Nil => Value::Nil,
        Data::Bool(value) => Value::Bool(*value),
        Data::Int(value) => Value::Int(*value),
        Data::Wide(value) => Value::Wide(*value),
        Data::Float(value) => Value::Float(*value),
        Data::Text(text) => Value::Text(text.clone()),
        Data::Bytes(bytes) => Value::Bytes(bytes.clone()),
        Data::List(values) => Value::List(values.iter().map(value).collect()),
        Data::Map(pairs) => Value::Map(pairs.iter().map(|(key, item)| (value(key), value(item))).collect()),
        Data::Extension(..) | Data::Tag(..) => panic!("postcard has none"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_term_goes_from_any_format_to_any_other(data in common(), one in formats(), other in formats()) {
        let (between, _) = read(&write(&data, one), one).unwrap();
        let bytes = write(&between, other);
        prop_assert_eq!(read(&bytes, other).unwrap(), (data, bytes.len()));
    }

    #[test]
    fn any_term_of_a_format_comes_back(
        (format, data) in formats().prop_flat_map(|format| (Just(format), own(format))),
        more in vec(any::<u8>(), 0..8),
    ) {
        let mut bytes = write(&data, format);
        let size = bytes.len();
        prop_assert_eq!(read(&bytes, format).unwrap(), (data.clone(), size));
        if format != Format::Json {
            bytes.extend(more);
            prop_assert_eq!(read(&bytes, format).unwrap(), (data, size));
        }
    }

    #[test]
    fn a_truncated_term_is_an_error(
        (format, data) in formats().prop_flat_map(|format| (Just(format), own(format))),
    ) {
        let bytes = write(&data, format);
        let number = matches!(data, Data::Int(_) | Data::Wide(_) | Data::Float(_));
        for size in 0..bytes.len() {
            let result = read(&bytes[..size], format);
            // The first digits of a number are one too.
            prop_assert!(result.is_err() || (format == Format::Json && number), "{} of {:?}: {:?}", size, data, result);
        }
    }

    #[test]
    fn bytes_changed_at_random_decode_or_fail_cleanly(
        (format, data) in formats().prop_flat_map(|format| (Just(format), own(format))),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = write(&data, format);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        check_any(&bytes, format)?;
    }

    #[test]
    fn any_bytes_decode_or_fail_cleanly(bytes in vec(any::<u8>(), 0..96), format in formats()) {
        check_any(&bytes, format)?;
        let _ = check_etf(&bytes, &Limits::default());
    }

    #[test]
    fn any_nearly_json_decodes_or_fails_cleanly(text in r#"([\[\]{},:" \\tfn0-9.eE+-]|true|null|\\u[d0-9a-f]{4}|é){0,40}"#) {
        check_any(text.as_bytes(), Format::Json)?;
        // serde_json takes the same, but for integers that it makes floats of, and for keys that come twice.
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match read(text.as_bytes(), Format::Json) {
            Ok((_, used)) if used == text.len() => prop_assert!(theirs.is_ok(), "{}", text),
            Ok(_) => prop_assert!(theirs.is_err(), "{}", text),
            Err(error) if matches!(error.reason, DecodeReason::IntegerRange { .. }) => {}
            Err(error) => prop_assert!(theirs.is_err(), "{}: {}", text, error),
        }
    }

    #[test]
    fn any_external_term_changed_at_random_is_checked_cleanly(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = EXTERNAL.to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(used) = check_etf(&bytes, &Limits::default()) {
            prop_assert!(used <= bytes.len());
        }
    }

    #[test]
    fn a_scanner_finds_values_however_they_are_cut(
        (format, terms) in formats().prop_flat_map(|format| (Just(format), vec(own(format), 1..5))),
        cuts in vec(1_usize..40, 1..8),
    ) {
        let mut joined = Vec::new();
        for term in &terms {
            joined.extend(write(term, format));
            if format == Format::Json {
                joined.push(b' ');
            }
        }
        prop_assert_eq!(scan_all(&joined, format, &cuts), terms);
    }

    #[test]
    fn a_scanner_takes_any_bytes(bytes in vec(any::<u8>(), 0..96), cut in 1_usize..9) {
        for framing in
            [Framing::Json, Framing::MessagePack, Framing::Cbor, Framing::Postcard, Framing::Etf, Framing::Variant]
        {
            let mut whole = Vec::new();
            let at_once = Scanner::new(framing, &Limits::default()).scan(&bytes, &mut whole).map_err(|(_, reason)| reason);
            let mut scanner = Scanner::new(framing, &Limits::default());
            let (mut ends, mut base, mut result) = (Vec::new(), 0, Ok(None));
            for piece in bytes.chunks(cut) {
                let mut spans = Vec::new();
                result = scanner.scan(piece, &mut spans).map_err(|(_, reason)| reason);
                ends.extend(spans.iter().map(|span| base + span.end));
                base += piece.len();
                if result.is_err() {
                    break;
                }
            }
            prop_assert_eq!(result.map(drop), at_once.map(drop));
            prop_assert_eq!(ends, whole.iter().map(|span| span.end).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_the_scanner_calls_a_value_is_what_the_decoder_takes(
        bytes in vec(any::<u8>(), 1..64), format in formats(),
    ) {
        if format != Format::Json && let Ok((_, used)) = read(&bytes, format) {
            let mut spans = Vec::new();
            let _ = Scanner::new(framing(format), &Limits::default()).scan(&bytes, &mut spans);
            prop_assert_eq!(spans.first().map(|span| span.end), Some(used));
        }
    }

    #[test]
    fn the_bytes_are_those_of_others(data in own(Format::Postcard), common in common()) {
        let bytes = write(&data, Format::Postcard);
        prop_assert_eq!(&postcard::to_allocvec(&value(&data)).unwrap(), &bytes);
        prop_assert_eq!(postcard::from_bytes::<Value>(&bytes).unwrap(), value(&data));
        // The decoders fill types of Rust, and other decoders take what is written.
        for format in [Format::Json, Format::MessagePack, Format::Cbor] {
            let bytes = write(&common, format);
            let theirs: serde_json::Value = match format {
                Format::Json => serde_json::from_slice(&bytes).unwrap(),
                Format::MessagePack => rmp_serde::from_slice(&bytes).unwrap(),
                _ => ciborium::from_reader(&bytes[..]).unwrap(),
            };
            prop_assert_eq!(from_slice::<serde_json::Value>(&bytes, format, &Limits::default()).unwrap(), theirs);
        }
    }
}

/// `%{a: {1, -2, 3.5, "text", [1 | ...], 'chars', 2 ** 70}, "b" => [nil]}` with one of each tag that is taken.
const EXTERNAL: &[u8] = &[
    131, 116, 0, 0, 0, 2, 119, 1, b'a', 104, 6, 97, 1, 98, 255, 255, 255, 254, 70, 64, 12, 0, 0, 0, 0, 0, 0, 109, 0, 0,
    0, 2, b'h', b'i', 107, 0, 2, b'x', b'y', 110, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 109, 0, 0, 0, 1, b'b', 108, 0, 0,
    0, 1, 118, 0, 3, b'n', b'i', b'l', 106,
];

#[test]
fn an_external_term_is_checked_to_its_end() {
    assert_eq!(check_etf(EXTERNAL, &Limits::default()), Ok(EXTERNAL.len()));
    for size in 0..EXTERNAL.len() {
        assert!(check_etf(&EXTERNAL[..size], &Limits::default()).is_err(), "{size}");
    }
}

/// What decodes from any bytes is written again, and is the same from then on.
fn check_any(bytes: &[u8], format: Format) -> Result<(), TestCaseError> {
    let Ok((data, used)) = read(bytes, format) else {
        return Ok(());
    };
    prop_assert!(used <= bytes.len());
    let again = write(&data, format);
    let (data, _) = read(&again, format).unwrap();
    prop_assert_eq!(write(&data, format), again);
    Ok(())
}

/// The values that a scanner finds in pieces, of which each cut is the size of the next one, over and over.
fn scan_all(bytes: &[u8], format: Format, cuts: &[usize]) -> Vec<Data> {
    let mut scanner = Scanner::new(framing(format), &Limits::default());
    let (mut values, mut buffer, mut left) = (Vec::new(), Vec::new(), bytes);
    for cut in cuts.iter().cycle() {
        if left.is_empty() {
            break;
        }
        let (piece, rest) = left.split_at((*cut).min(left.len()));
        left = rest;
        // What it knows can be put aside between two pieces.
        scanner = Scanner::restore(&scanner.save().unwrap()).unwrap();
        let mut spans = Vec::new();
        let begun = scanner.scan(piece, &mut spans).unwrap();
        for span in spans {
            buffer.extend_from_slice(&piece[span.start..span.end]);
            values.push(read(&buffer, format).unwrap().0);
            buffer.clear();
        }
        if let Some(begun) = begun {
            buffer.extend_from_slice(&piece[begun..]);
        }
    }
    assert!(scanner.is_idle(), "{values:?}");
    values
}

fn nested(depth: u32) -> Data {
    (1..depth).fold(Data::List(Vec::new()), |inner, _| Data::List(vec![inner]))
}

#[test]
fn nesting_is_bounded_both_ways() {
    for format in FORMATS {
        let deep = nested(64);
        assert_eq!(read(&write(&deep, format), format).unwrap().0, deep);
        let deeper = nested(65);
        let error = encode(&deeper, format, EncodeOptions::default(), &Limits::default()).unwrap_err();
        assert_eq!((error.reason, error.path.len()), (EncodeReason::TooDeep { limit: 64 }, 64));
        let limits = Limits::default().with_depth(u32::MAX);
        assert_eq!(limits.max_depth, MAX_DEPTH);
        let bytes = encode(&nested(MAX_DEPTH), format, EncodeOptions::default(), &limits).unwrap();
        assert_eq!(decode(&bytes, format, &limits, &mut DataBuilder).unwrap().0, nested(MAX_DEPTH));
        assert_eq!(read(&bytes, format).unwrap_err().reason, DecodeReason::TooDeep { limit: 64 });
    }
    // Deeper than any stack.
    let deepest: [(Format, &[u8]); 5] = [
        (Format::Json, b"["),
        (Format::Json, b"{\"\":"),
        (Format::MessagePack, &[0x91]),
        (Format::Cbor, &[0xc9]),
        (Format::Postcard, &[7, 1]),
    ];
    for (format, opening) in deepest {
        let error = read(&opening.repeat(1_000_000), format).unwrap_err();
        assert_eq!(error.reason, DecodeReason::TooDeep { limit: 64 }, "{format:?}");
    }
    let lists = [&[131][..], &[108, 0, 0, 0, 1].repeat(1_000_000)].concat();
    assert_eq!(check_etf(&lists, &Limits::default()).unwrap_err().reason, DecodeReason::TooDeep { limit: 64 });
}

#[test]
fn what_is_at_fault_and_the_way_to_it_are_told() {
    let blob = Data::Bytes(vec![1]);
    let key = Data::Text("a".into());
    let data = Data::List(vec![Data::Nil, Data::Map(vec![(key.clone(), blob.clone())])]);
    let error = encode(&data, Format::Json, EncodeOptions::default(), &Limits::default()).unwrap_err();
    assert_eq!(error.reason, EncodeReason::Lacks(Lacking::Bytes, &blob));
    assert_eq!(error.path, [Step::Index(1), Step::Key(&key)]);
    let options = EncodeOptions { base64: true, ..EncodeOptions::default() };
    assert_eq!(encode(&data, Format::Json, options, &Limits::default()).unwrap(), br#"[null,{"a":"AQ=="}]"#);
}

#[test]
fn size_is_bounded_to_the_byte() {
    let data = Data::List(vec![Data::Text("0123456789".into()), Data::Int(-300), Data::Float(0.1), Data::Bool(true)]);
    for format in FORMATS {
        let size = write(&data, format).len();
        for limit in 0..size {
            let limits = Limits { max_bytes: limit, ..Limits::default() };
            let error = encode(&data, format, EncodeOptions::default(), &limits).unwrap_err();
            assert_eq!(error.reason, EncodeReason::TooLarge { limit });
        }
        let limits = Limits { max_bytes: size, ..Limits::default() };
        assert_eq!(encode(&data, format, EncodeOptions::default(), &limits).unwrap().len(), size);
    }
}

#[test]
fn texts_and_bytes_of_every_size_are_written_whole_and_bounded_to_the_byte() {
    let base64 = EncodeOptions { base64: true, ..EncodeOptions::default() };
    for len in (0..70).chain([127, 128, 129, 255, 256, 257, 4_000]) {
        let text: String = (0..len).map(|place| char::from(b'a' + (place % 26) as u8)).collect();
        for data in [Data::List(vec![Data::Text(text.clone()), Data::Text(text.clone())]), Data::Bytes(text.into())] {
            for format in FORMATS {
                let bytes = encode(&data, format, base64, &Limits::default()).unwrap();
                if format != Format::Json || matches!(data, Data::List(_)) {
                    assert_eq!(read(&bytes, format).unwrap(), (data.clone(), bytes.len()), "{len} in {format:?}");
                }
                let limits = |max_bytes| Limits { max_bytes, ..Limits::default() };
                assert_eq!(encode(&data, format, base64, &limits(bytes.len())).unwrap(), bytes);
                let limit = bytes.len() - 1;
                let error = encode(&data, format, base64, &limits(limit)).unwrap_err();
                assert_eq!(error.reason, EncodeReason::TooLarge { limit });
            }
        }
    }
}

#[test]
fn types_of_rust_are_filled() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Creature {
        name: String,
        at: (f64, f64),
        owner: Option<u32>,
        tags: Vec<String>,
    }
    let rex = Creature { name: "rex".into(), at: (1.5, -2.0), owner: None, tags: vec!["pet".into()] };
    let data = Data::Map(vec![
        (Data::Text("name".into()), Data::Text("rex".into())),
        (Data::Text("at".into()), Data::List(vec![Data::Float(1.5), Data::Float(-2.0)])),
        (Data::Text("owner".into()), Data::Nil),
        (Data::Text("tags".into()), Data::List(vec![Data::Text("pet".into())])),
    ]);
    for format in FORMATS {
        assert_eq!(from_slice::<Creature>(&write(&data, format), format, &Limits::default()).unwrap(), rex);
        let two = write(&Data::List(vec![Data::Int(1); 3]), format);
        assert!(from_slice::<(u8, u8)>(&two, format, &Limits::default()).is_err(), "{format:?}");
    }
}
