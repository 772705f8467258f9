//! What this node knows of the liveness of others.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::NodeId;

/// One run of a node's process: drawn at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Boot(pub(crate) u64);

/// The nodes that beats are exchanged with. All times are of one monotonic clock.
#[derive(Debug)]
pub(crate) struct Nodes {
    own: Boot,
    /// How long a node counts as alive after its last sign of life.
    patience: Duration,
    known: Mutex<BTreeMap<NodeId, Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// Its last beat that said that it hears this node.
    heard: Option<Sign>,
    /// Its last answer to a beat of this node: when that was sent.
    answered: Option<Sign>,
    /// Counts how often it came to answer: after a start of either process, and after it was lost.
    session: u64,
}

#[derive(Clone, Copy, Debug)]
struct Sign {
    at: Duration,
    boot: Boot,
}

impl Nodes {
    pub(crate) fn new(own: Boot, patience: Duration) -> Self {
        Self {
            own,
            patience,
            known: Mutex::default(),
        }
    }

    /// This node's own run.
    pub(crate) fn own(&self) -> Boot {
        self.own
    }

    /// A beat came from a node that hears this one.
    pub(crate) fn heard(&self, from: NodeId, boot: Boot, now: Duration) {
        let mut known = self.known();
        known.entry(from).or_default().heard = Some(Sign { at: now, boot });
    }

    /// A beat that was sent at `sent` was answered.
    pub(crate) fn answered(&self, by: NodeId, boot: Boot, sent: Duration) {
        let mut known = self.known();
        let node = known.entry(by).or_default();
        let goes_on = node.answered.is_some_and(|before| {
            before.boot == boot && sent.saturating_sub(before.at) <= self.patience
        });
        if !goes_on {
            node.session += 1;
        }
        let at = node.answered.map_or(sent, |before| before.at.max(sent));
        node.answered = Some(Sign { at, boot });
    }

    /// Whether this run of a node is alive and hears this one.
    pub(crate) fn is_alive(&self, node: NodeId, boot: Boot, now: Duration) -> bool {
        let heard = self.known().get(&node).and_then(|known| known.heard);
        heard.is_some_and(|sign| sign.boot == boot && self.is_fresh(sign, now))
    }

    /// Whether a node has answered lately.
    pub(crate) fn answers(&self, node: NodeId, now: Duration) -> bool {
        let answered = self.known().get(&node).and_then(|known| known.answered);
        answered.is_some_and(|sign| self.is_fresh(sign, now))
    }

    /// How long ago the last beat that a node has answered was sent.
    pub(crate) fn answered_ago(&self, node: NodeId, now: Duration) -> Option<Duration> {
        let answered = self.known().get(&node)?.answered?;
        Some(now.saturating_sub(answered.at))
    }

    /// Changes whenever a node comes to answer again.
    pub(crate) fn session(&self, node: NodeId) -> u64 {
        self.known().get(&node).map_or(0, |known| known.session)
    }

    fn is_fresh(&self, sign: Sign, now: Duration) -> bool {
        now.saturating_sub(sign.at) <= self.patience
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<NodeId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);
    const OTHER: NodeId = NodeId(2);

    fn nodes() -> Nodes {
        Nodes::new(Boot(1), PATIENCE)
    }

    #[test]
    fn a_node_lives_as_long_as_the_run_that_is_hung_on_is_heard() {
        let nodes = nodes();
        let alive = |boot, now| nodes.is_alive(OTHER, Boot(boot), PATIENCE * now);
        assert!(!alive(7, 0), "it was never heard");
        nodes.heard(OTHER, Boot(7), PATIENCE);
        assert!(alive(7, 1) && alive(7, 2));
        assert!(!alive(7, 3), "too long ago");
        assert!(!alive(8, 1), "another run");
        nodes.heard(OTHER, Boot(8), PATIENCE);
        assert!(!alive(7, 1), "it was started again");
    }

    #[test]
    fn a_session_ends_with_silence_and_with_the_run() {
        let nodes = nodes();
        let mut seen = vec![nodes.session(OTHER)];
        for (boot, sent) in [(7, 10), (7, 11), (7, 13), (8, 13), (8, 14)] {
            nodes.answered(OTHER, Boot(boot), PATIENCE * sent);
            seen.push(nodes.session(OTHER));
        }
        assert_eq!(seen, [0, 1, 1, 2, 3, 3]);
        assert!(nodes.answers(OTHER, PATIENCE * 15));
        assert!(!nodes.answers(OTHER, PATIENCE * 16));
        let ago = nodes.answered_ago(OTHER, PATIENCE * 16);
        assert_eq!(ago, Some(PATIENCE * 2));
    }

    #[test]
    fn an_answer_that_comes_late_takes_nothing_back() {
        let nodes = nodes();
        nodes.answered(OTHER, Boot(7), PATIENCE * 2);
        nodes.answered(OTHER, Boot(7), PATIENCE);
        assert_eq!(
            nodes.answered_ago(OTHER, PATIENCE * 2),
            Some(Duration::ZERO)
        );
        assert_eq!(nodes.session(OTHER), 1);
    }
}
