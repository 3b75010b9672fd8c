//! The formats beside the crates of serde that have them: `cargo bench -p wasgo_wire --bench wire [-- --quick]`.
//!
//! Both make and take trees: ours a `Data`, theirs the crate's own (`serde_json::Value`, for MessagePack too, whose crate has none;
//! `ciborium::Value`; for postcard the enumeration with serde's derive). The same terms on each side.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde::{Deserialize, Serialize};
use wasgo_wire::format::{
    Data, DataBuilder, EncodeOptions, Format, Framing, Limits, Scanner, check_etf, decode, encode,
};

/// What programs in Rust declare for postcard.
#[derive(Serialize, Deserialize)]
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

fn text(text: impl Into<String>) -> Data {
    Data::Text(text.into())
}

/// A thing in a world: what a property row or a message holds.
fn thing(number: i64) -> Data {
    let at = [0.25, 1.5, -3.75].map(|part| Data::Float(number as f64 * part + 0.1)).to_vec();
    Data::Map(vec![
        (text("id"), Data::Int(number * 1000)),
        (text("name"), text(format!("thing number {number}"))),
        (text("alive"), Data::Bool(number % 2 == 0)),
        (text("at"), Data::List(at)),
        (text("tags"), Data::List(vec![text("tree"), text("conifer"), Data::Nil])),
    ])
}

/// The terms by name.
fn terms() -> Vec<(&'static str, Data)> {
    vec![
        ("message", thing(7)),
        ("things", Data::List((0..1000).map(thing).collect())),
        ("integers", Data::List((0..10_000).map(|number| Data::Int(number * 7919 % 100_003)).collect())),
        ("floats", Data::List((0..10_000).map(|number| Data::Float(f64::from(number) * 0.37)).collect())),
        ("texts", Data::List((0..2_000).map(|number| text(format!("a text of some length, {number}: é"))).collect())),
    ]
}

fn write(data: &Data, format: Format) -> Vec<u8> {
    encode(data, format, EncodeOptions::default(), &Limits::default()).unwrap()
}

fn read(bytes: &[u8], format: Format) -> Data {
    decode(bytes, format, &Limits::default(), &mut DataBuilder).unwrap().0
}

/// One term in one format, both ways, on both sides.
fn pair<T: 'static>(
    c: &mut Criterion,
    name: &str,
    term: &(&'static str, Data),
    format: Format,
    theirs: (impl Fn(&[u8]) -> T, impl Fn(&T) -> Vec<u8>),
) {
    let (kind, data) = term;
    let (parse, print) = theirs;
    let bytes = write(data, format);
    let tree = parse(&bytes);
    let mut group = c.benchmark_group(format!("wire/{name}"));
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function(BenchmarkId::new("encode", kind), |b| b.iter(|| write(black_box(data), format)));
    group.bench_function(BenchmarkId::new("encode, serde alone", kind), |b| b.iter(|| print(black_box(&tree))));
    group.bench_function(BenchmarkId::new("decode", kind), |b| b.iter(|| read(black_box(&bytes), format)));
    group.bench_function(BenchmarkId::new("decode, serde alone", kind), |b| b.iter(|| parse(black_box(&bytes))));
    group.finish();
}

fn formats(c: &mut Criterion) {
    for term in terms() {
        pair(
            c,
            "json",
            &term,
            Format::Json,
            (
                |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap(),
                |tree: &serde_json::Value| serde_json::to_vec(tree).unwrap(),
            ),
        );
        pair(
            c,
            "msgpack",
            &term,
            Format::MessagePack,
            (
                |bytes: &[u8]| rmp_serde::from_slice::<serde_json::Value>(bytes).unwrap(),
                |tree: &serde_json::Value| rmp_serde::to_vec(tree).unwrap(),
            ),
        );
        pair(
            c,
            "cbor",
            &term,
            Format::Cbor,
            (
                |bytes: &[u8]| ciborium::from_reader::<ciborium::Value, _>(bytes).unwrap(),
                |tree: &ciborium::Value| {
                    let mut bytes = Vec::new();
                    ciborium::into_writer(tree, &mut bytes).unwrap();
                    bytes
                },
            ),
        );
        pair(
            c,
            "postcard",
            &term,
            Format::Postcard,
            (
                |bytes: &[u8]| postcard::from_bytes::<Value>(bytes).unwrap(),
                |tree: &Value| postcard::to_allocvec(tree).unwrap(),
            ),
        );
    }
}

/// Finding where values end, and checking external terms.
fn scans(c: &mut Criterion) {
    let mut group = c.benchmark_group("wire/scan");
    for (name, format, framing) in [
        ("json", Format::Json, Framing::Json),
        ("msgpack", Format::MessagePack, Framing::MessagePack),
        ("cbor", Format::Cbor, Framing::Cbor),
        ("postcard", Format::Postcard, Framing::Postcard),
    ] {
        let bytes = write(&Data::List((0..1000).map(thing).collect()), format);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| Scanner::new(framing, &Limits::default()).scan(black_box(&bytes), &mut Vec::new()).unwrap());
        });
    }
    // A list of small integers.
    let mut bytes = vec![131, 108, 0, 1, 0, 0];
    bytes.extend([97, 7].repeat(65_536));
    bytes.push(106);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("etf, checked", |b| b.iter(|| check_etf(black_box(&bytes), &Limits::default()).unwrap()));
    group.finish();
}

criterion_group!(benches, formats, scans);
criterion_main!(benches);
