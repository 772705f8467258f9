//! How connections are set up.

use std::path::Path;
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::Fault;
use crate::limits::{
    MAX_CASCADE_DEPTH, MAX_COLUMNS, MAX_COMPOUND_SELECTS, MAX_EXPRESSION_DEPTH, MAX_PARAMETERS,
    MAX_PATTERN_BYTES, MAX_PROGRAM_OPS, MAX_SQL_BYTES, MAX_VALUE_BYTES, PREPARED_STATEMENTS,
};
use crate::sql::gate::Gate;

/// The version of this crate's tables.
const FORMAT: i64 = 1;

/// `_devflow_state` has one row: the version of these tables, and the log's
/// marker of what was last applied. `_devflow_requests` remembers replies,
/// oldest first by `sequence`.
const TABLES: &str = "
BEGIN IMMEDIATE;
CREATE TABLE _devflow_state (
    one INTEGER PRIMARY KEY CHECK (one = 1), format INTEGER NOT NULL, marker BLOB
);
CREATE TABLE _devflow_requests (
    sequence INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, reply BLOB NOT NULL
);
CREATE TABLE _devflow_migrations (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, text_hash BLOB NOT NULL
);
INSERT INTO _devflow_state VALUES (1, 1, NULL);
COMMIT;
";

/// Opens a state for applying. In WAL mode with `synchronous = NORMAL` a commit
/// waits for no disk, and a crash leaves the state after some earlier commit.
pub(super) fn open_writing(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(Fault::sqlite("open"))?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
             PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -8192;",
        )
        .map_err(Fault::sqlite("open"))?;
    Ok(connection)
}

/// Opens a state beside the connection that applies. What is open stays
/// readable when the state is replaced and its files are removed.
pub(crate) fn open_reading(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(Fault::sqlite("open"))?;
    // SQLite opens the log and its index at the first read.
    connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .map_err(Fault::sqlite("open"))?;
    Ok(connection)
}

/// Opens a file that nobody else uses, without a log beside it.
pub(crate) fn open_plain(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(Fault::sqlite("open"))
}

/// Makes a connection independent of defaults and puts a [`Gate`] before it.
pub(super) fn configure(connection: &Connection) -> Result<Arc<Gate>, Fault> {
    set_up(connection).map_err(Fault::sqlite("configure"))?;
    Ok(Gate::install(connection))
}

fn set_up(connection: &Connection) -> Result<(), rusqlite::Error> {
    for (option, on) in [
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_REVERSE_SCANORDER, false),
    ] {
        connection.set_db_config(option, on)?;
    }
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, MAX_SQL_BYTES),
        (Limit::SQLITE_LIMIT_COLUMN, MAX_COLUMNS),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, MAX_EXPRESSION_DEPTH),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, MAX_COMPOUND_SELECTS),
        (Limit::SQLITE_LIMIT_VDBE_OP, MAX_PROGRAM_OPS),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, MAX_PATTERN_BYTES),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, MAX_PARAMETERS.into()),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, MAX_CASCADE_DEPTH),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, i32::try_from(value).unwrap_or(i32::MAX))?;
    }
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    // LIKE means what it means to PostgreSQL; sorting needs no file that could fail.
    connection.execute_batch(
        "PRAGMA case_sensitive_like = ON; PRAGMA temp_store = MEMORY; \
         PRAGMA recursive_triggers = OFF;",
    )
}

/// Makes this crate's tables if the database is empty, or checks their version.
pub(super) fn initialize(connection: &Connection) -> Result<(), Fault> {
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(Fault::sqlite("open"))?;
    if tables == 0 {
        return connection
            .execute_batch(TABLES)
            .map_err(Fault::sqlite("initialise"));
    }
    check_format(connection)
}

/// Checks that the database has this crate's tables, of a version it knows.
pub(crate) fn check_format(connection: &Connection) -> Result<(), Fault> {
    let known = "SELECT 1 FROM sqlite_schema WHERE name = '_devflow_state'";
    let known = connection
        .query_row(known, [], |_| Ok(()))
        .optional()
        .map_err(Fault::sqlite("open"))?;
    if known.is_none() {
        return Err(Fault::Foreign);
    }
    let found: Option<i64> = connection
        .query_row("SELECT format FROM _devflow_state", [], |row| row.get(0))
        .optional()
        .map_err(Fault::sqlite("open"))?;
    match found {
        Some(FORMAT) => Ok(()),
        Some(found) => Err(Fault::Newer {
            found,
            known: FORMAT,
        }),
        None => Err(Fault::Foreign),
    }
}
