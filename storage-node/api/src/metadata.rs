//! Facts in SQL: one read and one atomic batch, no interactive transactions.
//!
//! What must be decided between statements is written as SQL or as a [`Guard`]
//! with retry. The same portable SQL runs on every backend; ids and times are
//! parameters, never functions.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::dump::Dump;
use crate::{Effect, ReadPoint, RequestId, Retry, Token, migrations};

/// The facts.
#[async_trait]
pub trait Metadata: Debug + Send + Sync {
    /// Runs one `SELECT` at the given point. At most
    /// [`limits::MAX_ROWS`](crate::limits::MAX_ROWS) rows: page beyond that.
    async fn query(&self, point: ReadPoint, statement: Statement) -> Result<Rows, QueryError>;

    /// Runs all statements in one transaction, or none of them. A retry with
    /// the same [`Batch::id`] answers the first result without running again.
    async fn execute(&self, batch: Batch) -> Result<Executed, ExecuteError>;

    /// Begins to read all facts at one point, at least as new as everything
    /// acknowledged before. A backend without it is never ready.
    async fn dump(&self) -> Result<Box<dyn Dump>, QueryError> {
        Err(QueryError::Unavailable)
    }

    /// Brings the schema to the last of these migrations. Numbered from 1
    /// without holes; those applied before are checked to be the same text.
    /// Several programs may call it at once.
    async fn migrate(&self, migrations: &[Migration]) -> Result<(), MigrateError> {
        migrations::bring_up_to_date(self, migrations).await
    }
}

/// A value of a column or parameter. There are no floating-point numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Value {
    /// SQL `NULL`.
    Null,
    /// A 64-bit integer; booleans are 0 and 1.
    Integer(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// One parameterised statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Portable SQL with `$1`, `$2` … for parameters.
    pub sql: String,
    /// The parameters, in order.
    pub params: Vec<Value>,
    /// What must hold for the batch to commit.
    pub guard: Option<Guard>,
}

/// What the outcome of a statement must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Guard {
    /// Exactly this many rows returned (by `SELECT` or `RETURNING`), or else changed.
    Rows(u64),
    /// At least this many.
    AtLeast(u64),
}

/// Statements that commit together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The same in every retry.
    pub id: RequestId,
    /// In order. At most [`limits::MAX_STATEMENTS`](crate::limits::MAX_STATEMENTS).
    pub statements: Vec<Statement>,
    /// A step of the schema instead of statements: the only way to change it.
    /// Made by [`Migration::into_batch`]; idempotent by its number, so that the
    /// id is not remembered.
    pub migration: Option<Migration>,
}

/// What a statement returned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// The rows of a `SELECT`, in its order, or of `RETURNING`, in ascending
    /// order of their values.
    pub rows: Vec<Vec<Value>>,
    /// How many rows a writing statement changed.
    pub changed: u64,
}

/// A committed batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executed {
    /// Shows the batch to whoever reads at it.
    pub token: Token,
    /// One result per statement.
    pub results: Vec<Rows>,
}

/// One step of the schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// Its number, from 1.
    pub number: u32,
    /// What it is for, in a few words.
    pub name: String,
    /// Statements separated by semicolons. Never edited after release.
    pub sql: String,
}

/// Why a query failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum QueryError {
    /// No replica could prove that it is fresh enough.
    #[error("query metadata: no replica is fresh enough; try again")]
    Unavailable,
    /// The statement is not one readable `SELECT`, or uses what is not portable.
    #[error("query metadata: {message}")]
    BadStatement {
        /// What the database said.
        message: String,
    },
    /// More rows than a read returns.
    #[error(
        "query metadata: more than {} rows; read in pages",
        crate::limits::MAX_ROWS
    )]
    TooManyRows,
}

/// Why a batch did not commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ExecuteError {
    /// A guard did not hold.
    #[error("statement {statement} of the batch: {found} rows where its guard needs otherwise")]
    Guard {
        /// The index of the statement.
        statement: usize,
        /// The rows there were.
        found: u64,
    },
    /// A constraint did not hold.
    #[error("statement {statement} of the batch: {kind} on {what}")]
    Constraint {
        /// The index of the statement.
        statement: usize,
        /// Which kind.
        kind: Constraint,
        /// The columns or constraint that the database names.
        what: String,
    },
    /// A statement that the database refuses, or that is not deterministic.
    #[error("statement {statement} of the batch: {message}")]
    BadStatement {
        /// The index of the statement.
        statement: usize,
        /// What the database said.
        message: String,
    },
    /// More statements or bytes than a batch may have.
    #[error("the batch is too large")]
    TooLarge,
    /// No leader was reached before anything was sent.
    #[error("commit metadata: no leader was found; try again")]
    NoLeader,
    /// The leader was lost while it worked.
    #[error(
        "commit metadata: the leader was lost, the write may have happened; retry with the same id"
    )]
    Interrupted,
    /// The disk is nearly full: only reads are served.
    #[error("commit metadata: the storage is full; free space or add nodes")]
    Full,
}

impl ExecuteError {
    /// Whether the batch may have been applied.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Interrupted => Effect::Unknown,
            _ => Effect::None,
        }
    }

    /// How to go on with the same batch.
    pub fn retry(&self) -> Retry {
        match self {
            Self::NoLeader | Self::Interrupted => Retry::After(Duration::from_millis(100)),
            _ => Retry::Never,
        }
    }
}

/// A kind of constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Constraint {
    /// `UNIQUE` or `PRIMARY KEY`.
    Unique,
    /// `REFERENCES`.
    ForeignKey,
    /// `NOT NULL`.
    NotNull,
    /// `CHECK`.
    Check,
}

impl std::fmt::Display for Constraint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unique => "a unique constraint",
            Self::ForeignKey => "a foreign key",
            Self::NotNull => "a missing value",
            Self::Check => "a check",
        })
    }
}

/// Why the schema could not be brought up to date.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    /// A released migration has another text than when it was applied.
    #[error("migration {number} differs from the one that was applied")]
    Changed {
        /// Which.
        number: u32,
    },
    /// The schema is newer than this program.
    #[error("the schema is at migration {found}, this program knows {known}: use a newer release")]
    Newer {
        /// Of the data.
        found: u32,
        /// Of the program.
        known: u32,
    },
    /// A step failed.
    #[error("migration {number}")]
    Failed {
        /// Which.
        number: u32,
        /// Why.
        #[source]
        source: ExecuteError,
    },
    /// The state of the schema could not be read.
    #[error("read which migrations were applied")]
    Read(#[from] QueryError),
}

impl Batch {
    /// A batch of statements.
    pub fn new(id: RequestId, statements: Vec<Statement>) -> Self {
        Self {
            id,
            statements,
            migration: None,
        }
    }
}

impl Statement {
    /// A statement without a guard.
    pub fn new(sql: impl Into<String>, params: impl IntoIterator<Item = Value>) -> Self {
        Self {
            sql: sql.into(),
            params: params.into_iter().collect(),
            guard: None,
        }
    }

    /// The same statement with a guard.
    #[must_use]
    pub fn guarded(mut self, guard: Guard) -> Self {
        self.guard = Some(guard);
        self
    }
}

impl Guard {
    /// Whether this many rows satisfy it.
    pub fn holds(self, rows: u64) -> bool {
        match self {
            Self::Rows(expected) => rows == expected,
            Self::AtLeast(least) => rows >= least,
        }
    }
}

macro_rules! value_from {
    ($($type:ty => $variant:ident($convert:expr)),* $(,)?) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(($convert)(value))
            }
        })*
    };
}

value_from! {
    i64 => Integer(|v| v),
    u32 => Integer(i64::from),
    bool => Integer(i64::from),
    String => Text(|v| v),
    &str => Text(str::to_owned),
    Arc<str> => Text(|v: Arc<str>| v.to_string()),
    Vec<u8> => Blob(|v| v),
    &[u8] => Blob(<[u8]>::to_vec),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Value {
    /// The integer, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(value) => Some(value),
            _ => None,
        }
    }

    /// The bytes, if it is a blob.
    pub fn as_blob(&self) -> Option<&[u8]> {
        match self {
            Self::Blob(value) => Some(value),
            _ => None,
        }
    }
}
