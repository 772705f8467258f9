//! Replicas that apply the same entries have the same state, whatever else
//! happens to them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof};
use proptest::proptest;
use storage_node_api::RequestId;
use storage_node_api::metadata::{Batch, Guard, Migration, Statement, Value};
use storage_node_metadata::{Command, SqliteMachine};

const TABLES: &str = "
CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, name TEXT UNIQUE, amount BIGINT NOT NULL);
CREATE TABLE u (id INTEGER PRIMARY KEY, t BIGINT NOT NULL REFERENCES t (id) ON DELETE CASCADE);
CREATE INDEX t_amount ON t (amount)";

const LATER: &str = "
ALTER TABLE t ADD COLUMN note TEXT NOT NULL DEFAULT 'none';
UPDATE t SET note = name WHERE name IS NOT NULL";

#[derive(Clone, Debug)]
enum Event {
    /// A group of entries.
    Apply(Vec<Batch>),
    /// The second replica is replaced by a snapshot of the first.
    Install,
    /// The third replica is closed and opened.
    Reopen,
    /// The third replica is synced.
    Sync,
}

fn statement() -> impl Strategy<Value = Statement> {
    let id = 0..12_i64;
    let name = prop_oneof![Just(Value::Null), "[ab]{1,2}".prop_map(Value::Text)];
    let guard = prop_oneof![
        4 => Just(None),
        1 => (0..3_u64).prop_map(|rows| Some(Guard::Rows(rows))),
        1 => Just(Some(Guard::AtLeast(1))),
    ];
    let sql = prop_oneof![
        Just("INSERT INTO t (id, name, amount) VALUES ($1, $2, $3)"),
        Just("INSERT INTO t (id, name, amount) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"),
        Just("INSERT INTO u (t) SELECT id FROM t WHERE id > $1 OR name = $2 OR amount = $3"),
        Just("UPDATE t SET name = $2, amount = amount + $3 WHERE id = $1 RETURNING amount, id"),
        Just("UPDATE t SET id = id + $3 WHERE id > $1 AND (name IS NULL OR name <> $2)"),
        Just("DELETE FROM t WHERE id = $1 OR (name = $2 AND amount > $3) RETURNING name"),
        Just("DELETE FROM u WHERE id = $1 OR t = $3 OR $2 = 'a'"),
        Just("SELECT * FROM t JOIN u ON u.t = t.id WHERE t.id >= $1 OR name = $2 OR amount = $3"),
        Just("UPDATE t SET amount = $1 + $3 + no_such_column WHERE name = $2"),
        Just("INSERT INTO t (id, name, amount) VALUES ($1, $2, random() + $3)"),
    ];
    (sql, id, name, 0..3_i64, guard).prop_map(|(sql, id, name, amount, guard)| {
        let mut statement = Statement::new(sql, [id.into(), name, amount.into()]);
        statement.guard = guard;
        statement
    })
}

fn batch() -> impl Strategy<Value = Batch> {
    let step = |number, sql: &str| {
        let name = format!("step {number}");
        Just(
            Migration {
                number,
                name,
                sql: sql.to_owned(),
            }
            .into_batch(),
        )
    };
    let id = prop_oneof![any::<[u8; 16]>(), (0..4_u8).prop_map(|id| [id; 16])];
    let statements = (id, vec(statement(), 0..4))
        .prop_map(|(id, statements)| Batch::new(RequestId(id), statements));
    prop_oneof![12 => statements, 1 => step(2, LATER), 1 => step(2, "DROP TABLE t")]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => vec(batch(), 1..5).prop_map(Event::Apply),
        1 => Just(Event::Install),
        1 => Just(Event::Reopen),
        1 => Just(Event::Sync),
    ]
}

fn install(from: &SqliteMachine, to: &SqliteMachine) {
    let marker = from.applied().unwrap().unwrap();
    let mut reader = from.snapshot().unwrap();
    let mut writer = to.begin_install().unwrap();
    while let Some(part) = reader.next(3000).unwrap() {
        writer.part(&part).unwrap();
    }
    writer.finish(&marker).unwrap();
}

fn check(events: Vec<Event>) {
    let directory = tempfile::tempdir().unwrap();
    let (second, third) = (directory.path().join("2"), directory.path().join("3"));
    let open = |path| SqliteMachine::open(path).unwrap();
    let mut machines = [
        SqliteMachine::in_memory().unwrap(),
        open(&second),
        open(&third),
    ];
    let tables = Migration {
        number: 1,
        name: String::new(),
        sql: TABLES.to_owned(),
    };
    let mut index = 0_u64;
    let mut behind: Vec<(u64, Option<Bytes>)> = Vec::new();
    for event in [vec![Event::Apply(vec![tables.into_batch()])], events].concat() {
        match event {
            Event::Apply(batches) => {
                let mut entries = Vec::new();
                for batch in batches {
                    index += 1;
                    entries.push((index, Some(Command::encode(batch).unwrap())));
                }
                let marker = index.to_le_bytes();
                let replies = machines[0].apply(&entries, &marker).unwrap();
                assert_eq!(machines[1].apply(&entries, &marker).unwrap(), replies);
                // The third applies later, in groups of another size.
                behind.extend(entries);
                if behind.len() > 6 {
                    machines[2]
                        .apply(&std::mem::take(&mut behind), &marker)
                        .unwrap();
                }
            }
            Event::Install => {
                install(&machines[0], &machines[1]);
            }
            Event::Reopen => {
                machines[2] = SqliteMachine::in_memory().unwrap();
                machines[2] = open(&third);
            }
            Event::Sync => {
                machines[2].sync().unwrap();
            }
        }
    }
    machines[2].apply(&behind, &index.to_le_bytes()).unwrap();
    let [first, second, third] = machines.map(|machine| machine.state_hash().unwrap());
    assert_eq!(first, second, "after a snapshot");
    assert_eq!(first, third, "after reopening");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn equal_entries_make_equal_states(events in vec(event(), 1..15)) {
        check(events);
    }
}
