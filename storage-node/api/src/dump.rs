//! All facts at one point, for a backup.
//!
//! A node keeps a dump open as a read transaction, so that every page of it
//! shows the same point however long reading takes. It keeps few
//! ([`MAX_DUMPS`](crate::limits::MAX_DUMPS)): opening one more ends the oldest,
//! whose reader is told to begin again.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::metadata::{QueryError, Value};

/// Reads a dump from its beginning to its end.
#[async_trait]
pub trait Dump: Send {
    /// The migrations that the schema had come to, from the first.
    fn migrations(&self) -> &[AppliedMigration];

    /// The next rows, at least one; tables in the order in which they were made,
    /// each in one run of pages. `None` after the last.
    async fn next(&mut self) -> Result<Option<TableRows>, QueryError>;
}

/// A step of the schema that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedMigration {
    /// Its number, from 1.
    pub number: u32,
    /// The hash of its text.
    pub text_hash: [u8; 32],
}

/// Some rows of a table, all columns of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRows {
    /// The table.
    pub table: String,
    /// Its columns, in the order of the values.
    pub columns: Vec<String>,
    /// The rows, at least one.
    pub rows: Vec<Vec<Value>>,
}

/// What is asked of a node about dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DumpOrder {
    /// A new dump, at least as new as everything acknowledged before.
    Open,
    /// The next page of a dump.
    Next(u64),
    /// The dump is not needed any more.
    Close(u64),
}

/// What a node answers about dumps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DumpPart {
    /// To [`DumpOrder::Open`].
    Opened {
        /// The dump's number, which no other dump of this start had.
        dump: u64,
        /// The migrations that the schema had come to.
        migrations: Vec<AppliedMigration>,
    },
    /// The next page.
    Rows(TableRows),
    /// There is no next page, or the dump is closed.
    End,
}
