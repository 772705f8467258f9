//! Applying one step of the schema.

use rusqlite::OptionalExtension;
use storage_node_api::metadata::{Migration, Rows, Statement};

use super::apply::Failure;
use crate::limits::{MAX_BATCH_RESULT_BYTES, MAX_MIGRATION_OPS};
use crate::sql::gate::Mode;
use crate::sql::statement::Runner;
use crate::sql::{dialect, schema};
use crate::store::Active;
use crate::{Fault, Refusal};

/// Runs a migration inside the entry's savepoint. One that was applied with the
/// same text succeeds without running again.
pub(super) fn run(active: &Active, migration: &Migration) -> Result<Vec<Rows>, Failure> {
    let hash = migration.text_hash();
    let (last, recorded) = recorded(active, migration.number)
        .map_err(Fault::sqlite("read which migrations were applied to"))?;
    match recorded {
        Some(recorded) if recorded == hash => return Ok(Vec::new()),
        Some(_) => {
            return Err(refused(
                0,
                "the migration was applied with another text".into(),
            ));
        }
        None => {}
    }
    if i64::from(migration.number) != last + 1 {
        let message = format!("migration {} does not follow {last}", migration.number);
        return Err(refused(0, message));
    }
    statements(active, &migration.sql)?;
    active
        .connection
        .prepare_cached("INSERT INTO _devflow_migrations VALUES (?1, ?2, ?3)")
        .and_then(|mut insert| insert.execute((migration.number, &migration.name, hash)))
        .map_err(Fault::sqlite("record a migration in"))?;
    Ok(Vec::new())
}

/// The number of the last migration, 0 if there is none, and the hash of this one.
fn recorded(active: &Active, number: u32) -> Result<(i64, Option<Vec<u8>>), rusqlite::Error> {
    let connection = &active.connection;
    let last = connection
        .prepare_cached("SELECT coalesce(max(number), 0) FROM _devflow_migrations")?
        .query_row([], |row| row.get(0))?;
    let hash = connection
        .prepare_cached("SELECT text_hash FROM _devflow_migrations WHERE number = ?1")?
        .query_row([number], |row| row.get(0))
        .optional()?;
    Ok((last, hash))
}

/// Runs the text and judges the schema, and the rows if it may have touched any.
fn statements(active: &Active, sql: &str) -> Result<(), Failure> {
    let pieces = dialect::split(sql).map_err(|error| refused(0, error.to_string()))?;
    let connection = &active.connection;
    schema::remove_triggers(connection).map_err(Fault::sqlite("open the tables of"))?;
    active.gate.allow_ops(MAX_MIGRATION_OPS);
    let mut runner = Runner {
        connection,
        gate: &active.gate,
        mode: Mode::Migration,
        keep_prepared: false,
        bytes_left: MAX_BATCH_RESULT_BYTES,
    };
    let mut last = 0;
    for (piece, position) in pieces.iter().zip(0..) {
        let statement = Statement::new(piece.text, []);
        runner
            .run(&statement)
            .map_err(|stop| Failure::of(stop, position))?;
        last = position;
    }
    let doing = "check the tables of";
    let mut wrong = schema::check(connection).map_err(Fault::sqlite(doing))?;
    let touches_rows = |piece: &dialect::Piece<'_>| !["create", "drop"].contains(&&*piece.verb);
    if wrong.is_none() && pieces.iter().any(touches_rows) {
        wrong = schema::mistyped(connection).map_err(Fault::sqlite(doing))?;
    }
    if let Some(message) = wrong {
        return Err(refused(last, message));
    }
    schema::make_triggers(connection).map_err(Fault::sqlite("close the tables of"))?;
    Ok(())
}

fn refused(statement: u32, message: String) -> Failure {
    Failure::Refused(Refusal::Statement { statement, message })
}
