use std::sync::mpsc::channel;

use wasgo_store::{Location, Options, Params, Store, StoreError, Synchronous, Value};

use crate::support::{batch, execute, int, one, query, receive, text};

fn name_of(opened: Result<Store, StoreError>) -> &'static str {
    opened.expect_err("must not open").code_name()
}

#[test]
fn what_was_written_is_there_when_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let store = Store::open(Options::file(&path)).unwrap();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    execute(&store, "INSERT INTO t VALUES (?)", [text("kept")]).unwrap();
    store.close_and_wait().unwrap();
    assert!(!path.with_extension("db-wal").exists(), "the log is gone");
    let store = Store::open(Options::file(&path)).unwrap();
    assert_eq!(one(&store, "SELECT v FROM t"), text("kept"));
}

#[test]
fn options_reach_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::file(dir.path().join("a.db"));
    let store = Store::open(options.clone()).unwrap();
    assert_eq!(one(&store, "PRAGMA journal_mode"), text("wal"));
    assert_eq!(one(&store, "PRAGMA synchronous"), int(2));
    assert_eq!(one(&store, "PRAGMA foreign_keys"), int(1));
    store.close_and_wait().unwrap();

    options.wal = false;
    options.synchronous = Synchronous::Off;
    options.foreign_keys = false;
    options.create = false;
    let store = Store::open(options.clone()).unwrap();
    assert_eq!(one(&store, "PRAGMA journal_mode"), text("delete"));
    assert_eq!(one(&store, "PRAGMA synchronous"), int(0));
    assert_eq!(one(&store, "PRAGMA foreign_keys"), int(0));
    store.close_and_wait().unwrap();

    options.synchronous = Synchronous::Normal;
    let store = Store::open(options).unwrap();
    assert_eq!(one(&store, "PRAGMA synchronous"), int(1));
}

#[test]
fn a_path_that_cannot_be_opened_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("no/such/directory/a.db");
    let error = Store::open(Options::file(&missing)).unwrap_err();
    assert!(error.code_name().starts_with("cantopen"), "{error}");
    assert!(error.to_string().contains("no/such/directory"), "{error}");
    assert_eq!(error.sqlite_code().map(|code| code & 0xff), Some(14));

    let error = Store::open(Options::file(dir.path())).unwrap_err();
    assert!(error.code_name().starts_with("cantopen"), "{error}");

    let mut options = Options::file(dir.path().join("absent.db"));
    options.create = false;
    assert!(name_of(Store::open(options.clone())).starts_with("cantopen"));
    options.read_only = true;
    assert!(name_of(Store::open(options)).starts_with("cantopen"));
    assert!(!dir.path().join("absent.db").exists());
}

#[test]
fn options_without_meaning_are_refused() {
    assert_eq!(name_of(Store::open(Options::file(""))), "invalid_option");
    assert_eq!(name_of(Store::open(Options::file("a\0b"))), "invalid_option");
    for bytes in [0, 4095, 1_000_000_001] {
        let mut options = Options::memory();
        options.max_value_bytes = bytes;
        assert_eq!(name_of(Store::open(options)), "invalid_option");
    }
}

#[test]
fn special_names_are_plain_files() {
    let dir = tempfile::tempdir().unwrap();
    for name in [":memory:", "file:a?mode=memory", "a b%20c"] {
        let path = dir.path().join(name);
        let store = Store::open(Options::file(&path)).unwrap();
        batch(&store, "CREATE TABLE t (v)").unwrap();
        assert!(path.exists(), "{name}");
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("letter.txt");
    let letter = "Dear Sir, this is not a database. ".repeat(200);
    std::fs::write(&path, &letter).unwrap();
    assert_eq!(name_of(Store::open(Options::file(&path))), "notadb");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), letter);
}

#[test]
fn a_corrupt_file_is_an_error_and_not_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let store = Store::open(Options::file(&path)).unwrap();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    let rows = (0..500).map(|i| Params::from([text(&format!("{i:0>200}"))]));
    let many = wasgo_store::Request::execute_many("INSERT INTO t VALUES (?)", rows.collect::<Vec<_>>());
    store.wait(many).unwrap();
    store.close_and_wait().unwrap();

    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096..].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    let store = Store::open(Options::file(&path)).unwrap();
    let error = query(&store, "SELECT v FROM t", Params::none()).unwrap_err();
    assert!(error.code_name().starts_with("corrupt"), "{error}");
    assert_eq!(one(&store, "SELECT 1"), int(1));
    drop(store);

    // A broken schema shows when opening.
    bytes[100..4096].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    let name = name_of(Store::open(Options::file(&path)));
    assert!(name.starts_with("corrupt"), "{name}");
}

#[test]
fn a_read_only_store_reads_and_refuses_to_write() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::file(dir.path().join("a.db"));
    let writer = Store::open(options.clone()).unwrap();
    batch(&writer, "CREATE TABLE t (v); INSERT INTO t VALUES (7)").unwrap();
    options.read_only = true;
    let reader = Store::open(options).unwrap();
    assert_eq!(one(&reader, "SELECT v FROM t"), int(7));
    let error = execute(&reader, "INSERT INTO t VALUES (8)", []).unwrap_err();
    assert_eq!(error.code_name(), "readonly");
    let many = wasgo_store::Request::execute_many("INSERT INTO t VALUES (8)", vec![Params::none()]);
    assert_eq!(reader.wait(many).unwrap_err().code_name(), "readonly");
    execute(&writer, "INSERT INTO t VALUES (9)", []).unwrap();
    assert_eq!(one(&reader, "SELECT count(*) FROM t"), int(2));
}

#[test]
fn a_size_limit_stops_growth_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::file(dir.path().join("a.db"));
    options.max_bytes = Some(256 * 1024);
    let store = Store::open(options).unwrap();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    let insert = "INSERT INTO t VALUES (zeroblob(50000))";
    let mut kept = 0;
    let error = loop {
        match execute(&store, insert, []) {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 10, "more than the limit was written");
    };
    assert_eq!(error.code_name(), "full");
    assert!(kept >= 3);
    assert_eq!(one(&store, "SELECT count(*) FROM t"), int(kept));
    assert_eq!(one(&store, "PRAGMA integrity_check"), text("ok"));
}

#[test]
fn opening_does_not_wait_and_answers_on_the_stores_own_thread() {
    let (sender, receiver) = channel();
    Store::open_with(Options::memory(), move |opened| {
        let store = opened.expect("memory opens");
        let thread = std::thread::current().name().map(str::to_owned);
        let waited = query(&store, "SELECT 1", Params::none());
        let opened = Store::open(Options::memory()).map(drop);
        sender.send((store, thread, waited, opened)).unwrap();
    })
    .unwrap();
    let (store, thread, waited, opened) = receive(&receiver);
    assert_eq!(thread.as_deref(), Some("wasgo-store"));
    assert_eq!(waited, Err(StoreError::WouldBlock), "it would never end");
    assert_eq!(opened, Err(StoreError::WouldBlock));
    assert_eq!(one(&store, "SELECT 1"), int(1));
}

#[test]
fn sql_cannot_break_the_file_or_load_code() {
    let store = Store::open(Options::memory()).unwrap();
    assert_eq!(Options::memory().location, Location::Memory);
    batch(&store, "CREATE TABLE t (v); PRAGMA writable_schema = ON").unwrap();
    execute(&store, "DELETE FROM sqlite_schema", []).unwrap_err();
    execute(&store, "SELECT load_extension('x')", []).unwrap_err();
    assert_eq!(one(&store, "SELECT count(*) FROM t"), Value::Integer(0));
}

#[cfg(not(feature = "remote"))]
#[test]
fn a_server_without_the_feature_for_it_is_an_error_that_names_the_feature() {
    let options = Options::server(wasgo_store::Server::at("http://127.0.0.1:1"));
    let error = Store::open(options).expect_err("not built");
    assert_eq!(error.code_name(), "not_built");
    assert!(error.to_string().contains("remote"), "{error}");
}

#[cfg(not(feature = "replication"))]
#[test]
fn a_copy_of_a_server_without_the_feature_for_it_is_an_error_that_names_the_feature() {
    let replica = wasgo_store::Replica::of(wasgo_store::Server::at("http://127.0.0.1:1"));
    let options = Options { replica: Some(replica), ..Options::file("/nowhere/copy.db") };
    let error = Store::open(options).expect_err("not built");
    assert_eq!(error.code_name(), "not_built");
    assert!(error.to_string().contains("replication"), "{error}");
}
