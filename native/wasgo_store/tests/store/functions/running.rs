use super::*;

const SPIN: &str = "(module (func (export \"spin\") (result i64) (loop (br 0)) unreachable))";

#[test]
fn a_trap_is_an_error_that_names_the_function_and_the_transaction_can_go_on() {
    let store = memory();
    let body =
        "(module (func (export \"divide\") (param i64 i64) (result i64) (i64.div_s (local.get 0) (local.get 1))))";
    batch(&store, &format!("CREATE TABLE t (v); CREATE FUNCTION divide LANGUAGE wasm AS '{body}'")).unwrap();
    let token = store.token();
    store.wait(Request::begin(&token, wasgo_store::Behavior::Immediate)).unwrap();
    store.wait(Request::execute("INSERT INTO t VALUES (divide(6, 3))", []).within(&token)).unwrap();
    let error =
        store.wait(Request::execute("INSERT INTO t VALUES (1), (divide(1, 0))", []).within(&token)).unwrap_err();
    assert_eq!(fault(&error).0, "integer_division_by_zero", "{error}");
    assert_eq!((error.code_name(), error.sqlite_code()), ("function", Some(1)));
    store.wait(Request::execute("INSERT INTO t VALUES (divide(9, 3))", []).within(&token)).unwrap();
    store.wait(Request::commit(&token)).unwrap();
    let rows = query(&store, "SELECT v FROM t", Params::none()).unwrap().rows;
    assert_eq!(rows, [[int(2)], [int(3)]]);
}

#[test]
fn one_that_spins_is_stopped_by_the_statements_deadline() {
    let store = memory();
    create(&store, "spin", SPIN).unwrap();
    let request = Request::query("SELECT spin()", []).timeout(Duration::from_millis(50));
    assert_eq!(store.wait(request).unwrap_err().code_name(), "timeout");
    assert_eq!(one(&store, "SELECT 1"), int(1));
}

#[test]
fn one_that_spins_is_stopped_by_its_own_limit_and_by_an_interrupt() {
    let store = Store::open(Options {
        functions: Some(FunctionHost { timeout: Duration::from_millis(50), ..FunctionHost::new(engine()) }),
        ..Options::memory()
    })
    .unwrap();
    create(&store, "spin", SPIN).unwrap();
    let error = store.wait(Request::query("SELECT spin()", []).timeout(PATIENCE)).unwrap_err();
    assert_eq!(fault(&error).0, "time", "{error}");
    let store = memory();
    create(&store, "spin", SPIN).unwrap();
    let answer = crate::support::send(&store, Request::query("SELECT spin()", []));
    let error = loop {
        // The first may come before it runs.
        store.interrupt();
        match answer.try_recv() {
            Ok(answer) => break answer.unwrap_err(),
            Err(_) => std::thread::yield_now(),
        }
    };
    assert_eq!(error, StoreError::Interrupted);
}

#[test]
fn one_that_takes_memory_without_end_hits_its_limit() {
    let store = memory();
    let body = "(module (memory (export \"memory\") 1)
        (func (export \"bomb\") (result i64) (loop (br_if 0 (i32.ne (memory.grow (i32.const 100)) (i32.const -1)))) unreachable))";
    create(&store, "bomb", body).unwrap();
    assert_eq!(fault(&fails(&store, "SELECT bomb()")).0, "memory");
    let deep = "(module (func $f (export \"deep\") (result i64) (i64.add (call $f) (i64.const 1))))";
    create(&store, "deep", deep).unwrap();
    assert_eq!(fault(&fails(&store, "SELECT deep()")).0, "stack");
}

#[test]
fn a_start_function_that_spins_stops_the_creation() {
    let store = memory();
    let sql = "CREATE FUNCTION f LANGUAGE wasm AS '(module (func (export \"f\")) (func $s (loop (br 0))) (start $s))'";
    let error = store.wait(Request::execute(sql, []).timeout(Duration::from_millis(100))).unwrap_err();
    assert_eq!(error.code_name(), "timeout", "{error}");
    assert_eq!(one(&store, "SELECT count(*) FROM libsql_wasm_func_table"), int(0));
}

#[test]
fn a_view_in_the_tables_place_is_no_trap() {
    let store = memory();
    batch(&store, "CREATE VIEW libsql_wasm_func_table AS SELECT 'f' AS name, f() AS body").unwrap();
    assert!(fails(&store, "SELECT f()").to_string().contains("no such function: f"));
}
