//! What is counted.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use runtime::Recent;

use crate::hibernate::WakeLabel;

/// Counters of one node's [`Raft`](crate::Raft). Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Syncs of the log.
    pub log_syncs: Counter,
    /// Votes, appends, truncations and purges written to the log.
    pub log_operations: Counter,
    /// Bytes written to the log.
    pub log_bytes: Counter,
    /// Time of one synced batch of the log.
    pub log_sync_seconds: Histogram,
    /// The same lately; not shown.
    pub recent_syncs: Recent,
    /// Operations that wait for the log writer.
    pub log_queue: Gauge,
    /// Proposals accepted for appending.
    pub proposals: Counter,
    /// Proposals refused because of a limit.
    pub proposals_refused: Counter,
    /// Requests sent to peers.
    pub flights: Counter,
    /// Messages in those requests.
    pub messages: Counter,
    /// Messages that got no answer from a peer.
    pub messages_failed: Counter,
    /// Snapshots installed from another replica.
    pub snapshots_installed: Counter,
    /// Replicas that sleep.
    pub asleep: Gauge,
    /// How often a replica fell asleep.
    pub sleeps: Counter,
    /// How often one woke, by what woke it.
    pub(crate) wakes: Family<WakeLabel, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            log_syncs: Counter::default(),
            log_operations: Counter::default(),
            log_bytes: Counter::default(),
            log_sync_seconds: Histogram::new(exponential_buckets(0.000_1, 2.0, 16)),
            recent_syncs: Recent::default(),
            log_queue: Gauge::default(),
            proposals: Counter::default(),
            proposals_refused: Counter::default(),
            flights: Counter::default(),
            messages: Counter::default(),
            messages_failed: Counter::default(),
            snapshots_installed: Counter::default(),
            asleep: Gauge::default(),
            sleeps: Counter::default(),
            wakes: Family::default(),
        }
    }
}

impl Metrics {
    /// Shows them in `registry`, under `devflow_raft`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("devflow_raft");
        let counters = [
            ("log_syncs", "Syncs of the log", &self.log_syncs),
            (
                "log_operations",
                "Operations written to the log",
                &self.log_operations,
            ),
            ("log_bytes", "Bytes written to the log", &self.log_bytes),
            ("proposals", "Proposals accepted", &self.proposals),
            (
                "proposals_refused",
                "Proposals refused because of a limit",
                &self.proposals_refused,
            ),
            ("flights", "Requests sent to peers", &self.flights),
            ("messages", "Messages sent to peers", &self.messages),
            (
                "messages_failed",
                "Messages that got no answer",
                &self.messages_failed,
            ),
            (
                "snapshots_installed",
                "Snapshots installed from another replica",
                &self.snapshots_installed,
            ),
            ("sleeps", "Times that a replica fell asleep", &self.sleeps),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "log_sync_seconds",
            "Time of one synced batch of the log",
            self.log_sync_seconds.clone(),
        );
        registry.register(
            "log_queue",
            "Operations that wait for the log writer",
            self.log_queue.clone(),
        );
        registry.register("groups_asleep", "Replicas that sleep", self.asleep.clone());
        registry.register(
            "wakes",
            "Times that a sleeping replica woke, by what woke it",
            self.wakes.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_shown_once() {
        let mut registry = Registry::default();
        let metrics = Metrics::default();
        metrics.register(&mut registry);
        metrics.log_syncs.inc();
        let reason = crate::hibernate::Wake::Read.into();
        metrics.wakes.get_or_create(&reason).inc();
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("devflow_raft_log_syncs_total 1"), "{text}");
        let wakes = "devflow_raft_wakes_total{reason=\"read\"} 1";
        assert!(text.contains(wakes), "{text}");
        assert_eq!(text.matches("# TYPE").count(), 14);
    }
}
