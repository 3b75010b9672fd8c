//! SQL that is trusted with some tables.

use std::sync::Arc;

use wasgo_store::{Access, Limits, Now, Params, ParamsRef, Reply, Request, Rows, Store, StoreError};

use crate::support::{batch, file, int, memory, query, text};

const TABLES: &str = "CREATE TABLE pets (id INTEGER PRIMARY KEY, name, secret); CREATE TABLE owners (name);
    INSERT INTO pets VALUES (1, 'Rex', 'bone'); INSERT INTO owners VALUES ('Ann');
    CREATE VIEW tags AS SELECT pets.name || owners.name AS tag FROM pets, owners;
    CREATE TABLE log (line);
    CREATE TRIGGER noted AFTER UPDATE ON pets BEGIN INSERT INTO log VALUES (new.name); END";

fn run(store: &Store, access: &Arc<Access>, sql: &str) -> Result<Reply, StoreError> {
    store.wait(Request::query(sql, Params::none()).restricted(Arc::clone(access)))
}

fn names() -> Option<std::collections::BTreeSet<String>> {
    Some(["id".to_owned(), "name".to_owned()].into())
}

#[test]
fn it_reads_what_is_named_and_a_refusal_says_what_was_not() {
    let access = Arc::new(Access::none().read("pets", names()).read("tags", None));
    for store in [memory(), file().0] {
        batch(&store, TABLES).unwrap();
        let rows = run(&store, &access, "SELECT upper(NAME), count(*) FROM Pets WHERE id = 1").unwrap().into_rows();
        assert_eq!(rows.rows, [[text("REX"), int(1)]]);
        assert_eq!(run(&store, &access, "SELECT tag FROM tags").unwrap().into_rows().rows, [[text("RexAnn")]]);
        for (sql, words) in [
            ("SELECT * FROM pets", "not allowed to read pets.secret"),
            ("SELECT name FROM owners", "not allowed to read owners.name"),
            ("SELECT 1 FROM pets WHERE EXISTS (SELECT count(*) FROM owners)", "not allowed to read owners"),
            ("SELECT sql FROM sqlite_schema", "not allowed to read sqlite_master"),
            ("DELETE FROM pets", "not allowed to delete from pets"),
            ("INSERT INTO pets VALUES (2, 'a', 'b')", "not allowed to insert into pets"),
            ("UPDATE pets SET name = 'x'", "not allowed to update pets.name"),
            ("PRAGMA table_info(pets)", "a pragma"),
            ("SELECT * FROM pragma_table_info('pets')", "not allowed"),
            ("ATTACH ':memory:' AS other", "attaching"),
            ("CREATE TABLE own (v)", "not allowed"),
            ("CREATE TEMP TABLE own (v)", "not allowed"),
            ("DROP TABLE pets", "not allowed"),
            ("SELECT load_extension('x')", "not allowed to call load_extension"),
            ("VACUUM INTO 'somewhere'", "not allowed"),
            ("ANALYZE", "not allowed"),
        ] {
            let error = run(&store, &access, sql).expect_err(sql);
            assert_eq!(error.code_name(), "auth", "{sql}: {error}");
            assert!(error.to_string().contains(words), "{sql}: {error}");
        }
        assert_eq!(query(&store, "SELECT count(*) FROM pets", []).unwrap().rows, [[int(1)]]);
    }
}

#[test]
fn it_writes_what_is_named_and_triggers_only_by_name() {
    let store = memory();
    batch(&store, TABLES).unwrap();
    let access = Access::none().read("pets", names()).write("pets", Some(["name".to_owned()].into()));
    let update = "UPDATE pets SET name = 'Max' WHERE id = 1";
    let error = run(&store, &Arc::new(access.clone()), update).unwrap_err();
    assert!(error.to_string().contains("not allowed to insert into log"), "{error}");
    let access = Arc::new(access.through("noted"));
    run(&store, &access, update).unwrap();
    assert_eq!(query(&store, "SELECT line FROM log", []).unwrap().rows, [[text("Max")]]);
    for sql in ["UPDATE pets SET secret = 'x'", "INSERT INTO log VALUES (1)", "DELETE FROM pets"] {
        assert_eq!(run(&store, &access, sql).unwrap_err().code_name(), "auth", "{sql}");
    }
    let owners = Arc::new(Access::none().write("owners", None));
    let insert = Request::execute_many("INSERT INTO owners VALUES (?)", vec![Params::from([int(1)])]);
    assert!(store.wait(insert.restricted(Arc::clone(&owners))).is_ok());
    assert!(store.wait(Request::batch("BEGIN; DELETE FROM owners; COMMIT").restricted(owners)).is_ok());
}

#[test]
fn a_statement_that_others_prepared_is_not_lent_to_it() {
    let access = Arc::new(Access::none().read("pets", names()));
    let other = Arc::new(Access::none().read("pets", None));
    let sql = "SELECT secret FROM pets";
    for store in [memory(), file().0] {
        batch(&store, TABLES).unwrap();
        for _ in 0..2 {
            assert!(query(&store, sql, []).is_ok());
            assert!(run(&store, &other, sql).is_ok());
            assert!(run(&store, &access, sql).is_err());
        }
    }
}

#[test]
fn a_view_put_in_a_tables_place_is_not_read_through_a_statement_kept() {
    let access = Arc::new(Access::none().read("pets", names()));
    let store = memory();
    batch(&store, TABLES).unwrap();
    let sql = "SELECT name FROM pets";
    assert!(run(&store, &access, sql).is_ok());
    batch(&store, "DROP TRIGGER noted; DROP VIEW tags; DROP TABLE pets").unwrap();
    assert_eq!(run(&store, &access, sql).unwrap_err().code_name(), "error");
    batch(&store, "CREATE VIEW other AS SELECT name FROM owners").unwrap();
    assert_eq!(run(&store, &access, "SELECT name FROM other").unwrap_err().code_name(), "auth");
}

#[test]
fn it_holds_on_a_callers_thread_too() {
    let (store, _folder) = file();
    batch(&store, TABLES).unwrap();
    let access = Some(Arc::new(Access::none().read("pets", names())));
    let mut asked = Now {
        sql: "SELECT name FROM pets",
        params: ParamsRef::Positional(&[]),
        limits: Limits::default(),
        deadline: None,
        access,
    };
    let mut rows = Rows::default();
    store.query_now(&asked, &mut rows).expect("small").unwrap();
    assert_eq!(rows.rows, [[text("Rex")]]);
    asked.sql = "SELECT secret FROM pets";
    assert!(store.query_now(&asked, &mut Rows::default()).is_none(), "the writer tells why");
}

#[test]
fn a_query_with_the_name_of_a_view_has_no_more_rights() {
    let access = Arc::new(Access::none().read("pets", names()).read("tags", None).through("noted"));
    for store in [memory(), file().0] {
        batch(&store, TABLES).unwrap();
        for name in ["pets", "tags", "noted"] {
            for sql in [
                format!("WITH {name} AS (SELECT name FROM owners) SELECT * FROM {name}"),
                format!("WiTh {name}(n) AS MATERIALIZED (SELECT name FROM owners) SELECT n FROM {name}"),
                format!("SELECT * FROM (SELECT name FROM owners) AS {name}"),
                format!("SELECT (SELECT name FROM owners AS {name})"),
                format!("SELECT 1 UNION SELECT {name}.name FROM owners AS {name}"),
            ] {
                let result = run(&store, &access, &sql);
                assert_eq!(result.expect_err(&sql).code_name(), "auth", "{sql}");
            }
        }
        let rows = run(&store, &access, "WITH own AS (SELECT name FROM pets) SELECT * FROM own").unwrap();
        assert_eq!(rows.into_rows().rows, [[text("Rex")]]);
        let rows = run(&store, &access, "SELECT own.name FROM (SELECT name FROM pets) AS own").unwrap();
        assert_eq!(rows.into_rows().rows, [[text("Rex")]]);
    }
}
