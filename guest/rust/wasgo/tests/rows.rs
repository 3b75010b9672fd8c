//! Rows, from the bytes of the contract and back.

use wasgo::{Instance, Row, RowWriter, Value};

/// The example of guest/README.md: `[7, 1.5, "hi"]`.
const EXAMPLE: [u8; 58] = [
    3, 0, 0, 0, 58, 0, 0, 0, //
    1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, //
    2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, //
    3, 0, 0, 0, 2, 0, 0, 0, 56, 0, 0, 0, 0, 0, 0, 0, //
    b'h', b'i',
];

fn values(bytes: &[u8]) -> Vec<Value<'_>> {
    Row::from_bytes(bytes).unwrap().iter().collect()
}

#[test]
fn the_contracts_example_reads_and_writes() {
    let row = Row::from_bytes(&EXAMPLE).unwrap();
    assert_eq!((row.len(), row.integer(0), row.real(1), row.text(2)), (3, 7, 1.5, "hi"));
    assert_eq!(RowWriter::new().integer(7).real(1.5).text("hi").finish(), EXAMPLE);
}

#[test]
fn every_type_goes_through() {
    let all = [
        Value::Integer(i64::MIN),
        Value::Integer(i64::MAX),
        Value::Real(-2.75e300),
        Value::Real(f64::INFINITY),
        Value::Text(""),
        Value::Text("dröm 🌲 a\0b"),
        Value::Blob(&[]),
        Value::Blob(&[0, 255, 128]),
        Value::Null,
    ];
    let bytes = all.into_iter().fold(RowWriter::new(), RowWriter::put).finish();
    assert_eq!(values(&bytes), all);
    let nan = RowWriter::new().real(f64::NAN).finish();
    assert!(Row::from_bytes(&nan).unwrap().real(0).is_nan());
}

#[test]
fn a_row_may_be_empty_or_have_1024_values() {
    assert_eq!(RowWriter::new().finish(), [0, 0, 0, 0, 8, 0, 0, 0]);
    assert!(Row::from_bytes(&RowWriter::new().finish()).unwrap().is_empty());
    let most = (0..1024).fold(RowWriter::new(), |row, i| row.integer(i)).finish();
    assert_eq!(most.len(), 8 + 16 * 1024);
    assert!(Row::from_bytes(&most).unwrap().iter().eq((0..1024).map(Value::Integer)));
}

#[test]
fn other_types_and_missing_values_read_kindly() {
    let bytes = RowWriter::new().integer(2).real(1.5).text("t").blob(b"\xff").null().finish();
    let row = Row::from_bytes(&bytes).unwrap();
    assert_eq!([0, 1, 2, 3, 4, 5, usize::MAX].map(|i| row.real(i)), [2.0, 1.5, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!([0, 1, 2, 3, 4, 5, usize::MAX].map(|i| row.integer(i)), [2, 0, 0, 0, 0, 0, 0]);
    assert_eq!([0, 1, 2, 3, 4, 5, usize::MAX].map(|i| row.text(i)), ["", "", "t", "", "", "", ""]);
    assert_eq!([2, 3, 4, 5].map(|i| row.blob(i)), [&b"t"[..], b"\xff", b"", b""]);
    assert_eq!(row.get(5), Value::Null);
}

#[test]
fn headers_that_do_not_fit_are_no_row() {
    for length in 0..EXAMPLE.len() {
        assert!(Row::from_bytes(&EXAMPLE[..length]).is_none(), "{length} bytes");
    }
    for (at, word) in [(0, 4), (0, u32::MAX), (4, 0), (4, 7), (4, 55), (4, 59), (4, u32::MAX)] {
        let mut bytes = EXAMPLE;
        bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(word));
        assert!(Row::from_bytes(&bytes).is_none(), "{word} at {at}");
    }
    // What lies behind the row is not looked at.
    assert_eq!(values(&[&EXAMPLE[..], &[9; 9]].concat()).len(), 3);
}

#[test]
fn values_that_lie_are_null() {
    for (at, word) in [(40, 0), (40, 9), (44, 3), (44, u32::MAX), (48, 57), (48, u32::MAX), (52, 1), (52, u32::MAX)] {
        let mut bytes = EXAMPLE;
        bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(word));
        let row = Row::from_bytes(&bytes).unwrap();
        assert_eq!((row.get(2), row.text(2), row.blob(2)), (Value::Null, "", &[][..]), "{word} at {at}");
    }
    let mut bytes = EXAMPLE;
    bytes[56] = 0xff;
    let row = Row::from_bytes(&bytes).unwrap();
    assert_eq!((row.get(2), row.text(2), row.blob(2)), (Value::Null, "", &b"\xffi"[..]));
}

#[test]
fn arbitrary_bytes_are_rows_or_none_and_never_panic() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for length in (0..80).cycle().take(20_000) {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as u8 % 6
            })
            .collect();
        if let Some(row) = Row::from_bytes(&bytes) {
            let again = row.iter().fold(RowWriter::new(), RowWriter::put).finish();
            assert_eq!(values(&again).len(), row.len());
        }
    }
}

#[test]
fn records_of_an_instance_table_go_through() {
    let rock = Instance { kind: 8, x: 1.0, y: -2.0, z: 3.5, yaw: 0.25, scale: 2.0, slope: 0.5, moisture: 1.0 };
    let bytes = [rock.to_bytes(), Instance::default().to_bytes()].concat();
    assert_eq!(bytes[..8], [8, 0, 0, 0, 0, 0, 0x80, 0x3f]);
    assert!(Instance::table(&bytes).eq([rock, Instance::default()]));
    assert_eq!(Instance::table(&bytes[..63]).len(), 1);
}
