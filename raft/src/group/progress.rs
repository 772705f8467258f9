//! How far the members are, as their leader knows.

use std::collections::BTreeMap;
use std::time::Duration;

use openraft::Instant;
use openraft::async_runtime::WatchReceiver;

use super::Group;
use crate::NodeId;

/// One member as the leader knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Entries of the leader's log that it is not known to have; nothing if it has never
    /// answered this leader.
    pub behind: Option<u64>,
    /// How long ago it last answered; nothing if it never has.
    pub heard: Option<Duration>,
}

impl Group {
    /// The other members as their leader knows them; nobody where this node does not lead.
    pub fn progress(&self) -> BTreeMap<NodeId, Progress> {
        let metrics = self.replica.core.metrics();
        let metrics = metrics.borrow_watched();
        let Some(replication) = &metrics.replication else {
            return BTreeMap::new();
        };
        let last = metrics.last_log_index.map_or(0, |last| last + 1);
        let now = self.replica.runtime.clock.monotonic();
        let rests = self.replica.sleep.rests();
        let heard = |node: &NodeId| {
            let heartbeat = metrics.heartbeat.as_ref().and_then(|all| all.get(node));
            let heartbeat = heartbeat.and_then(|last| Some(last.as_ref()?.elapsed()));
            // Who sleeps is heard of by its node only.
            let node = rests.then(|| self.replica.nodes.answered_ago(*node, now));
            heartbeat.into_iter().chain(node.flatten()).min()
        };
        let others = replication
            .iter()
            .filter(|(node, _)| **node != self.replica.node);
        others
            .map(|(node, matched)| {
                let behind = matched
                    .as_ref()
                    .map(|id| last.saturating_sub(id.index() + 1));
                let heard = heard(node);
                (*node, Progress { behind, heard })
            })
            .collect()
    }

    /// Whether a member has answered its leader within the longest election timeout, twice over:
    /// a guess by which steps are ordered, never what safety rests on.
    pub fn is_heard(&self, progress: &Progress) -> bool {
        let patience = self.replica.config.timing().election_max * 2;
        progress.heard.is_some_and(|heard| heard < patience)
    }
}
