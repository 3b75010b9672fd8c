//! Variants to bytes and back, without the BEAM: `cargo bench -p wasgo_wire --bench variant [-- --quick]`.
//!
//! What is measured is what the wire carries most of: a mesh as packed arrays, and many small dictionaries. `bench/variant.exs` takes these figures up, and puts
//! those of Elixir and of the engine beside them, over the same bytes.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use wasgo_wire::variant::{
    Array, Builder, DecodeError, Dictionary, ElementType, Limits, NodePath, PackedBytes, Type, Value, decode,
    decode_value, encode,
};

/// Vertices along a side of the mesh: 224 x 224 squares are 100,352 triangles.
const SIDE: u32 = 225;
const DICTIONARIES: i64 = 10_000;

fn text(text: impl Into<String>) -> Value {
    Value::String(text.into())
}

fn dictionary(pairs: Vec<(&str, Value)>) -> Value {
    let pairs = pairs.into_iter().map(|(key, value)| (text(key), value)).collect();
    Value::Dictionary(Box::new(Dictionary { key: ElementType::Untyped, value: ElementType::Untyped, pairs }))
}

fn floats(ty: Type, count: u32) -> Value {
    Value::Packed(ty, (0..count).flat_map(|number| (number as f32 * 0.37).sin().to_le_bytes()).collect())
}

fn mesh() -> Value {
    let corners = SIDE * SIDE;
    let indices = (0..SIDE - 1).flat_map(|z| {
        (0..SIDE - 1).flat_map(move |x| {
            let a = z * SIDE + x;
            [a, a + 1, a + SIDE, a + 1, a + SIDE + 1, a + SIDE]
        })
    });
    dictionary(vec![
        ("t", text("chunk")),
        ("positions", floats(Type::PackedVector3Array, 3 * corners)),
        ("normals", floats(Type::PackedVector3Array, 3 * corners)),
        ("colors", floats(Type::PackedColorArray, 4 * corners)),
        ("indices", Value::Packed(Type::PackedInt32Array, indices.flat_map(u32::to_le_bytes).collect())),
    ])
}

fn dictionaries() -> Value {
    let one = |number: i64| {
        dictionary(vec![
            ("id", Value::Int(number)),
            ("name", text(format!("thing {number}"))),
            ("speed", Value::Float(number as f64 * 0.37)),
            ("alive", Value::Bool(number % 2 == 0)),
        ])
    };
    Value::Array(Box::new(Array { element: ElementType::Untyped, values: (0..DICTIONARIES).map(one).collect() }))
}

/// Looks at everything, makes nothing: what the decoder itself takes. Its values are how many bytes of data there were.
struct Sum;

type Summed = Result<usize, DecodeError>;

impl Builder for Sum {
    type Value = usize;
    type Error = DecodeError;

    fn nil(&mut self) -> Summed {
        Ok(0)
    }
    fn bool(&mut self, value: bool) -> Summed {
        Ok(usize::from(value))
    }
    fn int(&mut self, value: i64) -> Summed {
        Ok(value as usize)
    }
    fn float(&mut self, value: f64) -> Summed {
        Ok(value as usize)
    }
    fn string(&mut self, value: &str) -> Summed {
        Ok(value.len())
    }
    fn string_name(&mut self, value: &str) -> Summed {
        Ok(value.len())
    }
    fn floats(&mut self, _ty: Type, components: &[f64]) -> Summed {
        Ok(components.len())
    }
    fn ints(&mut self, _ty: Type, components: &[i32]) -> Summed {
        Ok(components.len())
    }
    fn node_path(&mut self, path: NodePath<'_>) -> Summed {
        Ok(path.names.len())
    }
    fn rid(&mut self, id: u64) -> Summed {
        Ok(id as usize)
    }
    fn object_id(&mut self, id: u64) -> Summed {
        Ok(id as usize)
    }
    fn callable(&mut self) -> Summed {
        Ok(0)
    }
    fn signal(&mut self, name: &str, _object: u64) -> Summed {
        Ok(name.len())
    }
    fn array(&mut self, _element: ElementType<'_>, values: Vec<usize>) -> Summed {
        Ok(values.iter().fold(0, |sum, value| sum.wrapping_add(*value)))
    }
    fn dictionary(&mut self, _key: ElementType<'_>, _value: ElementType<'_>, pairs: Vec<(usize, usize)>) -> Summed {
        Ok(pairs.iter().fold(0, |sum, (key, value)| sum.wrapping_add(*key).wrapping_add(*value)))
    }
    fn packed(&mut self, _ty: Type, _count: usize, data: PackedBytes<'_>) -> Summed {
        Ok(data.as_ref().len())
    }
    fn packed_strings(&mut self, strings: Vec<&str>) -> Summed {
        Ok(strings.len())
    }
}

fn both_ways(c: &mut Criterion, name: &str, value: &Value, throughput: impl Fn(usize) -> Throughput) {
    let limits = Limits::default();
    let bytes = encode(value, &limits).unwrap();
    assert_eq!(decode_value(&bytes, &limits).unwrap(), (value.clone(), bytes.len()));
    let mut group = c.benchmark_group("variant");
    group.throughput(throughput(bytes.len()));
    // What was made is freed outside of the time, before the next is made.
    group.bench_function(format!("{name}, encode"), |b| {
        b.iter_batched(|| (), |()| encode(black_box(value), &limits).unwrap(), BatchSize::PerIteration);
    });
    group.bench_function(format!("{name}, decode"), |b| {
        b.iter_batched(|| (), |()| decode_value(black_box(&bytes), &limits).unwrap(), BatchSize::PerIteration);
    });
    group.bench_function(format!("{name}, decode, in place"), |b| {
        b.iter(|| decode(black_box(&bytes), &limits, &mut Sum).unwrap());
    });
    group.finish();
}

fn benches(c: &mut Criterion) {
    both_ways(c, "mesh", &mesh(), |bytes| Throughput::Bytes(bytes as u64));
    // Every key and every value.
    both_ways(c, "dictionaries", &dictionaries(), |_bytes| Throughput::Elements(8 * DICTIONARIES as u64));
}

criterion_group!(all, benches);
criterion_main!(all);
