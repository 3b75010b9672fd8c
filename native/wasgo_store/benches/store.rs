//! What SQLite alone costs through its C interface, with the settings of a store, and what this crate makes of it, without the BEAM: the
//! floor under what `bench/store.exs` measures from Elixir.

#![allow(missing_docs)]

use std::ffi::{CStr, CString};
use std::hint::black_box;
use std::path::Path;
use std::ptr;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use libsql::ffi;
use wasgo_store::{
    Columns, Limits, Now, Options, ParamRows, ParamsRef, Request, Row, RowSink, Store, StoreError, ValueRef,
};

const ROWS: i64 = 100_000;

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, v REAL)";
const INSERT: &str = "INSERT INTO t VALUES (?, ?, ?)";
const SELECT: &str = "SELECT name FROM t WHERE id = ?";
const SCAN: &str = "SELECT id, name, v FROM t";

fn store(criterion: &mut Criterion) {
    let folder = std::env::temp_dir().join(format!("wasgo-store-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut group = criterion.benchmark_group("store");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3)).sample_size(20);

    // Opened first, so that the crate sets up the library for both.
    let own = Store::open(Options::file(folder.join("own.db"))).expect("a store");
    own.wait(Request::batch(TABLE)).expect("a table");
    let raw = Raw::open(&folder.join("raw.db"));
    raw.execute(TABLE);

    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("insert_100k_sqlite", |bencher| bencher.iter(|| raw.fill()));
    group.bench_function("insert_100k_store", |bencher| bencher.iter(|| fill(&own)));
    group.bench_function("scan_100k_sqlite", |bencher| bencher.iter(|| raw.scan()));
    group.bench_function("scan_100k_store", |bencher| bencher.iter(|| scan(&own)));
    group.throughput(Throughput::Elements(1));
    let mut id = 0;
    let mut next = move || {
        id = id % ROWS + 1;
        id
    };
    let statement = raw.prepare(SELECT);
    group.bench_function("select_sqlite", |bencher| bencher.iter(|| black_box(statement.select(next()))));
    group.bench_function("select_store", |bencher| bencher.iter(|| black_box(select(&own, next()))));
    drop(statement);
    group.finish();
    drop(raw);
    own.close_and_wait().expect("it closes");
    std::fs::remove_dir_all(&folder).expect("it is ours");
}

fn name_of(id: i64) -> String {
    format!("name {id}")
}

/// Counts what it is given, and looks at each value.
#[derive(Default)]
struct Count(usize);

impl RowSink for Count {
    fn columns(&mut self, _columns: &Columns<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        for column in 0..row.len() {
            black_box(row.get(column)?);
        }
        self.0 += 1;
        Ok(())
    }
}

fn fill(store: &Store) {
    store.wait(Request::execute("DELETE FROM t", [])).expect("deleted");
    let mut rows = ParamRows::with_capacity(ROWS as usize, 3);
    for id in 1..=ROWS {
        rows.push(ValueRef::Integer(id));
        rows.push(ValueRef::Text(&name_of(id)));
        rows.push(ValueRef::Real(id as f64 / 2.0));
        rows.end_row();
    }
    store.wait(Request::execute_many(INSERT, rows)).expect("inserted");
}

fn scan(store: &Store) {
    let (send, receive) = std::sync::mpsc::channel();
    let done = move |run: wasgo_store::Run<'_>| {
        let mut count = Count::default();
        send.send(run(&mut count).map(|_| count.0)).expect("heard");
    };
    store.submit_rows(Request::query(SCAN, []), Box::new(done)).expect("accepted");
    assert_eq!(receive.recv().expect("an answer"), Ok(ROWS as usize));
}

fn select(store: &Store, id: i64) -> usize {
    let params = [ValueRef::Integer(id)];
    let now = Now {
        sql: SELECT,
        params: ParamsRef::Positional(&params),
        limits: Limits::default(),
        deadline: None,
        access: None,
    };
    let mut count = Count::default();
    store.query_now(&now, &mut count).expect("it is small").expect("it is there");
    count.0
}

/// SQLite, without anything around it.
struct Raw(*mut ffi::sqlite3);

struct RawStatement(*mut ffi::sqlite3_stmt);

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: it is open, and its statements are gone.
        unsafe { ffi::sqlite3_close_v2(self.0) };
    }
}

impl Drop for RawStatement {
    fn drop(&mut self) {
        // SAFETY: it was prepared.
        unsafe { ffi::sqlite3_finalize(self.0) };
    }
}

impl Raw {
    fn open(path: &Path) -> Self {
        let path = CString::new(path.as_os_str().as_encoded_bytes()).expect("no NUL");
        let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE | ffi::SQLITE_OPEN_NOMUTEX;
        let mut raw = ptr::null_mut();
        // SAFETY: the path is a C string, raw a place for the connection.
        let code = unsafe { ffi::sqlite3_open_v2(path.as_ptr(), &mut raw, flags, ptr::null()) };
        assert_eq!(code, ffi::SQLITE_OK);
        let raw = Self(raw);
        raw.prepare("PRAGMA journal_mode = wal").run();
        raw.execute("PRAGMA synchronous = FULL");
        raw
    }

    fn execute(&self, sql: &str) {
        self.prepare(sql).run();
    }

    fn prepare(&self, sql: &str) -> RawStatement {
        let sql = CString::new(sql).expect("no NUL");
        let mut raw = ptr::null_mut();
        // SAFETY: the connection is open, the SQL a C string, raw a place for the statement.
        let code = unsafe { ffi::sqlite3_prepare_v3(self.0, sql.as_ptr(), -1, 1, &mut raw, ptr::null_mut()) };
        assert_eq!(code, ffi::SQLITE_OK);
        RawStatement(raw)
    }

    fn fill(&self) {
        self.execute("DELETE FROM t");
        self.execute("BEGIN IMMEDIATE");
        let insert = self.prepare(INSERT);
        for id in 1..=ROWS {
            let name = name_of(id);
            // SAFETY: the statement does not run; the name lives until it was run.
            unsafe {
                ffi::sqlite3_bind_int64(insert.0, 1, id);
                let (start, length) = (name.as_ptr().cast(), name.len() as u64);
                ffi::sqlite3_bind_text64(insert.0, 2, start, length, ffi::SQLITE_STATIC(), ffi::SQLITE_UTF8 as u8);
                ffi::sqlite3_bind_double(insert.0, 3, id as f64 / 2.0);
            }
            insert.run();
        }
        self.execute("COMMIT");
    }

    fn scan(&self) {
        let scan = self.prepare(SCAN);
        let mut rows = 0;
        // SAFETY: it is prepared; what is read of a row is looked at before the next step.
        unsafe {
            while ffi::sqlite3_step(scan.0) == ffi::SQLITE_ROW {
                black_box(ffi::sqlite3_column_int64(scan.0, 0));
                black_box(CStr::from_ptr(ffi::sqlite3_column_text(scan.0, 1).cast()));
                black_box(ffi::sqlite3_column_double(scan.0, 2));
                rows += 1;
            }
        }
        assert_eq!(rows, ROWS);
    }
}

impl RawStatement {
    /// To its end; ready to run again.
    fn run(&self) {
        // SAFETY: it is prepared.
        unsafe {
            while ffi::sqlite3_step(self.0) == ffi::SQLITE_ROW {}
            assert_eq!(ffi::sqlite3_reset(self.0), ffi::SQLITE_OK);
        }
    }

    fn select(&self, id: i64) -> usize {
        // SAFETY: it is prepared and does not run; the text is looked at before the reset.
        unsafe {
            ffi::sqlite3_bind_int64(self.0, 1, id);
            assert_eq!(ffi::sqlite3_step(self.0), ffi::SQLITE_ROW);
            let length = CStr::from_ptr(ffi::sqlite3_column_text(self.0, 0).cast()).count_bytes();
            ffi::sqlite3_reset(self.0);
            length
        }
    }
}

criterion_group!(benches, store);
criterion_main!(benches);
