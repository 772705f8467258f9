use chunking::ChunkRef;
use serde::{Deserialize, Serialize};
use storage_node_api::dump::AppliedMigration;
use storage_node_api::map::Policies;
use storage_node_api::{ClusterId, Generation, MapEpoch, Timestamp};

use super::{BackupId, PackId, Sealed};

/// One backup. It is written after everything that it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) id: BackupId,
    /// When all of it was read.
    pub(crate) ended: Timestamp,
    /// Of which cluster.
    pub(crate) cluster: ClusterId,
    /// Under which map.
    pub(crate) epoch: MapEpoch,
    /// The collector's clock: a restored cluster starts above it.
    pub(crate) generation: Generation,
    /// What the cluster's replicas understood.
    pub(crate) machine_version: u32,
    /// The policies in force, for the person who restores.
    pub(crate) policies: Policies,
    /// The schema that the facts have.
    pub(crate) migrations: Vec<AppliedMigration>,
    /// The facts, as records.
    pub(crate) facts: Stream,
    /// What the groups had, as records.
    pub(crate) groups: Stream,
    /// Every pack that has a chunk of this backup.
    pub(crate) packs: Vec<PackId>,
    pub(crate) totals: Totals,
}

/// Bytes that are kept as chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stream {
    pub(crate) length: u64,
    pub(crate) chunks: Vec<ChunkRef>,
}

/// How much is in a backup, by which its records are checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Tables with rows, and how many.
    pub tables: Vec<(String, u64)>,
    /// Repositories.
    pub repositories: u64,
    /// References of all of them.
    pub refs: u64,
    /// Packs in all their lists.
    pub packs: u64,
    /// Blobs, each once per slot and dedup domain.
    pub blobs: u64,
    /// The bytes of those blobs.
    pub blob_bytes: u64,
    /// Owners of blobs that the application names.
    pub owners: u64,
    /// Events.
    pub events: u64,
}

impl Totals {
    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, rows)| rows).sum()
    }
}

impl Sealed for Manifest {
    const MAGIC: [u8; 4] = *b"DFbm";
}
