//! Steps of the schema.

use std::sync::Arc;

use futures_util::future::join_all;
use runtime::Runtime;
use storage_node_api::metadata::{ExecuteError, Metadata, MigrateError, Migration, QueryError};

use super::{Facts, int, must, refused};

/// Runs the cases about migrations. `make` returns another empty instance each
/// time it is called.
///
/// # Panics
/// If the implementation does not behave.
pub async fn migrations<M, F>(mut make: M, runtime: &Runtime)
where
    M: FnMut() -> F,
    F: Future<Output = Arc<dyn Metadata>>,
{
    let mut new = async || Facts {
        metadata: make().await,
        runtime: runtime.clone(),
    };
    steps_apply_in_order_and_once(&new().await).await;
    another_text_or_a_newer_schema_is_refused(&new().await).await;
    a_failing_step_leaves_nothing(&new().await).await;
    what_is_not_portable_is_refused(&new().await).await;
    tables_change_with_their_rows(&new().await).await;
    several_programs_may_migrate_at_once(&new().await).await;
}

fn step(number: u32, sql: &str) -> Migration {
    Migration {
        number,
        name: format!("step {number}"),
        sql: sql.to_owned(),
    }
}

fn steps() -> Vec<Migration> {
    vec![
        step(
            1,
            "CREATE TABLE a (id BIGINT NOT NULL PRIMARY KEY); INSERT INTO a VALUES (1)",
        ),
        step(
            2,
            "CREATE TABLE b (id TEXT NOT NULL PRIMARY KEY, c BIGINT NOT NULL DEFAULT 3);",
        ),
        step(
            3,
            "-- A comment; with a semicolon.\nINSERT INTO b (id) VALUES ('it''s; one')",
        ),
    ]
}

async fn steps_apply_in_order_and_once(facts: &Facts) {
    let steps = steps();
    must(facts.metadata.migrate(&[]).await, "no migrations");
    for known in [&steps[..1], &steps[..], &steps[..]] {
        must(facts.metadata.migrate(known).await, "migrate");
        assert_eq!(facts.integer("SELECT count(*) FROM a", []).await, 1);
    }
    assert_eq!(
        facts.rows("SELECT id, c FROM b", []).await,
        [["it's; one".into(), int(3)]]
    );
}

async fn another_text_or_a_newer_schema_is_refused(facts: &Facts) {
    let steps = steps();
    must(facts.metadata.migrate(&steps).await, "migrate");
    let older = refused(
        facts.metadata.migrate(&steps[..2]).await,
        "an older program",
    );
    assert_eq!(older, MigrateError::Newer { found: 3, known: 2 });
    let mut edited = steps.clone();
    edited[1].sql.push(' ');
    edited.push(step(4, "CREATE TABLE d (id BIGINT NOT NULL PRIMARY KEY)"));
    let changed = refused(facts.metadata.migrate(&edited).await, "an edited step");
    assert_eq!(changed, MigrateError::Changed { number: 2 });
    missing(facts, "d").await;
    let holes = [steps[0].clone(), step(3, "")];
    let error = refused(facts.metadata.migrate(&holes).await, "a missing number");
    assert!(
        matches!(error, MigrateError::Failed { number: 3, .. }),
        "{error:?}"
    );
    let skipping = step(5, "CREATE TABLE d (id BIGINT NOT NULL PRIMARY KEY)").into_batch();
    let error = refused(
        facts.execute(skipping).await,
        "a number that does not follow",
    );
    assert!(
        matches!(error, ExecuteError::BadStatement { .. }),
        "{error:?}"
    );
    missing(facts, "d").await;
}

async fn a_failing_step_leaves_nothing(facts: &Facts) {
    let mut steps = steps();
    let good = "CREATE TABLE c (id BIGINT NOT NULL PRIMARY KEY); INSERT INTO a VALUES (2);";
    steps.insert(1, step(2, &format!("{good} INSERT INTO a VALUES (1);")));
    for (step, number) in steps.iter_mut().zip(1..) {
        step.number = number;
    }
    let error = refused(
        facts.metadata.migrate(&steps).await,
        "a step that breaks a constraint",
    );
    let MigrateError::Failed {
        number: 2,
        source: ExecuteError::Constraint { .. },
    } = error
    else {
        panic!("{error:?}");
    };
    missing(facts, "c").await;
    missing(facts, "b").await;
    assert_eq!(facts.integer("SELECT count(*) FROM a", []).await, 1);
    facts.run("DELETE FROM a WHERE id = 1", []).await;
    must(
        facts.metadata.migrate(&steps).await,
        "the same step with other data",
    );
    assert_eq!(facts.integer("SELECT count(*) FROM a", []).await, 2);
    assert_eq!(facts.integer("SELECT count(*) FROM c", []).await, 0);
}

async fn what_is_not_portable_is_refused(facts: &Facts) {
    for sql in [
        "CREATE TABLE t (id BIGINT)",
        "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, f REAL)",
        "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, f VARIANT)",
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, x TEXT DEFAULT CURRENT_TIMESTAMP)",
        "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, x BIGINT DEFAULT (random()))",
        "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY CHECK (random() > 0))",
        "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY); CREATE TRIGGER g AFTER INSERT ON t \
         BEGIN DELETE FROM t; END",
        "CREATE TEMP TABLE t (id BIGINT NOT NULL PRIMARY KEY)",
        "CREATE TABLE _devflow_x (id BIGINT NOT NULL PRIMARY KEY)",
        "CREATE TABLE t AS SELECT 1 AS id",
        "DROP TABLE _devflow_migrations",
        "PRAGMA user_version = 3",
        "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY); COMMIT",
        "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY); garbage",
    ] {
        let error = refused(facts.metadata.migrate(&[step(1, sql)]).await, sql);
        match error {
            MigrateError::Failed {
                number: 1,
                source: ExecuteError::BadStatement { .. },
            } => {}
            error => panic!("{sql}: {error:?}"),
        }
        missing(facts, "t").await;
    }
}

async fn tables_change_with_their_rows(facts: &Facts) {
    let mut steps = steps();
    must(facts.metadata.migrate(&steps).await, "migrate");
    let alter = "ALTER TABLE b ADD COLUMN d TEXT NOT NULL DEFAULT 'new';
                 ALTER TABLE b RENAME COLUMN c TO e;
                 CREATE UNIQUE INDEX b_d ON b (d, e);
                 UPDATE b SET e = e + 1;
                 ALTER TABLE a RENAME TO f;
                 ALTER TABLE f ADD COLUMN g BIGINT REFERENCES f (id);
                 CREATE VIEW v AS SELECT id AS h FROM f";
    steps.push(step(4, alter));
    must(facts.metadata.migrate(&steps).await, "alter");
    assert_eq!(
        facts.rows("SELECT e, d FROM b", []).await,
        [[int(4), "new".into()]]
    );
    assert_eq!(facts.integer("SELECT h FROM v", []).await, 1);
    steps.push(step(
        5,
        "DROP VIEW v; DROP INDEX b_d; DROP TABLE f; ALTER TABLE b DROP COLUMN d",
    ));
    must(facts.metadata.migrate(&steps).await, "drop");
    missing(facts, "f").await;
    assert_eq!(
        facts.rows("SELECT * FROM b", []).await,
        [["it's; one".into(), int(4)]]
    );
}

async fn several_programs_may_migrate_at_once(facts: &Facts) {
    let steps = steps();
    for result in join_all((0..4).map(|_| facts.metadata.migrate(&steps))).await {
        must(result, "migrate at once");
    }
    assert_eq!(facts.integer("SELECT count(*) FROM a", []).await, 1);
}

async fn missing(facts: &Facts, table: &str) {
    let sql = format!("SELECT count(*) FROM {table}");
    let error = refused(facts.query(&sql, []).await, &sql);
    assert!(
        matches!(error, QueryError::BadStatement { .. }),
        "{error:?}"
    );
}
