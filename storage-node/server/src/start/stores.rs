use std::path::PathBuf;
use std::sync::Arc;

use kv::{Family, KeyValue, Recovery, RocksDb, Tuning};
use objects::Objects;
use runtime::{Files, RealFiles};

use crate::directory::{DataDirectory, DirectoryError};
use crate::replica::{REPLICAS, STATE};
use crate::volumes;

/// Everything that a node keeps, behind the seams: real, or twins in memory.
#[derive(Clone, Debug)]
pub struct Stores {
    /// The data directory itself, for the node's record.
    pub files: Arc<dyn Files>,
    /// The log of all groups.
    pub log: Arc<dyn KeyValue>,
    /// The replicated state and the index of chunks.
    pub state: Arc<dyn KeyValue>,
    /// The volumes.
    pub volumes: Arc<dyn Files>,
    /// Where the facts are.
    pub metadata: MetadataPlace,
    /// Where volumes go that nobody reads; nothing if they all stay.
    pub cold: Option<Arc<dyn Objects>>,
}

/// Where the facts are kept.
#[derive(Clone, Debug)]
pub enum MetadataPlace {
    /// In files of this directory.
    Directory(PathBuf),
    /// In memory: after a restart the log has to bring them back.
    Memory,
}

/// Why the stores could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoresError {
    /// A directory could not be made.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// RocksDB did not open.
    #[error(transparent)]
    KeyValue(#[from] kv::OpenError),
    /// A root directory could not be used.
    #[error("open the data directory")]
    Files(#[from] std::io::Error),
}

impl Stores {
    /// The families that the state store needs.
    pub fn state_families() -> Vec<Family> {
        vec![STATE, REPLICAS, volumes::INDEX_FAMILY]
    }

    /// The stores of a data directory.
    pub fn on_disk(directory: &DataDirectory) -> Result<Self, StoresError> {
        let log = RocksDb::open(directory.below("raft")?, &raft::FAMILIES)?;
        // The state is behind its log at worst, and says how far: going back is safe.
        let tuning = Tuning {
            write_buffer_bytes: 32 << 20,
            recovery: Recovery::GoBack,
            ..Tuning::default()
        };
        let state =
            RocksDb::open_tuned(directory.below("state")?, &Self::state_families(), tuning)?;
        Ok(Self {
            files: Arc::new(RealFiles::open(directory.path())?),
            log: Arc::new(log),
            state: Arc::new(state),
            volumes: Arc::new(RealFiles::open(directory.below("volumes")?)?),
            metadata: MetadataPlace::Directory(directory.below("metadata")?),
            cold: None,
        })
    }
}
