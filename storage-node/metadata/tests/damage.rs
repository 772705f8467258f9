//! Files that change under a replica.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use storage_node_api::RequestId;
use storage_node_api::metadata::{Batch, Migration, Statement};
use storage_node_metadata::{Command, SqliteMachine};

const PAGE: u64 = 4096;

fn filled(directory: &Path) {
    let machine = SqliteMachine::open(directory).unwrap();
    let sql =
        "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE)".to_owned();
    let tables = Migration {
        number: 1,
        name: "tables".to_owned(),
        sql,
    };
    let insert = |id: i64| {
        let name = format!("{id} {}", "long ".repeat(20));
        let insert = "INSERT INTO t (id, name) VALUES ($1, $2)";
        Statement::new(insert, [id.into(), name.into()])
    };
    let rows = (0..10_u8).map(|tenth| {
        let first = i64::from(tenth) * 40;
        Batch::new(
            RequestId([tenth; 16]),
            (first..first + 40).map(insert).collect(),
        )
    });
    let entries: Vec<_> = (1..)
        .zip([tables.into_batch()].into_iter().chain(rows))
        .map(|(index, batch)| (index, Some(Command::encode(batch).unwrap())))
        .collect();
    machine.apply(&entries, &[2]).unwrap();
    machine.sync().unwrap();
    assert_eq!(machine.reader().check().unwrap(), None);
}

#[test]
fn a_database_in_memory_is_checked_too() {
    let machine = SqliteMachine::in_memory().unwrap();
    assert_eq!(machine.reader().check().unwrap(), None);
}

#[test]
fn overwritten_pages_are_noticed() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("facts");
    filled(&directory);
    let path = directory.join("state-1.db");
    let pages = std::fs::metadata(&path).unwrap().len() / PAGE;
    assert!(pages > 20, "only {pages} pages");
    let machine = SqliteMachine::open(&directory).unwrap();
    assert_eq!(machine.reader().check().unwrap(), None);
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[0xa5; 64], (pages / 2) * PAGE).unwrap();
    let found = machine.reader().check().unwrap();
    assert!(found.is_some(), "a page was overwritten and nothing said");
}
