use std::path::Path;

use bytes::Bytes;
use storage_node_api::RequestId;
use storage_node_api::limits::REMEMBERED_REQUESTS;
use storage_node_api::metadata::{Batch, Guard, Migration, Rows, Statement, Value};

use super::SqliteMachine;
use crate::{Command, Fault, ReadFailure, Refusal, Reply};

const TABLE: &str = "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, v TEXT)";

/// A replica and the log that it has applied.
struct Replica {
    machine: SqliteMachine,
    index: u64,
}

impl Replica {
    fn in_memory() -> Self {
        Self::with(SqliteMachine::in_memory().unwrap())
    }

    fn with(machine: SqliteMachine) -> Self {
        let mut replica = Self { machine, index: 0 };
        let table = Migration {
            number: 1,
            name: "t".to_owned(),
            sql: TABLE.to_owned(),
        };
        assert_eq!(
            replica.apply(vec![table.into_batch()])[0].outcome,
            Ok(vec![])
        );
        replica
    }

    /// Applies batches in one group.
    fn apply(&mut self, batches: Vec<Batch>) -> Vec<Reply> {
        let commands = batches
            .into_iter()
            .map(|batch| Command::encode(batch).unwrap());
        let entries: Vec<_> = commands
            .zip(self.index + 1..)
            .map(|(c, index)| (index, Some(c)))
            .collect();
        self.index += entries.len() as u64;
        let replies = self
            .machine
            .apply(&entries, &self.index.to_le_bytes())
            .unwrap();
        replies
            .iter()
            .map(|reply| Reply::decode(reply).unwrap())
            .collect()
    }

    fn one(&mut self, id: u8, sql: &str) -> Result<Vec<Rows>, Refusal> {
        self.apply(vec![batch(id, sql)]).remove(0).outcome
    }

    fn integer(&self, sql: &str) -> i64 {
        let rows = self
            .machine
            .reader()
            .query(&Statement::new(sql, []))
            .unwrap();
        rows.rows[0][0].as_integer().unwrap()
    }
}

fn batch(id: u8, sql: &str) -> Batch {
    Batch::new(RequestId([id; 16]), vec![Statement::new(sql, [])])
}

fn insert(id: u8) -> Batch {
    batch(id, &format!("INSERT INTO t (id, v) VALUES ({id}, 'x')"))
}

fn refusal(result: Result<Vec<Rows>, Refusal>) -> String {
    match result {
        Err(Refusal::Statement { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

const ENDLESS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) ";

#[test]
fn a_refused_entry_leaves_the_others_of_its_group() {
    let mut replica = Replica::in_memory();
    let guarded = Statement::new("SELECT id FROM t", []).guarded(Guard::Rows(7));
    let mut failing = insert(2);
    failing.statements.push(guarded);
    let replies = replica.apply(vec![insert(1), failing, insert(3), insert(1)]);
    let outcomes: Vec<_> = replies.iter().map(|reply| reply.outcome.is_ok()).collect();
    assert_eq!(outcomes, [true, false, true, true]);
    let indexes: Vec<_> = replies.iter().map(|reply| reply.index).collect();
    assert_eq!(
        indexes,
        [2, 3, 4, 2],
        "a repeated id answers the first reply"
    );
    assert_eq!(replica.integer("SELECT sum(id) FROM t"), 4);
}

#[test]
fn the_marker_and_replies_are_kept_for_entries_without_a_command() {
    let machine = SqliteMachine::in_memory().unwrap();
    assert_eq!(machine.applied().unwrap(), None);
    let replies = machine
        .apply(&[(1, None), (2, None)], b"after two")
        .unwrap();
    assert_eq!(replies, [Bytes::new(), Bytes::new()]);
    assert_eq!(
        machine.applied().unwrap().as_deref(),
        Some(&b"after two"[..])
    );
    assert!(machine.apply(&[], b"").unwrap().is_empty());
    assert_eq!(machine.sync().unwrap().as_deref(), Some(&b""[..]));
}

#[test]
fn an_entry_that_runs_for_too_long_is_refused_and_its_group_goes_on() {
    let mut replica = Replica::in_memory();
    let reading = batch(2, &format!("{ENDLESS} SELECT count(*) FROM n"));
    let mut writing = insert(3);
    let endless = format!("INSERT INTO t (id) {ENDLESS} SELECT i + 1000 FROM n");
    writing.statements.push(Statement::new(endless, []));
    let group = vec![
        insert(1),
        reading.clone(),
        insert(4),
        writing.clone(),
        insert(5),
    ];
    let replies = replica.apply(group);
    for (reply, statement) in [(&replies[1], 0), (&replies[3], 1)] {
        let message = "the statement takes too long".to_owned();
        assert_eq!(
            reply.outcome,
            Err(Refusal::Statement { statement, message })
        );
    }
    assert_eq!(replica.integer("SELECT sum(id) FROM t"), 10);
    let again = replica.apply(vec![writing, reading]);
    assert_eq!(again[0].index, 5, "the refusal is remembered");
    assert_eq!(again[1].index, 3);
}

#[test]
fn a_query_that_runs_for_too_long_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let on_disk = Replica::with(SqliteMachine::open(directory.path()).unwrap());
    for replica in [on_disk, Replica::in_memory()] {
        let endless = Statement::new(format!("{ENDLESS} SELECT count(*) FROM n"), []);
        let error = replica.machine.reader().query(&endless).unwrap_err();
        assert!(matches!(error, ReadFailure::Query(_)), "{error:?}");
        assert_eq!(replica.integer("SELECT count(*) FROM t"), 0);
    }
}

#[test]
fn an_unknown_entry_stops_the_replica_and_changes_nothing() {
    let mut replica = Replica::in_memory();
    replica.apply(vec![insert(1)]);
    let before = replica.machine.state_hash().unwrap();
    let marker = replica.machine.applied().unwrap();
    let good = Command::encode(insert(2)).unwrap();
    let unknown = Bytes::from_static(b"\x02?");
    let entries = [(3, Some(good.clone())), (4, Some(unknown))];
    let fault = replica.machine.apply(&entries, b"m").unwrap_err();
    assert!(matches!(fault, Fault::Entry { index: 4, .. }), "{fault:?}");
    let fault = replica.machine.apply(&[(3, Some(good))], b"m").unwrap_err();
    assert!(matches!(fault, Fault::Stopped), "{fault:?}");
    assert_eq!(replica.machine.state_hash().unwrap(), before);
    assert_eq!(replica.machine.applied().unwrap(), marker);
}

#[test]
fn so_many_replies_are_remembered_and_no_more() {
    let mut replica = Replica::in_memory();
    replica.apply(vec![insert(1)]);
    let mut next = 0_u64;
    let mut others = |count: u64| {
        let ids = (next..next + count).map(|n| {
            let mut id = [0xff; 16];
            id[..8].copy_from_slice(&n.to_le_bytes());
            Batch::new(RequestId(id), vec![])
        });
        next += count;
        ids.collect::<Vec<_>>()
    };
    replica.apply(others(REMEMBERED_REQUESTS - 1));
    assert_eq!(replica.apply(vec![insert(1)])[0].index, 2);
    replica.apply(others(1));
    let forgotten = replica.apply(vec![insert(1)]).remove(0);
    assert!(
        matches!(forgotten.outcome, Err(Refusal::Constraint { .. })),
        "{forgotten:?}"
    );
}

#[test]
fn sqlites_own_randomness_and_tables_are_out_of_reach() {
    let mut replica = Replica::in_memory();
    let rows = "CREATE TABLE r (id INTEGER PRIMARY KEY, v TEXT)";
    let table = Migration {
        number: 2,
        name: "r".to_owned(),
        sql: rows.to_owned(),
    };
    assert!(replica.apply(vec![table.into_batch()])[0].outcome.is_ok());
    for (sql, id) in [
        // The greatest row id, after which SQLite would choose at random.
        "INSERT INTO r (id) VALUES (9223372036854775807)",
        "INSERT INTO r (id) VALUES (1), (9223372036854775807)",
        "INSERT INTO t (oid, id) VALUES (9223372036854775807, 1)",
        // Floating point that no literal shows.
        "INSERT INTO t (id) VALUES (9223372036854775807 + 1)",
        "INSERT INTO t (id) VALUES ('1.5')",
        "SELECT oid FROM t",
        "SELECT \"rowid\" FROM t",
        "SELECT name FROM sqlite_schema",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM pragma_table_info('t')",
        "SELECT * FROM json_each('[1]')",
        "SELECT * FROM dbstat",
        "SELECT \"no such column\" FROM t",
        "SELECT zeroblob(9)",
        "SELECT sqlite_version()",
        "SELECT changes()",
        "SELECT load_extension('x')",
        "SELECT printf('%f', 1)",
        "SELECT v -> 'a' FROM t",
        "SELECT 1 WHERE 'a' GLOB 'a'",
        "SELECT 1 + '0.5'",
        "SELECT 9223372036854775807 + 1",
        "SELECT CAST(x'ff' AS TEXT)",
        "SELECT sum(a) FROM (SELECT 9223372036854775807 AS a UNION ALL SELECT 1)",
    ]
    .into_iter()
    .zip(1..)
    {
        let message = refusal(replica.one(id, sql));
        assert!(!message.is_empty(), "{sql}");
    }
    assert_eq!(
        replica.integer("SELECT count(*) FROM r") + replica.integer("SELECT count(*) FROM t"),
        0
    );
    assert!(replica.one(200, "INSERT INTO r (v) VALUES ('a')").is_ok());
    assert_eq!(replica.integer("SELECT id FROM r"), 1);
}

#[test]
fn no_row_ever_holds_a_value_of_another_type_than_its_column() {
    let mut replica = Replica::in_memory();
    assert!(
        replica
            .one(1, "INSERT INTO t (id, v) VALUES (1, '1.5')")
            .is_ok()
    );
    for (sql, id) in [
        "INSERT INTO t (id) VALUES (9223372036854775807 + 1)",
        "INSERT INTO t (id) VALUES ('a')",
        "INSERT INTO t (id) VALUES (x'00')",
        "INSERT INTO t (id, v) VALUES (2, x'00')",
        "UPDATE t SET id = id + '0.5'",
        "UPDATE t SET id = 9223372036854775807 + id",
        "UPDATE t SET id = v",
        "INSERT INTO t (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = '2.5'",
        "INSERT INTO t (id) SELECT v FROM t",
        "INSERT INTO t (id) VALUES (2), ('1.5')",
    ]
    .into_iter()
    .zip(2..)
    {
        let message = refusal(replica.one(id, sql));
        assert!(message.starts_with("t."), "{sql}: {message}");
    }
    assert_eq!(replica.integer("SELECT sum(id) FROM t"), 1);
    let converted = "UPDATE t SET id = id + '1', v = 5";
    assert!(replica.one(99, converted).is_ok());
    assert_eq!(replica.integer("SELECT id FROM t WHERE v = '5'"), 2);

    let migrate = |sql: &str| {
        Migration {
            number: 2,
            name: String::new(),
            sql: sql.to_owned(),
        }
        .into_batch()
    };
    for sql in [
        "INSERT INTO t (id) VALUES ('a')",
        "ALTER TABLE t ADD COLUMN w BIGINT DEFAULT 'x'",
    ] {
        let message = refusal(replica.apply(vec![migrate(sql)]).remove(0).outcome);
        assert!(message.contains("another type"), "{sql}: {message}");
    }
    refusal(replica.one(100, "INSERT INTO t (id) VALUES ('still checked')"));
}

#[test]
fn the_largest_tables_are_checked_and_larger_ones_refused() {
    let mut replica = Replica::in_memory();
    let table = |columns: usize, name_bytes: usize| {
        let columns: Vec<_> = (1..columns)
            .map(|n| format!("{n:a>name_bytes$} SMALLINT"))
            .collect();
        let key = "k".repeat(name_bytes);
        let name = "t".repeat(name_bytes);
        format!(
            "CREATE TABLE {name} ({key} BIGINT PRIMARY KEY, {})",
            columns.join(", ")
        )
    };
    let mut migrate = |sql: String| {
        let migration = Migration {
            number: 2,
            name: String::new(),
            sql,
        };
        replica
            .apply(vec![migration.into_batch()])
            .remove(0)
            .outcome
    };
    for (sql, reason) in [
        (table(101, 10), "more than 100 columns"),
        (table(10, 64), "not a portable name"),
        (
            "CREATE TABLE \"a b\" (id BIGINT PRIMARY KEY)".to_owned(),
            "not a portable name",
        ),
        (
            "CREATE TABLE a (id BIGINT PRIMARY KEY, \"rowid\" TEXT)".to_owned(),
            "not a portable name",
        ),
    ] {
        let message = refusal(migrate(sql));
        assert!(message.contains(reason), "{message}");
    }
    assert_eq!(migrate(table(100, 63)), Ok(vec![]));
    let long = format!(
        "INSERT INTO {} ({}) VALUES ('x')",
        "t".repeat(63),
        "k".repeat(63)
    );
    assert!(refusal(replica.one(1, &long)).contains("takes BIGINT only"));
}

#[test]
fn foreign_keys_cascade_up_to_a_depth_and_are_never_deferred() {
    let mut replica = Replica::in_memory();
    let migrate = |number, sql: &str| {
        Migration {
            number,
            name: String::new(),
            sql: sql.to_owned(),
        }
        .into_batch()
    };
    let tree = "CREATE TABLE tree (id BIGINT NOT NULL PRIMARY KEY, \
                up BIGINT REFERENCES tree (id) ON DELETE CASCADE)";
    assert!(replica.apply(vec![migrate(2, tree)])[0].outcome.is_ok());
    for (deferred, _) in [
        (
            "CREATE TABLE d (id BIGINT NOT NULL PRIMARY KEY REFERENCES t (id) DEFERRABLE \
          INITIALLY DEFERRED)",
            0,
        ),
        (
            "CREATE TABLE d (id BIGINT NOT NULL PRIMARY KEY REFERENCES t (id) INITIALLY DEFERRED)",
            0,
        ),
    ] {
        refusal(replica.apply(vec![migrate(3, deferred)]).remove(0).outcome);
    }
    let mut chain = batch(1, "INSERT INTO tree (id) VALUES (0)");
    for id in 1..20 {
        let sql = "INSERT INTO tree (id, up) VALUES ($1, $1 - 1)";
        chain
            .statements
            .push(Statement::new(sql, [Value::Integer(id)]));
    }
    assert!(replica.apply(vec![chain])[0].outcome.is_ok());
    let deleted = replica.one(2, "DELETE FROM tree WHERE id = 0").unwrap();
    assert_eq!(
        deleted[0].changed, 1,
        "rows removed by a cascade are not counted"
    );
    assert_eq!(replica.integer("SELECT count(*) FROM tree"), 0);
}

#[test]
fn results_of_a_batch_are_bounded() {
    let mut replica = Replica::in_memory();
    let insert = Statement::new(
        "INSERT INTO t (id, v) VALUES (1, $1)",
        ["x".repeat(60_000).into()],
    );
    replica.apply(vec![Batch::new(RequestId([1; 16]), vec![insert])]);
    let twenty = "SELECT t.v FROM t JOIN (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL \
                  SELECT i + 1 FROM n WHERE i < 20) SELECT i FROM n) ON 1 = 1";
    assert!(refusal(replica.one(2, twenty)).contains("too many rows"));
    assert!(replica.one(3, &twenty.replace("20", "10")).is_ok());
}

#[test]
fn state_survives_reopening_and_what_was_synced_survives_losing_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let (here, copy) = (directory.path().join("a"), directory.path().join("b"));
    let mut replica = Replica::with(SqliteMachine::open(&here).unwrap());
    replica.apply(vec![insert(1)]);
    let synced = replica.machine.state_hash().unwrap();
    assert_eq!(
        replica.machine.sync().unwrap(),
        replica.machine.applied().unwrap()
    );
    replica.apply(vec![insert(2)]);
    let newest = replica.machine.state_hash().unwrap();

    // A crash of the system: what was not synced is gone. With no reader, syncing
    // moved everything from the write-ahead log to the file.
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(here.join("state-1.db"), copy.join("state-1.db")).unwrap();
    let mut crashed = Replica {
        machine: SqliteMachine::open(&copy).unwrap(),
        index: 2,
    };
    assert_eq!(
        crashed.machine.applied().unwrap().as_deref(),
        Some(&2_u64.to_le_bytes()[..])
    );
    assert_eq!(crashed.machine.state_hash().unwrap(), synced);
    crashed.apply(vec![insert(2)]);
    assert_eq!(crashed.machine.state_hash().unwrap(), newest);

    // A crash of the process.
    copy_files(&here, &directory.path().join("c"));
    let killed = SqliteMachine::open(directory.path().join("c")).unwrap();
    assert_eq!(killed.state_hash().unwrap(), newest);

    drop(replica);
    let reopened = SqliteMachine::open(&here).unwrap();
    assert_eq!(
        reopened.applied().unwrap().as_deref(),
        Some(&3_u64.to_le_bytes()[..])
    );
    assert_eq!(reopened.state_hash().unwrap(), newest);
}

#[test]
fn every_prefix_of_the_write_ahead_log_is_a_state_that_was() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().join("a");
    let mut replica = Replica::with(SqliteMachine::open(&here).unwrap());
    replica.machine.sync().unwrap();
    let mut states = vec![(
        replica.machine.applied().unwrap(),
        replica.machine.state_hash().unwrap(),
    )];
    for id in 1..5 {
        replica.apply(vec![insert(id)]);
        states.push((
            replica.machine.applied().unwrap(),
            replica.machine.state_hash().unwrap(),
        ));
    }
    let log = std::fs::read(here.join("state-1.db-wal")).unwrap();
    let mut seen = Vec::new();
    for cut in (0..log.len()).step_by(2048).chain([log.len()]) {
        let there = directory.path().join(cut.to_string());
        std::fs::create_dir(&there).unwrap();
        std::fs::copy(here.join("state-1.db"), there.join("state-1.db")).unwrap();
        std::fs::write(there.join("state-1.db-wal"), &log[..cut]).unwrap();
        let machine = SqliteMachine::open(&there).unwrap();
        let state = (machine.applied().unwrap(), machine.state_hash().unwrap());
        let place = states.iter().position(|known| *known == state);
        seen.push(place.expect("a state that never was"));
    }
    assert!(seen.is_sorted() && seen[0] == 0, "{seen:?}");
    assert_eq!(seen.last(), Some(&(states.len() - 1)));
}

#[test]
fn files_of_a_newer_release_or_another_program_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(SqliteMachine::open(directory.path()).unwrap());
    let file = directory.path().join("state-1.db");
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection
        .execute_batch("UPDATE _devflow_state SET format = 2")
        .unwrap();
    drop(connection);
    let fault = SqliteMachine::open(directory.path()).unwrap_err();
    assert!(
        matches!(fault, Fault::Newer { found: 2, known: 1 }),
        "{fault:?}"
    );
    std::fs::remove_file(&file).unwrap();
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.execute_batch("CREATE TABLE other (x)").unwrap();
    drop(connection);
    let fault = SqliteMachine::open(directory.path()).unwrap_err();
    assert!(matches!(fault, Fault::Foreign), "{fault:?}");
    std::fs::write(&file, [b'x'; 5000]).unwrap();
    let fault = SqliteMachine::open(directory.path()).unwrap_err();
    assert!(matches!(fault, Fault::Sqlite { .. }), "{fault:?}");
}

#[test]
fn readers_run_beside_each_other_and_beside_applying() {
    let directory = tempfile::tempdir().unwrap();
    let mut replica = Replica::with(SqliteMachine::open(directory.path()).unwrap());
    let reader = replica.machine.reader();
    std::thread::scope(|scope| {
        for _ in 0..crate::limits::MAX_READERS * 2 {
            scope.spawn(|| {
                let count = Statement::new("SELECT count(*) FROM t", []);
                let mut last = 0;
                for _ in 0..50 {
                    let rows = reader.query(&count).unwrap().rows;
                    let now = rows[0][0].as_integer().unwrap();
                    assert!(now >= last, "a read went back from {last} to {now}");
                    last = now;
                }
            });
        }
        for id in 1..100 {
            replica.apply(vec![insert(id)]);
        }
    });
    let (marker, hash) = reader.state_hash().unwrap();
    assert_eq!(marker, replica.machine.applied().unwrap());
    assert_eq!(hash, replica.machine.state_hash().unwrap());
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
