//! A cluster that has lost its quorum for good, made anew from one survivor.
//!
//! It works on the stores of a node that does not run. Everything the survivor has stays; it
//! becomes the only voter of every group, and the first entry after that makes it the only node of
//! the map, of a later epoch than any that the others can have come to. The others' numbers are
//! gone: they are not listened to, do not start any more once they hear of it, and their machines
//! join anew with empty directories.
//!
//! What was acknowledged and did not reach the survivor is lost. Not here: whether the others are
//! really lost, which only the person who gives the order knows.

use runtime::Runtime;
use storage_node_api::map::{
    CLUSTER_GROUP, ClusterMap, MEMBERS_VERSION, METADATA_GROUP, MembersChange, Node,
};
use storage_node_api::order::{Command, Request};
use storage_node_api::{ClusterId, GroupId, MapEpoch, NodeId, RequestId};
use storage_node_machine::encode_request;

use crate::directory::{Distrusted, DistrustedError, NodeRecord, RecordError};
use crate::replica::local_map;
use crate::start::Stores;

/// What a recovery has come to.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// Of which cluster.
    pub cluster: ClusterId,
    /// The survivor.
    pub node: NodeId,
    /// The nodes that are given up.
    pub lost: Vec<Node>,
    /// What there is of each group.
    pub groups: Vec<raft::rescue::Found>,
    /// Groups of which there is nothing, or nothing that can be trusted: they begin empty.
    pub missing: Vec<GroupId>,
}

/// Why nothing was recovered. The stores are as they were.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The record could not be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Which replicas are wrong could not be read.
    #[error(transparent)]
    Distrusted(#[from] DistrustedError),
    /// It never was in a cluster.
    #[error("recover: this directory is of no node that has been in a cluster")]
    NoNode,
    /// It has no map that shows it.
    #[error("recover: this node has no cluster map that shows it; try another survivor")]
    NoMap,
    /// A release from before recoveries.
    #[error("recover: the cluster is at machine version {0}, a recovery takes {MEMBERS_VERSION}")]
    TooEarly(u32),
    /// There is nothing to recover from.
    #[error("recover: node {0} is the only node of its cluster: start it")]
    Alone(NodeId),
    /// A replica that was found wrong is no base for the only copy.
    #[error(
        "recover: the replica of group {group} was found wrong ({reason}); try another survivor"
    )]
    Wrong {
        /// Of which group.
        group: GroupId,
        /// What is wrong.
        reason: String,
    },
    /// The log could not be read or written.
    #[error(transparent)]
    Log(#[from] raft::rescue::RescueError),
    /// The entry is too large, which an entry of one number is not.
    #[error("recover: the entry cannot be encoded")]
    Entry,
}

/// Makes the node of these stores the only one of its cluster, from its next start on. Blocks.
/// Repeated after a crash, it does the same again.
pub fn accept_loss(stores: &Stores, runtime: &Runtime) -> Result<Recovered, RecoverError> {
    let record = NodeRecord::load(&*stores.files)?.ok_or(RecoverError::NoNode)?;
    let id = record.node.ok_or(RecoverError::NoNode)?;
    let map = local_map(&*stores.state)
        .ok()
        .flatten()
        .ok_or(RecoverError::NoMap)?;
    let own = map.node(id).ok_or(RecoverError::NoMap)?.clone();
    if map.machine_version < MEMBERS_VERSION {
        return Err(RecoverError::TooEarly(map.machine_version));
    }
    if map.nodes.len() == 1 {
        return Err(RecoverError::Alone(id));
    }
    if let Some(fault) = Distrusted::load(&*stores.files)?.0.into_iter().next() {
        let (group, reason) = (fault.group, fault.reason);
        return Err(RecoverError::Wrong { group, reason });
    }
    let change = MembersChange::Recovered(id);
    let after = map.changed(&change).map_err(|_| RecoverError::NoMap)?;
    let command = Command::ChangeMembers {
        seen: MapEpoch(0),
        change,
    };
    let request = Request {
        id: RequestId::random(&*runtime.random),
        time: runtime.clock.now(),
        command,
    };
    let entry = encode_request(&request).map_err(|_| RecoverError::Entry)?;
    let mut groups = Vec::new();
    let mut rescues = Vec::new();
    for group in all_groups(&map) {
        let group_id = raft::GroupId(group.0);
        groups.push(raft::rescue::look(&*stores.log, group_id)?);
        rescues.push(raft::rescue::Rescue {
            group: group_id,
            command: (group == CLUSTER_GROUP).then(|| entry.clone()),
        });
    }
    let fence = raft::Fence {
        next: after.members.next_node,
        members: [raft::NodeId(id.0)].into(),
    };
    let node = raft::NodeId(id.0);
    raft::rescue::rescue(&*stores.log, node, &own.control, &rescues, &fence)?;
    let missing = groups.iter().filter(|found| found.last.is_none());
    Ok(Recovered {
        cluster: map.cluster,
        node: id,
        lost: map.nodes.into_iter().filter(|node| node.id != id).collect(),
        missing: missing.map(|found| GroupId(found.group.0)).collect(),
        groups,
    })
}

fn all_groups(map: &ClusterMap) -> impl Iterator<Item = GroupId> {
    let slots = map.data_groups();
    [CLUSTER_GROUP, METADATA_GROUP].into_iter().chain(slots)
}
