//! The disks of one node: twins that forget what was not synced.

mod files;
mod store;

use std::io;
use std::sync::Arc;

use kv::Memory;
use runtime::{Files, HookedFiles, MemoryFiles, Random, Survives};
use storage_node_api::NodeId;
use storage_node_server::start::{MetadataPlace, Stores};

use crate::mutation::Mutation;
use crate::observer::Observer;
use files::Disk;
use store::{LogStore, StateStore};

/// Everything that a node keeps. A clone is another handle to the same disks.
#[derive(Clone, Debug)]
pub struct Disks {
    /// For the node's record.
    pub files: MemoryFiles,
    /// For the volumes.
    pub volumes: MemoryFiles,
    /// For the log of all groups.
    pub log: Memory,
    /// For the replicated state and the chunk index.
    pub state: Memory,
}

impl Disks {
    /// Empty disks.
    pub fn new() -> Self {
        Self {
            files: MemoryFiles::new(),
            volumes: MemoryFiles::new(),
            log: Memory::new(&raft::FAMILIES),
            state: Memory::new(&Stores::state_families()),
        }
    }

    /// The disks as a node opens them, watched by `observer`.
    pub fn stores(&self, node: NodeId, observer: &Observer, broken: Option<Mutation>) -> Stores {
        Stores {
            files: Arc::new(self.files.clone()),
            volumes: Arc::new(HookedFiles::new(
                Arc::new(self.volumes.clone()),
                Arc::new(Disk {
                    syncs: broken != Some(Mutation::VolumeSyncLies),
                }),
            )),
            log: Arc::new(LogStore {
                store: self.log.clone(),
                syncs: broken != Some(Mutation::LogSyncLies),
            }),
            state: Arc::new(StateStore {
                store: self.state.clone(),
                node,
                observer: observer.clone(),
                broken,
            }),
            metadata: MetadataPlace::Memory,
            cold: None,
        }
    }

    /// What a restart finds after a power failure at this instant.
    #[must_use = "the disks as they were are dead"]
    pub fn crashed(&self, survives: Survives) -> Self {
        Self {
            files: self.files.crash(survives),
            volumes: self.volumes.crash(survives),
            log: self.log.crash(survives),
            state: self.state.crash(survives),
        }
    }

    /// Leaves no room for another byte in the volumes.
    pub fn fill(&self) {
        let used = u64::MAX - self.volumes.available_bytes().unwrap_or(0);
        self.volumes.set_capacity(used);
    }

    /// All disks do what they should.
    pub fn heal(&self) {
        self.volumes.set_capacity(u64::MAX);
        self.volumes.faults().heal();
        self.log.faults().heal();
        self.state.faults().heal();
    }

    /// Flips one bit somewhere in what was written to a volume, and says where;
    /// nothing if there is no volume yet.
    pub fn flip_bit(&self, random: &dyn Random) -> io::Result<Option<String>> {
        let names = self.volumes.list("")?;
        let Some(name) = names.get(usize::try_from(random.below(names.len() as u64)).unwrap_or(0))
        else {
            return Ok(None);
        };
        let file = self.volumes.open(name)?;
        let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(0)];
        file.read_at(&mut bytes, 0)?;
        let written = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) as u64;
        if written == 0 {
            return Ok(None);
        }
        let offset = random.below(written);
        let bit = random.below(8);
        let mut byte = [0];
        file.read_at(&mut byte, offset)?;
        file.write_at(&[byte[0] ^ (1 << bit)], offset)?;
        file.sync_data()?;
        Ok(Some(format!("bit {bit} of byte {offset} of {name}")))
    }
}

impl Default for Disks {
    fn default() -> Self {
        Self::new()
    }
}
