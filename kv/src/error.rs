//! What can go wrong.

use std::path::PathBuf;

use crate::Family;

/// What lies beneath: an error of the store's own kind.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A read, write or sync that failed.
#[derive(Debug, thiserror::Error)]
pub enum KvError {
    /// The store was opened without this family.
    #[error("column family {family} is not in this store")]
    UnknownFamily {
        /// The family asked for.
        family: Family,
    },
    /// Reading failed; nothing changed.
    #[error("read from column family {family}")]
    Read {
        /// Where.
        family: Family,
        /// Why.
        source: Cause,
    },
    /// Writing a batch failed. Whether it is there is unknown until the store is reopened.
    #[error("write a batch to the store")]
    Write {
        /// Why.
        source: Cause,
    },
    /// Syncing failed. What was not synced before may be there or not after a crash.
    #[error("sync the store")]
    Sync {
        /// Why.
        source: Cause,
    },
    /// An earlier write failed; nothing was done. Reopen the store.
    #[error("the store takes no more writes after one that failed: restart to recover")]
    Poisoned,
    /// The handle is from before a simulated crash; nothing was done.
    #[error("the store crashed")]
    Crashed,
}

impl KvError {
    /// Whether a write that failed with this error may nevertheless have happened.
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Self::Write { .. } | Self::Sync { .. })
    }
}

/// A store that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory could not be made.
    #[error("create the directory of store {}", path.display())]
    Directory {
        /// The store's directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process, or another handle of this one, has the store open.
    #[error(
        "store {} is open in another process: stop that process, or use another data directory",
        path.display()
    )]
    Locked {
        /// The store's directory.
        path: PathBuf,
    },
    /// The store holds families that this program does not know.
    #[error(
        "store {} has column families that this version does not know ({families:?}): it was written by a newer version, run that one",
        path.display()
    )]
    Newer {
        /// The store's directory.
        path: PathBuf,
        /// The families that are unknown.
        families: Vec<String>,
    },
    /// The store is damaged, or the disk failed.
    #[error("open store {}", path.display())]
    Store {
        /// The store's directory.
        path: PathBuf,
        /// Why.
        source: Cause,
    },
}
