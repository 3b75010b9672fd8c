use super::*;

#[test]
fn all_types_go_in_and_out() {
    let store = memory();
    let body = with_memory(
        "(func (export \"same\") (param i32) (result i32) local.get 0)
         (func (export \"integer\") (param i64) (result i64) local.get 0)
         (func (export \"real\") (param f64) (result f64) local.get 0)
         (func (export \"nil\") (param i64))",
    );
    for name in ["same", "integer", "real", "nil"] {
        create(&store, name, &body).unwrap();
    }
    let long = "é".repeat(100_000);
    for value in [
        text(""),
        text("hé"),
        Value::Text(long.clone()),
        Value::Null,
        Value::Blob(vec![]),
        Value::Blob(vec![0, 3, 4, 5, 255]),
        Value::Blob(vec![7; 300_000]),
    ] {
        let rows = query(&store, "SELECT same(?1), typeof(same(?1))", vec![value.clone()]).unwrap().rows;
        assert_eq!(rows[0][0], value);
    }
    for integer in [0, 1, -1, i64::MIN, i64::MAX, 1 << 53] {
        assert_eq!(query(&store, "SELECT integer(?)", vec![int(integer)]).unwrap().rows, [[int(integer)]]);
    }
    for real in [0.1, -0.0, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY] {
        let rows = query(&store, "SELECT real(?)", vec![Value::Real(real)]).unwrap().rows;
        assert_eq!(rows, [[Value::Real(real)]]);
    }
    assert_eq!(one(&store, "SELECT real(3)"), Value::Real(3.0));
    assert_eq!(one(&store, "SELECT integer(3.0)"), int(3));
    assert_eq!(one(&store, "SELECT real(9e999 - 9e999)"), Value::Null);
    assert_eq!(one(&store, "SELECT integer(NULL)"), Value::Null);
    assert_eq!(one(&store, "SELECT nil(1)"), Value::Null);
}

#[test]
fn an_argument_of_another_type_is_named() {
    let store = memory();
    create(&store, "f", &with_memory("(func (export \"f\") (param i64 f64 i32) (result i64) i64.const 1)")).unwrap();
    for (sql, message) in [
        ("SELECT f('a', 1, 'a')", "argument 1 is a TEXT, and it takes an INTEGER"),
        ("SELECT f(1.5, 1, 'a')", "argument 1 is a REAL, and it takes an INTEGER"),
        ("SELECT f(1, x'00', 'a')", "argument 2 is a BLOB, and it takes a number"),
        ("SELECT f(1, 1, 1)", "argument 3 is an INTEGER, and it takes a TEXT, a BLOB or NULL"),
        ("SELECT f(1)", "it takes 3 arguments, and was given 1"),
    ] {
        assert_eq!(fault(&fails(&store, sql)), ("contract", message));
    }
    assert_eq!(one(&store, "SELECT f(1, 2, 'a')"), int(1));
}

#[test]
fn a_guest_that_lies_is_an_error_and_the_next_call_is_well() {
    let store = memory();
    let body = |number: &str| {
        with_memory(&format!(
            "(data (i32.const 100) \"\\03no end\") (data (i32.const 131071) \"\\04\") (data (i32.const 200) \"\\04\\ff\\ff\\ff\\ff\")
             (data (i32.const 300) \"\\03\\ff\\00\") (data (i32.const 131060) \"\\03abcdefghij\")
             (func (export \"lie\") (result i32) i32.const {number})"
        ))
    };
    for (at, message) in [
        ("0", "a pointer to the byte 0"),
        ("-1", "outside of its memory"),
        ("131072", "outside of its memory"),
        ("131071", "outside of its memory"),
        ("200", "limit"),
        ("300", "not UTF-8"),
        ("131060", "does not end"),
    ] {
        batch(&store, &format!("CREATE OR REPLACE FUNCTION lie LANGUAGE wasm AS '{}'", body(at))).unwrap();
        let error = fails(&store, "SELECT lie()");
        assert!(error.to_string().starts_with("function lie: ") && error.to_string().contains(message), "{error}");
    }
    for bad in ["i32.const 0", "i32.const -8", "i32.const 131070"] {
        let body = format!(
            "(module (memory (export \"memory\") 2) (func (export \"libsql_malloc\") (param i32) (result i32) {bad})
               (func (export \"lie\") (param i32) (result i64) i64.const 1))"
        );
        batch(&store, &format!("CREATE OR REPLACE FUNCTION lie LANGUAGE wasm AS '{body}'")).unwrap();
        let error = fails(&store, "SELECT lie('text')");
        assert!(error.to_string().contains("libsql_malloc"), "{error}");
    }
    create(&store, "fibonacci", FIBONACCI).unwrap();
    assert_eq!(one(&store, "SELECT fibonacci(10)"), int(55));
}

#[test]
fn modules_that_never_free_may_be_called_for_ever() {
    let store = Store::open(Options {
        functions: Some(FunctionHost {
            limits: Limits { memory: 4 << 20, ..Limits::default() },
            ..FunctionHost::new(engine())
        }),
        ..Options::memory()
    })
    .unwrap();
    create(&store, "same", &with_memory("(func (export \"same\") (param i32) (result i32) local.get 0)")).unwrap();
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
               SELECT sum(length(same(zeroblob(10000)))) FROM n";
    assert_eq!(one(&store, sql), int(30_000_000));
}

#[test]
fn what_a_module_frees_is_given_back() {
    let store = memory();
    // Counts what is allocated and not freed.
    let body = "(module (memory (export \"memory\") 1) (global $live (mut i64) (i64.const 0))
        (func (export \"libsql_malloc\") (param i32) (result i32)
          (global.set $live (i64.add (global.get $live) (i64.const 1))) i32.const 1024)
        (func (export \"libsql_free\") (param i32) (global.set $live (i64.sub (global.get $live) (i64.const 1))))
        (func (export \"live\") (param i32) (result i64) (global.get $live)))";
    create(&store, "live", body).unwrap();
    let rows = query(&store, "SELECT live('a') UNION ALL SELECT live('b')", Params::none()).unwrap().rows;
    assert_eq!(rows, [[int(1)], [int(1)]]);
}

#[test]
fn wasi_is_there_and_reaches_nothing() {
    let store = memory();
    let body = "(module
        (import \"wasi_snapshot_preview1\" \"clock_time_get\" (func $clock (param i32 i64 i32) (result i32)))
        (import \"wasi_snapshot_preview1\" \"random_get\" (func $random (param i32 i32) (result i32)))
        (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))
        (import \"wasi_snapshot_preview1\" \"fd_prestat_get\" (func $prestat (param i32 i32) (result i32)))
        (import \"wasi_snapshot_preview1\" \"environ_sizes_get\" (func $environ (param i32 i32) (result i32)))
        (import \"wasi_snapshot_preview1\" \"path_open\" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
        (memory (export \"memory\") 1)
        (data (i32.const 0) \"\\10\\00\\00\\00\\05\\00\\00\\00hello\")
        (func (export \"_start\") unreachable)
        (func (export \"time\") (result i64) (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 64))) (i64.load (i32.const 64)))
        (func (export \"dice\") (result i64) (drop (call $random (i32.const 64) (i32.const 8))) (i64.load (i32.const 64)))
        (func (export \"say\") (result i64)
          (i64.extend_i32_u (i32.add (i32.mul (i32.const 1000) (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))
            (i32.load (i32.const 64)))))
        (func (export \"folders\") (result i64) (i64.extend_i32_u (call $prestat (i32.const 3) (i32.const 64))))
        (func (export \"variables\") (result i64) (drop (call $environ (i32.const 64) (i32.const 68))) (i64.load (i32.const 64)))
        (func (export \"files\") (result i64) (i64.extend_i32_u (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1)
            (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 64))))
        (func (export \"leave\") (result i64) (call $exit (i32.const 3)) unreachable))";
    for name in ["time", "dice", "say", "folders", "variables", "files", "leave"] {
        create(&store, &format!("\"{name}\""), body)
            .map_or_else(|error| assert_eq!(fault(&error).0, "name_taken"), drop);
    }
    assert_eq!(one(&store, "SELECT say()"), int(5));
    assert_eq!(one(&store, "SELECT folders()"), int(8));
    assert_eq!(one(&store, "SELECT variables()"), int(0));
    assert_eq!(one(&store, "SELECT files()"), int(52));
    let dice = one(&store, "SELECT dice()");
    assert!(dice != int(0) && dice == one(&store, "SELECT dice()"));
    let error = fails(&store, "SELECT leave()");
    assert!(error.to_string().contains("ended its program with status 3"), "{error}");
}
