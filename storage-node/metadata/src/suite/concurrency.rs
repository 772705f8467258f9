//! Writers at the same time.

use futures_util::future::join_all;
use storage_node_api::metadata::{Batch, Constraint, ExecuteError, Guard, Statement};

use super::{Facts, int, must};

const WRITERS: i64 = 8;

pub(super) async fn run(facts: &Facts) {
    no_update_is_lost(facts).await;
    exactly_one_of_equal_inserts_wins(facts).await;
    a_guard_prevents_write_skew(facts).await;
    the_same_batch_at_once_runs_once(facts).await;
    readers_see_whole_batches(facts).await;
}

async fn no_update_is_lost(facts: &Facts) {
    const EACH: i64 = 5;
    facts
        .run(
            "INSERT INTO counters (name, value) VALUES ('shared', 0)",
            [],
        )
        .await;
    join_all((0..WRITERS).map(|_| async {
        for _ in 0..EACH {
            while !add_one(facts).await {}
        }
    }))
    .await;
    let value = facts
        .integer("SELECT value FROM counters WHERE name = 'shared'", [])
        .await;
    assert_eq!(value, WRITERS * EACH);
}

/// Reads, computes, and writes if nobody wrote since.
async fn add_one(facts: &Facts) -> bool {
    let value = facts
        .integer("SELECT value FROM counters WHERE name = 'shared'", [])
        .await;
    let update = "UPDATE counters SET value = $1 WHERE name = 'shared' AND value = $2";
    let update = Statement::new(update, [int(value + 1), int(value)]).guarded(Guard::Rows(1));
    match facts.batch(vec![update]).await {
        Ok(_) => true,
        Err(ExecuteError::Guard {
            statement: 0,
            found: 0,
        }) => false,
        Err(error) => panic!("{error:?}"),
    }
}

async fn exactly_one_of_equal_inserts_wins(facts: &Facts) {
    for round in 3000..3005 {
        let results = join_all((0..WRITERS).map(|writer| {
            let insert = "INSERT INTO items (id, amount) VALUES ($1, $2)";
            facts.batch(vec![Statement::new(insert, [int(round), int(writer)])])
        }))
        .await;
        let mut winners = Vec::new();
        for (result, writer) in results.into_iter().zip(0..) {
            match result {
                Ok(_) => winners.push(writer),
                Err(ExecuteError::Constraint {
                    kind: Constraint::Unique,
                    ..
                }) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        let kept = facts
            .integer("SELECT amount FROM items WHERE id = $1", [int(round)])
            .await;
        assert_eq!(winners, [kept]);
    }
}

/// Two take turns being on call; each may leave if the other stays. Reading and
/// then writing would let both leave.
async fn a_guard_prevents_write_skew(facts: &Facts) {
    for round in 0..5 {
        let first = 3100 + 2 * round;
        for id in [first, first + 1] {
            let insert = "INSERT INTO items (id, name) VALUES ($1, 'on call')";
            facts.run(insert, [int(id)]).await;
        }
        let leave = |me: i64, other: i64| {
            let stays = "SELECT id FROM items WHERE id = $1 AND name = 'on call'";
            let leave = "UPDATE items SET name = 'away' WHERE id = $1";
            facts.batch(vec![
                Statement::new(stays, [int(other)]).guarded(Guard::AtLeast(1)),
                Statement::new(leave, [int(me)]).guarded(Guard::Rows(1)),
            ])
        };
        let results = join_all([leave(first, first + 1), leave(first + 1, first)]).await;
        assert_eq!(
            results.iter().filter(|result| result.is_ok()).count(),
            1,
            "{results:?}"
        );
        let on_call = "SELECT count(*) FROM items WHERE name = 'on call' AND id >= $1 AND id <= $2";
        assert_eq!(
            facts.integer(on_call, [int(first), int(first + 1)]).await,
            1
        );
    }
}

async fn the_same_batch_at_once_runs_once(facts: &Facts) {
    facts
        .run("INSERT INTO counters (name, value) VALUES ('once', 0)", [])
        .await;
    let add = "UPDATE counters SET value = value + 1 WHERE name = 'once' RETURNING value";
    let batch = Batch::new(facts.id(), vec![Statement::new(add, [])]);
    let results = join_all((0..WRITERS).map(|_| facts.execute(batch.clone()))).await;
    let results: Vec<_> = results
        .into_iter()
        .map(|result| must(result, "the batch"))
        .collect();
    assert!(
        results.windows(2).all(|pair| pair[0] == pair[1]),
        "{results:?}"
    );
    assert_eq!(
        facts
            .integer("SELECT value FROM counters WHERE name = 'once'", [])
            .await,
        1
    );
}

/// Money moves between two accounts; every read finds all of it.
async fn readers_see_whole_batches(facts: &Facts) {
    for name in ["left", "right"] {
        facts
            .run(
                "INSERT INTO counters (name, value) VALUES ($1, 100)",
                [name.into()],
            )
            .await;
    }
    let write = async {
        for _ in 0..20 {
            let change = "UPDATE counters SET value = value + $2 WHERE name = $1";
            let take = Statement::new(change, ["left".into(), int(-1)]);
            let give = Statement::new(change, ["right".into(), int(1)]);
            must(facts.batch(vec![take, give]).await, "move");
        }
    };
    let read = async {
        for _ in 0..20 {
            let sum = "SELECT sum(value) FROM counters WHERE name IN ('left', 'right')";
            assert_eq!(facts.integer(sum, []).await, 200);
        }
    };
    futures_util::future::join(write, read).await;
    assert_eq!(
        facts
            .integer("SELECT value FROM counters WHERE name = 'left'", [])
            .await,
        80
    );
}
