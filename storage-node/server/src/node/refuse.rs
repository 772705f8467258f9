//! A node that cannot go on: the cluster does not take it any more, since it was removed or has a
//! disk from an earlier time, or its store of states is damaged.

use storage_node_api::NodeId;
use storage_node_api::map::{ClusterMap, Standing};

use super::StorageNode;
use super::keeper::is_peer;
use crate::directory::RefusedForever;

impl StorageNode {
    /// Waits until this node cannot go on, because the cluster refuses it or its disk is damaged,
    /// and answers why and what to do. Its replicas have been closed by then; whoever runs it
    /// should end it.
    pub async fn ended(&self) -> String {
        let mut ended = self.ended.subscribe();
        loop {
            if let Some(reason) = ended.borrow_and_update().clone() {
                return reason;
            }
            if ended.changed().await.is_err() {
                // The node holds the sender: it cannot have gone.
                return "the node has ended".to_owned();
            }
        }
    }

    /// Closes the replicas, remembers why, and tells whoever waits.
    pub(super) async fn refuse(&self, reason: String) {
        if self.has_ended() {
            return;
        }
        tracing::error!(node.id = self.id().0, %reason, "the cluster does not take this node any more");
        if let Err(error) = RefusedForever(reason.clone()).save(&*self.parts.files) {
            tracing::error!(%error, "cannot remember that the cluster refuses this node");
        }
        self.end(format!(
            "the cluster does not take this node any more: {reason}"
        ))
        .await;
    }

    /// Closes the replicas, and tells whoever waits that the next start rebuilds the state.
    pub(super) async fn end_damaged(&self) {
        if self.has_ended() {
            return;
        }
        tracing::error!(node.id = self.id().0, "the store of states is damaged");
        self.end("the files of the store of states are damaged: start the node again, and it sets them aside and rebuilds its replicas from the other nodes'".to_owned())
            .await;
    }

    async fn end(&self, reason: String) {
        self.parts.raft.shutdown().await;
        self.ended.send_replace(Some(reason));
    }

    /// Whether the node cannot go on.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
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
