//! Finds out whether this node is so slow that others should lead, and which others could.
//!
//! Each node measures itself, asks its peers once a second how they are, and judges itself by
//! both ([`judge`]). It is passive: an idle node has no figures, and one that is slow stays so until
//! writes show that it is not.
//!
//! What it keeps true: a node judges only itself, and others believe it; a node that could not be
//! asked is neither slow nor sound, so it is handed nothing, and nothing is taken from it.
//!
//! Not here: what is done about it. Leaders hand over as one of the steps towards the replicas that
//! a group should have (`storage-node/api/map/seats`).

mod judge;
mod metrics;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use runtime::Recent;
use storage_node_api::NodeId;
use storage_node_api::health::HealthReport;
use storage_node_api::map::ClusterMap;

use super::StorageNode;
use super::keeper::is_peer;
use judge::{Change, Judge};
pub(crate) use metrics::Metrics;

/// How often a node looks, and how long a peer may take to answer.
const LOOK: Duration = Duration::from_secs(1);

/// What a node knows of its own speed and of its peers'.
#[derive(Debug)]
pub(crate) struct Health {
    log: Recent,
    volumes: Recent,
    /// When enough peers had answered at each look.
    answers: Recent,
    metrics: Metrics,
    judge: Mutex<Judge>,
    /// What those said that have answered the last look.
    peers: Mutex<BTreeMap<NodeId, HealthReport>>,
}

impl Health {
    /// Of a node whose log and volumes record their times here. With a floor of zero nothing is
    /// ever slow.
    pub(crate) fn new(log: Recent, volumes: Recent, floor: Duration, metrics: Metrics) -> Self {
        Self {
            log,
            volumes,
            answers: Recent::default(),
            metrics,
            judge: Mutex::new(Judge::new(floor)),
            peers: Mutex::default(),
        }
    }

    pub(super) fn report(&self, now: Duration) -> HealthReport {
        HealthReport {
            log: self.log.typical(now),
            volumes: self.volumes.typical(now),
            peers: self.answers.typical(now),
            slow: self.judge().slow(),
        }
    }

    /// The nodes that are too slow to lead, this one among them if it is.
    pub(super) fn slow(&self, own: NodeId) -> BTreeSet<NodeId> {
        let own = self.judge().slow().map(|_| own);
        let peers = self.peers();
        let slow = peers.iter().filter(|(_, report)| report.slow.is_some());
        slow.map(|(id, _)| *id).chain(own).collect()
    }

    /// The other nodes that can take over, the fastest first.
    pub(super) fn sound(&self) -> Vec<NodeId> {
        let (judge, peers) = (self.judge(), self.peers());
        let mut sound: Vec<_> = peers
            .iter()
            .filter(|(_, report)| judge.is_sound(report))
            .collect();
        sound.sort_by_key(|(id, report)| (report.log, report.peers, **id));
        sound.into_iter().map(|(id, _)| *id).collect()
    }

    fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peers(&self) -> MutexGuard<'_, BTreeMap<NodeId, HealthReport>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks once a second for as long as the node runs.
pub(super) async fn run(node: Weak<StorageNode>) {
    loop {
        let Some(strong) = node.upgrade() else { return };
        if strong.has_ended() {
            return;
        }
        if let Some(map) = strong.current_map() {
            strong.look_at_health(&map).await;
        }
        let clock = Arc::clone(&strong.parts.runtime.clock);
        drop(strong);
        clock.sleep(LOOK).await;
    }
}

impl StorageNode {
    pub(super) fn health_report(&self) -> HealthReport {
        let now = self.parts.runtime.clock.monotonic();
        self.parts.health.report(now)
    }

    async fn look_at_health(&self, map: &ClusterMap) {
        let (clock, health) = (&self.parts.runtime.clock, &self.parts.health);
        let peers = map.nodes.iter().filter(|node| is_peer(self.id(), node));
        let asking = peers.map(|peer| async move {
            let begun = clock.monotonic();
            let link = self.parts.peers.node(peer);
            let report = match select(link.health(), clock.sleep(LOOK)).await {
                Either::Left((report, _)) => report.ok(),
                Either::Right(_) => None,
            };
            let took = clock.monotonic().saturating_sub(begun);
            (peer.id, report.map(|report| (took, report)))
        });
        let answers = join_all(asking).await;
        let now = clock.monotonic();
        let times = answers.iter();
        let times = times.map(|(_, answer)| answer.as_ref().map_or(LOOK, |(took, _)| *took));
        if let Some(took) = majority_answered(times.collect()) {
            health.answers.record(now, took);
        }
        let reports = answers.into_iter();
        let reports = reports.filter_map(|(id, answer)| Some((id, answer?.1)));
        let reports: BTreeMap<_, _> = reports.collect();
        let known: Vec<_> = reports.values().cloned().collect();
        let slow_peers = known.iter().filter(|report| report.slow.is_some()).count();
        *health.peers() = reports;
        let own = health.report(now);
        let change = health.judge().look(now, &own, &known);
        if let Some(change) = change {
            self.tell(change, &own);
        }
        health.metrics.looked(&health.report(now), slow_peers);
    }

    fn tell(&self, change: Change, own: &HealthReport) {
        match change {
            Change::Slow(of) => {
                self.parts.health.metrics.found_slow();
                let took = own.figure(of).unwrap_or_default();
                tracing::warn!(
                    ?took,
                    "this node is slow: {of} take much longer than on its peers; others are to lead"
                );
            }
            Change::Sound => tracing::info!("this node is not slow any more: it may lead"),
        }
    }
}

/// When so many peers had answered that they are a majority with this node; nothing for a node
/// that has none.
fn majority_answered(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    let needed = times.len().div_ceil(2);
    times.get(needed.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_needs_half_of_the_peers() {
        let answered = |times: &[u64]| {
            let times = times.iter().copied().map(Duration::from_millis).collect();
            majority_answered(times).map(|took: Duration| took.as_millis())
        };
        assert_eq!(answered(&[]), None);
        assert_eq!(answered(&[7]), Some(7));
        assert_eq!(answered(&[1000, 7]), Some(7));
        assert_eq!(answered(&[1000, 7, 9]), Some(9));
        assert_eq!(answered(&[1000, 7, 1000, 9]), Some(9));
    }
}
