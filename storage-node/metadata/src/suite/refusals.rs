//! What is no portable or no deterministic SQL is refused, and changes nothing.

use storage_node_api::limits::MAX_STATEMENTS;
use storage_node_api::metadata::{ExecuteError, QueryError, Statement, Value};

use super::{Facts, int, must, refused};

pub(super) async fn run(facts: &Facts) {
    bad_statements_are_refused(facts).await;
    bad_queries_are_refused(facts).await;
    bad_parameters_are_refused(facts).await;
    columns_hold_what_they_declare(facts).await;
    batches_over_a_limit_are_refused(facts).await;
}

async fn bad_statements_are_refused(facts: &Facts) {
    for sql in [
        "",
        "-- nothing",
        "SELEKT 1",
        "SELECT 1 FROM",
        "SELECT 1 FROM no_such_table",
        "SELECT no_such_column FROM items",
        "INSERT INTO items (id) VALUES (2000); INSERT INTO items (id) VALUES (2001)",
        "INSERT INTO items (id) VALUES (2000); garbage",
        // Not deterministic.
        "INSERT INTO items (id) VALUES (random())",
        "UPDATE items SET name = CURRENT_TIMESTAMP",
        "INSERT INTO items (id, name) VALUES (2000, datetime('now'))",
        "INSERT INTO items (id, name) VALUES (2000, now())",
        "INSERT INTO items (id, body) VALUES (2000, randomblob(8))",
        "INSERT INTO items (id, amount) SELECT 2000, last_insert_rowid()",
        // Floating point.
        "INSERT INTO items (id, amount) VALUES (2000, 1.5)",
        "SELECT avg(amount) FROM items",
        // Not of this interface.
        "CREATE TABLE made (id BIGINT NOT NULL PRIMARY KEY)",
        "DROP TABLE items",
        "ALTER TABLE items ADD COLUMN more TEXT",
        "CREATE TEMP TABLE made (id BIGINT NOT NULL PRIMARY KEY)",
        "PRAGMA foreign_keys = OFF",
        "ATTACH DATABASE 'x' AS y",
        "VACUUM",
        "EXPLAIN SELECT 1",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT entry",
        "INSERT OR REPLACE INTO items (id) VALUES (2000)",
        "INSERT OR ROLLBACK INTO items (id) VALUES (2000)",
        "REPLACE INTO items (id) VALUES (2000)",
        // Not the application's.
        "INSERT INTO _devflow_migrations (number, name, text_hash) VALUES (9, 'x', 'y')",
        "DELETE FROM _devflow_migrations",
    ] {
        let first = Statement::new("INSERT INTO items (id) VALUES (2002)", []);
        let error = refused(facts.batch(vec![first, Statement::new(sql, [])]).await, sql);
        match error {
            ExecuteError::BadStatement {
                statement: 1,
                message,
            } => {
                assert!(!message.is_empty(), "{sql} is refused without a reason");
            }
            error => panic!("{sql}: {error:?}"),
        }
    }
    let left = "SELECT count(*) FROM items WHERE id >= 2000 AND id < 2100";
    assert_eq!(facts.integer(left, []).await, 0);
}

async fn bad_queries_are_refused(facts: &Facts) {
    for sql in [
        "",
        "SELECT",
        "SELECT 1; SELECT 2",
        "SELECT random()",
        "SELECT CURRENT_TIMESTAMP",
        "SELECT 1 FROM no_such_table",
        "PRAGMA user_version",
        "EXPLAIN SELECT 1",
        "SELECT ?",
    ] {
        let error = refused(facts.query(sql, []).await, sql);
        assert!(
            matches!(error, QueryError::BadStatement { .. }),
            "{sql}: {error:?}"
        );
    }
}

async fn bad_parameters_are_refused(facts: &Facts) {
    let insert = "INSERT INTO items (id, name) VALUES ($1, $2)";
    for params in [
        vec![],
        vec![int(2100)],
        vec![int(2100), "a".into(), "b".into()],
        vec![int(2100), "zero \0 byte".into()],
    ] {
        let result = facts
            .batch(vec![Statement::new(insert, params.clone())])
            .await;
        let error = refused(result, &format!("{params:?}"));
        assert!(
            matches!(error, ExecuteError::BadStatement { statement: 0, .. }),
            "{error:?}"
        );
    }
}

async fn columns_hold_what_they_declare(facts: &Facts) {
    let insert = "INSERT INTO items (id, amount, body) VALUES (2200, $1, $2)";
    for (amount, body) in [
        (Value::from("a"), Value::Null),
        (Value::Blob(vec![1]), Value::Null),
    ] {
        let statement = Statement::new(insert, [amount, body]);
        let error = refused(
            facts.batch(vec![statement.clone()]).await,
            &format!("{statement:?}"),
        );
        assert!(
            matches!(error, ExecuteError::BadStatement { statement: 0, .. }),
            "{error:?}"
        );
    }
    let overflow = "INSERT INTO items (id, amount) VALUES (2200, 9223372036854775807 + $1)";
    let overflow = facts.batch(vec![Statement::new(overflow, [int(1)])]).await;
    let error = refused(overflow, "an overflow");
    assert!(
        matches!(error, ExecuteError::BadStatement { statement: 0, .. }),
        "{error:?}"
    );
}

async fn batches_over_a_limit_are_refused(facts: &Facts) {
    let one = Statement::new("SELECT 1", []);
    must(
        facts.batch(vec![one.clone(); MAX_STATEMENTS]).await,
        "as many statements as may be",
    );
    let many = facts.batch(vec![one; MAX_STATEMENTS + 1]).await;
    assert_eq!(
        refused(many, "one statement too many"),
        ExecuteError::TooLarge
    );
    let body = Value::Blob(vec![0; 64 << 10]);
    let large = Statement::new("UPDATE items SET body = $1", [body]);
    assert_eq!(
        refused(facts.batch(vec![large]).await, "64 KiB"),
        ExecuteError::TooLarge
    );
}
