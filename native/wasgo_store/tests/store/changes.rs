//! What subscribers are told.

use std::sync::mpsc::{Receiver, channel};

use wasgo_store::{Behavior, Change, MAX_CHANGED_ROWS, Operation, Params, Request, Store, Subscription};

use crate::support::{batch, execute, file, int, memory, query};

type Told = (String, Operation, Option<i64>, Option<u64>);

struct Ear {
    heard: Receiver<Vec<Told>>,
    _subscription: Subscription,
}

impl Ear {
    fn of(store: &Store, tables: Option<&[&str]>) -> Self {
        let (sender, heard) = channel();
        let tables = tables.map(|tables| tables.iter().map(|table| (*table).to_owned()).collect());
        let on_change = move |changes: &[Change]| {
            let told = changes.iter().map(|c| (c.table.to_string(), c.operation, c.rowid, c.count)).collect();
            sender.send(told).unwrap();
        };
        Self { heard, _subscription: store.subscribe(tables, Box::new(on_change)).unwrap() }
    }

    /// All that was told so far: it is, before a write is answered.
    fn told(&self) -> Vec<Vec<Told>> {
        self.heard.try_iter().collect()
    }
}

fn row(table: &str, operation: Operation, rowid: i64) -> Told {
    (table.to_owned(), operation, Some(rowid), Some(1))
}

const TABLES: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v UNIQUE); CREATE TABLE other (v);
    CREATE TABLE keyed (k PRIMARY KEY, v) WITHOUT ROWID";

#[test]
fn each_commit_is_told_with_its_rows() {
    for store in [memory(), file().0] {
        batch(&store, TABLES).unwrap();
        let ear = Ear::of(&store, None);
        execute(&store, "INSERT INTO t VALUES (7, 'a'), (8, 'b')", []).unwrap();
        execute(&store, "UPDATE t SET v = 'c' WHERE id = 7", []).unwrap();
        execute(&store, "DELETE FROM t WHERE id = 8", []).unwrap();
        query(&store, "INSERT INTO other VALUES (1) RETURNING v", []).unwrap();
        query(&store, "SELECT * FROM t", []).unwrap();
        assert_eq!(
            ear.told(),
            [
                vec![row("t", Operation::Insert, 7), row("t", Operation::Insert, 8)],
                vec![row("t", Operation::Update, 7)],
                vec![row("t", Operation::Delete, 8)],
                vec![row("other", Operation::Insert, 1)],
            ]
        );
    }
}

#[test]
fn only_the_tables_asked_for_are_told() {
    let store = memory();
    batch(&store, TABLES).unwrap();
    let ear = Ear::of(&store, Some(&["OTHER"]));
    batch(&store, "INSERT INTO t VALUES (1, 1); INSERT INTO other VALUES (1); INSERT INTO t VALUES (2, 2)").unwrap();
    execute(&store, "DELETE FROM t WHERE id = 1", []).unwrap();
    assert_eq!(ear.told(), [[row("other", Operation::Insert, 1)]]);
}

#[test]
fn a_transaction_is_told_when_it_commits_and_never_when_it_is_undone() {
    let store = memory();
    batch(&store, TABLES).unwrap();
    let ear = Ear::of(&store, None);
    let token = store.token();
    let run = |request: Request| store.wait(request.within(&token));
    let insert = |value: i64| run(Request::execute("INSERT INTO t VALUES (?1, ?1)", [int(value)]));
    let begin = || store.wait(Request::begin(&token, Behavior::Deferred)).unwrap();

    begin();
    insert(1).unwrap();
    begin();
    insert(2).unwrap();
    store.wait(Request::rollback(&token)).unwrap();
    begin();
    insert(3).unwrap();
    store.wait(Request::commit(&token)).unwrap();
    // Undone alone, the statement's first row with it.
    assert!(run(Request::execute("INSERT INTO t VALUES (4, 4), (1, 5)", [])).is_err());
    let rows: Vec<_> = [5, 1].iter().map(|value| Params::from([int(*value), int(*value)])).collect();
    assert!(run(Request::execute_many("INSERT INTO t VALUES (?, ?)", rows)).is_err());
    // This keeps what came before the row that failed.
    assert!(run(Request::execute("INSERT OR FAIL INTO t VALUES (6, 6), (1, 7)", [])).is_err());
    assert!(ear.told().is_empty());
    store.wait(Request::commit(&token)).unwrap();
    let expected = [1, 3, 6].map(|rowid| row("t", Operation::Insert, rowid));
    assert_eq!(ear.told(), [expected]);

    begin();
    insert(9).unwrap();
    store.wait(Request::rollback(&token)).unwrap();
    assert!(ear.told().is_empty());
    assert!(execute(&store, "INSERT INTO t VALUES (10, 10), (1, 11)", []).is_err());
    assert!(ear.told().is_empty());
    batch(&store, "INSERT INTO other VALUES (1); BEGIN; INSERT INTO other VALUES (2); ROLLBACK").unwrap();
    assert_eq!(ear.told(), [[row("other", Operation::Insert, 1)]]);
    batch(
        &store,
        "BEGIN; SAVEPOINT s; INSERT INTO other VALUES (2); ROLLBACK TO s; INSERT INTO t VALUES (20, 20); COMMIT",
    )
    .unwrap();
    assert_eq!(ear.told(), [[row("t", Operation::Insert, 20)]]);
}

#[test]
fn what_sqlite_does_not_tell_by_row_is_told_by_table() {
    let store = memory();
    batch(&store, TABLES).unwrap();
    batch(&store, "INSERT INTO other VALUES (1), (2)").unwrap();
    let ear = Ear::of(&store, None);
    execute(&store, "INSERT INTO keyed VALUES ('a', 1)", []).unwrap();
    execute(&store, "DELETE FROM other", []).unwrap();
    execute(&store, "DELETE FROM other", []).unwrap();
    let by_table = |table: &str, operation| vec![(table.to_owned(), operation, None, None)];
    assert_eq!(ear.told(), [by_table("keyed", Operation::Insert), by_table("other", Operation::Delete)]);
}

#[test]
fn of_many_rows_each_table_is_told_how_many() {
    let store = memory();
    batch(&store, TABLES).unwrap();
    let ear = Ear::of(&store, None);
    let rows = |count: usize| (0..count).map(|_| Params::from([int(1)])).collect::<Vec<_>>();
    let insert = |count| store.wait(Request::execute_many("INSERT INTO other VALUES (?)", rows(count))).unwrap();
    insert(MAX_CHANGED_ROWS);
    assert_eq!(ear.told()[0].len(), MAX_CHANGED_ROWS);
    insert(MAX_CHANGED_ROWS + 1);
    let count = Some(MAX_CHANGED_ROWS as u64 + 1);
    assert_eq!(ear.told(), [[("other".to_owned(), Operation::Insert, None, count)]]);
}

#[test]
fn nothing_is_told_once_a_subscription_is_dropped() {
    let store = memory();
    batch(&store, TABLES).unwrap();
    let (ear, other) = (Ear::of(&store, None), Ear::of(&store, None));
    let Ear { heard, _subscription } = ear;
    drop(_subscription);
    execute(&store, "INSERT INTO other VALUES (1)", []).unwrap();
    assert!(heard.try_recv().is_err());
    assert_eq!(other.told().len(), 1);
    drop(other);
    execute(&store, "INSERT INTO other VALUES (1)", []).unwrap();
    store.close_and_wait().unwrap();
    assert_eq!(store.subscribe(None, Box::new(|_| {})).unwrap_err().code_name(), "closed");
}
