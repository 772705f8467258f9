use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// What rebuilding replicas comes to. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    pending: Gauge,
    pub(super) rebuilt: Counter,
    pub(super) failed: Counter,
    pub(super) bytes: Counter,
}

impl Metrics {
    /// Names the metrics in a registry, whose prefix says whose they are.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let pending = "Replicas that are not served until they are rebuilt";
        registry.register("pending", pending, self.pending.clone());
        let rebuilt = "Replicas that were rebuilt";
        registry.register("rebuilt", rebuilt, self.rebuilt.clone());
        let failed = "Attempts that came to nothing";
        registry.register("failed", failed, self.failed.clone());
        let bytes = "State that came from other nodes";
        registry.register_with_unit("copied", bytes, Unit::Bytes, self.bytes.clone());
    }

    pub(super) fn pending(&self, replicas: usize) {
        self.pending
            .set(i64::try_from(replicas).unwrap_or(i64::MAX));
    }
}
