use wasgo_store::{Params, Request, StoreError, Value};

use crate::support::{batch, execute, int, memory, one, query, text};

fn round_trip(value: Value) -> Value {
    let store = memory();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    execute(&store, "INSERT INTO t VALUES (?)", [value]).unwrap();
    one(&store, "SELECT v FROM t")
}

#[test]
fn integers_come_back_exact_to_the_ends_of_64_bits() {
    for value in [0, 1, -1, i64::MAX, i64::MIN, 1 << 53 | 1, 2_971_215_073] {
        assert_eq!(round_trip(int(value)), int(value));
    }
}

#[test]
fn floats_come_back_bit_for_bit() {
    let subnormal = f64::from_bits(1);
    for value in [0.0, -0.0, 1.0, 0.1, f64::MAX, f64::MIN_POSITIVE, subnormal, f64::INFINITY, f64::NEG_INFINITY] {
        let Value::Real(back) = round_trip(Value::Real(value)) else {
            panic!("{value} did not come back as a float");
        };
        assert_eq!(back.to_bits(), value.to_bits(), "{value}");
    }
}

#[test]
fn a_column_of_real_affinity_loses_the_sign_of_zero() {
    let store = memory();
    batch(&store, "CREATE TABLE t (v REAL)").unwrap();
    execute(&store, "INSERT INTO t VALUES (?)", [Value::Real(-0.0)]).unwrap();
    let Value::Real(back) = one(&store, "SELECT v FROM t") else {
        panic!("not a float");
    };
    assert_eq!(back.to_bits(), 0.0_f64.to_bits());
}

#[test]
fn nan_is_stored_as_null() {
    assert_eq!(round_trip(Value::Real(f64::NAN)), Value::Null);
    assert_eq!(round_trip(Value::Null), Value::Null);
}

#[test]
fn texts_come_back_with_every_character() {
    for value in ["", "Rex", "čeština 日本語 🐕\u{200d}🦺", "before\0after", "\u{10ffff}"] {
        assert_eq!(round_trip(text(value)), text(value));
    }
}

#[test]
fn blobs_come_back_empty_or_large_and_are_not_null() {
    let mebibyte: Vec<u8> = (0..1 << 20).map(|i: u32| ((i * 31) >> 3) as u8).collect();
    for value in [vec![], vec![0], mebibyte] {
        assert!(round_trip(Value::Blob(value.clone())) == Value::Blob(value));
    }
}

#[test]
fn text_of_a_utf_16_database_is_read_as_utf_8() {
    let store = memory();
    batch(&store, "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (v)").unwrap();
    execute(&store, "INSERT INTO t VALUES (?)", [text("žluťoučký 🐎")]).unwrap();
    assert_eq!(one(&store, "PRAGMA encoding"), text("UTF-16le"));
    assert_eq!(one(&store, "SELECT v FROM t"), text("žluťoučký 🐎"));
}

#[test]
fn text_that_is_not_utf_8_is_an_error_naming_its_column_and_row() {
    let store = memory();
    let sql = "SELECT 'good' AS name UNION ALL SELECT CAST(x'66ff' AS TEXT)";
    let error = query(&store, sql, Params::none()).unwrap_err();
    let (column, row) = ("name".to_owned(), 1);
    assert_eq!(error, StoreError::NotUtf8 { column, row });
    assert_eq!(error.code_name(), "not_utf8");
    assert_eq!(one(&store, "SELECT CAST(CAST(x'66ff' AS TEXT) AS BLOB)"), Value::Blob(vec![0x66, 0xff]));
}

#[test]
fn a_value_above_the_limit_is_refused_before_it_is_stored() {
    let mut options = wasgo_store::Options::memory();
    options.max_value_bytes = 10_000;
    let store = wasgo_store::Store::open(options).unwrap();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    for value in [Value::Blob(vec![1; 10_001]), text(&"x".repeat(10_001))] {
        let error = execute(&store, "INSERT INTO t VALUES (?)", [value]).unwrap_err();
        assert_eq!(error.code_name(), "toobig");
    }
    let made = store.wait(Request::query("SELECT zeroblob(10001)", Params::none()));
    assert_eq!(made.unwrap_err().code_name(), "toobig");
    assert_eq!(one(&store, "SELECT count(*) FROM t"), int(0));
}
