use std::io;
use std::path::PathBuf;

use crate::CommandError;

/// A local failure: unlike a refusal, other replicas need not see it. The
/// replica that meets one applies nothing more.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// SQLite failed for another reason than what a statement says: a full or
    /// failing disk, a corrupt file, no memory.
    #[error("{doing} the metadata database")]
    Sqlite {
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A file of the replica could not be handled.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The log holds an entry that this program cannot read: skipping it would
    /// fork the state.
    #[error("apply entry {index}")]
    Entry {
        /// The log index.
        index: u64,
        /// What is wrong with it.
        #[source]
        source: CommandError,
    },
    /// The files were written by a newer release.
    #[error("the metadata has format {found}, this program knows {known}: use a newer release")]
    Newer {
        /// Of the files.
        found: i64,
        /// Of this program.
        known: i64,
    },
    /// The database is not one of this program, or lost its bookkeeping.
    #[error("the metadata database lacks its bookkeeping")]
    Foreign,
    /// A snapshot cannot be installed. The state is what it was.
    #[error("install a snapshot of the metadata")]
    Snapshot(#[from] SnapshotError),
    /// The replica met a fault before.
    #[error("the metadata replica has stopped after a fault")]
    Stopped,
}

/// What is wrong with a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It does not begin as one.
    #[error("the stream is not a snapshot of metadata of a known version")]
    NotASnapshot,
    /// It ended early, or goes on after its end.
    #[error("the stream has {found} bytes where the snapshot has {expected}")]
    Length {
        /// By its header.
        expected: u64,
        /// How many there were.
        found: u64,
    },
    /// Its bytes are not those that were sent.
    #[error("the checksum differs")]
    Checksum,
    /// SQLite finds the database inconsistent.
    #[error("the database is not consistent: {0}")]
    Inconsistent(String),
    /// Larger than an in-memory replica takes.
    #[error("the snapshot has {0} bytes, an in-memory replica takes {limit}", limit = crate::limits::MAX_MEMORY_SNAPSHOT_BYTES)]
    TooLarge(u64),
}

impl Fault {
    /// Whether the files are not what was written, rather than out of reach.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Sqlite { source, .. } => crate::store::is_damage(source),
            Self::Foreign => true,
            _ => false,
        }
    }

    pub(crate) fn sqlite(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Sqlite { doing, source }
    }

    pub(crate) fn file(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File {
            doing,
            path: path.into(),
            source,
        }
    }
}
