use super::*;

/// Sums, in states of eight bytes each.
fn total() -> String {
    with_memory(
        "(func (export \"total_of_init\") (result i32) (local $state i32)
           (local.set $state (call $malloc (i32.const 8))) (i64.store (local.get $state) (i64.const 0)) (local.get $state))
         (func (export \"total_of_step\") (param i32 i64)
           (if (i64.eq (local.get 1) (i64.const 666)) (then unreachable))
           (i64.store (local.get 0) (i64.add (i64.load (local.get 0)) (local.get 1))))
         (func (export \"total_of_inverse\") (param i32 i64)
           (i64.store (local.get 0) (i64.sub (i64.load (local.get 0)) (local.get 1))))
         (func (export \"total_of_value\") (param i32) (result i64) (i64.load (local.get 0)))
         (func (export \"total_of_final\") (param i32) (result i64) (i64.load (local.get 0)))",
    )
}

#[test]
fn groups_have_states_of_their_own() {
    let store = memory();
    create(&store, "total_of", &total()).unwrap();
    batch(
        &store,
        "CREATE TABLE t (g, v); INSERT INTO t VALUES ('a', 1), ('b', 10), ('a', 2), ('b', NULL), ('c', NULL)",
    )
    .unwrap();
    let rows = query(&store, "SELECT g, total_of(v) FROM t GROUP BY g ORDER BY g", Params::none()).unwrap().rows;
    assert_eq!(rows, [[text("a"), int(3)], [text("b"), int(10)], [text("c"), int(0)]]);
    assert_eq!(one(&store, "SELECT total_of(v) FROM t WHERE g = 'none'"), int(0));
    let rows = query(&store, "SELECT total_of(v), total_of(v + 1) FROM t WHERE v", Params::none()).unwrap().rows;
    assert_eq!(rows, [[int(13), int(16)]]);
}

#[test]
fn windows_take_rows_back() {
    let store = memory();
    create(&store, "total_of", &total()).unwrap();
    let sql = "SELECT total_of(column1) OVER (ORDER BY column1 ROWS 1 PRECEDING) FROM (VALUES (1), (2), (3), (4))";
    let rows = query(&store, sql, Params::none()).unwrap().rows;
    assert_eq!(rows, [[int(1)], [int(3)], [int(5)], [int(7)]]);
}

#[test]
fn a_trap_ends_the_statement_and_the_next_is_well() {
    let store = memory();
    create(&store, "total_of", &total()).unwrap();
    let sql = "SELECT column2, total_of(column1) FROM (VALUES (1, 1), (666, 2), (3, 3)) GROUP BY column2";
    assert_eq!(fault(&fails(&store, sql)).0, "unreachable");
    assert_eq!(one(&store, "SELECT total_of(column1) FROM (VALUES (4), (5))"), int(9));
}
