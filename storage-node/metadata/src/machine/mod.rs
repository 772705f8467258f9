//! One replica of the facts.

mod apply;
mod hash;
mod migrate;
mod remember;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::Connection;

pub(crate) use hash::state_hash;

use crate::snapshot::{SnapshotReader, SnapshotWriter};
use crate::store::{Store, sync_directory, sync_file};
use crate::{Fault, Reader};

/// One replica of the facts: a SQLite database that changes by committed log
/// entries only. Clones are the same replica.
///
/// Every call blocks. Applying is one at a time; a [`Reader`], a snapshot being
/// read, and [`sync`](Self::sync) go on beside it.
#[derive(Clone, Debug)]
pub struct SqliteMachine {
    store: Arc<Store>,
}

impl SqliteMachine {
    /// An empty replica in memory, for tests and simulation.
    pub fn in_memory() -> Result<Self, Fault> {
        Ok(Self {
            store: Arc::new(Store::in_memory()?),
        })
    }

    /// The replica in this directory, empty if it is new. The caller holds a lock
    /// that keeps other processes out.
    ///
    /// After a crash the state is the one at some marker that was applied, at
    /// least the one of the last [`sync`](Self::sync) or installed snapshot.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, Fault> {
        Ok(Self {
            store: Arc::new(Store::open(directory.into())?),
        })
    }

    pub(crate) fn over(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// The marker of the last [`apply`](Self::apply) that the state contains:
    /// the log goes on after it. `None` for an empty replica.
    pub fn applied(&self) -> Result<Option<Bytes>, Fault> {
        marker(&self.store.lock().connection)
    }

    /// Applies committed entries, each a log index and the bytes of a
    /// [`Command`](crate::Command) (`None` for entries that are the log's own
    /// business), and keeps `marker`, all in one transaction. Answers the bytes
    /// of one [`Reply`](crate::Reply) per entry, empty for `None`.
    ///
    /// The caller gives every entry once, in order, from the one after
    /// [`applied`](Self::applied). When this returns, readers see the state; a
    /// crash of the machine may take it back, whole groups at a time.
    ///
    /// Any fault leaves the state as it was and stops the replica.
    pub fn apply(
        &self,
        entries: &[(u64, Option<Bytes>)],
        marker: &[u8],
    ) -> Result<Vec<Bytes>, Fault> {
        apply::apply(&mut self.store.lock(), entries, marker)
    }

    /// Waits until everything applied before the call is on the disk, and answers
    /// the marker up to which the log may be purged. Applying goes on meanwhile.
    pub fn sync(&self) -> Result<Option<Bytes>, Fault> {
        let (marker, path) = {
            let active = self.store.lock();
            let marker = marker(&active.connection)?;
            let Some(path) = self.store.state_path() else {
                return Ok(marker);
            };
            // Keeps the write-ahead log short; takes what no reader holds.
            active
                .connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
                .map_err(Fault::sqlite("checkpoint"))?;
            (marker, path)
        };
        // If a snapshot replaced the file meanwhile, the new one is on the disk.
        sync_file(&path)?;
        if let Some(directory) = self.store.directory() {
            sync_directory(directory)?;
        }
        Ok(marker)
    }

    /// A consistent copy of the state of this moment, to be read in parts while
    /// applying goes on. Cheap: what costs time is reading it.
    pub fn snapshot(&self) -> Result<SnapshotReader, Fault> {
        SnapshotReader::begin(&self.store)
    }

    /// Takes a snapshot that another replica made, in parts. The state stays what
    /// it is until [`SnapshotWriter::finish`].
    pub fn begin_install(&self) -> Result<SnapshotWriter, Fault> {
        SnapshotWriter::begin(Arc::clone(&self.store))
    }

    /// A BLAKE3 hash over the tables, their definitions and the remembered
    /// replies. Equal on all replicas that have applied the same entries, however
    /// their files are laid out. Reads everything, and applying waits for it: see
    /// [`Reader::state_hash`] for one that does not.
    pub fn state_hash(&self) -> Result<[u8; 32], Fault> {
        state_hash(&self.store.lock().connection)
    }

    /// Queries beside this replica.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.store))
    }
}

/// The marker that a database holds.
pub(crate) fn marker(connection: &Connection) -> Result<Option<Bytes>, Fault> {
    let marker: Option<Vec<u8>> = connection
        .query_row("SELECT marker FROM _devflow_state", [], |row| row.get(0))
        .map_err(Fault::sqlite("read the marker of"))?;
    Ok(marker.map(Bytes::from))
}

/// Stores the marker of what was last applied.
pub(crate) fn set_marker(connection: &Connection, marker: &[u8]) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("UPDATE _devflow_state SET marker = ?1")?
        .execute([marker])
        .map(|_| ())
}

#[cfg(test)]
mod tests;
