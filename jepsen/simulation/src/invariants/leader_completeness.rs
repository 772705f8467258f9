use std::collections::BTreeMap;
use std::sync::Arc;

use raft::{GroupId, NodeId};
use storage_node_server::StorageNode;

/// The newest leader of a group has every entry that any replica knows to be
/// committed, and terms never go back, not even over a power failure.
///
/// openraft orders leaders by term and then by node: within a term, a greater
/// node may take over from a lesser one.
#[derive(Debug, Default)]
pub struct LeaderCompleteness {
    terms: BTreeMap<(GroupId, NodeId), u64>,
}

impl LeaderCompleteness {
    /// Its name in reports.
    pub const NAME: &'static str = "leader completeness";

    /// Takes what all running nodes say at one instant; returns what is wrong.
    pub fn sample(&mut self, nodes: &[Arc<StorageNode>]) -> Vec<String> {
        let mut faults = Vec::new();
        let mut committed: BTreeMap<GroupId, u64> = BTreeMap::new();
        let mut leading: BTreeMap<GroupId, (u64, NodeId, u64)> = BTreeMap::new();
        let mut newest: BTreeMap<GroupId, (u64, Option<NodeId>)> = BTreeMap::new();
        for raft in nodes.iter().map(|node| node.raft()) {
            let id = raft.node();
            for group in raft.groups_open() {
                let Some(status) = raft.group(group).map(|group| group.status()) else {
                    continue;
                };
                let known = self.terms.entry((group, id)).or_default();
                if status.term < *known {
                    faults.push(format!(
                        "{id} went back from term {known} to {} in {group}",
                        status.term
                    ));
                }
                *known = status.term;
                let at = committed.entry(group).or_default();
                *at = (*at).max(status.committed.unwrap_or(0));
                let known = newest.entry(group).or_default();
                *known = (*known).max((status.term, status.leader));
                if status.leader == Some(id) {
                    let claim = (status.term, id, status.last_log.unwrap_or(0));
                    let leader = leading.entry(group).or_insert(claim);
                    *leader = (*leader).max(claim);
                }
            }
        }
        for (group, (term, leader, last)) in leading {
            if newest
                .get(&group)
                .is_some_and(|newest| (term, Some(leader)) < *newest)
            {
                // It does not know yet that it was deposed.
                continue;
            }
            let committed = committed.get(&group).copied().unwrap_or(0);
            if last < committed {
                faults.push(format!(
                    "{leader} leads {group} in term {term} with entries up to {last}, {committed} are committed"
                ));
            }
        }
        faults
    }
}
