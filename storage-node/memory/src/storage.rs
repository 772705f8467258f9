use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use chunking::ChunkId;
use runtime::Runtime;
use storage_node_api::map::{ClusterMap, MACHINE_VERSION, Node, Policies};
use storage_node_api::{
    ClusterId, DedupDomain, Generation, GroupId, Incarnation, MapEpoch, Metadata, NodeId,
};
use storage_node_metadata::MemoryMetadata;

use crate::group::Group;

/// Over how many groups the slots are divided: several, so that a caller who
/// takes one group's token to another is found out.
const GROUPS: u16 = 4;

/// One node's whole storage tier in memory. Cheap to make, forgotten on drop.
pub struct MemoryStorage {
    pub(crate) map: ClusterMap,
    pub(crate) groups: BTreeMap<GroupId, Mutex<Group>>,
    pub(crate) chunks: Mutex<BTreeMap<(DedupDomain, ChunkId), Bytes>>,
    pub(crate) metadata: Arc<dyn Metadata>,
}

impl MemoryStorage {
    /// An empty tier with facts in SQLite in memory.
    pub fn new(runtime: Runtime) -> Self {
        Self::with_metadata(Arc::new(MemoryMetadata::new(runtime)))
    }

    /// An empty tier over these facts.
    pub fn with_metadata(metadata: Arc<dyn Metadata>) -> Self {
        let map = one_node();
        let groups = map
            .groups
            .iter()
            .map(|range| (range.group, Mutex::new(Group::new(range.group, &map))))
            .collect();
        Self {
            map,
            groups,
            chunks: Mutex::default(),
            metadata,
        }
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStorage").finish_non_exhaustive()
    }
}

fn one_node() -> ClusterMap {
    ClusterMap {
        cluster: ClusterId(*b"in memory, alone"),
        epoch: MapEpoch(1),
        generation: Generation(1),
        machine_version: MACHINE_VERSION,
        policies: Policies::default(),
        nodes: vec![Node {
            id: NodeId(1),
            control: String::new(),
            bulk: String::new(),
            zone: "memory".into(),
            region: "memory".into(),
            capacity: 1,
            incarnation: Incarnation(1),
            draining: false,
        }],
        groups: ClusterMap::divide_slots(GROUPS),
        members: Box::default(),
        moves: Box::default(),
    }
}
