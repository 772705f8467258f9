use bytes::Bytes;
use raft::{Committed, Fault, Machine, SnapshotRead, SnapshotWrite};
use storage_node_metadata::{Reader, SnapshotReader, SnapshotWriter, SqliteMachine};

/// A replica of the facts.
#[derive(Debug)]
pub struct MetadataMachine(SqliteMachine);

impl MetadataMachine {
    /// The replica over this database.
    pub fn new(machine: SqliteMachine) -> Self {
        Self(machine)
    }

    /// Queries beside it.
    pub fn reader(&self) -> Reader {
        self.0.reader()
    }
}

impl Machine for MetadataMachine {
    fn applied(&mut self) -> Result<Option<Bytes>, Fault> {
        self.0
            .applied()
            .map_err(|error| Fault::new("read how far the facts have come", error))
    }

    fn apply(&mut self, entries: Vec<Committed>, marker: Bytes) -> Result<Vec<Bytes>, Fault> {
        let entries: Vec<_> = entries
            .into_iter()
            .map(|entry| (entry.index, entry.command))
            .collect();
        self.0
            .apply(&entries, &marker)
            .map_err(|error| Fault::new("apply an entry to the facts", error))
    }

    fn sync(&mut self) -> Result<(), Fault> {
        self.0
            .sync()
            .map(drop)
            .map_err(|error| Fault::new("sync the facts", error))
    }

    fn snapshot(&mut self) -> Result<Box<dyn SnapshotRead>, Fault> {
        let reader = self
            .0
            .snapshot()
            .map_err(|error| Fault::new("begin a snapshot of the facts", error))?;
        Ok(Box::new(Reading(reader)))
    }

    fn begin_install(&mut self) -> Result<Box<dyn SnapshotWrite>, Fault> {
        let writer = self
            .0
            .begin_install()
            .map_err(|error| Fault::new("begin to receive facts", error))?;
        Ok(Box::new(Writing(writer)))
    }
}

struct Reading(SnapshotReader);

impl SnapshotRead for Reading {
    fn next(&mut self, max_bytes: usize) -> Result<Option<Bytes>, Fault> {
        self.0
            .next(max_bytes)
            .map_err(|error| Fault::new("read a snapshot of the facts", error))
    }
}

struct Writing(SnapshotWriter);

impl SnapshotWrite for Writing {
    fn part(&mut self, bytes: Bytes) -> Result<(), Fault> {
        self.0
            .part(&bytes)
            .map_err(|error| Fault::new("receive facts", error))
    }

    fn finish(self: Box<Self>, marker: Bytes) -> Result<(), Fault> {
        self.0
            .finish(&marker)
            .map_err(|error| Fault::new("switch to received facts", error))
    }
}
