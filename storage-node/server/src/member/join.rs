use std::sync::Arc;
use std::time::Duration;

use runtime::Runtime;
use storage_node_api::map::{CLUSTER_GROUP, ClusterMap};
use storage_node_api::node::NodeFailure;
use storage_node_api::order::{Command, Join, Reply, Request};
use storage_node_api::{ClusterId, Incarnation, NodeId, RequestId};
use storage_node_client::tier::Links;

use crate::directory::{NodeRecord, RecordError};
use crate::replica::local_map;
use crate::start::{Addresses, Checked, Stores};

/// How long a cluster is asked to take a node.
const DEADLINE: Duration = Duration::from_secs(60);
/// The pause between rounds of asking.
const PAUSE: Duration = Duration::from_millis(200);

/// Why a node is not in the cluster. Starting it again goes on with the same
/// request, so that it cannot join twice.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The record could not be read or written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The data is of another cluster.
    #[error("the data directory belongs to cluster {found}, the invitation is of {expected}")]
    OtherCluster {
        /// Of the data.
        found: ClusterId,
        /// Of the certificate.
        expected: ClusterId,
    },
    /// Nobody answered.
    #[error(
        "join the cluster: no node of it answered within {DEADLINE:?}; check that it runs and that the invitation names its address"
    )]
    NobodyAnswered,
    /// The cluster refused.
    #[error("join the cluster: {0}")]
    Refused(storage_node_api::order::Refusal),
}

/// Gets the node its id, unless it has one, and the newest map.
pub(super) async fn join(
    stores: &Stores,
    cluster: ClusterId,
    links: &Arc<dyn Links>,
    addresses: &Addresses,
    config: &Checked,
    runtime: &Runtime,
) -> Result<ClusterMap, JoinError> {
    let files = &*stores.files;
    let mut record = match NodeRecord::load(files)? {
        Some(record) if record.cluster != cluster => {
            return Err(JoinError::OtherCluster {
                found: record.cluster,
                expected: cluster,
            });
        }
        Some(record) => record,
        None => {
            let record = NodeRecord {
                cluster,
                node: None,
                incarnation: Incarnation(0),
                join: RequestId::random(&*runtime.random),
            };
            record.save(files)?;
            record
        }
    };
    if record.node.is_some()
        && let Ok(Some(map)) = local_map(&*stores.state)
    {
        // It has been a member: what it knows suffices, even if nobody else is up.
        return Ok(map);
    }
    let request = Request {
        id: record.join,
        time: runtime.clock.now(),
        command: Command::Join(Join {
            control: addresses.control.clone(),
            bulk: addresses.bulk.clone(),
            zone: config.zone().to_owned(),
            region: config.region().to_owned(),
            capacity: config.capacity(),
        }),
    };
    let began = runtime.clock.monotonic();
    while runtime.clock.monotonic() - began < DEADLINE {
        if let Some(id) = record.node {
            // Its state was lost, not its name.
            if let Some(map) = map_with(links, id).await {
                return Ok(map);
            }
        } else if let Some(id) = ask(links, &request).await? {
            record.node = Some(id);
            record.save(files)?;
            if let Some(map) = map_with(links, id).await {
                tracing::info!(node.id = id.0, "joined the cluster");
                return Ok(map);
            }
        }
        runtime.clock.sleep(PAUSE).await;
    }
    Err(JoinError::NobodyAnswered)
}

/// Proposes to whoever leads; nothing if nobody could be asked this time.
async fn ask(links: &Arc<dyn Links>, request: &Request) -> Result<Option<NodeId>, JoinError> {
    for seed in links.seeds() {
        let Ok(map) = seed.map().await else { continue };
        for node in &map.nodes {
            match links
                .node(node)
                .propose(CLUSTER_GROUP, request.clone())
                .await
            {
                Ok(committed) => match committed.reply {
                    Reply::Joined(id) => return Ok(Some(id)),
                    Reply::Refused(refusal) => return Err(JoinError::Refused(refusal)),
                    _ => {}
                },
                Err(
                    NodeFailure::NotLeader { .. } | NodeFailure::Node(_) | NodeFailure::Failed(_),
                ) => {}
            }
        }
    }
    Ok(None)
}

/// The newest map that shows the node.
async fn map_with(links: &Arc<dyn Links>, id: NodeId) -> Option<ClusterMap> {
    for seed in links.seeds() {
        if let Ok(map) = seed.map().await
            && map.node(id).is_some()
        {
            return Some(map);
        }
    }
    None
}
