//! A storage node: its replicas, its chunks, and what it offers.
//!
//! [`StorageNode`] is used in place by the all-in-one process and served to
//! others by [`crate::rpc`]. In the background it keeps the groups' maps and
//! voters in line with the cluster map ([`keeper`]), fetches the chunks that
//! its placement names and it lacks ([`fill`]), verifies what it has ([`scrub`]),
//! moves to an object store what nobody reads ([`cold`]),
//! replaces what is corrupt ([`repair`]), builds replicas anew that are wrong ([`rebuild`]), drops
//! what nothing names ([`collect`]) and finds out whether it is too slow to lead ([`health`]).
//!
//! Not here: which processes there are, files and certificates (`start`).

mod cold;
pub(crate) mod collect;
mod dumps;
mod fill;
pub(crate) mod health;
mod keeper;
mod members;
mod offer;
pub(crate) mod rebuild;
mod refuse;
mod repair;
mod replicas;
pub(crate) mod scrub;
mod slots;
mod space;
mod upgrade;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use kv::KeyValue;
use raft::{Group, Raft};
use runtime::{Files, Runtime, TaskHandle};
use storage_node_api::map::{CLUSTER_GROUP, ClusterMap, METADATA_GROUP};
use storage_node_api::{GroupId, Incarnation, NodeId};
use storage_node_metadata::Reader as Facts;
use tokio::sync::watch;

use crate::replica::{Machines, StateView};
use crate::start::Addresses;
use crate::volumes::ChunkStore;

pub(crate) use dumps::Dumps;
pub use keeper::FoundError;
pub(crate) use members::Metrics as MembersMetrics;
pub(crate) use space::Space;

/// What a node is made of.
pub(crate) struct Parts {
    pub(crate) id: NodeId,
    pub(crate) incarnation: Incarnation,
    pub(crate) addresses: Addresses,
    pub(crate) runtime: Runtime,
    pub(crate) raft: Arc<Raft>,
    pub(crate) state: Arc<dyn KeyValue>,
    pub(crate) machines: Machines,
    pub(crate) facts: Facts,
    /// Dumps of the facts that are being read.
    pub(crate) dumps: Arc<Dumps>,
    /// Copies of replicas that other nodes read.
    pub(crate) copies: rebuild::Copies,
    pub(crate) rebuilds: Arc<rebuild::Rebuilds>,
    pub(crate) chunks: Arc<ChunkStore>,
    pub(crate) space: Space,
    pub(crate) map: watch::Sender<Option<Arc<ClusterMap>>>,
    /// How other nodes are asked for chunks; nothing where there are none.
    pub(crate) peers: Arc<dyn storage_node_client::tier::Links>,
    pub(crate) scrubbing: Arc<scrub::Scrubbing>,
    pub(crate) collecting: Arc<collect::Collecting>,
    /// The data directory itself.
    pub(crate) files: Arc<dyn Files>,
    pub(crate) members: MembersMetrics,
    pub(crate) health: health::Health,
}

/// One storage node of a cluster, or the only one.
pub struct StorageNode {
    parts: Parts,
    /// Chunks that placement names and are not here, as of the last look; the
    /// maximum before the first.
    missing: AtomicU64,
    /// Their bytes.
    missing_bytes: AtomicU64,
    /// The epoch at which the node was last found to lack nothing; 0 if it never was.
    whole_at: AtomicU64,
    /// The groups led here that were in line with the map when last looked at.
    in_line: Mutex<BTreeMap<GroupId, keeper::Seen>>,
    /// Why the node cannot go on, once it cannot.
    ended: watch::Sender<Option<String>>,
    background: Mutex<Vec<TaskHandle>>,
}

impl StorageNode {
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            parts,
            missing: AtomicU64::new(u64::MAX),
            missing_bytes: AtomicU64::new(0),
            whole_at: AtomicU64::new(0),
            ended: watch::channel(None).0,
            in_line: Mutex::default(),
            background: Mutex::new(Vec::new()),
        })
    }

    /// Who it is.
    pub fn id(&self) -> NodeId {
        self.parts.id
    }

    /// Starts what a node does by itself.
    pub(crate) fn run(self: &Arc<Self>) {
        let tasks = &self.parts.runtime.tasks;
        let keeper = tasks.spawn(
            "keep groups in line",
            Box::pin(keeper::run(Arc::downgrade(self))),
        );
        let fill = tasks.spawn(
            "fetch missing chunks",
            Box::pin(fill::run(Arc::downgrade(self))),
        );
        let scrub = tasks.spawn("scrub", Box::pin(scrub::run(Arc::downgrade(self))));
        let repair = tasks.spawn(
            "replace corrupt chunks",
            Box::pin(repair::run(Arc::downgrade(self))),
        );
        let collect = tasks.spawn(
            "collect garbage",
            Box::pin(collect::run(Arc::downgrade(self))),
        );
        let health = tasks.spawn(
            "look at health",
            Box::pin(health::run(Arc::downgrade(self))),
        );
        let cold = tasks.spawn(
            "move cold volumes",
            Box::pin(cold::run(Arc::downgrade(self))),
        );
        let rebuild = tasks.spawn(
            "rebuild replicas",
            Box::pin(rebuild::run(Arc::downgrade(self))),
        );
        let mut background = self
            .background
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        background.extend([keeper, fill, scrub, repair, collect, health, cold, rebuild]);
    }

    /// Stops the background work and the replicas. What was acknowledged is
    /// durable already.
    pub async fn shutdown(&self) {
        let tasks = std::mem::take(
            &mut *self
                .background
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for task in tasks {
            task.abort();
        }
        self.parts.raft.shutdown().await;
    }

    /// Whether every group has a leader, as far as this node knows.
    pub fn is_ready(&self) -> bool {
        let groups = self.groups();
        !groups.is_empty() && groups.iter().all(|(_, group)| group.leader().is_some())
    }

    /// The consensus of this node, for what serves its peers.
    pub fn raft(&self) -> &Arc<Raft> {
        &self.parts.raft
    }

    /// The voters of each group, as far as this node knows.
    pub fn voters(&self) -> Vec<Vec<NodeId>> {
        let voters = |group: &Group| group.status().voters.keys().map(|n| NodeId(n.0)).collect();
        self.groups()
            .iter()
            .map(|(_, group)| voters(group))
            .collect()
    }

    /// The newest map that this node has applied.
    pub fn current_map(&self) -> Option<Arc<ClusterMap>> {
        self.parts.map.borrow().clone()
    }

    /// Takes a map that was told by someone else, unless a newer one is known.
    pub(crate) fn learn(&self, map: &ClusterMap) {
        self.parts.map.send_if_modified(|known| {
            let newer = known.as_ref().is_none_or(|known| known.epoch < map.epoch);
            if newer {
                *known = Some(Arc::new(map.clone()));
            }
            newer
        });
    }

    fn group(&self, group: GroupId) -> Option<Group> {
        self.parts.raft.group(raft::GroupId(group.0))
    }

    /// The open groups: the cluster's, the facts', and those with slots.
    fn groups(&self) -> Vec<(GroupId, Group)> {
        let Some(map) = self.current_map() else {
            return Vec::new();
        };
        [CLUSTER_GROUP, METADATA_GROUP]
            .into_iter()
            .chain(map.data_groups())
            .filter_map(|id| self.group(id).map(|group| (id, group)))
            .collect()
    }

    fn view(&self, group: GroupId) -> Result<StateView, storage_node_machine::Fault> {
        StateView::now(&*self.parts.state, raft::GroupId(group.0))
    }

    fn missing_chunks(&self) -> Option<u64> {
        Some(self.missing.load(Ordering::Relaxed)).filter(|missing| *missing != u64::MAX)
    }
}

impl fmt::Debug for StorageNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageNode")
            .field("id", &self.parts.id)
            .field("incarnation", &self.parts.incarnation)
            .finish_non_exhaustive()
    }
}
