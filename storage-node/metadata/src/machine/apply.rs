//! Applying a group of entries in one transaction.
//!
//! Each entry is a savepoint of the group's transaction, so that a refused one
//! leaves nothing. SQLite rolls the whole transaction back when it interrupts a
//! statement; an entry that runs for too long therefore restarts the group, now
//! with that entry known to be refused. What was computed before is computed
//! again, alike.
//!
//! The count of instructions that decides this must not depend on the
//! connection's past: statements of a batch are compiled anew, and the lookup of
//! its id, which is not counted, has made SQLite read the schema before.

use std::collections::BTreeMap;

use bytes::Bytes;
use rusqlite::Connection;
use storage_node_api::limits::MAX_STATEMENTS;
use storage_node_api::metadata::{Rows, Statement};

use super::{migrate, remember, set_marker};
use crate::limits::{MAX_BATCH_OPS, MAX_BATCH_RESULT_BYTES};
use crate::sql::gate::Mode;
use crate::sql::statement::{Runner, Stop};
use crate::store::Active;
use crate::{Command, Fault, Refusal, Reply};

/// The entries of a group that are known to run for too long, by their place,
/// and the statement at which they do.
type Exhausted = BTreeMap<usize, u32>;

/// Why statements changed nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// They are refused, alike on every replica.
    Refused(Refusal),
    /// The group cannot go on.
    Halt(Halt),
}

/// Why a group cannot go on.
#[derive(Debug)]
pub(super) enum Halt {
    /// The replica stops.
    Fault(Fault),
    /// The statement of this index runs for too long; it was interrupted.
    Exhausted(u32),
}

enum Group {
    Committed(Vec<Bytes>),
    Exhausted { entry: usize, statement: u32 },
}

pub(super) fn apply(
    active: &mut Active,
    entries: &[(u64, Option<Bytes>)],
    marker: &[u8],
) -> Result<Vec<Bytes>, Fault> {
    if active.stopped {
        return Err(Fault::Stopped);
    }
    let applied = decode(entries).and_then(|commands| repeat(active, &commands, marker));
    active.stopped = applied.is_err();
    applied
}

fn decode(entries: &[(u64, Option<Bytes>)]) -> Result<Vec<(u64, Option<Command>)>, Fault> {
    let decode = |(index, bytes): &(u64, Option<Bytes>)| {
        let command = bytes.as_deref().map(Command::decode).transpose();
        match command {
            Ok(command) => Ok((*index, command)),
            Err(source) => Err(Fault::Entry {
                index: *index,
                source,
            }),
        }
    };
    entries.iter().map(decode).collect()
}

/// Applies the group as often as it has entries that run for too long, and once.
fn repeat(
    active: &Active,
    commands: &[(u64, Option<Command>)],
    marker: &[u8],
) -> Result<Vec<Bytes>, Fault> {
    let mut exhausted = Exhausted::new();
    loop {
        let group = group(active, commands, marker, &exhausted);
        if !matches!(group, Ok(Group::Committed(_))) && !active.connection.is_autocommit() {
            active
                .connection
                .execute_batch("ROLLBACK")
                .map_err(Fault::sqlite("roll back"))?;
        }
        match group? {
            Group::Committed(replies) => return Ok(replies),
            Group::Exhausted { entry, statement } => exhausted.insert(entry, statement),
        };
    }
}

fn group(
    active: &Active,
    commands: &[(u64, Option<Command>)],
    marker: &[u8],
    exhausted: &Exhausted,
) -> Result<Group, Fault> {
    let connection = &active.connection;
    connection
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(Fault::sqlite("begin to write"))?;
    let mut replies = Vec::with_capacity(commands.len());
    for (entry, (index, command)) in commands.iter().enumerate() {
        let known = exhausted.get(&entry).copied();
        let reply = match command {
            None => Ok(Bytes::new()),
            Some(Command::Execute { id, statements }) => {
                execute(active, *index, &id.0, statements, known)
            }
            Some(Command::Migrate(migration)) => {
                let outcome = savepoint(connection, known, || migrate::run(active, migration));
                outcome.map(|outcome| {
                    Reply {
                        index: *index,
                        outcome,
                    }
                    .encode()
                })
            }
        };
        match reply {
            Ok(reply) => replies.push(reply),
            Err(Halt::Exhausted(statement)) => return Ok(Group::Exhausted { entry, statement }),
            Err(Halt::Fault(fault)) => return Err(fault),
        }
    }
    set_marker(connection, marker).map_err(Fault::sqlite("write the marker of"))?;
    connection
        .execute_batch("COMMIT")
        .map_err(Fault::sqlite("commit to"))?;
    Ok(Group::Committed(replies))
}

/// Runs the statements of a batch, unless its id was seen before, and remembers
/// what came of it.
fn execute(
    active: &Active,
    index: u64,
    id: &[u8; 16],
    statements: &[Statement],
    exhausted: Option<u32>,
) -> Result<Bytes, Halt> {
    if let Some(reply) = remember::recall(&active.connection, id)? {
        return Ok(reply);
    }
    let outcome = savepoint(&active.connection, exhausted, || run(active, statements))?;
    let reply = Reply { index, outcome }.encode();
    remember::remember(&active.connection, id, &reply)?;
    Ok(reply)
}

fn run(active: &Active, statements: &[Statement]) -> Result<Vec<Rows>, Failure> {
    if statements.len() > MAX_STATEMENTS {
        let message = format!("a batch has at most {MAX_STATEMENTS} statements");
        return Err(Failure::Refused(Refusal::Statement {
            statement: 0,
            message,
        }));
    }
    active.gate.allow_ops(MAX_BATCH_OPS);
    let mut runner = Runner {
        connection: &active.connection,
        gate: &active.gate,
        mode: Mode::Batch,
        keep_prepared: false,
        bytes_left: MAX_BATCH_RESULT_BYTES,
    };
    let mut results = Vec::with_capacity(statements.len());
    for (statement, position) in statements.iter().zip(0..) {
        let rows = runner
            .run(statement)
            .map_err(|stop| Failure::of(stop, position))?;
        check_guard(statement, position, &rows)?;
        results.push(rows);
    }
    Ok(results)
}

fn check_guard(statement: &Statement, position: u32, rows: &Rows) -> Result<(), Failure> {
    let found = if rows.rows.is_empty() {
        rows.changed
    } else {
        rows.rows.len() as u64
    };
    match statement.guard {
        Some(guard) if !guard.holds(found) => Err(Failure::Refused(Refusal::Guard {
            statement: position,
            found,
        })),
        _ => Ok(()),
    }
}

/// Runs `change` so that it leaves nothing unless it succeeds.
fn savepoint(
    connection: &Connection,
    exhausted: Option<u32>,
    change: impl FnOnce() -> Result<Vec<Rows>, Failure>,
) -> Result<Result<Vec<Rows>, Refusal>, Halt> {
    if let Some(statement) = exhausted {
        let message = "the statement takes too long".to_owned();
        return Ok(Err(Refusal::Statement { statement, message }));
    }
    let sql = |sql| {
        connection
            .execute_batch(sql)
            .map_err(Fault::sqlite("mark an entry in"))
    };
    sql("SAVEPOINT entry")?;
    match change() {
        Ok(results) => {
            sql("RELEASE entry")?;
            Ok(Ok(results))
        }
        Err(Failure::Refused(refusal)) => {
            sql("ROLLBACK TO entry; RELEASE entry")?;
            Ok(Err(refusal))
        }
        Err(Failure::Halt(halt)) => Err(halt),
    }
}

impl Failure {
    /// What the end of the statement of this index means for its entry.
    pub(super) fn of(stop: Stop, statement: u32) -> Self {
        Self::Refused(match stop {
            Stop::Constraint { kind, what } => Refusal::Constraint {
                statement,
                kind,
                what,
            },
            Stop::Bad(message) => Refusal::Statement { statement, message },
            Stop::TooManyRows => Refusal::Statement {
                statement,
                message: "the statement returns too many rows; read in pages".to_owned(),
            },
            Stop::Exhausted => return Self::Halt(Halt::Exhausted(statement)),
            Stop::Fault(source) => {
                return Fault::Sqlite {
                    doing: "run a statement on",
                    source,
                }
                .into();
            }
        })
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Halt(fault.into())
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
