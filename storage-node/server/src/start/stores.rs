use std::path::PathBuf;
use std::sync::Arc;

use kv::{Family, KeyValue, Recovery, RocksDb, Tuning};
use objects::Objects;
use runtime::{Files, RealFiles};

use crate::directory::{DataDirectory, DirectoryError, SetAside};
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
    /// The log of the groups did not open.
    #[error(
        "open the raft log: if it is damaged, no other node can give back the votes in it, so replace this node: `devflow cluster node remove ID --dead` on another, and join with an empty directory"
    )]
    Log(#[source] kv::OpenError),
    /// The store of states did not open.
    #[error(
        "open the store of states: if it is damaged and there are other nodes, start with `devflow storage-node --rebuild`, which sets it aside and rebuilds it from theirs; else restore from a backup"
    )]
    State(#[source] kv::OpenError),
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
        let files = RealFiles::open(directory.path())?;
        for store in SetAside::carry_out(directory.path(), &files)? {
            tracing::warn!(
                store = store.name(),
                "the store is set aside; its replicas are rebuilt from the other nodes'"
            );
        }
        let log =
            RocksDb::open(directory.below("raft")?, &raft::FAMILIES).map_err(StoresError::Log)?;
        // The state is behind its log at worst, and says how far: going back is safe.
        let tuning = Tuning {
            write_buffer_bytes: 32 << 20,
            recovery: Recovery::GoBack,
            ..Tuning::default()
        };
        let state = RocksDb::open_tuned(directory.below("state")?, &Self::state_families(), tuning)
            .map_err(StoresError::State)?;
        Ok(Self {
            files: Arc::new(files),
            log: Arc::new(log),
            state: Arc::new(state),
            volumes: Arc::new(RealFiles::open(directory.below("volumes")?)?),
            metadata: MetadataPlace::Directory(directory.below("metadata")?),
            cold: None,
        })
    }
}
