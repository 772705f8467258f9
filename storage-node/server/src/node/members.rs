//! Nodes on their way out, as the leader of the cluster group sees to them, and what every node
//! tells about itself.
//!
//! A node is drained when it votes nowhere and every other node has found, under the map in force,
//! that it lacks nothing. Each of them looked after its replicas had adopted that map; from the
//! adoption on, receipts of the node that is drained do not count. So whatever was committed, before
//! or after, is where the new placement wants it, and writes need reach a quorum of the new
//! placement only.

use std::sync::atomic::Ordering;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use storage_node_api::map::{
    CLUSTER_GROUP, ClusterMap, MEMBERS_VERSION, METADATA_GROUP, MembersChange, Standing, Step,
};
use storage_node_api::members::{GroupMembers, MembersReport, TransferError};
use storage_node_api::node::NodeFailure;
use storage_node_api::order::{Answer, Command, Query, Reply};
use storage_node_api::{GroupId, MapEpoch, NodeId};
use storage_node_machine::query;

use super::StorageNode;

/// What changes of members come to. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    steps: Family<StepLabel, Counter>,
    missing_chunks: Gauge,
    missing_bytes: Gauge,
    epoch: Gauge,
    whole_at: Gauge,
}

/// A kind of step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabel {
    step: &'static str,
}

impl Metrics {
    /// Names the metrics in a registry, whose prefix says whose they are.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let steps = "Changes of the replicas of groups that were led here, by kind";
        registry.register("steps", steps, self.steps.clone());
        let gauges = [
            (
                "missing_chunks",
                "Chunks that placement names and are not here",
                &self.missing_chunks,
            ),
            (
                "missing_bytes",
                "Bytes of these chunks",
                &self.missing_bytes,
            ),
            (
                "map_epoch",
                "Epoch of the cluster map that is known",
                &self.epoch,
            ),
            (
                "whole_at",
                "Last epoch at which nothing was missing",
                &self.whole_at,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
    }

    pub(super) fn stepped(&self, step: Step) {
        let step = match step {
            Step::Settle => "settle",
            Step::Learn(_) => "learn",
            Step::Promote(_) => "promote",
            Step::Demote(_) => "demote",
            Step::Remove(_) => "remove",
            Step::Lead(_) => "lead",
        };
        self.steps.get_or_create(&StepLabel { step }).inc();
    }

    /// What a look at all chunks has found.
    pub(super) fn looked(&self, chunks: u64, bytes: u64, epoch: MapEpoch, whole_at: u64) {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.missing_chunks.set(number(chunks));
        self.missing_bytes.set(number(bytes));
        self.epoch.set(number(epoch.0));
        self.whole_at.set(number(whole_at));
    }
}

impl StorageNode {
    /// Called where the cluster group is led: moves a node that leaves to its next standing. One
    /// change at a time, each for the map that it was judged by.
    pub(super) async fn keep_members(&self, map: &ClusterMap) {
        if map.machine_version < MEMBERS_VERSION {
            return;
        }
        for node in &map.nodes {
            let change = match map.standing(node.id) {
                Standing::Draining if self.is_drained(node.id, map).await => {
                    MembersChange::Drained(node.id)
                }
                Standing::Leaving if self.is_out(node.id, map, false).await => {
                    MembersChange::Removed(node.id)
                }
                _ => continue,
            };
            let seen = map.epoch;
            let change = Command::ChangeMembers { seen, change };
            match self.commit(CLUSTER_GROUP, change.clone()).await {
                Some(Reply::Done) => tracing::info!(?change, "changed the members"),
                // It is judged again at the next look.
                other => tracing::debug!(?change, ?other, "the members are not changed"),
            }
            return;
        }
    }

    async fn is_drained(&self, id: NodeId, map: &ClusterMap) -> bool {
        if !self.is_out(id, map, true).await {
            return false;
        }
        for node in map.nodes.iter().filter(|node| !node.draining) {
            let whole_at = if node.id == self.id() {
                self.whole_at()
            } else {
                let report = self.parts.peers.node(node).members().await;
                report.ok().and_then(|report| report.whole_at)
            };
            if whole_at.is_none_or(|whole| whole < map.epoch) {
                return false;
            }
        }
        true
    }

    /// Whether no group has the node, or none has it as a voter if it may still follow: each read
    /// at a linearizable point.
    async fn is_out(&self, id: NodeId, map: &ClusterMap, may_follow: bool) -> bool {
        let id = raft::NodeId(id.0);
        for group in group_ids(map) {
            let Some(group) = self.group(group) else {
                return false;
            };
            if group.read_index().await.is_err() {
                return false;
            }
            let status = group.status();
            let follows = status.learners.contains_key(&id) && !may_follow;
            if status.joint || status.voters.contains_key(&id) || follows {
                return false;
            }
        }
        true
    }

    /// The epoch that all replicas of this node have adopted; nothing if one has not adopted any,
    /// or is not open.
    pub(super) fn adopted(&self, map: &ClusterMap) -> Option<MapEpoch> {
        let mut least = map.epoch;
        for id in map.data_groups() {
            self.group(id)?;
            let view = self.view(id).ok()?;
            let Ok(Answer::Map(Some(adopted))) = query(&view, &Query::Map) else {
                return None;
            };
            least = least.min(adopted.epoch);
        }
        Some(least)
    }

    fn whole_at(&self) -> Option<MapEpoch> {
        let whole_at = self.whole_at.load(Ordering::Relaxed);
        (whole_at > 0).then_some(MapEpoch(whole_at))
    }

    pub(super) fn members_report(&self) -> MembersReport {
        let map = self.current_map();
        let ids = map.iter().flat_map(|map| group_ids(map));
        let groups = ids.filter_map(|id| {
            let status = self.group(id)?.status();
            let ids = |members: &std::collections::BTreeMap<raft::NodeId, raft::Peer>| {
                members.keys().map(|id| NodeId(id.0)).collect()
            };
            Some(GroupMembers {
                group: id,
                leader: status.leader.map(|id| NodeId(id.0)),
                voters: ids(&status.voters),
                learners: ids(&status.learners),
                joint: status.joint,
            })
        });
        MembersReport {
            groups: groups.collect(),
            epoch: map.as_ref().map_or(MapEpoch(0), |map| map.epoch),
            whole_at: self.whole_at(),
            missing_chunks: self.missing_chunks(),
            missing_bytes: self.missing_bytes.load(Ordering::Relaxed),
        }
    }

    pub(super) async fn hand_over(
        &self,
        group: GroupId,
        to: NodeId,
    ) -> Result<(), NodeFailure<TransferError>> {
        let replica = self.group(group);
        let replica = replica.ok_or(NodeFailure::Failed(TransferError::NoGroup(group)))?;
        let handed = replica.transfer(raft::NodeId(to.0)).await;
        handed.map_err(|error| match error {
            raft::TransferError::NotLeader { leader, .. } => NodeFailure::NotLeader {
                leader: leader.map(|leader| NodeId(leader.node.0)),
            },
            raft::TransferError::NotAVoter { .. } => {
                NodeFailure::Failed(TransferError::NotAVoter { group, to })
            }
            raft::TransferError::Behind { .. } => {
                NodeFailure::Failed(TransferError::Behind { group, to })
            }
            raft::TransferError::Timeout { .. } | raft::TransferError::Stopped { .. } => {
                NodeFailure::Failed(TransferError::NotTaken { group, to })
            }
        })
    }
}

/// All groups of a map: the cluster's, the facts', and those with slots.
pub(super) fn group_ids(map: &ClusterMap) -> impl Iterator<Item = GroupId> {
    let slots = map.data_groups();
    [CLUSTER_GROUP, METADATA_GROUP].into_iter().chain(slots)
}
