//! Copies of a store that is used.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use wasgo_store::{Options, Request, Store, StoreError};

use crate::support::{batch, execute, file, int, memory, one, receive};

fn back_up(store: &Store, path: &std::path::Path) -> Result<(), StoreError> {
    let (sender, receiver) = channel();
    store.back_up(path, None, move |result| sender.send(result).unwrap())?;
    receive(&receiver)
}

#[test]
fn a_copy_has_what_was_committed_when_it_began() {
    let folder = tempfile::tempdir().unwrap();
    for (number, store) in [memory(), file().0].iter().enumerate() {
        batch(store, "CREATE TABLE t (v); INSERT INTO t VALUES (1), (2)").unwrap();
        let path = folder.path().join(format!("{number}.db"));
        back_up(store, &path).unwrap();
        execute(store, "DELETE FROM t", []).unwrap();
        let copy = Store::open(Options::file(&path)).unwrap();
        assert_eq!(one(&copy, "SELECT count(*) FROM t"), int(2));
        assert_eq!(one(&copy, "PRAGMA integrity_check"), crate::support::text("ok"));
        copy.close_and_wait().unwrap();
        let error = back_up(store, &path).unwrap_err();
        assert_eq!(error, StoreError::Exists { path: path.display().to_string() });
    }
}

#[test]
fn it_is_made_while_others_write_and_is_of_one_moment() {
    let (store, folder) = file();
    batch(&store, "CREATE TABLE t (v); CREATE TABLE u (v)").unwrap();
    let fill = "INSERT INTO t SELECT zeroblob(2000) FROM json_each(?)";
    let many = format!("[{}1]", "1,".repeat(4_999));
    store.wait(Request::execute(fill, [wasgo_store::Value::Text(many)])).unwrap();
    let (sender, receiver) = channel();
    let path = folder.path().join("copy.db");
    store.back_up(&path, None, move |result| sender.send(result).unwrap()).unwrap();
    let result = loop {
        // Both or neither.
        batch(&store, "BEGIN; INSERT INTO t VALUES (1); INSERT INTO u VALUES (1); COMMIT").unwrap();
        if let Ok(result) = receiver.try_recv() {
            break result;
        }
    };
    result.unwrap();
    let copy = Store::open(Options::file(&path)).unwrap();
    assert_eq!(one(&copy, "SELECT (SELECT count(*) FROM t) - (SELECT count(*) FROM u)"), int(5_000));
}

#[test]
fn one_that_fails_leaves_no_file() {
    let (store, folder) = file();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    let path = folder.path().join("copy.db");
    let (sender, receiver) = channel();
    store.back_up(&path, Some(Instant::now() - Duration::from_secs(1)), move |r| sender.send(r).unwrap()).unwrap();
    assert_eq!(receive(&receiver).unwrap_err().code_name(), "timeout");
    assert!(!path.exists());
    let error = back_up(&store, &folder.path().join("no/such/folder.db")).unwrap_err();
    assert!(error.to_string().contains("no/such/folder.db"), "{error}");
    back_up(&store, &path).unwrap();
}

#[test]
fn a_store_that_closes_gives_it_up() {
    let (store, folder) = file();
    batch(&store, "CREATE TABLE t (v)").unwrap();
    let (sender, receiver) = channel();
    let path = folder.path().join("copy.db");
    store.back_up(&path, None, move |result| sender.send(result).unwrap()).unwrap();
    store.close_now();
    let result = receive(&receiver);
    store.close_and_wait().unwrap();
    assert_eq!(result.is_ok(), path.exists(), "{result:?}");
}
