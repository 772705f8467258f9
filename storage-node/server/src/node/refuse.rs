//! A node that the cluster does not take any more: removed, or with a disk from an earlier time.

use storage_node_api::NodeId;
use storage_node_api::map::{ClusterMap, Standing};

use super::StorageNode;
use super::keeper::is_peer;
use crate::directory::RefusedForever;

impl StorageNode {
    /// Waits until the cluster refuses this node, and answers why. Its replicas have been closed by
    /// then; whoever runs it should end it.
    pub async fn refused(&self) -> String {
        let mut refused = self.refused_receiver();
        loop {
            if let Some(reason) = refused.borrow_and_update().clone() {
                return reason;
            }
            if refused.changed().await.is_err() {
                // The node holds the sender: it cannot have gone.
                return "the node has ended".to_owned();
            }
        }
    }

    fn refused_receiver(&self) -> tokio::sync::watch::Receiver<Option<String>> {
        self.refused.subscribe()
    }

    /// Closes the replicas, remembers why, and tells whoever waits.
    pub(super) async fn refuse(&self, reason: String) {
        if self.refused.borrow().is_some() {
            return;
        }
        tracing::error!(node.id = self.id().0, %reason, "the cluster does not take this node any more");
        if let Err(error) = RefusedForever(reason.clone()).save(&*self.parts.files) {
            tracing::error!(%error, "cannot remember that the cluster refuses this node");
        }
        self.parts.raft.shutdown().await;
        self.refused.send_replace(Some(reason));
    }

    /// Whether the cluster has refused this node.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.borrow().is_some()
    }

    /// Ends this node's part if the map says that it was removed.
    pub(super) async fn check_own(&self, map: &ClusterMap) {
        if map.standing(self.id()) == Standing::Gone {
            let id = self.id();
            self.refuse(format!("node {id} was removed from the cluster; to use this machine again, join with an empty directory"))
                .await;
        }
    }

    /// A node that no leader speaks to learns the map from whoever answers: it may have been
    /// removed, and the map then comes by no log.
    pub(super) async fn ask_for_map(&self, map: &ClusterMap) {
        for node in map.nodes.iter().filter(|node| is_peer(self.id(), node)) {
            if let Ok(newer) = self.parts.peers.node(node).map().await
                && newer.cluster == map.cluster
                && newer.epoch > map.epoch
            {
                self.learn(&newer);
                return;
            }
        }
    }

    /// Tells the nodes of the map who is not to be listened to.
    pub(super) fn fence(&self, map: &ClusterMap) {
        if map.members.next_node == 0 {
            return;
        }
        let members = map.nodes.iter().map(|node| raft::NodeId(node.id.0));
        self.parts.raft.set_fence(raft::Fence {
            next: map.members.next_node,
            members: members.collect(),
        });
    }
}

/// The reason why a node that claims an earlier start is refused.
pub(super) fn rolled_back(node: NodeId, known: u64, claimed: u64) -> String {
    format!(
        "node {node} has started {known} times and its disk says {claimed}: it was rolled back; remove node {node} as dead and join anew with an empty directory"
    )
}
