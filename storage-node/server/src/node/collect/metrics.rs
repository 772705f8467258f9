use std::fmt;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use storage_node_api::collect::CollectReport;

/// What the collector counts; chunks dropped and bytes moved are among those of
/// the volumes. Clones share the counts.
#[derive(Clone, Default)]
pub(crate) struct Metrics {
    /// Listed chunks that were gone over.
    pub(super) listed: Counter,
    /// Bytes that compaction gave back.
    pub(super) given_back: Counter,
    /// The last generation swept.
    swept: Gauge,
    live: Gauge,
    dead: Gauge,
    unconfirmed: Gauge,
}

impl Metrics {
    /// Names the metrics in a registry, whose prefix says whose they are.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "listed",
            "Chunks of listings that were gone over",
            self.listed.clone(),
        );
        registry.register_with_unit(
            "given_back",
            "Bytes of removed volumes, less what was written again",
            Unit::Bytes,
            self.given_back.clone(),
        );
        let gauges = [
            ("generation", "The last generation swept", &self.swept),
            (
                "live_chunks",
                "Live chunks, as of the last sweep",
                &self.live,
            ),
            (
                "dead_chunks",
                "Dead chunks, as of the last sweep",
                &self.dead,
            ),
            (
                "unconfirmed_chunks",
                "Chunks that belong elsewhere and are not confirmed there yet",
                &self.unconfirmed,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
    }

    /// Brings the gauges up to a report.
    pub(super) fn show(&self, report: &CollectReport) {
        for (gauge, value) in [
            (&self.swept, report.swept.map_or(0, |swept| swept.0)),
            (&self.live, report.live.chunks),
            (&self.dead, report.dead.chunks),
            (&self.unconfirmed, report.unconfirmed.chunks),
        ] {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
