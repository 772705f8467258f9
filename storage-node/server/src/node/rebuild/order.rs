//! Rebuilding by order of an operator.

use storage_node_api::map::ClusterMap;
use storage_node_api::rebuild::{RebuildError, RebuildOrder, RebuildReport};
use storage_node_api::{GroupId, NodeId};

use crate::node::StorageNode;
use crate::node::keeper::is_peer;
use crate::node::members::group_ids;

impl StorageNode {
    /// Does what is asked, and tells how the rebuilding is.
    pub(in crate::node) async fn order_rebuild(
        &self,
        order: RebuildOrder,
    ) -> Result<RebuildReport, RebuildError> {
        if let RebuildOrder::Start(group) = order {
            let map = self.current_map();
            let map = map.filter(|map| group_ids(map).any(|id| id == group));
            let map = map.ok_or(RebuildError::NoGroup(group))?;
            if !self.parts.rebuilds.is_pending(group) {
                self.check_quorum_without(group, &map).await?;
                self.step_down(group).await;
            }
            tracing::info!(group.id = group.0, "a replica is rebuilt by order");
            self.take_out(group, "it was ordered".to_owned()).await;
        }
        Ok(self.parts.rebuilds.report())
    }

    /// Refuses what would leave the group without a majority that answers.
    async fn check_quorum_without(
        &self,
        group: GroupId,
        map: &ClusterMap,
    ) -> Result<(), RebuildError> {
        let Some(replica) = self.group(group) else {
            return Ok(());
        };
        let status = replica.status();
        let own = raft::NodeId(self.id().0);
        if !status.voters.contains_key(&own) {
            return Ok(());
        }
        let mut answering = 0;
        for peer in map.nodes.iter().filter(|node| is_peer(self.id(), node)) {
            let votes = status.voters.contains_key(&raft::NodeId(peer.id.0));
            if votes && let Ok(report) = self.parts.peers.node(peer).members().await {
                let open = report.groups.iter().any(|found| found.group == group);
                answering += u32::from(open);
            }
        }
        let voters = u32::try_from(status.voters.len()).unwrap_or(u32::MAX);
        if answering * 2 > voters {
            return Ok(());
        }
        Err(RebuildError::Quorum {
            group,
            answering,
            voters,
        })
    }

    /// Hands on what is led, so that nobody waits for an election; if nobody takes it, there is one.
    async fn step_down(&self, group: GroupId) {
        let Some(replica) = self.group(group) else {
            return;
        };
        let own = raft::NodeId(self.id().0);
        if replica.leader() != Some(own) {
            return;
        }
        for heir in replica.status().voters.into_keys() {
            let heir = NodeId(heir.0);
            if heir != self.id() && self.hand_over(group, heir).await.is_ok() {
                return;
            }
        }
    }
}
