//! SQLite's callbacks: what a statement may do, and for how long.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::limits::OPS_PER_TICK;
use crate::sql::dialect::{INTERNAL, MIGRATIONS_TABLE};

/// Functions that answer alike everywhere and always, by SQLite's names.
const FUNCTIONS: &[&str] = &[
    "abs",
    "coalesce",
    "concat",
    "concat_ws",
    "count",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "length",
    "like",
    "lower",
    "ltrim",
    "max",
    "min",
    "ntile",
    "nullif",
    "octet_length",
    "rank",
    "replace",
    "row_number",
    "rtrim",
    "sign",
    "string_agg",
    "substr",
    "substring",
    "sum",
    "trim",
    "upper",
];

/// What SQLite calls in the statements that it makes itself out of `ALTER TABLE`.
const ALTER_FUNCTIONS: &[&str] = &[
    "glob",
    "printf",
    "quick_check",
    "sqlite_drop_column",
    "sqlite_fail",
    "sqlite_rename_column",
    "sqlite_rename_quotefix",
    "sqlite_rename_table",
    "sqlite_rename_test",
];

/// For whom a statement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mode {
    /// This crate itself: everything is allowed and nothing counted.
    Internal,
    /// A batch: rows are read and written.
    Batch,
    /// A migration: the schema as well.
    Migration,
    /// A query: rows are read.
    Query,
}

/// The state that a connection's callbacks share with whoever uses it.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    mode: AtomicU8,
    ticks_left: AtomicU64,
    exhausted: AtomicBool,
    denied: Mutex<Option<String>>,
}

impl Gate {
    /// Puts a gate before everything that the connection runs.
    pub(crate) fn install(connection: &Connection) -> Arc<Self> {
        let gate = Arc::new(Self::default());
        let callback = Arc::clone(&gate);
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            callback.authorize(&context)
        }));
        let callback = Arc::clone(&gate);
        connection.progress_handler(OPS_PER_TICK.into(), Some(move || callback.tick()));
        gate
    }

    /// How many instructions may run from now on, outside of [`Mode::Internal`].
    pub(crate) fn allow_ops(&self, ops: u64) {
        self.ticks_left
            .store(ops / u64::from(OPS_PER_TICK), Ordering::Relaxed);
        self.exhausted.store(false, Ordering::Relaxed);
    }

    /// Runs what follows in `mode`, until the guard is dropped.
    pub(crate) fn enter(&self, mode: Mode) -> Entered<'_> {
        self.mode.store(mode as u8, Ordering::Relaxed);
        Entered(self)
    }

    /// Whether a statement was interrupted because it ran for too long.
    pub(crate) fn exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Relaxed)
    }

    /// What was denied last.
    pub(crate) fn take_denied(&self) -> Option<String> {
        self.denied
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn tick(&self) -> bool {
        if self.mode.load(Ordering::Relaxed) == Mode::Internal as u8 {
            return false;
        }
        let left = self.ticks_left.load(Ordering::Relaxed);
        self.ticks_left
            .store(left.saturating_sub(1), Ordering::Relaxed);
        if left == 0 {
            self.exhausted.store(true, Ordering::Relaxed);
        }
        left == 0
    }

    fn authorize(&self, context: &AuthContext<'_>) -> Authorization {
        // The checks of `schema` run inside the statements that they check.
        if context
            .accessor
            .is_some_and(|trigger| trigger.starts_with(INTERNAL))
        {
            return Authorization::Allow;
        }
        let denied = match self.mode.load(Ordering::Relaxed) {
            mode if mode == Mode::Internal as u8 => None,
            mode if mode == Mode::Batch as u8 => deny_in_batch(&context.action),
            mode if mode == Mode::Migration as u8 => deny_in_migration(&context.action),
            _ => deny_in_query(&context.action),
        };
        match denied {
            None => Authorization::Allow,
            Some(what) => {
                *self.denied.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
                Authorization::Deny
            }
        }
    }
}

/// A mode that ends when this is dropped.
pub(crate) struct Entered<'a>(&'a Gate);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.mode.store(Mode::Internal as u8, Ordering::Relaxed);
    }
}

fn deny_in_query(action: &AuthAction<'_>) -> Option<String> {
    match action {
        AuthAction::Select | AuthAction::Recursive => None,
        AuthAction::Function { function_name } => deny_function(function_name, FUNCTIONS),
        AuthAction::Read {
            table_name,
            column_name,
        } => {
            if column_name.eq_ignore_ascii_case("rowid") {
                return Some("an implicit row id".to_owned());
            }
            deny_table(table_name)
        }
        other => Some(format!("{} in a query", name(other))),
    }
}

fn deny_in_batch(action: &AuthAction<'_>) -> Option<String> {
    match action {
        AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. } => deny_write(table_name),
        AuthAction::Select
        | AuthAction::Recursive
        | AuthAction::Function { .. }
        | AuthAction::Read { .. } => deny_in_query(action),
        other => Some(format!("{} outside of a migration", name(other))),
    }
}

fn deny_in_migration(action: &AuthAction<'_>) -> Option<String> {
    match action {
        AuthAction::CreateTable { .. }
        | AuthAction::CreateIndex { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::AlterTable { .. }
        | AuthAction::DropTable { .. }
        | AuthAction::DropIndex { .. }
        | AuthAction::DropView { .. }
        | AuthAction::Reindex { .. } => None,
        // Part of adding a column with a constraint.
        AuthAction::Pragma {
            pragma_name: "quick_check" | "integrity_check",
            ..
        } => None,
        AuthAction::Function { function_name } => deny_function(function_name, FUNCTIONS)
            .and_then(|_| deny_function(function_name, ALTER_FUNCTIONS)),
        AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Read { table_name, .. }
            if is_schema(table_name) =>
        {
            None
        }
        other => deny_in_batch(other),
    }
}

fn deny_function(function: &str, allowed: &[&str]) -> Option<String> {
    let lower = function.to_ascii_lowercase();
    (!allowed.contains(&lower.as_str())).then(|| format!("function {lower}"))
}

/// Tables that only the DDL of a migration touches, never its own statements:
/// SQLite refuses those.
fn is_schema(table: &str) -> bool {
    const TABLES: &[&str] = &[
        "pragma_quick_check",
        "sqlite_master",
        "sqlite_schema",
        "sqlite_temp_master",
        "sqlite_temp_schema",
    ];
    TABLES.contains(&table)
}

fn deny_write(table: &str) -> Option<String> {
    if table.eq_ignore_ascii_case(MIGRATIONS_TABLE) {
        return Some(format!("writing to table {table}"));
    }
    deny_table(table)
}

/// SQLite's own tables and table-valued functions, and this crate's tables.
fn deny_table(table: &str) -> Option<String> {
    let lower = table.to_ascii_lowercase();
    let own = [
        "sqlite_",
        "pragma_",
        "json_",
        "dbstat",
        "fts",
        "rtree",
        "bytecode",
        "tables_used",
    ];
    let internal = lower.starts_with(INTERNAL) && lower != MIGRATIONS_TABLE;
    let foreign = own.iter().any(|prefix| lower.starts_with(prefix));
    (internal || foreign).then(|| format!("table {table}"))
}

fn name(action: &AuthAction<'_>) -> &'static str {
    match action {
        AuthAction::Insert { .. } | AuthAction::Delete { .. } | AuthAction::Update { .. } => {
            "writing"
        }
        AuthAction::Pragma { .. } => "PRAGMA",
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => "ATTACH",
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => "a transaction",
        AuthAction::CreateTrigger { .. } | AuthAction::DropTrigger { .. } => "a trigger",
        AuthAction::CreateVtable { .. } | AuthAction::DropVtable { .. } => "a virtual table",
        AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. }
        | AuthAction::DropTempIndex { .. }
        | AuthAction::DropTempTable { .. }
        | AuthAction::DropTempTrigger { .. }
        | AuthAction::DropTempView { .. } => "a temporary table",
        _ => "changing the schema",
    }
}
