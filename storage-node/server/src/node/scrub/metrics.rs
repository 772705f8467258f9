use std::fmt;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use storage_node_api::scrub::{Faults, ScrubReport};

/// What scrub and repair count. Clones share the counts.
#[derive(Clone, Default)]
pub(crate) struct Metrics {
    /// Bytes read by passes.
    pub(super) read_bytes: Counter,
    /// Faults found.
    faults: Family<Kind, Counter>,
    /// Chunks fetched again from peers.
    pub(super) repaired: Counter,
    /// Chunks that are corrupt and not replaced yet.
    quarantined: Gauge,
    /// Those that no peer has either.
    lost: Gauge,
    /// Chunks that placement does not name this node for.
    surplus: Gauge,
    /// When the last full pass ended, in seconds since the epoch.
    last_full_pass: Gauge,
}

/// A kind of fault.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

impl Metrics {
    /// Names the metrics in a registry, whose prefix says whose they are.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "read",
            "Bytes read and verified",
            Unit::Bytes,
            self.read_bytes.clone(),
        );
        registry.register("faults", "Faults found, by kind", self.faults.clone());
        registry.register("repaired", "Chunks fetched again", self.repaired.clone());
        let gauges = [
            (
                "quarantined",
                "Corrupt chunks not replaced yet",
                &self.quarantined,
            ),
            ("lost", "Corrupt chunks that no peer has", &self.lost),
            (
                "surplus",
                "Chunks that belong on other nodes",
                &self.surplus,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        registry.register_with_unit(
            "last_full_pass_timestamp",
            "When the last full pass ended",
            Unit::Seconds,
            self.last_full_pass.clone(),
        );
    }

    /// Brings the counts up to a report.
    pub(super) fn show(&self, report: &ScrubReport) {
        self.show_faults(&report.faults);
        for (gauge, value) in [
            (&self.quarantined, report.quarantined),
            (&self.lost, report.lost),
            (&self.surplus, report.surplus),
            (
                &self.last_full_pass,
                report.last_full_pass.map_or(0, |time| time.seconds()),
            ),
        ] {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    fn show_faults(&self, faults: &Faults) {
        for (kind, found) in faults.by_kind() {
            let counter = self.faults.get_or_create(&Kind { kind });
            counter.inc_by(found.saturating_sub(counter.get()));
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
