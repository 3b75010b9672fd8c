//! SQL functions written in WebAssembly.

mod aggregates;
mod defining;
mod running;
mod tables;
mod values;

use std::time::Duration;

use wasgo_store::{FunctionHost, Options, Params, Request, Store, StoreError, Token, Value};
use wasgo_wasm::{Engine, EngineOptions, Limits};

use crate::support::{PATIENCE, batch, execute, int, one, query, text};

/// The demonstration that libSQL's functions are known by.
pub const FIBONACCI: &str = "
    (module (func (export \"fibonacci\") (param $n i64) (result i64) (local $a i64) (local $b i64) (local $t i64)
      (local.set $b (i64.const 1))
      (block $done (loop $more
        (br_if $done (i64.eqz (local.get $n)))
        (local.set $t (i64.add (local.get $a) (local.get $b)))
        (local.set $a (local.get $b))
        (local.set $b (local.get $t))
        (local.set $n (i64.sub (local.get $n) (i64.const 1)))
        (br $more)))
      (local.get $a)))";

/// A memory with an allocator that frees nothing, then more.
fn with_memory(more: &str) -> String {
    format!(
        "(module (memory (export \"memory\") 2) (global $free (mut i32) (i32.const 1024))
           (func $malloc (export \"libsql_malloc\") (param $size i32) (result i32)
             (block $fits
               (br_if $fits (i32.le_u (i32.add (global.get $free) (local.get $size)) (i32.mul (memory.size) (i32.const 65536))))
               (br_if $fits (i32.ne (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1))) (i32.const -1)))
               (return (i32.const 0)))
             (global.get $free) (global.set $free (i32.add (global.get $free) (local.get $size))))
           {more})"
    )
}

fn engine() -> Engine {
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(EngineOptions::default()).expect("an engine")).clone()
}

fn options(base: Options) -> Options {
    Options { functions: Some(FunctionHost::new(engine())), ..base }
}

fn memory() -> Store {
    Store::open(options(Options::memory())).expect("memory opens")
}

fn create(store: &Store, name: &str, body: &str) -> Result<(), StoreError> {
    let sql = format!("CREATE FUNCTION {name} LANGUAGE wasm AS '{body}'");
    execute(store, &sql, Params::none()).map(drop)
}

fn fails(store: &Store, sql: &str) -> StoreError {
    query(store, sql, Params::none()).expect_err(sql)
}

/// The reason and message of a function's failure.
fn fault(error: &StoreError) -> (&'static str, &str) {
    match error {
        StoreError::Function { reason, message, .. } => (reason, message),
        other => panic!("{other}"),
    }
}
