use super::*;

/// Numbers from the first argument on, below the second, each with its square and a text.
fn squares() -> String {
    with_memory(
        // A row of three TEXTs, and one of INTEGER, REAL, TEXT.
        "(data (i32.const 16) \"\\03\\00\\00\\00\\44\\00\\00\\00\\03\\00\\00\\00\\01\\00\\00\\00\\38\\00\\00\\00\\00\\00\\00\\00\\03\\00\\00\\00\\06\\00\\00\\00\\39\\00\\00\\00\\00\\00\\00\\00\\03\\00\\00\\00\\04\\00\\00\\00\\3f\\00\\00\\00\\00\\00\\00\\00nsquareword!\")
         (data (i32.const 200) \"\\03\\00\\00\\00\\3a\\00\\00\\00\\01\\00\\00\\00\\00\\00\\00\\00\")
         (data (i32.const 224) \"\\02\\00\\00\\00\\00\\00\\00\\00\")
         (data (i32.const 240) \"\\03\\00\\00\\00\\02\\00\\00\\00\\38\\00\\00\\00\\00\\00\\00\\00hi\")
         (func (export \"squares_columns\") (result i64) (i64.or (i64.shl (i64.const 16) (i64.const 32)) (i64.const 68)))
         (func (export \"squares_open\") (param i64 i64) (result i32) (local $state i32)
           (local.set $state (call $malloc (i32.const 16)))
           (i64.store (local.get $state) (local.get 0)) (i64.store offset=8 (local.get $state) (local.get 1)) (local.get $state))
         (func (export \"squares_next\") (param i32) (result i64) (local $n i64)
           (local.set $n (i64.load (local.get 0)))
           (if (i64.ge_s (local.get $n) (i64.load offset=8 (local.get 0))) (then (return (i64.const 0))))
           (if (i64.eq (local.get $n) (i64.const 666)) (then unreachable))
           (i64.store (local.get 0) (i64.add (local.get $n) (i64.const 1)))
           (i64.store (i32.const 216) (local.get $n))
           (f64.store (i32.const 232) (f64.convert_i64_s (i64.mul (local.get $n) (local.get $n))))
           (i64.or (i64.shl (i64.const 200) (i64.const 32)) (i64.const 58)))",
    )
}

#[test]
fn rows_come_one_by_one_with_the_columns_that_it_names() {
    let store = memory();
    create(&store, "squares", &squares()).unwrap();
    let rows = query(&store, "SELECT * FROM squares(2, 4)", Params::none()).unwrap();
    assert_eq!(rows.columns, ["n", "square", "word"]);
    assert_eq!(rows.rows, [[int(2), Value::Real(4.0), text("hi")], [int(3), Value::Real(9.0), text("hi")],]);
    // For ever, as far as it goes.
    let rows = query(&store, "SELECT n FROM squares(1, 9000000000000000000) LIMIT 2", Params::none()).unwrap();
    assert_eq!(rows.rows, [[int(1)], [int(2)]]);
    let sql = "SELECT a.n, b.n FROM squares(1, 3) AS a, squares(a.n, 3) AS b ORDER BY 1, 2";
    let rows = query(&store, sql, Params::none()).unwrap();
    assert_eq!(rows.rows, [[int(1), int(1)], [int(1), int(2)], [int(2), int(2)]]);
    assert_eq!(query(&store, "SELECT n FROM squares(1, NULL)", Params::none()).unwrap().rows.len(), 0);
    assert_eq!(one(&store, "SELECT count(*) FROM squares(1000, 11000)"), int(10_000));
}

#[test]
fn what_is_wrong_with_a_scan_is_an_error() {
    let store = memory();
    create(&store, "squares", &squares()).unwrap();
    assert_eq!(
        fault(&fails(&store, "SELECT * FROM squares(1)")),
        ("contract", "it takes 2 arguments, and was given 1")
    );
    assert_eq!(fault(&fails(&store, "SELECT * FROM squares(660, 700)")).0, "unreachable");
    assert!(fails(&store, "SELECT * FROM squares(1, 2, 3)").to_string().contains("too many arguments"));
    assert_eq!(one(&store, "SELECT n FROM squares(7, 8)"), int(7));
    let lying = squares().replace("i64.const 58", "i64.const 40");
    batch(&store, &format!("CREATE OR REPLACE FUNCTION squares LANGUAGE wasm AS '{lying}'")).unwrap();
    assert_eq!(fault(&fails(&store, "SELECT * FROM squares(1, 2)")).0, "contract");
}

#[test]
fn a_view_may_use_it() {
    let store = memory();
    create(&store, "squares", &squares()).unwrap();
    batch(&store, "CREATE VIEW few AS SELECT n FROM squares(1, 4)").unwrap();
    assert_eq!(one(&store, "SELECT sum(n) FROM few"), int(6));
}
