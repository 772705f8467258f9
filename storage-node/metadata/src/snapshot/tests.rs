use std::path::Path;

use bytes::Bytes;
use storage_node_api::RequestId;
use storage_node_api::metadata::{Batch, Migration, Statement, Value};

use super::install::Step;
use crate::{Command, Fault, SnapshotError, SqliteMachine};

/// Two tables, one with row ids that SQLite chose, and `rows` rows.
fn filled(machine: SqliteMachine, rows: i64) -> SqliteMachine {
    let sql = "CREATE TABLE t (id TEXT NOT NULL PRIMARY KEY, v BYTEA); CREATE INDEX tv ON t (v);
               CREATE TABLE u (id INTEGER PRIMARY KEY, v TEXT)";
    let migration = Migration {
        number: 1,
        name: "t".to_owned(),
        sql: sql.to_owned(),
    };
    let mut statements = Vec::new();
    for row in 0..rows {
        let body = vec![u8::try_from(row % 256).unwrap(); 700];
        let params = [Value::Text(format!("{:04}", rows - row)), body.into()];
        statements.push(Statement::new(
            "INSERT INTO t (id, v) VALUES ($1, $2)",
            params,
        ));
    }
    statements.push(Statement::new("DELETE FROM t WHERE id LIKE '%7'", []));
    let mut batches = vec![migration.into_batch()];
    for (part, id) in statements.chunks(50).zip(1..) {
        batches.push(Batch::new(RequestId([id; 16]), part.to_vec()));
    }
    for (batch, index) in batches.into_iter().zip(1..) {
        apply(&machine, index, batch);
    }
    machine
}

fn apply(machine: &SqliteMachine, index: u64, batch: Batch) -> Bytes {
    let entry = (index, Some(Command::encode(batch).unwrap()));
    machine
        .apply(&[entry], &index.to_le_bytes())
        .unwrap()
        .remove(0)
}

fn parts(machine: &SqliteMachine, max_bytes: usize) -> Vec<Bytes> {
    let mut reader = machine.snapshot().unwrap();
    std::iter::from_fn(|| reader.next(max_bytes).unwrap()).collect()
}

fn install(machine: &SqliteMachine, parts: &[Bytes], marker: &[u8]) -> Result<(), Fault> {
    let mut writer = machine.begin_install()?;
    for part in parts {
        writer.part(part)?;
    }
    writer.finish(marker)
}

fn places() -> (tempfile::TempDir, Vec<SqliteMachine>) {
    let directory = tempfile::tempdir().unwrap();
    let open = |name| SqliteMachine::open(directory.path().join(name)).unwrap();
    let machines = vec![SqliteMachine::in_memory().unwrap(), open("a")];
    (directory, machines)
}

#[test]
fn a_snapshot_goes_from_every_place_to_every_place() {
    let (_directory, sources) = places();
    for source in sources {
        let source = filled(source, 120);
        let hash = source.state_hash().unwrap();
        let (_directory, targets) = places();
        for (target, max_bytes) in targets.into_iter().zip([1, 40_000]) {
            let target = filled(target, 3);
            let reader = target.reader();
            let count = Statement::new("SELECT count(*) FROM t", []);
            assert_eq!(reader.query(&count).unwrap().rows, [[Value::Integer(3)]]);
            let parts = parts(&source, max_bytes);
            assert!(parts.iter().all(|part| part.len() <= max_bytes.max(64)));
            install(&target, &parts, b"marker").unwrap();
            assert_eq!(target.state_hash().unwrap(), hash);
            assert_eq!(target.applied().unwrap().as_deref(), Some(&b"marker"[..]));
            assert_eq!(reader.query(&count).unwrap().rows, [[Value::Integer(108)]]);
            // Both go on alike, row ids that SQLite chooses included.
            let insert = "INSERT INTO u (v) VALUES ('x') RETURNING id";
            let batch = Batch::new(RequestId([99; 16]), vec![Statement::new(insert, [])]);
            let replies = [&source, &target].map(|machine| apply(machine, 50, batch.clone()));
            assert_eq!(replies[0], replies[1]);
            assert_eq!(source.state_hash().unwrap(), target.state_hash().unwrap());
            let back = Statement::new("DELETE FROM u", []);
            apply(
                &source,
                51,
                Batch::new(RequestId([98; 16]), vec![back.clone()]),
            );
            apply(&target, 51, Batch::new(RequestId([98; 16]), vec![back]));
            assert_eq!(source.state_hash().unwrap(), target.state_hash().unwrap());
            install(&source, &parts, b"back").unwrap();
        }
    }
}

#[test]
fn a_snapshot_is_of_the_moment_it_was_asked_for() {
    let (directory, machines) = places();
    for machine in machines {
        let machine = filled(machine, 20);
        let hash = machine.state_hash().unwrap();
        let mut reader = machine.snapshot().unwrap();
        let delete = Statement::new("DELETE FROM t", []);
        apply(&machine, 50, Batch::new(RequestId([77; 16]), vec![delete]));
        assert_ne!(machine.state_hash().unwrap(), hash);
        assert!(
            machine.sync().unwrap().is_some(),
            "a snapshot does not keep syncs waiting"
        );
        let parts: Vec<_> = std::iter::from_fn(|| reader.next(1000).unwrap()).collect();
        drop(reader);
        let target = SqliteMachine::in_memory().unwrap();
        install(&target, &parts, b"m").unwrap();
        assert_eq!(target.state_hash().unwrap(), hash);
    }
    assert_eq!(names(&directory.path().join("a")), ["state-1.db"]);
}

#[test]
fn a_damaged_snapshot_is_refused_and_the_state_stays() {
    let source = filled(SqliteMachine::in_memory().unwrap(), 30);
    let good = parts(&source, 1000);
    let mut corrupt = good.concat();
    let body = 16..corrupt.len() - 32;
    corrupt[5000..9000].fill(0x55);
    let checksum = blake3::hash(&corrupt[body.clone()]);
    corrupt[body.end..].copy_from_slice(checksum.as_bytes());
    let noise = vec![3; 8192];
    let foreign = [
        &super::stream::header(8192)[..],
        &noise,
        blake3::hash(&noise).as_bytes(),
    ]
    .concat();
    let cut = good[..good.len() - 1].to_vec();
    let (directory, machines) = places();
    for machine in machines {
        let machine = filled(machine, 5);
        let hash = machine.state_hash().unwrap();
        let marker = machine.applied().unwrap();
        let inconsistent = |error| matches!(error, SnapshotError::Inconsistent(_));
        for (parts, expected) in [
            (
                cut.clone(),
                (|e| matches!(e, SnapshotError::Length { .. })) as fn(_) -> bool,
            ),
            (vec![Bytes::from_static(b"0123456789abcdef!")], |e| {
                e == SnapshotError::NotASnapshot
            }),
            (vec![], |e| e == SnapshotError::NotASnapshot),
            (vec![Bytes::from(corrupt.clone())], inconsistent),
            (vec![Bytes::from(foreign.clone())], inconsistent),
        ] {
            match install(&machine, &parts, b"new").unwrap_err() {
                Fault::Snapshot(error) if expected(error.clone()) => {}
                fault => panic!("{fault:?}"),
            }
            assert_eq!(machine.state_hash().unwrap(), hash);
            assert_eq!(machine.applied().unwrap(), marker);
        }
        install(&machine, &good, b"new").unwrap();
        assert_eq!(machine.state_hash().unwrap(), source.state_hash().unwrap());
    }
    assert_eq!(names(&directory.path().join("a")), ["state-2.db"]);
}

#[test]
fn a_crash_while_installing_leaves_the_old_state_or_the_new() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().join("here");
    let source = filled(SqliteMachine::in_memory().unwrap(), 60);
    let machine = filled(SqliteMachine::open(&here).unwrap(), 10);
    machine.sync().unwrap();
    let old = (machine.applied().unwrap(), machine.state_hash().unwrap());
    let new = (
        Some(Bytes::from_static(b"new")),
        source.state_hash().unwrap(),
    );

    let copy = |name: &str| copy_files(&here, &directory.path().join(name));
    let mut writer = machine.begin_install().unwrap();
    copy("begun");
    let parts = parts(&source, 5000);
    for (part, count) in parts.iter().zip(0..) {
        writer.part(part).unwrap();
        copy(&format!("part {count}"));
    }
    let mut steps = Vec::new();
    writer
        .finish_watched(b"new", &mut |step| {
            copy(&format!("{step:?}"));
            steps.push(step);
        })
        .unwrap();
    let all = [
        Step::Verified,
        Step::Synced,
        Step::Renamed,
        Step::Switched,
        Step::Removed,
    ];
    assert_eq!(steps, all);

    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        if path == here {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let opened = SqliteMachine::open(&path).unwrap();
        let state = (opened.applied().unwrap(), opened.state_hash().unwrap());
        let switched = ["Renamed", "Switched", "Removed"].contains(&name.as_str());
        assert!(
            state == if switched { new.clone() } else { old.clone() },
            "after {name}"
        );
        let number = if switched { 2 } else { 1 };
        let files = ["", "-shm", "-wal"].map(|suffix| format!("state-{number}.db{suffix}"));
        assert_eq!(names(&path), files, "after {name}");
    }
    drop(machine);
    let reopened = SqliteMachine::open(&here).unwrap();
    assert_eq!(
        (reopened.applied().unwrap(), reopened.state_hash().unwrap()),
        new
    );
}

#[test]
fn an_abandoned_snapshot_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let machine = filled(SqliteMachine::open(directory.path()).unwrap(), 10);
    let mut writer = machine.begin_install().unwrap();
    writer.part(&parts(&machine, 1000)[0]).unwrap();
    drop(writer);
    let mut reader = machine.snapshot().unwrap();
    reader.next(100).unwrap();
    reader.next(100).unwrap();
    assert_eq!(names(directory.path()).len(), 4);
    drop(reader);
    assert_eq!(
        names(directory.path()),
        ["state-1.db", "state-1.db-shm", "state-1.db-wal"]
    );
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for name in names(from) {
        std::fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}
