//! A machine for tests: a list of the commands it was given.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use kv::{Batch, Direction, Durability, Family, KeyValue, Memory, View};

use crate::{Committed, Fault, Machine, SnapshotRead, SnapshotWrite};

const COMMANDS: Family = Family::new("commands");
const STAGED: Family = Family::new("staged");
const MARKER: Family = Family::new("marker");

/// The families of a journal's store.
pub(crate) const FAMILIES: [Family; 3] = [COMMANDS, STAGED, MARKER];

/// Keeps every command under its index, unsynced until it is told to sync. Answers with the
/// command's length. The command `fault` is a fault.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    store: Arc<dyn KeyValue>,
    syncs: Arc<AtomicU64>,
    installs: Arc<AtomicU64>,
}

impl Journal {
    pub(crate) fn new(store: Arc<dyn KeyValue>) -> Self {
        Self {
            store,
            syncs: Arc::default(),
            installs: Arc::default(),
        }
    }

    pub(crate) fn in_memory() -> Self {
        Self::new(Arc::new(Memory::new(&FAMILIES)))
    }

    /// All commands, by index.
    pub(crate) fn commands(&self) -> BTreeMap<u64, Bytes> {
        let mut commands = BTreeMap::new();
        let mut visit = |key: &[u8], value: &[u8]| {
            let index = u64::from_be_bytes(key.try_into().unwrap());
            commands.insert(index, Bytes::copy_from_slice(value));
            ControlFlow::Continue(())
        };
        self.store
            .scan(COMMANDS, ALL, Direction::Ascending, &mut visit)
            .unwrap();
        commands
    }

    pub(crate) fn has(&self, command: &str) -> bool {
        self.commands().values().any(|c| c == command.as_bytes())
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    pub(crate) fn installs(&self) -> u64 {
        self.installs.load(Ordering::Relaxed)
    }
}

const ALL: kv::Range<'static> = (Bound::Unbounded, Bound::Unbounded);

fn fault(doing: &'static str) -> impl Fn(kv::KvError) -> Fault {
    move |error| Fault::new(doing, error)
}

impl Machine for Journal {
    fn applied(&mut self) -> Result<Option<Bytes>, Fault> {
        self.store
            .get(MARKER, b"")
            .map_err(fault("read the marker"))
    }

    fn apply(&mut self, entries: Vec<Committed>, marker: Bytes) -> Result<Vec<Bytes>, Fault> {
        let mut batch = Batch::new();
        let mut answers = Vec::new();
        for entry in entries {
            let command = entry.command.unwrap_or_default();
            if command == "fault" {
                return Err(Fault::new("apply", "a command that nobody can apply"));
            }
            answers.push(Bytes::from(command.len().to_string()));
            if !command.is_empty() {
                batch.put(COMMANDS, entry.index.to_be_bytes().to_vec(), command);
            }
        }
        batch.put(MARKER, "", marker);
        self.store
            .write(batch, Durability::Buffered)
            .map_err(fault("apply"))?;
        Ok(answers)
    }

    fn sync(&mut self) -> Result<(), Fault> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.store.sync().map_err(fault("sync"))
    }

    fn snapshot(&mut self) -> Result<Box<dyn SnapshotRead>, Fault> {
        Ok(Box::new(Reading {
            view: self.store.view(),
            after: None,
        }))
    }

    fn begin_install(&mut self) -> Result<Box<dyn SnapshotWrite>, Fault> {
        let mut batch = Batch::new();
        batch.delete_range(STAGED, "", vec![0xff; 9]);
        self.store
            .write(batch, Durability::Buffered)
            .map_err(fault("clear the stage"))?;
        Ok(Box::new(Writing(self.clone())))
    }
}

struct Reading {
    view: Box<dyn View>,
    after: Option<Vec<u8>>,
}

impl SnapshotRead for Reading {
    fn next(&mut self, max_bytes: usize) -> Result<Option<Bytes>, Fault> {
        let from = match &self.after {
            Some(after) => Bound::Excluded(after.as_slice()),
            None => Bound::Unbounded,
        };
        let mut part = Vec::new();
        let mut last = None;
        let mut visit = |key: &[u8], value: &[u8]| {
            if part.len() + 12 + value.len() > max_bytes {
                return ControlFlow::Break(());
            }
            part.extend_from_slice(key);
            part.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
            part.extend_from_slice(value);
            last = Some(key.to_vec());
            ControlFlow::Continue(())
        };
        self.view
            .scan(
                COMMANDS,
                (from, Bound::Unbounded),
                Direction::Ascending,
                &mut visit,
            )
            .map_err(fault("read a snapshot"))?;
        if last.is_some() {
            self.after = last;
        }
        Ok(Some(Bytes::from(part)).filter(|part| !part.is_empty()))
    }
}

struct Writing(Journal);

impl SnapshotWrite for Writing {
    fn part(&mut self, bytes: Bytes) -> Result<(), Fault> {
        let mut batch = Batch::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let key = rest.split_to(8);
            let len = rest.split_to(4);
            let len = u32::from_be_bytes(len[..].try_into().unwrap());
            let value = rest.split_to(usize::try_from(len).unwrap());
            batch.put(STAGED, key, value);
        }
        let written = self.0.store.write(batch, Durability::Buffered);
        written.map_err(fault("stage a part"))
    }

    fn finish(self: Box<Self>, marker: Bytes) -> Result<(), Fault> {
        let mut batch = Batch::new();
        batch.delete_range(COMMANDS, "", vec![0xff; 9]);
        let mut visit = |key: &[u8], value: &[u8]| {
            let (key, value) = (key.to_vec(), value.to_vec());
            batch.put(COMMANDS, key, value);
            ControlFlow::Continue(())
        };
        let store = &self.0.store;
        store
            .scan(STAGED, ALL, Direction::Ascending, &mut visit)
            .map_err(fault("install"))?;
        batch.delete_range(STAGED, "", vec![0xff; 9]);
        batch.put(MARKER, "", marker);
        store
            .write(batch, Durability::Synced)
            .map_err(fault("install"))?;
        self.0.installs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
