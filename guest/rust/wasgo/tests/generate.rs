//! What plans ask, and what they are answered.

use wasgo::generate::{Asked, Geometry, Look, Mesh};
use wasgo::{Row, RowWriter};

fn asked(words: [u32; 2], rest: &[u8]) -> Vec<u8> {
    let bytes = [words.map(u32::to_le_bytes).as_flattened(), rest].concat();
    RowWriter::new().blob(&bytes).real(1.5).finish()
}

#[test]
fn places_are_read_and_each_has_a_value() {
    let places = [[1.0, 0.0, 2.0], [-3.5, 4.0, 1e6]];
    let bytes: Vec<u8> = places.as_flattened().iter().flat_map(|v: &f64| v.to_le_bytes()).collect();
    let row = asked([1, 2], &bytes);
    let row = Row::from_bytes(&row).unwrap();
    let Some(Asked::Places(read)) = Asked::of(&row) else { panic!("places") };
    assert_eq!(read.iter().collect::<Vec<_>>(), places);
    let answer = read.answer(|[x, y, _]| (x + y) as f32);
    assert_eq!(answer, [1f32.to_le_bytes(), 0.5f32.to_le_bytes()].concat());
    assert_eq!(row.real(1), 1.5);
}

#[test]
fn a_chunk_knows_its_ground_between_samples() {
    let corner = [64.0f64, -128.0, 2.0].map(f64::to_le_bytes);
    let heights = [0.0f32, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 10.0].map(f32::to_le_bytes);
    let row = asked([2, 3], &[corner.as_flattened(), heights.as_flattened()].concat());
    let row = Row::from_bytes(&row).unwrap();
    let Some(Asked::Chunk(chunk)) = Asked::of(&row) else { panic!("a chunk") };
    assert_eq!((chunk.x, chunk.z, chunk.size, chunk.samples), (64.0, -128.0, 2.0, 3));
    assert_eq!((chunk.height(2, 1), chunk.height(3, 0), chunk.height(0, 9)), (5.0, 0.0, 0.0));
    for (x, z, height) in [(0.0, 0.0, 0.0), (0.5, 0.0, 0.5), (0.25, 0.25, 1.0), (2.0, 2.0, 10.0), (9.0, -1.0, 2.0)] {
        assert_eq!(chunk.ground(x, z), height, "{x} {z}");
    }
}

#[test]
fn rows_that_no_plan_wrote_ask_nothing() {
    let rows = [asked([3, 0], &[]), asked([1, 2], &[0; 47]), asked([2, 1], &[0; 28]), asked([1, u32::MAX], &[])];
    let others = [RowWriter::new().finish(), RowWriter::new().integer(1).finish(), RowWriter::new().blob(b"1").finish()];
    for row in rows.iter().chain(&others) {
        assert!(Asked::of(&Row::from_bytes(row).unwrap()).is_none());
    }
}

#[test]
fn geometry_is_packed() {
    let mut mesh = Mesh::new();
    mesh.face(&[[0.0; 3], [0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [1.0, 0.0, 0.0]], [0.5; 3]);
    let mut geometry = Geometry::new();
    let number = geometry.mesh(&mesh, &Look::default());
    geometry.place(number, [1.0, 2.0, 3.0], (0.0, 1.0), 2.0);
    let bytes = geometry.finish();
    assert_eq!(bytes.len(), 16 + 32 + 4 * 40 + 6 * 4 + 44);
    assert_eq!(bytes[..16], *b"WSGM\x01\0\0\0\x01\0\0\0\x01\0\0\0");
    assert_eq!(bytes[16..24], *b"\x04\0\0\0\x06\0\0\0");
    assert!(Geometry::new().finish().is_empty());
}
