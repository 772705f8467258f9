use std::fs::File;
use std::io::{Cursor, Read};
use std::path::PathBuf;

use bytes::Bytes;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, MAIN_DB};

use super::stream;
use crate::Fault;
use crate::store::{Store, open_plain, open_reading, remove_database};

/// A consistent copy of a replica's state, read in parts.
///
/// On disk, it is a read transaction until the first part is asked for, which
/// copies the database to a temporary file. Until then the write-ahead log
/// grows; so read it soon or drop it.
#[derive(Debug)]
pub struct SnapshotReader {
    stage: Stage,
    hasher: blake3::Hasher,
    /// Removed in the end.
    path: Option<PathBuf>,
}

#[derive(Debug)]
enum Stage {
    Pinned(Connection),
    Start(Image),
    Body(Image),
    End,
}

#[derive(Debug)]
enum Image {
    File(File, u64),
    Memory(Cursor<Vec<u8>>),
}

impl SnapshotReader {
    pub(crate) fn begin(store: &Store) -> Result<Self, Fault> {
        let active = store.lock();
        let stage = match store.state_path() {
            None => {
                let data = active
                    .connection
                    .serialize(MAIN_DB)
                    .map_err(Fault::sqlite("copy"))?;
                Stage::Start(Image::Memory(Cursor::new(data.to_vec())))
            }
            Some(path) => {
                let connection = open_reading(&path)?;
                connection
                    .execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")
                    .map_err(Fault::sqlite("begin to read"))?;
                Stage::Pinned(connection)
            }
        };
        Ok(Self {
            stage,
            hasher: blake3::Hasher::new(),
            path: store.temporary_path(),
        })
    }

    /// The next part, of at most `max_bytes` (or 64, if that is less); `None` at
    /// the end. After a fault the reader is of no use.
    pub fn next(&mut self, max_bytes: usize) -> Result<Option<Bytes>, Fault> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::End) {
                Stage::Pinned(connection) => self.stage = Stage::Start(self.copy(&connection)?),
                Stage::Start(image) => {
                    let header = stream::header(image.len());
                    self.stage = Stage::Body(image);
                    return Ok(Some(Bytes::copy_from_slice(&header)));
                }
                Stage::Body(mut image) => {
                    let mut part = vec![0; max_bytes.max(64)];
                    let len = image
                        .read(&mut part)
                        .map_err(Fault::file("read", self.name()))?;
                    if len == 0 {
                        let checksum = self.hasher.finalize();
                        return Ok(Some(Bytes::copy_from_slice(checksum.as_bytes())));
                    }
                    part.truncate(len);
                    self.hasher.update(&part);
                    self.stage = Stage::Body(image);
                    return Ok(Some(part.into()));
                }
                Stage::End => return Ok(None),
            }
        }
    }

    /// Copies the pages that a connection sees to the temporary file.
    fn copy(&self, from: &Connection) -> Result<Image, Fault> {
        let path = self.name();
        let mut to = open_plain(&path)?;
        copy_pages(from, &mut to).map_err(Fault::sqlite("copy"))?;
        to.close().map_err(|(_, source)| Fault::Sqlite {
            doing: "copy",
            source,
        })?;
        let file = File::open(&path).map_err(Fault::file("open", &path))?;
        let bytes = file.metadata().map_err(Fault::file("read", &path))?.len();
        Ok(Image::File(file, bytes))
    }

    fn name(&self) -> PathBuf {
        self.path.clone().unwrap_or_default()
    }
}

fn copy_pages(from: &Connection, to: &mut Connection) -> Result<(), rusqlite::Error> {
    to.execute_batch("PRAGMA synchronous = OFF;")?;
    let backup = Backup::new(from, to)?;
    while backup.step(PAGES_AT_ONCE)? != StepResult::Done {}
    drop(backup);
    // The image needs no log beside it.
    to.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
}

/// How many pages are copied before SQLite is asked again.
const PAGES_AT_ONCE: i32 = 1000;

impl Image {
    fn len(&self) -> u64 {
        match self {
            Self::File(_, bytes) => *bytes,
            Self::Memory(bytes) => bytes.get_ref().len() as u64,
        }
    }

    fn read(&mut self, part: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::File(file, _) => file.read(part),
            Self::Memory(bytes) => bytes.read(part),
        }
    }
}

impl Drop for SnapshotReader {
    fn drop(&mut self) {
        self.stage = Stage::End;
        if let Some(path) = &self.path
            && let Err(fault) = remove_database(path)
        {
            tracing::warn!(error = %fault, "a temporary copy stays until the next start");
        }
    }
}
