//! The barriers of the groups that this node leads.

use storage_node_api::GroupId;
use storage_node_api::NodeId;
use storage_node_api::map::{CLUSTER_GROUP, COLLECTION_VERSION, ClusterMap};
use storage_node_api::order::{Answer, Command, Query};
use storage_node_machine::query;

use super::super::StorageNode;

/// Entries after which the rest of what a group has to forget waits for the next
/// look.
const ENTRIES: usize = 64;

impl StorageNode {
    /// Called where a data group is led: brings its barrier up to the map's
    /// generation, lets it forget what it removed before, and tells the cluster
    /// group, which the next generation waits for. Whether it had told already.
    pub(in crate::node) async fn keep_barrier(&self, id: GroupId, map: &ClusterMap) -> bool {
        if map.machine_version < COLLECTION_VERSION || self.has_told(id, map) {
            return true;
        }
        self.pass_barrier(id, map).await;
        false
    }

    async fn pass_barrier(&self, id: GroupId, map: &ClusterMap) {
        for _ in 0..ENTRIES {
            let Some(behind) = self.is_behind(id, map) else {
                return;
            };
            if !behind {
                let passed = Command::BarrierPassed {
                    group: id,
                    generation: map.generation,
                };
                self.tell_cluster(map, passed).await;
                return;
            }
            let barrier = Command::Barrier(map.generation);
            if self.commit(id, barrier).await.is_none() {
                // Taken up again at the next look.
                return;
            }
        }
    }

    /// Whether the cluster group knows of the group's barrier, as far as is known
    /// here.
    fn has_told(&self, id: GroupId, map: &ClusterMap) -> bool {
        let known = self
            .view(CLUSTER_GROUP)
            .and_then(|view| query(&view, &Query::Cycle));
        match known {
            Ok(Answer::Cycle { cycle, .. }) => cycle.barrier_of(id) >= map.generation,
            _ => false,
        }
    }

    /// Whether the group needs a barrier entry; nothing if that cannot be said
    /// before it has adopted a map under which it keeps what it removes.
    fn is_behind(&self, id: GroupId, map: &ClusterMap) -> Option<bool> {
        let view = self.view(id).ok()?;
        let Ok(Answer::Map(Some(adopted))) = query(&view, &Query::Map) else {
            return None;
        };
        if adopted.machine_version < COLLECTION_VERSION {
            return None;
        }
        match query(&view, &Query::Cycle) {
            Ok(Answer::Cycle {
                generation,
                forgets,
                ..
            }) => Some(generation < map.generation || forgets),
            _ => None,
        }
    }

    /// Takes a command to the leader of the cluster group, if it is known.
    pub(in crate::node) async fn tell_cluster(&self, map: &ClusterMap, command: Command) {
        let leader = self.group(CLUSTER_GROUP).and_then(|group| group.leader());
        let Some(leader) = leader.map(|leader| NodeId(leader.0)) else {
            return;
        };
        // A failure is taken up again at the next look.
        if leader == self.id() {
            let _ = self.commit(CLUSTER_GROUP, command).await;
        } else if let Some(leader) = map.node(leader) {
            let request = self.request(command);
            let peer = self.parts.peers.node(leader);
            let _ = peer.propose(CLUSTER_GROUP, request).await;
        }
    }
}
