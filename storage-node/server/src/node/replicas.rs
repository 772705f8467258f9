//! Brings the replicas of a group to where the map wants them, one step at a time.
//!
//! There is no plan that could be lost: what is to be done next is computed from the map and from
//! what the group's leader knows, by whoever leads. So a kill at any instant costs one step at most,
//! and a step that was half done is finished first.

use std::collections::BTreeSet;

use raft::limits::CAUGHT_UP_ENTRIES;
use raft::{Group, Peer};
use storage_node_api::map::{ClusterMap, MEMBERS_VERSION, Replicas, Step};
use storage_node_api::{GroupId, NodeId};

use super::StorageNode;

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Members(#[from] raft::MembershipError),
    #[error(transparent)]
    Transfer(#[from] raft::TransferError),
}

impl StorageNode {
    /// Takes the next step for a group that this node leads; whether one was taken.
    pub(super) async fn keep_replicas(&self, id: GroupId, group: &Group, map: &ClusterMap) -> bool {
        let Some(step) = map.seats(id).next_step(&self.replicas_of(group)) else {
            return false;
        };
        let shrinks = matches!(step, Step::Demote(_) | Step::Remove(_) | Step::Lead(_));
        if shrinks && map.machine_version < MEMBERS_VERSION {
            // A release that may still be running does not know the messages.
            return false;
        }
        match take(step, group, map).await {
            Ok(()) => {
                tracing::info!(group.id = id.0, ?step, "changed the replicas");
                self.parts.members.stepped(step);
                true
            }
            Err(error) => {
                // It is taken up again at the next look, if it is still the next step.
                tracing::info!(group.id = id.0, ?step, %error, "the replicas are not changed yet");
                false
            }
        }
    }

    fn replicas_of(&self, group: &Group) -> Replicas {
        let health = &self.parts.health;
        replicas(self.id(), group, health.slow(self.id()), health.sound())
    }
}

async fn take(step: Step, group: &Group, map: &ClusterMap) -> Result<(), StepError> {
    let raft_id = |node: NodeId| raft::NodeId(node.0);
    match step {
        Step::Settle => group.settle().await?,
        Step::Learn(node) => {
            let control = map.node(node).map(|node| node.control.clone());
            let address = control.unwrap_or_default();
            group.add_learner(raft_id(node), Peer { address }).await?;
        }
        Step::Promote(node) => group.promote(raft_id(node)).await?,
        Step::Demote(node) => group.demote(raft_id(node)).await?,
        Step::Remove(node) => group.remove(raft_id(node)).await?,
        Step::Lead(node) => group.transfer(raft_id(node)).await?,
    }
    Ok(())
}

/// What the leader of a group knows of its replicas.
fn replicas(own: NodeId, group: &Group, slow: BTreeSet<NodeId>, sound: Vec<NodeId>) -> Replicas {
    let status = group.status();
    let progress = group.progress();
    let heard = progress.iter().filter(|(_, member)| group.is_heard(member));
    let is_near = |behind: Option<u64>| behind.is_some_and(|behind| behind <= CAUGHT_UP_ENTRIES);
    let near = heard.clone().filter(|(_, member)| is_near(member.behind));
    let with_own = |ids: &mut dyn Iterator<Item = &raft::NodeId>| {
        ids.map(|id| NodeId(id.0)).chain([own]).collect()
    };
    Replicas {
        voters: status.voters.keys().map(|id| NodeId(id.0)).collect(),
        learners: status.learners.keys().map(|id| NodeId(id.0)).collect(),
        leader: own,
        heard: with_own(&mut heard.map(|(id, _)| id)),
        near: with_own(&mut near.map(|(id, _)| id)),
        joint: status.joint,
        slow,
        sound,
    }
}
