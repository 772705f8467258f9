//! Reading, and values of every type.

use storage_node_api::limits::MAX_ROWS;
use storage_node_api::metadata::{QueryError, Statement, Value};
use storage_node_api::{ReadPoint, Token};

use super::{Facts, int, must, refused};

const INSERT: &str = "INSERT INTO items (id, name, body, amount) VALUES ($1, $2, $3, $4)";

pub(super) async fn run(facts: &Facts) {
    rows_are_created_read_changed_and_removed(facts).await;
    values_of_every_type_come_back(facts).await;
    large_values_come_back(facts).await;
    parameters_are_found_by_number(facts).await;
    the_portable_sql_means_the_same(facts).await;
    at_most_so_many_rows_are_answered(facts).await;
    a_query_only_reads(facts).await;
    a_read_at_a_token_shows_its_write(facts).await;
    a_linearizable_read_shows_every_acknowledged_write(facts).await;
}

async fn rows_are_created_read_changed_and_removed(facts: &Facts) {
    let select = "SELECT name, amount FROM items WHERE id = $1";
    assert!(facts.rows(select, [int(100)]).await.is_empty());
    let inserted = facts
        .run(INSERT, [int(100), "a".into(), Value::Null, int(1)])
        .await;
    assert_eq!((inserted.rows.len(), inserted.changed), (0, 1));
    assert_eq!(facts.rows(select, [int(100)]).await, [["a".into(), int(1)]]);
    let update = "UPDATE items SET amount = amount + $2 WHERE id = $1 RETURNING amount, name";
    let updated = facts.run(update, [int(100), int(41)]).await;
    assert_eq!(
        (updated.rows, updated.changed),
        (vec![vec![int(42), "a".into()]], 1)
    );
    let missed = facts.run(update, [int(101), int(1)]).await;
    assert_eq!((missed.rows.len(), missed.changed), (0, 0));
    let delete = "DELETE FROM items WHERE id = $1";
    assert_eq!(facts.run(delete, [int(100)]).await.changed, 1);
    assert_eq!(facts.run(delete, [int(100)]).await.changed, 0);
    assert!(facts.rows(select, [int(100)]).await.is_empty());
}

async fn values_of_every_type_come_back(facts: &Facts) {
    let texts = [
        "",
        "'; DROP TABLE items; --",
        "\u{1F980} e\u{301} \u{202E}אב",
        "1.5",
        "\"$1\n",
    ];
    for (text, id) in texts.into_iter().zip(200..) {
        let row = [int(id), text.into(), Value::Null, Value::Null];
        facts.run(INSERT, row.clone()).await;
        let by_text = "SELECT id, name, body, amount FROM items WHERE name = $1 AND id = $2";
        assert_eq!(
            facts.rows(by_text, [text.into(), int(id)]).await,
            [row],
            "{text:?}"
        );
    }
    for (integer, id) in [0, -1, i64::MIN, i64::MAX].into_iter().zip(210..) {
        facts
            .run(INSERT, [int(id), Value::Null, Value::Null, int(integer)])
            .await;
        let by_integer = "SELECT amount FROM items WHERE amount = $1 AND id = $2";
        assert_eq!(
            facts.rows(by_integer, [int(integer), int(id)]).await,
            [[int(integer)]]
        );
    }
    let blobs = [
        vec![],
        vec![0],
        (0..=255).collect::<Vec<u8>>(),
        b"123".to_vec(),
    ];
    for (blob, id) in blobs.into_iter().zip(220..) {
        facts
            .run(
                INSERT,
                [int(id), Value::Null, blob.clone().into(), Value::Null],
            )
            .await;
        let by_blob = "SELECT body FROM items WHERE body = $1 AND id = $2";
        let rows = facts.rows(by_blob, [blob.clone().into(), int(id)]).await;
        assert_eq!(rows, [[Value::Blob(blob)]]);
    }
}

async fn large_values_come_back(facts: &Facts) {
    let blob: Vec<u8> = (0..48_u32 << 10)
        .map(|i| u8::try_from(i % 251).unwrap_or(0))
        .collect();
    facts
        .run(
            INSERT,
            [int(300), Value::Null, blob.clone().into(), Value::Null],
        )
        .await;
    let text = "ü".repeat(24 << 10);
    facts
        .run(
            INSERT,
            [int(301), text.as_str().into(), Value::Null, Value::Null],
        )
        .await;
    let rows = facts
        .rows(
            "SELECT body, name FROM items WHERE id >= 300 AND id <= 301 ORDER BY id",
            [],
        )
        .await;
    let expected = [
        [Value::Blob(blob), Value::Null],
        [Value::Null, Value::Text(text)],
    ];
    assert!(rows == expected, "a large value was changed");
}

async fn parameters_are_found_by_number(facts: &Facts) {
    let swapped = "INSERT INTO items (amount, id, name) VALUES ($2, $1, $3)";
    facts.run(swapped, [int(400), int(7), "n".into()]).await;
    let twice = "SELECT id, amount FROM items WHERE name = $2 AND id = $1 AND id >= $1";
    assert_eq!(
        facts.rows(twice, [int(400), "n".into()]).await,
        [[int(400), int(7)]]
    );
}

async fn the_portable_sql_means_the_same(facts: &Facts) {
    for (id, name, amount) in [(500, "Abc", 7), (501, "abd", -7), (502, "b%c", 0)] {
        facts
            .run(INSERT, [int(id), name.into(), Value::Null, int(amount)])
            .await;
    }
    let within = "id >= 500 AND id <= 502";
    for (sql, expected) in [
        (
            "SELECT id FROM items WHERE {} AND name LIKE 'ab%'",
            vec![501],
        ),
        (
            "SELECT id FROM items WHERE {} AND lower(name) LIKE 'ab%' ORDER BY id",
            vec![500, 501],
        ),
        (
            "SELECT id FROM items WHERE {} AND name LIKE '%!%%' ESCAPE '!'",
            vec![502],
        ),
        (
            "SELECT amount / 2 FROM items WHERE {} ORDER BY id",
            vec![3, -3, 0],
        ),
        ("SELECT sum(amount) + count(*) FROM items WHERE {}", vec![3]),
        (
            "SELECT coalesce(nullif(amount, 0), 9) FROM items WHERE {} ORDER BY id DESC",
            vec![9, -7, 7],
        ),
        (
            "SELECT length(name) FROM items WHERE {} AND name = 'Abc' LIMIT 1",
            vec![3],
        ),
        (
            "SELECT id FROM items WHERE {} ORDER BY name LIMIT 1 OFFSET 1",
            vec![501],
        ),
        (
            "SELECT a.id FROM items a JOIN (SELECT id, amount FROM items WHERE {}) b \
          ON a.amount = -b.amount AND a.id < b.id WHERE a.id >= 500",
            vec![500],
        ),
        (
            "SELECT row_number() OVER (ORDER BY amount) FROM items WHERE {} ORDER BY 1",
            vec![1, 2, 3],
        ),
        (
            "SELECT id FROM items i WHERE {} AND EXISTS (SELECT 1 FROM items j \
          WHERE j.amount = i.amount + 7 AND j.id <> i.id) ORDER BY id",
            vec![501, 502],
        ),
    ] {
        let sql = sql.replace("{}", within);
        let rows: Vec<_> = facts.rows(&sql, []).await.concat();
        assert_eq!(
            rows,
            expected.into_iter().map(int).collect::<Vec<_>>(),
            "{sql}"
        );
    }
    let upsert = "INSERT INTO items (id, amount) VALUES ($1, $2) \
                  ON CONFLICT (id) DO UPDATE SET amount = items.amount + excluded.amount";
    facts.run(upsert, [int(500), int(3)]).await;
    assert_eq!(
        facts
            .integer("SELECT amount FROM items WHERE id = 500", [])
            .await,
        10
    );
}

async fn at_most_so_many_rows_are_answered(facts: &Facts) {
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
                   SELECT i FROM n";
    let most = i64::try_from(MAX_ROWS).expect("the limit is small");
    assert_eq!(facts.rows(numbers, [int(most)]).await.len(), MAX_ROWS);
    let error = refused(
        facts.query(numbers, [int(most + 1)]).await,
        "one row too many",
    );
    assert_eq!(error, QueryError::TooManyRows);
}

async fn a_query_only_reads(facts: &Facts) {
    for sql in [
        "INSERT INTO items (id) VALUES (600)",
        "WITH n (i) AS (SELECT 600) INSERT INTO items (id) SELECT i FROM n",
        "DELETE FROM items RETURNING id",
        "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY)",
    ] {
        let error = refused(facts.query(sql, []).await, sql);
        assert!(
            matches!(error, QueryError::BadStatement { .. }),
            "{sql}: {error:?}"
        );
    }
    assert_eq!(
        facts
            .integer("SELECT count(*) FROM items WHERE id = 600", [])
            .await,
        0
    );
}

async fn a_read_at_a_token_shows_its_write(facts: &Facts) {
    let mut last: Option<Token> = None;
    for id in 700..720 {
        let statement = Statement::new(INSERT, [int(id), Value::Null, Value::Null, Value::Null]);
        let token = must(facts.batch(vec![statement]).await, "insert").token;
        if let Some(last) = last {
            assert!(
                token.group == last.group && token.index > last.index,
                "tokens must ascend"
            );
        }
        last = Some(token);
        let point = ReadPoint::AtLeast(token);
        let rows = facts
            .query_at(point, "SELECT id FROM items WHERE id = $1", [int(id)])
            .await;
        assert_eq!(must(rows, "read at a token"), [[int(id)]]);
    }
}

async fn a_linearizable_read_shows_every_acknowledged_write(facts: &Facts) {
    facts
        .run("INSERT INTO counters (name, value) VALUES ('fresh', 0)", [])
        .await;
    for value in 1..=20 {
        facts
            .run(
                "UPDATE counters SET value = $1 WHERE name = 'fresh'",
                [int(value)],
            )
            .await;
        let read = facts
            .integer("SELECT value FROM counters WHERE name = 'fresh'", [])
            .await;
        assert_eq!(read, value);
    }
    let stale = facts
        .query_at(ReadPoint::Stale, "SELECT value FROM counters", [])
        .await;
    must(stale, "a stale read answers something");
}
