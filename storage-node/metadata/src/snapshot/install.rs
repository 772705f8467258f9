use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, ErrorCode, MAIN_DB};

use super::stream::Parser;
use crate::limits::MAX_MEMORY_SNAPSHOT_BYTES;
use crate::machine::set_marker;
use crate::store::{
    Active, Store, check_format, open_plain, remove_database, sync_directory, sync_file,
};
use crate::{Fault, SnapshotError};

/// A snapshot being taken from another replica. Dropped before
/// [`finish`](Self::finish), it leaves nothing.
#[derive(Debug)]
pub struct SnapshotWriter {
    store: Arc<Store>,
    parser: Parser,
    aside: Aside,
}

/// Where the image is until it is the state.
#[derive(Debug)]
enum Aside {
    File(PathBuf, File),
    Memory(Vec<u8>),
}

/// What is done to the disk on finishing, in order. A crash after any of these
/// leaves the old state or the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Verified,
    Synced,
    Renamed,
    Switched,
    Removed,
}

impl SnapshotWriter {
    pub(crate) fn begin(store: Arc<Store>) -> Result<Self, Fault> {
        let aside = match store.temporary_path() {
            None => Aside::Memory(Vec::new()),
            Some(path) => {
                let file = OpenOptions::new().write(true).create_new(true).open(&path);
                Aside::File(path.clone(), file.map_err(Fault::file("create", path))?)
            }
        };
        Ok(Self {
            store,
            parser: Parser::default(),
            aside,
        })
    }

    /// Takes the next bytes, cut in any way.
    pub fn part(&mut self, bytes: &Bytes) -> Result<(), Fault> {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let image = self.parser.image(&mut rest)?;
            match &mut self.aside {
                Aside::File(path, file) => {
                    file.write_all(image)
                        .map_err(Fault::file("write", path.as_path()))?;
                }
                Aside::Memory(_) if self.parser.image_bytes() > MAX_MEMORY_SNAPSHOT_BYTES => {
                    return Err(SnapshotError::TooLarge(self.parser.image_bytes()).into());
                }
                Aside::Memory(all) => all.extend(image),
            }
        }
        Ok(())
    }

    /// Verifies the snapshot, gives it `marker`, makes it durable and switches to
    /// it, all or nothing, also when the machine crashes. Afterwards queries see
    /// the new state; those that run finish on the old one.
    pub fn finish(self, marker: &[u8]) -> Result<(), Fault> {
        self.finish_watched(marker, &mut |_| {})
    }

    pub(super) fn finish_watched(
        mut self,
        marker: &[u8],
        watch: &mut dyn FnMut(Step),
    ) -> Result<(), Fault> {
        self.parser.finish()?;
        match &mut self.aside {
            Aside::Memory(image) => {
                let connection = load(image)?;
                verify(&connection, marker)?;
                let active = Active::new(connection)?;
                self.store.replace(&mut self.store.lock(), active);
                Ok(())
            }
            Aside::File(path, _) => {
                let connection = open_plain(path)?;
                verify(&connection, marker)?;
                connection
                    .close()
                    .map_err(|(_, e)| Fault::sqlite("close")(e))?;
                watch(Step::Verified);
                sync_file(path)?;
                watch(Step::Synced);
                switch(&self.store, path, watch)
            }
        }
    }
}

/// Makes the database at `path` the state.
fn switch(store: &Store, path: &Path, watch: &mut dyn FnMut(Step)) -> Result<(), Fault> {
    let mut active = store.lock();
    let [Some(directory), Some(old), Some(new)] = [
        store.directory().cloned(),
        store.state_path(),
        store.next_state_path(),
    ] else {
        return Ok(());
    };
    fs::rename(path, &new).map_err(Fault::file("rename", path))?;
    // From here on the old state must not change: it is no longer the newest.
    let switched = sync_directory(&directory).and_then(|()| {
        watch(Step::Renamed);
        Active::open(&new)
    });
    match switched {
        Ok(new) => store.replace(&mut active, new),
        Err(fault) => {
            active.stopped = true;
            return Err(fault);
        }
    }
    drop(active);
    watch(Step::Switched);
    remove_database(&old)?;
    watch(Step::Removed);
    Ok(())
}

fn load(image: &mut Vec<u8>) -> Result<Connection, Fault> {
    let mut connection = Connection::open_in_memory().map_err(Fault::sqlite("open"))?;
    let image = std::mem::take(image);
    connection
        .deserialize_read_exact(MAIN_DB, &image[..], image.len(), false)
        .map_err(Fault::sqlite("load"))?;
    Ok(connection)
}

/// Checks that an image is consistent and of this program, and sets its marker.
fn verify(connection: &Connection, marker: &[u8]) -> Result<(), Fault> {
    let verdict: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(inconsistent)?;
    if verdict != "ok" {
        return Err(SnapshotError::Inconsistent(verdict).into());
    }
    check_format(connection)?;
    set_marker(connection, marker).map_err(inconsistent)
}

/// The image is at fault if SQLite says so, and this replica otherwise.
fn inconsistent(error: rusqlite::Error) -> Fault {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            SnapshotError::Inconsistent(error.to_string()).into()
        }
        _ => Fault::sqlite("verify")(error),
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if let Aside::File(path, _) = &self.aside
            && let Err(fault) = remove_database(path)
        {
            tracing::warn!(error = %fault, "an unfinished snapshot stays until the next start");
        }
    }
}
