//! The bounds of replicated SQL, each with a name.
//!
//! Those that decide whether a batch is refused are part of the machine
//! version: replicas with other values would compute other states.

/// The most virtual-machine instructions that one batch may run, over all its
/// statements. Some seconds.
pub const MAX_BATCH_OPS: u64 = 20_000_000;

/// The most instructions that one migration may run: it may rewrite large
/// tables and build indexes.
pub const MAX_MIGRATION_OPS: u64 = 10_000_000_000;

/// The most instructions that one query may run.
pub const MAX_QUERY_OPS: u64 = 50_000_000;

/// How often instructions are counted against their limit.
pub(crate) const OPS_PER_TICK: u16 = 1000;

/// The most bytes of rows that one batch returns: they are remembered for a
/// retry.
pub const MAX_BATCH_RESULT_BYTES: usize = 1 << 20;

/// The most bytes of rows that one query returns.
pub const MAX_QUERY_RESULT_BYTES: usize = 16 << 20;

/// The most rows of one page of a dump.
pub const MAX_DUMP_PAGE_ROWS: usize = 1000;

/// Bytes of rows after which a page of a dump ends.
pub const MAX_DUMP_PAGE_BYTES: usize = 1 << 20;

/// What a value counts for beside its bytes of text or blob.
pub(crate) const VALUE_BYTES: usize = 16;

/// The most bytes of one value, and of one stored row.
pub const MAX_VALUE_BYTES: u32 = 4 << 20;

/// The most bytes of one SQL text.
pub const MAX_SQL_BYTES: u32 = 64 << 10;

/// The most columns of a result or an index.
pub const MAX_COLUMNS: u32 = 200;

/// The most columns of a table.
pub const MAX_TABLE_COLUMNS: usize = 100;

/// The longest name of a table or column, in bytes: PostgreSQL cuts longer ones.
pub const MAX_NAME_BYTES: usize = 63;

/// The deepest expression.
pub const MAX_EXPRESSION_DEPTH: u32 = 200;

/// The most terms of one compound `SELECT`.
pub const MAX_COMPOUND_SELECTS: u32 = 50;

/// The most instructions in the program of one statement.
pub const MAX_PROGRAM_OPS: u32 = 250_000;

/// The most parameters of one statement.
pub const MAX_PARAMETERS: u16 = 2000;

/// The longest pattern of `LIKE`, in bytes.
pub const MAX_PATTERN_BYTES: u32 = 1000;

/// The deepest chain of cascading foreign keys.
pub const MAX_CASCADE_DEPTH: u32 = 32;

/// The most queries that run at once on one replica; more wait.
pub const MAX_READERS: usize = 8;

/// How many prepared statements each reading connection keeps.
pub(crate) const PREPARED_STATEMENTS: usize = 64;

/// The largest snapshot that an in-memory replica takes; one on disk has no
/// such limit.
pub const MAX_MEMORY_SNAPSHOT_BYTES: u64 = 1 << 30;
