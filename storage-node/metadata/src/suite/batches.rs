//! Batches: all or nothing, and once.

use storage_node_api::Effect;
use storage_node_api::metadata::{Batch, Constraint, ExecuteError, Guard, Statement, Value};

use super::{Facts, int, must, refused};

pub(super) async fn run(facts: &Facts) {
    a_batch_sees_itself_and_answers_per_statement(facts).await;
    guards_decide_over_the_whole_batch(facts).await;
    each_kind_of_constraint_is_named(facts).await;
    a_failure_at_the_end_leaves_nothing(facts).await;
    a_retry_answers_the_first_result(facts).await;
    a_retry_of_a_refused_batch_is_refused_alike(facts).await;
    returned_rows_are_in_ascending_order(facts).await;
}

async fn a_batch_sees_itself_and_answers_per_statement(facts: &Facts) {
    let insert = "INSERT INTO items (id, amount) VALUES ($1, $2)";
    let statements = vec![
        Statement::new(insert, [int(1000), int(1)]),
        Statement::new("SELECT amount FROM items WHERE id = 1000", []),
        Statement::new("UPDATE items SET amount = 2 WHERE id = 1000", []),
        Statement::new("SELECT amount FROM items WHERE id = 1000", []),
    ];
    let results = must(facts.batch(statements).await, "a batch").results;
    let changed: Vec<_> = results.iter().map(|rows| rows.changed).collect();
    assert_eq!(changed, [1, 0, 1, 0]);
    assert_eq!(results[1].rows, [[int(1)]]);
    assert_eq!(results[3].rows, [[int(2)]]);
    let empty = must(facts.batch(Vec::new()).await, "an empty batch");
    assert!(empty.results.is_empty());
}

async fn guards_decide_over_the_whole_batch(facts: &Facts) {
    for id in 1100..1103 {
        facts
            .run("INSERT INTO items (id, amount) VALUES ($1, 0)", [int(id)])
            .await;
    }
    let update = "UPDATE items SET amount = amount + 1 WHERE id >= 1100 AND id < 1100 + $1";
    let select = "SELECT id FROM items WHERE id >= 1100 AND id < 1100 + $1";
    let returning = "UPDATE items SET amount = amount + 1 \
                     WHERE id >= 1100 AND id < 1100 + $1 RETURNING id";
    let marker = || Statement::new("UPDATE items SET name = 'marked' WHERE id = 1100", []);
    for sql in [update, select, returning] {
        for (guard, rows, holds) in [
            (Guard::Rows(0), 0, true),
            (Guard::Rows(0), 1, false),
            (Guard::Rows(2), 2, true),
            (Guard::Rows(2), 3, false),
            (Guard::AtLeast(1), 0, false),
            (Guard::AtLeast(1), 1, true),
            (Guard::AtLeast(1), 3, true),
        ] {
            facts
                .run("UPDATE items SET name = 'clear' WHERE id = 1100", [])
                .await;
            let statement = Statement::new(sql, [int(rows)]).guarded(guard);
            let result = facts.batch(vec![marker(), statement, marker()]).await;
            let name = if holds { "marked" } else { "clear" };
            if holds {
                must(result, sql);
            } else {
                let found = u64::try_from(rows).expect("rows are not negative");
                let error = refused(result, sql);
                assert_eq!(
                    error,
                    ExecuteError::Guard {
                        statement: 1,
                        found
                    },
                    "{sql}"
                );
                assert_eq!(error.effect(), Effect::None);
            }
            let names = facts
                .rows("SELECT name FROM items WHERE id = 1100", [])
                .await;
            assert_eq!(names, [[Value::from(name)]], "{sql} {guard:?} with {rows}");
        }
    }
}

async fn each_kind_of_constraint_is_named(facts: &Facts) {
    facts
        .run("INSERT INTO parents (id) VALUES (1200)", [])
        .await;
    let insert = "INSERT INTO children (id, parent, label, score) VALUES ($1, $2, $3, $4)";
    facts
        .run(insert, [int(1), int(1200), "first".into(), int(0)])
        .await;
    let child = |id, parent, label: Value, score| {
        Statement::new(insert, [int(id), int(parent), label, int(score)])
    };
    for (statement, expected) in [
        (child(1, 1200, "other".into(), 0), Constraint::Unique),
        (child(2, 1200, "first".into(), 0), Constraint::Unique),
        (child(2, 1299, "other".into(), 0), Constraint::ForeignKey),
        (child(2, 1200, Value::Null, 0), Constraint::NotNull),
        (child(2, 1200, "other".into(), -1), Constraint::Check),
        (
            Statement::new("DELETE FROM parents WHERE id = 1200", []),
            Constraint::ForeignKey,
        ),
        (
            Statement::new("UPDATE children SET score = -1 WHERE id = 1", []),
            Constraint::Check,
        ),
    ] {
        let first = Statement::new("SELECT id FROM parents WHERE id = 1200", []);
        let error = refused(
            facts.batch(vec![first, statement.clone()]).await,
            &statement.sql,
        );
        match error {
            ExecuteError::Constraint {
                statement: 1, kind, ..
            } if kind == expected => {}
            error => panic!("{statement:?} should break {expected:?}: {error:?}"),
        }
    }
    assert_eq!(
        facts
            .integer("SELECT count(*) FROM children WHERE parent = 1200", [])
            .await,
        1
    );
}

async fn a_failure_at_the_end_leaves_nothing(facts: &Facts) {
    let insert = |id| Statement::new("INSERT INTO items (id) VALUES ($1)", [int(id)]);
    for last in [
        insert(1300),
        Statement::new("SELECT nothing FROM items", []),
        Statement::new("SELECT id FROM items WHERE id = 1399", []).guarded(Guard::Rows(1)),
    ] {
        let mut statements: Vec<_> = (1300..1310).map(insert).collect();
        statements.push(last);
        refused(
            facts.batch(statements).await,
            "a batch whose last statement fails",
        );
        let left = "SELECT count(*) FROM items WHERE id >= 1300 AND id < 1400";
        assert_eq!(facts.integer(left, []).await, 0);
    }
}

async fn a_retry_answers_the_first_result(facts: &Facts) {
    facts
        .run("INSERT INTO counters (name, value) VALUES ('retry', 0)", [])
        .await;
    let add = "UPDATE counters SET value = value + 1 WHERE name = 'retry' RETURNING value";
    let batch = Batch::new(facts.id(), vec![Statement::new(add, [])]);
    let first = must(facts.execute(batch.clone()).await, "the first attempt");
    facts.run(add, []).await;
    let again = must(facts.execute(batch).await, "the second attempt");
    assert_eq!(again, first);
    assert_eq!(
        facts
            .integer("SELECT value FROM counters WHERE name = 'retry'", [])
            .await,
        2
    );
}

async fn a_retry_of_a_refused_batch_is_refused_alike(facts: &Facts) {
    let insert = Statement::new("INSERT INTO items (id) VALUES (1500)", []);
    let needs = Statement::new("SELECT id FROM items WHERE id = 1501", []).guarded(Guard::Rows(1));
    let batch = Batch::new(facts.id(), vec![insert, needs]);
    let first = refused(
        facts.execute(batch.clone()).await,
        "the guard does not hold",
    );
    facts.run("INSERT INTO items (id) VALUES (1501)", []).await;
    let again = refused(
        facts.execute(batch.clone()).await,
        "the batch was refused before",
    );
    assert_eq!(again, first);
    must(
        facts
            .execute(Batch {
                id: facts.id(),
                ..batch
            })
            .await,
        "a new id is a new batch",
    );
}

async fn returned_rows_are_in_ascending_order(facts: &Facts) {
    let insert = "INSERT INTO items (id, name) VALUES (1603, 'b'), (1601, 'c'), (1602, 'a') \
                  RETURNING name, id";
    let rows = facts.run(insert, []).await;
    let expected = [("a", 1602), ("b", 1603), ("c", 1601)].map(|(n, id)| [n.into(), int(id)]);
    assert_eq!(
        (rows.rows, rows.changed),
        (expected.map(Vec::from).to_vec(), 3)
    );
    let delete = "DELETE FROM items WHERE id >= 1601 AND id <= 1603 RETURNING id";
    assert_eq!(
        facts.run(delete, []).await.rows,
        [[int(1601)], [int(1602)], [int(1603)]]
    );
}
