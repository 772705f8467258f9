//! From stores to a running node.

mod alone;
mod config;
mod open;
mod standing;
mod stores;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use raft::{Peers, Raft};
use runtime::Runtime;
use storage_node_api::map::{ClusterMap, MACHINE_VERSION, Members, Node, Policies};
use storage_node_api::scrub::ReplicaFault;
use storage_node_api::{ClusterId, Generation, Incarnation, MapEpoch, NodeId, RequestId};
use storage_node_client::tier::Links;
use tokio::sync::watch;

pub use alone::Alone;
pub use config::{Checked, Config, ConfigError};
pub use stores::{MetadataPlace, Stores, StoresError};

use crate::directory::{
    Distrusted, DistrustedError, NodeRecord, RecordError, SetAside, had_log, has_log,
};
use crate::node::collect::{self, Collecting};
use crate::node::health::{self, Health};
use crate::node::rebuild::{self, Copies, Rebuilds};
use crate::node::scrub::{self, Scrubbing};
use crate::node::{FoundError, MembersMetrics, Parts, Space, StorageNode};
use crate::replica::{Machines, local_map};
use crate::volumes::{self, ChunkStore, ColdStore};

/// The id of the node that founds a cluster.
const FOUNDER: NodeId = NodeId(1);

/// Where a node is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Host and port for control and Raft; empty if nobody else needs it.
    pub control: String,
    /// Host and port for bulk.
    pub bulk: String,
}

/// How a node comes to be part of a cluster.
#[derive(Clone, Debug)]
pub enum Membership {
    /// It is the first, or the only one, of this cluster.
    Founder {
        /// The cluster, if a certificate authority has named it already.
        cluster: Option<ClusterId>,
    },
    /// The cluster has given it its id and told it the map.
    Joined {
        /// The map as of its joining, which says what groups there are.
        map: Box<ClusterMap>,
    },
}

/// How a node speaks to the others.
#[derive(Clone, Debug)]
pub struct Network {
    /// For Raft.
    pub peers: Arc<dyn Peers>,
    /// For chunks.
    pub links: Arc<dyn Links>,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its record could not be read or written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Which of its replicas are wrong could not be read.
    #[error(transparent)]
    Distrusted(#[from] DistrustedError),
    /// It is of another cluster than its certificate.
    #[error(
        "the data directory belongs to cluster {found}, not to {expected}, to which its certificate or invitation belongs"
    )]
    OtherCluster {
        /// Of the data.
        found: ClusterId,
        /// Of the certificate.
        expected: ClusterId,
    },
    /// The cluster does not take it any more.
    #[error("node {node} does not start: {reason}")]
    Refused {
        /// Which.
        node: NodeId,
        /// Why, and what to do.
        reason: String,
    },
    /// The cluster has risen to a machine version of a later release.
    #[error(
        "the cluster has machine version {found}, this program knows {MACHINE_VERSION}: use the release that it was upgraded to, or a newer one"
    )]
    Newer {
        /// The cluster's.
        found: u32,
    },
    /// What the directory remembers of earlier starts could not be read or written.
    #[error("access the data directory")]
    Files(#[from] std::io::Error),
    /// The owner of the log could not be read.
    #[error(transparent)]
    Log(#[from] raft::rescue::RescueError),
    /// Files of its state are damaged.
    #[error(
        "the files of the store of states are damaged: start the node again, and it sets them aside and rebuilds its replicas from the other nodes'"
    )]
    Damaged(#[source] Box<StartError>),
    /// The founder has lost its state, and does not know whom to ask.
    #[error(
        "node {0} has a raft log and no cluster map: its state was lost or set aside; name a node that runs by --seed, so that it is rebuilt from there"
    )]
    StateLost(NodeId),
    /// It has no id yet.
    #[error("the node has not joined a cluster")]
    NotJoined,
    /// Its volumes could not be opened.
    #[error(transparent)]
    Volumes(#[from] volumes::OpenError),
    /// The facts could not be opened.
    #[error("open the metadata")]
    Metadata(#[from] storage_node_metadata::Fault),
    /// The replicated state could not be read.
    #[error("read the cluster map")]
    State(#[source] storage_node_machine::Fault),
    /// Raft did not start.
    #[error(transparent)]
    Raft(#[from] raft::StartError),
    /// A replica did not open, for a reason that no other node can mend.
    #[error(
        "open a replica: if its log is damaged, replace this node: `devflow cluster node remove ID --dead` on another, and join with an empty directory"
    )]
    Group(#[from] raft::OpenError),
    /// A new cluster could not be founded.
    #[error(transparent)]
    Found(#[from] FoundError),
}

/// A cluster that has risen beyond this release is none that it can be in: it would apply
/// entries to what it does not understand.
fn check_version(known: Option<&ClusterMap>, membership: &Membership) -> Result<(), StartError> {
    let joined = match membership {
        Membership::Joined { map } => Some(&**map),
        Membership::Founder { .. } => None,
    };
    let found = known.into_iter().chain(joined);
    match found.map(|map| map.machine_version).max() {
        Some(found) if found > MACHINE_VERSION => Err(StartError::Newer { found }),
        _ => Ok(()),
    }
}

async fn open_chunks(
    stores: &Stores,
    record: &NodeRecord,
    node: NodeId,
    config: &Checked,
    runtime: &Runtime,
    metrics: &Metrics,
) -> Result<ChunkStore, StartError> {
    let cold = stores.cold.as_ref().map(|objects| ColdStore {
        objects: Arc::clone(objects),
        config: config.cold.clone(),
        metrics: metrics.cold.clone(),
    });
    let owner = volumes::Identity {
        cluster: record.cluster,
        node,
    };
    let opened = ChunkStore::open(
        Arc::clone(&stores.volumes),
        Arc::clone(&stores.state),
        owner,
        config.volumes,
        cold,
        runtime.clone(),
        metrics.chunks.clone(),
    );
    Ok(opened.await?)
}

/// Starts a node on its stores. When it returns, its replicas are open and it
/// does by itself what a node does; groups may still be electing their leaders.
///
/// If the files of its state are damaged and others have what is in them, it fails with
/// [`StartError::Damaged`], and the next start sets them aside.
pub async fn start(
    stores: Stores,
    membership: Membership,
    network: Network,
    addresses: Addresses,
    config: &Checked,
    runtime: Runtime,
    registry: &mut Registry,
) -> Result<Arc<StorageNode>, StartError> {
    let (state, files) = (Arc::clone(&stores.state), Arc::clone(&stores.files));
    let has_peers = match &membership {
        Membership::Joined { .. } => true,
        Membership::Founder { .. } => {
            let known = local_map(&*state).ok().flatten();
            known.is_some_and(|map| map.nodes.len() > 1)
        }
    };
    let started = start_on(
        stores, membership, network, addresses, config, runtime, registry,
    );
    match started.await {
        Err(error) if has_peers && state.is_damaged() => {
            SetAside::State.order(&*files)?;
            Err(StartError::Damaged(Box::new(error)))
        }
        other => other,
    }
}

/// The cluster map as this node knew it, if it knew one.
fn known_map(stores: &Stores, membership: &Membership) -> Result<Option<ClusterMap>, StartError> {
    match (local_map(&*stores.state), membership) {
        (Ok(known), _) => Ok(known),
        // The others know the map, and what cannot be read is rebuilt from theirs.
        (Err(fault), Membership::Joined { .. }) => {
            let error = &fault as &dyn std::error::Error;
            tracing::error!(error, "the cluster map of this node cannot be read");
            Ok(None)
        }
        (Err(fault), Membership::Founder { .. }) => Err(StartError::State(fault)),
    }
}

/// Whether there is no other node from which anything could be rebuilt.
fn is_alone(map: &ClusterMap) -> bool {
    map.nodes.len() <= 1
}

/// Opens the replicas, and orders those rebuilt that cannot be trusted.
async fn open_replicas(
    raft: &Raft,
    machines: &Machines,
    map: &ClusterMap,
    distrusted: &[ReplicaFault],
    rebuilds: &Rebuilds,
) -> Result<(), StartError> {
    for fault in open::groups(raft, machines, map, distrusted, is_alone(map)).await? {
        tracing::warn!(
            group.id = fault.group.0,
            reason = fault.reason,
            "a replica is to be rebuilt"
        );
        rebuilds.add(fault.group, fault.reason);
    }
    Ok(())
}

async fn start_on(
    stores: Stores,
    membership: Membership,
    network: Network,
    addresses: Addresses,
    config: &Checked,
    runtime: Runtime,
    registry: &mut Registry,
) -> Result<Arc<StorageNode>, StartError> {
    let mut record = enter(&stores, &membership, &runtime)?;
    let id = record.node.ok_or(StartError::NotJoined)?;
    let known = known_map(&stores, &membership)?;
    check_version(known.as_ref(), &membership)?;
    standing::check(
        &stores,
        &record,
        id,
        known.as_ref(),
        &network.links,
        &runtime,
    )
    .await?;
    let is_new = known.is_none();
    if is_new && matches!(membership, Membership::Founder { .. }) && had_log(&*stores.files)? {
        return Err(StartError::StateLost(id));
    }
    record.count_start(&*stores.files)?;
    let map = known.unwrap_or_else(|| match &membership {
        Membership::Joined { map } => (**map).clone(),
        Membership::Founder { .. } => first_map(&record, id, &addresses, config),
    });

    let metrics = Metrics::register(registry);
    let health = metrics.health(Duration::from_millis(config.slow_sync_millis));
    let chunks = open_chunks(&stores, &record, id, config, &runtime, &metrics).await?;
    let raft = start_raft(&stores, config, id, network.peers, &runtime, metrics.raft).await?;
    let (map_sender, _) = watch::channel(None);
    let distrusted = Distrusted::load(&*stores.files)?.0;
    let facts = open::facts(&stores.metadata, is_alone(&map))?;
    let machines = Machines {
        state: Arc::clone(&stores.state),
        facts: facts.clone(),
        map: map_sender.clone(),
    };
    let rebuilds = Arc::new(Rebuilds::new(metrics.rebuild));
    open_replicas(&raft, &machines, &map, &distrusted, &rebuilds).await?;

    let scrubbing = Scrubbing::new(config.scrub_bytes_per_second, metrics.scrub, distrusted);
    let pace = config.collect_bytes_per_second;
    let collecting = Collecting::new(config.collect_interval_seconds, pace, metrics.collect);
    let clock = Arc::clone(&runtime.clock);
    let node = StorageNode::new(Parts {
        id,
        incarnation: record.incarnation,
        addresses,
        space: Space::new(Arc::clone(&stores.files), clock, config.reserve_bytes),
        runtime,
        raft,
        state: stores.state,
        machines,
        facts,
        dumps: Arc::default(),
        copies: Copies::default(),
        rebuilds,
        chunks: Arc::new(chunks),
        map: map_sender,
        peers: network.links,
        scrubbing: Arc::new(scrubbing),
        collecting: Arc::new(collecting),
        files: stores.files,
        members: metrics.members,
        health,
    });
    node.learn(&map);
    if is_new && matches!(membership, Membership::Founder { .. }) {
        node.found(map).await?;
    }
    node.run();
    Ok(node)
}

/// Starts Raft, and remembers that there has been a log from now on.
async fn start_raft(
    stores: &Stores,
    config: &Checked,
    id: NodeId,
    peers: Arc<dyn Peers>,
    runtime: &Runtime,
    metrics: raft::Metrics,
) -> Result<Arc<Raft>, StartError> {
    let (node, log) = (raft::NodeId(id.0), Arc::clone(&stores.log));
    let raft = Raft::start(
        config.raft.clone(),
        node,
        log,
        peers,
        runtime.clone(),
        metrics,
    )
    .await?;
    if !had_log(&*stores.files)? {
        has_log(&*stores.files)?;
    }
    Ok(raft)
}

/// What the parts of a node count.
#[derive(Default)]
struct Metrics {
    chunks: volumes::Metrics,
    cold: volumes::cold::Metrics,
    raft: raft::Metrics,
    scrub: scrub::Metrics,
    collect: collect::Metrics,
    rebuild: rebuild::Metrics,
    members: MembersMetrics,
    health: health::Metrics,
}

impl Metrics {
    /// What finds out from the times of syncs whether the node is slow; see
    /// [`Health::new`] for the floor.
    fn health(&self, floor: Duration) -> Health {
        let log = self.raft.recent_syncs.clone();
        let volumes = self.chunks.recent_commits.clone();
        Health::new(log, volumes, floor, self.health.clone())
    }

    fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        metrics
            .chunks
            .register(registry.sub_registry_with_prefix("devflow_chunks"));
        metrics
            .cold
            .register(registry.sub_registry_with_prefix("devflow_cold"));
        metrics
            .raft
            .register(registry.sub_registry_with_prefix("devflow_raft"));
        metrics
            .health
            .register(registry.sub_registry_with_prefix("devflow_health"));
        metrics
            .scrub
            .register(registry.sub_registry_with_prefix("devflow_scrub"));
        metrics
            .collect
            .register(registry.sub_registry_with_prefix("devflow_collect"));
        metrics
            .rebuild
            .register(registry.sub_registry_with_prefix("devflow_rebuild"));
        metrics
            .members
            .register(registry.sub_registry_with_prefix("devflow_members"));
        metrics
    }
}

/// Reads or makes the node's record.
fn enter(
    stores: &Stores,
    membership: &Membership,
    runtime: &Runtime,
) -> Result<NodeRecord, StartError> {
    let found = NodeRecord::load(&*stores.files)?;
    let record = match (found, membership) {
        (
            Some(record),
            Membership::Founder {
                cluster: Some(expected),
            },
        ) if record.cluster != *expected => {
            return Err(StartError::OtherCluster {
                found: record.cluster,
                expected: *expected,
            });
        }
        (Some(record), Membership::Joined { map }) if record.cluster != map.cluster => {
            return Err(StartError::OtherCluster {
                found: record.cluster,
                expected: map.cluster,
            });
        }
        (Some(record), _) => record,
        (None, Membership::Founder { cluster }) => NodeRecord {
            cluster: cluster.unwrap_or_else(|| ClusterId::random(&*runtime.random)),
            node: Some(FOUNDER),
            incarnation: Incarnation(0),
            join: RequestId::random(&*runtime.random),
        },
        (None, Membership::Joined { .. }) => return Err(StartError::NotJoined),
    };
    Ok(record)
}

fn first_map(
    record: &NodeRecord,
    id: NodeId,
    addresses: &Addresses,
    config: &Checked,
) -> ClusterMap {
    ClusterMap {
        cluster: record.cluster,
        epoch: MapEpoch(1),
        generation: Generation(1),
        machine_version: MACHINE_VERSION,
        policies: Policies::default(),
        nodes: vec![Node {
            id,
            control: addresses.control.clone(),
            bulk: addresses.bulk.clone(),
            zone: config.zone.clone(),
            region: config.region.clone(),
            capacity: config.capacity,
            incarnation: record.incarnation,
            draining: false,
        }],
        groups: ClusterMap::divide_slots(config.groups),
        members: Box::new(Members {
            next_node: id.0 + 1,
            ..Members::default()
        }),
        moves: Box::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Addresses, ClusterId, Config, Incarnation, MACHINE_VERSION, Membership, NodeId, NodeRecord,
        RequestId, StartError, check_version, first_map,
    };

    #[test]
    fn a_node_does_not_start_in_a_cluster_of_a_later_machine_version() {
        let record = NodeRecord {
            cluster: ClusterId([1; 16]),
            node: Some(NodeId(1)),
            incarnation: Incarnation(1),
            join: RequestId([0; 16]),
        };
        let addresses = Addresses {
            control: String::new(),
            bulk: String::new(),
        };
        let config = Config::default().validate().unwrap();
        let now = first_map(&record, NodeId(1), &addresses, &config);
        let mut later = now.clone();
        later.machine_version = MACHINE_VERSION + 1;
        let founder = Membership::Founder { cluster: None };
        let joined = |map| Membership::Joined { map: Box::new(map) };
        check_version(None, &founder).unwrap();
        check_version(Some(&now), &joined(now.clone())).unwrap();
        for (known, membership) in [
            (Some(&later), founder),
            (Some(&later), joined(now.clone())),
            (None, joined(later.clone())),
        ] {
            let error = check_version(known, &membership).unwrap_err();
            assert!(matches!(error, StartError::Newer { found } if found > MACHINE_VERSION));
            assert!(error.to_string().contains("use the release"), "{error}");
        }
    }
}
