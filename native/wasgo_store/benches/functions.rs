//! What a function in WebAssembly costs a row, beside one in C's place: a callback that does the same, on SQLite's own interface.

use std::ffi::{CStr, c_int};
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use libsql::ffi;
use wasgo_store::{FunctionHost, Options, Params, Request, Store, Value};
use wasgo_wasm::{Engine, EngineOptions};

const ROWS: u64 = 1_000_000;

const MODULE: &str = "(module (memory (export \"memory\") 2) (global $free (mut i32) (i32.const 1024))
  (func (export \"libsql_malloc\") (param i32) (result i32) (i32.const 1024))
  (func (export \"add_one\") (param i64) (result i64) (i64.add (local.get 0) (i64.const 1)))
  (func (export \"text_size\") (param i32) (result i64) (i64.const 1)))";

fn sum_over(call: &str) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) SELECT sum({call}) FROM n"
    )
}

/// # Safety
///
/// SQLite calls it, with one argument.
unsafe extern "C" fn add_one(context: *mut ffi::sqlite3_context, _argc: c_int, argv: *mut *mut ffi::sqlite3_value) {
    // SAFETY: by the caller's promise.
    unsafe { ffi::sqlite3_result_int64(context, ffi::sqlite3_value_int64(*argv) + 1) };
}

/// A connection without anything of ours.
struct Raw(*mut ffi::sqlite3);

impl Raw {
    fn open() -> Self {
        let mut raw = std::ptr::null_mut();
        // SAFETY: a name with a NUL, and a place for the connection.
        unsafe {
            assert_eq!(ffi::sqlite3_open(c":memory:".as_ptr(), &mut raw), ffi::SQLITE_OK);
            let flags = ffi::SQLITE_UTF8;
            let null = std::ptr::null_mut();
            ffi::sqlite3_create_function_v2(raw, c"add_one".as_ptr(), 1, flags, null, Some(add_one), None, None, None);
        }
        Self(raw)
    }

    fn query(&self, sql: &CStr) -> i64 {
        let mut statement = std::ptr::null_mut();
        // SAFETY: the connection is open, the SQL ends with a NUL, the statement is finalized here.
        unsafe {
            ffi::sqlite3_prepare_v2(self.0, sql.as_ptr(), -1, &mut statement, std::ptr::null_mut());
            assert_eq!(ffi::sqlite3_step(statement), ffi::SQLITE_ROW);
            let value = ffi::sqlite3_column_int64(statement, 0);
            ffi::sqlite3_finalize(statement);
            value
        }
    }
}

fn ask(store: &Store, sql: &str) -> Value {
    let rows = store.wait(Request::query(sql, Params::none()).timeout(Duration::from_secs(60))).expect(sql).into_rows();
    rows.rows[0][0].clone()
}

/// Nanoseconds a row.
fn each(iterations: u64, mut work: impl FnMut()) -> Duration {
    let begin = Instant::now();
    for _ in 0..iterations {
        work();
    }
    begin.elapsed() / u32::try_from(ROWS).expect("few rows")
}

fn functions(criterion: &mut Criterion) {
    let engine = Engine::new(EngineOptions::default()).expect("an engine");
    let store =
        Store::open(Options { functions: Some(FunctionHost::new(engine)), ..Options::memory() }).expect("memory opens");
    for (name, declared) in [("add_one", ""), ("text_size", "")] {
        let sql = format!("CREATE FUNCTION {name} LANGUAGE wasm {declared} AS '{MODULE}'");
        store.wait(Request::execute(sql, Params::none())).expect("a function");
    }
    let raw = Raw::open();
    let mut group = criterion.benchmark_group("function, a row of 1,000,000");
    group.sample_size(10);
    let nothing = std::ffi::CString::new(sum_over("i")).expect("no NUL");
    group.bench_function("none", |bencher| {
        bencher.iter_custom(|n| {
            each(n, || {
                black_box(raw.query(&nothing));
            })
        })
    });
    let c = std::ffi::CString::new(sum_over("add_one(i)")).expect("no NUL");
    group.bench_function("C", |bencher| {
        bencher.iter_custom(|n| {
            each(n, || {
                black_box(raw.query(&c));
            })
        })
    });
    for call in ["add_one(i)", "text_size('text')"] {
        let sql = sum_over(call);
        group.bench_function(format!("wasm, {call}"), |bencher| {
            bencher.iter_custom(|n| each(n, || drop(black_box(ask(&store, &sql)))));
        });
    }
    group.finish();
}

criterion_group!(benches, functions);
criterion_main!(benches);
