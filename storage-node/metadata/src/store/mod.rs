//! Where a replica keeps its database, and who may use it.
//!
//! On disk a replica is a directory. The state is the file `state-N.db` of the
//! greatest N, with SQLite's `-wal` and `-shm` beside it. Installing a snapshot
//! builds another file under a temporary name, syncs it, and renames it to
//! `state-(N+1).db`: that rename is the switch. Whatever else is there after a
//! crash, lower numbers and temporary files, is removed on opening.
//!
//! One process per directory: the caller holds the lock.

mod connection;
mod directory;
mod readers;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode};

use connection::configure;
pub(crate) use connection::{check_format, open_plain, open_reading};
pub(crate) use directory::{remove_database, sync_directory, sync_file};
use readers::Readers;

use crate::Fault;
use crate::sql::gate::Gate;

/// One replica's database.
#[derive(Debug)]
pub(crate) struct Store {
    place: Place,
    active: Mutex<Active>,
    /// The number of the active state, to be read without waiting for it.
    number: AtomicU64,
    readers: Readers,
    temporary: AtomicU64,
}

#[derive(Debug)]
enum Place {
    Memory,
    Directory(PathBuf),
}

/// The connection that applies.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) connection: Connection,
    pub(crate) gate: Arc<Gate>,
    /// Set by a fault; nothing is applied any more.
    pub(crate) stopped: bool,
}

/// A connection that only reads, with its gate.
#[derive(Debug)]
struct Reading {
    connection: Connection,
    gate: Arc<Gate>,
    number: u64,
}

impl Store {
    /// A new state that nothing but this process knows.
    pub(crate) fn in_memory() -> Result<Self, Fault> {
        let connection = Connection::open_in_memory().map_err(Fault::sqlite("open"))?;
        Self::new(Place::Memory, connection, 1)
    }

    /// The state of a directory, which is made if there is none.
    pub(crate) fn open(path: PathBuf) -> Result<Self, Fault> {
        let number = directory::prepare(&path)?;
        let file = directory::state_path(&path, number);
        let connection = connection::open_writing(&file)?;
        let store = Self::new(Place::Directory(path.clone()), connection, number)?;
        sync_file(&file)?;
        sync_directory(&path)?;
        Ok(store)
    }

    fn new(place: Place, connection: Connection, number: u64) -> Result<Self, Fault> {
        let active = Active::new(connection)?;
        Ok(Self {
            place,
            active: Mutex::new(active),
            number: AtomicU64::new(number),
            readers: Readers::default(),
            temporary: AtomicU64::new(1),
        })
    }

    /// The connection that applies. Waits for whoever has it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Active> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The replica's directory, if it is on disk.
    pub(crate) fn directory(&self) -> Option<&PathBuf> {
        match &self.place {
            Place::Memory => None,
            Place::Directory(path) => Some(path),
        }
    }

    /// The file of the active state, if the replica is on disk.
    pub(crate) fn state_path(&self) -> Option<PathBuf> {
        let number = self.number.load(Ordering::Acquire);
        Some(directory::state_path(self.directory()?, number))
    }

    /// The file of the state after the active one, if the replica is on disk.
    pub(crate) fn next_state_path(&self) -> Option<PathBuf> {
        let number = self.number.load(Ordering::Acquire) + 1;
        Some(directory::state_path(self.directory()?, number))
    }

    /// A file name of the directory that opening it again removes.
    pub(crate) fn temporary_path(&self) -> Option<PathBuf> {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        Some(directory::temporary_path(self.directory()?, number))
    }

    /// Runs `read` on a connection that reads the newest state: one of a bounded
    /// pool on disk, the one that applies in memory.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Connection, &Gate) -> T) -> Result<T, Fault> {
        if self.directory().is_none() {
            let active = self.lock();
            return Ok(read(&active.connection, &active.gate));
        }
        let slot = self.readers.wait();
        let reading = match slot.take_idle(self.number.load(Ordering::Acquire)) {
            Some(reading) => reading,
            None => self.open_reading()?,
        };
        let answer = read(&reading.connection, &reading.gate);
        slot.put_back(reading);
        Ok(answer)
    }

    /// What SQLite finds damaged, if anything. Reads the files, not what other
    /// connections remember of them.
    pub(crate) fn check(&self) -> Result<Option<String>, Fault> {
        let checked = if self.directory().is_none() {
            integrity(&self.lock().connection)
        } else {
            let fresh = self.open_reading();
            match fresh {
                Ok(fresh) => integrity(&fresh.connection),
                Err(Fault::Sqlite { source, .. }) => Err(source),
                Err(fault) => return Err(fault),
            }
        };
        match checked {
            Ok(verdict) if verdict == "ok" => Ok(None),
            Ok(verdict) => Ok(Some(verdict)),
            Err(error) if is_damage(&error) => Ok(Some(error.to_string())),
            Err(error) => Err(Fault::sqlite("check")(error)),
        }
    }

    /// A reading connection that is nobody else's and counts for no limit.
    pub(crate) fn reading_apart(&self) -> Result<Connection, Fault> {
        Ok(self.open_reading()?.connection)
    }

    fn open_reading(&self) -> Result<Reading, Fault> {
        // While it is locked, the file is not replaced.
        let active = self.lock();
        let number = self.number.load(Ordering::Acquire);
        let path = self
            .state_path()
            .expect("only replicas on disk have readers of their own");
        let connection = open_reading(&path)?;
        drop(active);
        let gate = configure(&connection)?;
        Ok(Reading {
            connection,
            gate,
            number,
        })
    }

    /// Makes `new`, the state of the next number, the active one.
    pub(crate) fn replace(&self, active: &mut Active, new: Active) {
        *active = new;
        self.number.fetch_add(1, Ordering::AcqRel);
        self.readers.forget();
    }
}

fn integrity(connection: &Connection) -> Result<String, rusqlite::Error> {
    connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
}

pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

impl Active {
    /// Takes a connection for applying, and makes this crate's tables in an
    /// empty database.
    pub(crate) fn new(connection: Connection) -> Result<Self, Fault> {
        let gate = configure(&connection)?;
        connection::initialize(&connection)?;
        Ok(Self {
            connection,
            gate,
            stopped: false,
        })
    }

    /// Opens a file for applying.
    pub(crate) fn open(path: &std::path::Path) -> Result<Self, Fault> {
        Self::new(connection::open_writing(path)?)
    }
}
