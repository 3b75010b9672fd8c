//! SQL functions by the crate that libSQL's users write them with; nothing here knows of Wasgo.

use libsql_bindgen::*;

#[libsql_bindgen]
pub fn plus(a: i64, b: i64) -> i64 {
    a.wrapping_add(b)
}

#[libsql_bindgen]
pub fn half(x: f64) -> f64 {
    x / 2.0
}

#[libsql_bindgen]
pub fn greet(name: &str) -> String {
    format!("Hello, {name}!")
}

#[libsql_bindgen]
pub fn reversed(bytes: &mut [u8]) -> Vec<u8> {
    bytes.iter().rev().copied().collect()
}

#[libsql_bindgen]
pub fn or_nobody(name: Option<String>) -> String {
    name.unwrap_or_else(|| "nobody".to_owned())
}

#[libsql_bindgen]
pub fn fails(n: i64) -> i64 {
    panic!("on purpose, for {n}")
}
