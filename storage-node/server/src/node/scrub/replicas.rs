//! Whether the replicas of this node are what they should be: readable, equal
//! to their own hash, and equal to their peers'.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use runtime::run_blocking;
use storage_node_api::map::METADATA_GROUP;
use storage_node_api::node::{GroupStatus, Node};
use storage_node_api::order::{Answer, Query};
use storage_node_api::scrub::ReplicaFault;
use storage_node_api::{GroupId, NodeId};
use storage_node_machine::{query, recompute};

use super::super::StorageNode;
use super::super::keeper::is_peer;
use crate::directory::Distrusted;

/// How often replicas are compared until all were seen at one index.
const ROUNDS: usize = 10;
/// The pause between two rounds.
const ROUND_PAUSE: Duration = Duration::from_millis(300);

/// A replica at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    node: NodeId,
    applied: u64,
    hash: [u8; 32],
}

/// What a comparison says. Pure.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nobody was at the same index.
    Open,
    /// Equal to all that were, and all were.
    Equal,
    /// Most have another state than this node.
    Wrong,
    /// Most have this node's state, and these do not.
    Right(Vec<NodeId>),
    /// These differ, and nobody has most on their side.
    Undecided(Vec<NodeId>),
}

impl StorageNode {
    /// Checks all replicas, and stops those that cannot be trusted: what they
    /// hold is not served, and they vote no more.
    pub(super) async fn check_replicas(self: &Arc<Self>) {
        for (id, group) in self.groups() {
            if group.status().fault.is_some() {
                // It is rebuilt.
                continue;
            }
            let checked = if id == METADATA_GROUP {
                self.check_facts().await
            } else {
                self.check_state(id).await
            };
            if let Err(reason) = checked {
                self.distrust(id, reason).await;
            }
        }
        self.compare_replicas().await;
    }

    /// Reads all of a group's state, and compares it with the hash that follows
    /// each write.
    pub(in crate::node) async fn check_state(self: &Arc<Self>, id: GroupId) -> Result<(), String> {
        let node = Arc::clone(self);
        let check = move || {
            let view = node.view(id).map_err(|fault| chain(&fault))?;
            let asked = query(&view, &Query::StateHash).map_err(|fault| chain(&fault))?;
            let Answer::StateHash { index, hash } = asked else {
                return Err("it does not know its hash".to_owned());
            };
            let found = recompute(&view).map_err(|fault| chain(&fault))?;
            if index > 0 && found != hash {
                return Err(format!("its state at {index} is not what was written"));
            }
            Ok(())
        };
        run_blocking(&*self.parts.runtime.tasks, "verify a state", check)
            .await
            // Shutting down: nothing was found.
            .unwrap_or(Ok(()))
    }

    pub(in crate::node) async fn check_facts(&self) -> Result<(), String> {
        let facts = self.parts.facts.clone();
        let check = move || match facts.check() {
            Ok(None) => Ok(()),
            Ok(Some(damage)) => Err(format!("its database is damaged: {damage}")),
            Err(fault) => Err(chain(&fault)),
        };
        run_blocking(&*self.parts.runtime.tasks, "verify the facts", check)
            .await
            .unwrap_or(Ok(()))
    }

    /// Takes a replica that is wrong out of service until it is rebuilt, also by a later start.
    async fn distrust(&self, group: GroupId, reason: String) {
        let reason =
            format!("{reason}; it is not served until it is rebuilt from another node's replica");
        tracing::error!(group.id = group.0, %reason, "a replica cannot be trusted");
        let fault = ReplicaFault { group, reason };
        self.parts.scrubbing.distrust(fault.clone());
        let files = Arc::clone(&self.parts.files);
        let kept = fault.clone();
        let keep = move || {
            let mut list = Distrusted::load(&*files)?;
            list.0.retain(|known| known.group != kept.group);
            list.0.push(kept);
            list.save(&*files)
        };
        let kept = run_blocking(&*self.parts.runtime.tasks, "distrust a replica", keep).await;
        if let Ok(Err(error)) = kept {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a restart will serve the replica again: do not restart this node"
            );
        }
        self.take_out(group, fault.reason).await;
    }

    /// Compares states with the peers' at equal indexes.
    async fn compare_replicas(&self) {
        let mut open: BTreeSet<GroupId> = self.groups().into_iter().map(|(id, _)| id).collect();
        let mut before = BTreeMap::new();
        for round in 0..ROUNDS {
            if open.is_empty() {
                return;
            }
            if round > 0 {
                self.parts.runtime.clock.sleep(ROUND_PAUSE).await;
            }
            let Some(now) = self.see_replicas().await else {
                return;
            };
            for (group, seen) in &now {
                // Hash and index of a replica are of one moment only if neither
                // changed until the next look.
                let twice = before.get(group) == Some(seen);
                if open.contains(group) && self.judge(*group, seen, twice).await {
                    open.remove(group);
                }
            }
            before = now;
        }
    }

    /// Acts on what was seen; says whether the group is settled.
    async fn judge(&self, group: GroupId, seen: &[Seen], confirmed: bool) -> bool {
        match verdict(self.id(), seen) {
            Verdict::Open => return false,
            Verdict::Equal => {}
            _ if !confirmed => return false,
            Verdict::Wrong => {
                let reason = "its state differs from that of most replicas at the same index";
                self.distrust(group, reason.to_owned()).await;
            }
            Verdict::Right(others) => {
                tracing::error!(
                    group.id = group.0,
                    ?others,
                    "replicas differ from most others at the same index: order a scrub of those nodes"
                );
            }
            Verdict::Undecided(others) => {
                tracing::error!(
                    group.id = group.0,
                    ?others,
                    "replicas differ at the same index"
                );
                let reason = format!(
                    "its state differs from that of {others:?} at the same index, and there is no majority to say which is right: compare them with a backup, and order the wrong one to be rebuilt (`devflow cluster node rebuild`)"
                );
                let fault = ReplicaFault { group, reason };
                self.parts.scrubbing.distrust(fault);
            }
        }
        true
    }

    /// All replicas that can be asked, by group, this node's first.
    async fn see_replicas(&self) -> Option<BTreeMap<GroupId, Vec<Seen>>> {
        let map = self.current_map()?;
        let mut seen: BTreeMap<GroupId, Vec<Seen>> = BTreeMap::new();
        let mut add = |node: NodeId, groups: Vec<GroupStatus>| {
            for group in groups {
                seen.entry(group.group).or_default().push(Seen {
                    node,
                    applied: group.applied,
                    hash: group.state_hash,
                });
            }
        };
        add(self.id(), self.status().await.ok()?.groups);
        for peer in map.nodes.iter().filter(|node| is_peer(self.id(), node)) {
            if let Ok(status) = self.parts.peers.node(peer).status().await {
                add(peer.id, status.groups);
            }
        }
        Some(seen)
    }
}

fn verdict(own: NodeId, seen: &[Seen]) -> Verdict {
    let Some(ours) = seen.iter().find(|seen| seen.node == own) else {
        return Verdict::Equal;
    };
    let level = seen.iter().filter(|seen| seen.applied == ours.applied);
    let mut by_hash: BTreeMap<[u8; 32], Vec<NodeId>> = BTreeMap::new();
    for seen in level.clone() {
        by_hash.entry(seen.hash).or_default().push(seen.node);
    }
    let all = level.count();
    let agree = by_hash.remove(&ours.hash).unwrap_or_default().len();
    let others: Vec<NodeId> = by_hash.values().flatten().copied().collect();
    if others.is_empty() {
        return if all == seen.len() {
            Verdict::Equal
        } else {
            Verdict::Open
        };
    }
    if agree * 2 > all {
        Verdict::Right(others)
    } else if by_hash.values().any(|nodes| nodes.len() * 2 > all) {
        Verdict::Wrong
    } else {
        Verdict::Undecided(others)
    }
}

/// An error and its causes, in one line.
pub(in crate::node) fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use storage_node_api::NodeId;

    use super::{Seen, Verdict, verdict};

    #[test]
    fn most_replicas_at_one_index_are_right() {
        let right = |nodes: &[u64]| Verdict::Right(nodes.iter().map(|n| NodeId(*n)).collect());
        let undecided =
            |nodes: &[u64]| Verdict::Undecided(nodes.iter().map(|n| NodeId(*n)).collect());
        for (own, seen, expected) in [
            (1, &[(5, b'a')][..], Verdict::Equal),
            (1, &[(5, b'a'), (5, b'a'), (5, b'a')][..], Verdict::Equal),
            (1, &[(5, b'a'), (6, b'b'), (5, b'a')][..], Verdict::Open),
            (1, &[(5, b'a'), (5, b'b'), (5, b'a')][..], right(&[2])),
            (2, &[(5, b'a'), (5, b'b'), (5, b'a')][..], Verdict::Wrong),
            (2, &[(5, b'a'), (5, b'b'), (6, b'a')][..], undecided(&[1])),
            (
                3,
                &[(5, b'a'), (5, b'b'), (5, b'c')][..],
                undecided(&[1, 2]),
            ),
            (4, &[(5, b'a')][..], Verdict::Equal),
        ] {
            let seen: Vec<Seen> = (1..)
                .zip(seen)
                .map(|(node, (applied, hash))| Seen {
                    node: NodeId(node),
                    applied: *applied,
                    hash: [*hash; 32],
                })
                .collect();
            assert_eq!(
                verdict(NodeId(own), &seen),
                expected,
                "{own} among {seen:?}"
            );
        }
    }
}
