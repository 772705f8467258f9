use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use storage_node_api::health::{HealthReport, Slow};

/// What a node shows of how fast it is. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    slow: Gauge,
    slow_peers: Gauge,
    changes: Counter,
    log: Gauge<f64, AtomicU64>,
    volumes: Gauge<f64, AtomicU64>,
    peers: Gauge<f64, AtomicU64>,
}

impl Metrics {
    /// Names the metrics in a registry, whose prefix says whose they are.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let slow = "1 for a node that is too slow to lead while another can";
        registry.register("slow", slow, self.slow.clone());
        let slow_peers = "Other nodes that say so of themselves";
        registry.register("slow_peers", slow_peers, self.slow_peers.clone());
        let changes = "How often the node was found slow";
        registry.register("found_slow", changes, self.changes.clone());
        let figures = [
            ("log_sync", "What a sync of the log takes lately", &self.log),
            (
                "volume_write",
                "What a synced write of the volumes takes lately",
                &self.volumes,
            ),
            (
                "majority_answer",
                "When enough peers for a majority have answered, lately",
                &self.peers,
            ),
        ];
        for (name, help, gauge) in figures {
            registry.register_with_unit(name, help, Unit::Seconds, gauge.clone());
        }
    }

    pub(super) fn looked(&self, own: &HealthReport, slow_peers: usize) {
        self.slow.set(i64::from(own.slow.is_some()));
        self.slow_peers
            .set(i64::try_from(slow_peers).unwrap_or(i64::MAX));
        let seconds = |of| own.figure(of).as_ref().map_or(0.0, Duration::as_secs_f64);
        self.log.set(seconds(Slow::Log));
        self.volumes.set(seconds(Slow::Volumes));
        self.peers.set(seconds(Slow::Peers));
    }

    pub(super) fn found_slow(&self) {
        self.changes.inc();
    }
}
