//! A table against a map: whatever is done to both, they hold the same.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use wasgo_store::{Behavior, Params, Request, Store, Value};

use crate::support::{batch, int, memory};

const CASES: u32 = 10;
const OPERATIONS: usize = 100;

type Map = BTreeMap<i64, Value>;

#[derive(Debug, Clone)]
enum Operation {
    Insert(i64, Value),
    Replace(i64, Value),
    Delete(i64),
    Many(Vec<(i64, Value)>),
    Begin,
    Commit,
    Rollback,
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_filter("SQLite has no NaN", |x| !x.is_nan()).prop_map(Value::Real),
        any::<String>().prop_map(Value::Text),
        vec(any::<u8>(), 0..40).prop_map(Value::Blob),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = || 0_i64..12;
    prop_oneof![
        4 => (key(), value()).prop_map(|(k, v)| Operation::Insert(k, v)),
        4 => (key(), value()).prop_map(|(k, v)| Operation::Replace(k, v)),
        3 => key().prop_map(Operation::Delete),
        2 => vec((key(), value()), 0..4).prop_map(Operation::Many),
        3 => Just(Operation::Begin),
        2 => Just(Operation::Commit),
        2 => Just(Operation::Rollback),
    ]
}

fn contents(store: &Store, token: Option<&wasgo_store::Token>) -> Map {
    let mut request = Request::query("SELECT k, v FROM t ORDER BY k", []);
    if let Some(token) = token {
        request = request.within(token);
    }
    let rows = store.wait(request).unwrap().into_rows().rows;
    rows.into_iter()
        .map(|row| match <[Value; 2]>::try_from(row) {
            Ok([Value::Integer(k), v]) => (k, v),
            other => panic!("{other:?}"),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_does_what_a_map_does(operations in vec(operation(), OPERATIONS)) {
        let store = memory();
        batch(&store, "CREATE TABLE t (k INTEGER PRIMARY KEY, v)").unwrap();
        let token = store.token();
        let mut map = Map::new();
        let mut saved: Vec<Map> = Vec::new();
        for operation in operations {
            let run = |request: Request| {
                let inside = !saved.is_empty();
                store.wait(if inside { request.within(&token) } else { request })
            };
            match operation {
                Operation::Insert(k, v) => {
                    let done = run(Request::execute("INSERT INTO t VALUES (?, ?)", [int(k), v.clone()]));
                    prop_assert_eq!(done.is_ok(), !map.contains_key(&k));
                    map.entry(k).or_insert(v);
                }
                Operation::Replace(k, v) => {
                    let params = Params::Named(vec![("v".into(), v.clone()), ("k".into(), int(k))]);
                    run(Request::execute("REPLACE INTO t VALUES (:k, :v)", params)).unwrap();
                    map.insert(k, v);
                }
                Operation::Delete(k) => {
                    let done = run(Request::execute("DELETE FROM t WHERE k = ?", [int(k)])).unwrap();
                    prop_assert_eq!(done.executed().changes, u64::from(map.remove(&k).is_some()));
                }
                Operation::Many(rows) => {
                    let sets = rows.iter().map(|(k, v)| Params::from([int(*k), v.clone()]));
                    let done = run(Request::execute_many("INSERT INTO t VALUES (?, ?)", sets.collect::<Vec<_>>()));
                    let mut after = map.clone();
                    let fits = rows.into_iter().all(|(k, v)| after.insert(k, v).is_none());
                    prop_assert_eq!(done.is_ok(), fits);
                    if fits {
                        map = after;
                    }
                }
                Operation::Begin => {
                    store.wait(Request::begin(&token, Behavior::Deferred)).unwrap();
                    saved.push(map.clone());
                }
                Operation::Commit => {
                    let done = store.wait(Request::commit(&token));
                    prop_assert_eq!(done.is_ok(), saved.pop().is_some());
                }
                Operation::Rollback => {
                    let done = store.wait(Request::rollback(&token));
                    let before = saved.pop();
                    prop_assert_eq!(done.is_ok(), before.is_some());
                    if let Some(before) = before {
                        map = before;
                    }
                }
            }
            let inside = (!saved.is_empty()).then_some(&token);
            prop_assert_eq!(&contents(&store, inside), &map);
        }
        let outermost = saved.into_iter().next();
        drop(token);
        prop_assert_eq!(&contents(&store, None), &outermost.unwrap_or(map));
    }
}
