//! The machine version of the cluster: raised once every node runs a release
//! that understands more, which is when a rolling upgrade has ended.

use storage_node_api::map::{CLUSTER_GROUP, ClusterMap, MACHINE_VERSION};
use storage_node_api::order::Command;

use super::StorageNode;
use super::keeper::is_peer;
use crate::directory::raise_format;

impl StorageNode {
    /// Has earlier releases refuse what this node keeps, once the cluster has risen to
    /// what they do not know.
    pub(super) fn keep_format(&self, map: &ClusterMap) {
        if let Err(error) = raise_format(&*self.parts.files, map.machine_version) {
            tracing::warn!(%error, "the format of the data directory stays");
        }
    }

    /// Called where the cluster group is led. A node that does not answer may
    /// run an earlier release: nothing is raised without it.
    pub(super) async fn keep_version(&self, map: &ClusterMap) {
        if map.machine_version >= MACHINE_VERSION {
            return;
        }
        let mut all = MACHINE_VERSION;
        for node in map.nodes.iter().filter(|node| is_peer(self.id(), node)) {
            match self.parts.peers.node(node).machine_version().await {
                Ok(version) => all = all.min(version),
                Err(error) => {
                    tracing::debug!(node.id = node.id.0, %error, "the machine version stays");
                    return;
                }
            }
        }
        if all > map.machine_version {
            tracing::info!(
                version = all,
                "every node understands a later machine version"
            );
            // A failure is taken up again at the next look.
            let _ = self
                .commit(CLUSTER_GROUP, Command::RaiseMachineVersion(all))
                .await;
        }
    }
}
