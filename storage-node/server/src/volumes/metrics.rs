use std::fmt;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use runtime::Recent;

/// What a chunk store counts. Clones share the counts.
#[derive(Clone)]
pub struct Metrics {
    /// Chunks appended.
    pub appended: Counter,
    /// Bytes of chunks appended.
    pub appended_bytes: Counter,
    /// Chunks that were put although they were there.
    pub present: Counter,
    /// Chunks whose touch was raised.
    pub touched: Counter,
    /// Groups of writes that were synced.
    pub syncs: Counter,
    /// How long a group took to write and sync.
    pub commit_seconds: Histogram,
    /// The same lately; not shown.
    pub recent_commits: Recent,
    /// Requests that wait for the writer.
    pub queued: Gauge,
    /// Chunks read.
    pub read: Counter,
    /// Bytes of chunks read.
    pub read_bytes: Counter,
    /// Reads that the disk refused.
    pub read_errors: Counter,
    /// Chunks found corrupt.
    pub corrupt: Counter,
    /// Chunks dropped because nothing refers to them.
    pub dropped: Counter,
    /// Bytes of chunks dropped.
    pub dropped_bytes: Counter,
    /// Bytes of chunks written again so that their volume could go.
    pub moved_bytes: Counter,
    /// Volumes removed.
    pub removed_volumes: Counter,
    /// Puts refused because the disk is nearly full.
    pub refused_full: Counter,
    /// 1 once a write has failed and no more are taken.
    pub failing: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            appended: Counter::default(),
            appended_bytes: Counter::default(),
            present: Counter::default(),
            touched: Counter::default(),
            syncs: Counter::default(),
            // From 0.25 ms to 4 s.
            commit_seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 15)),
            recent_commits: Recent::default(),
            queued: Gauge::default(),
            read: Counter::default(),
            read_bytes: Counter::default(),
            read_errors: Counter::default(),
            corrupt: Counter::default(),
            dropped: Counter::default(),
            dropped_bytes: Counter::default(),
            moved_bytes: Counter::default(),
            removed_volumes: Counter::default(),
            refused_full: Counter::default(),
            failing: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Names the metrics in a registry, whose prefix says whose they are.
    pub fn register(&self, registry: &mut Registry) {
        let counters = [
            ("appended", "Chunks appended", &self.appended),
            ("present", "Chunks put that were there", &self.present),
            ("touched", "Chunks whose touch was raised", &self.touched),
            ("syncs", "Groups of writes synced", &self.syncs),
            ("read", "Chunks read", &self.read),
            ("read_errors", "Reads the disk refused", &self.read_errors),
            ("corrupt", "Chunks found corrupt", &self.corrupt),
            ("dropped", "Chunks dropped as garbage", &self.dropped),
            ("removed_volumes", "Volumes removed", &self.removed_volumes),
            (
                "refused_full",
                "Puts refused for want of space",
                &self.refused_full,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let bytes = [
            ("appended", "Bytes appended", &self.appended_bytes),
            ("read", "Bytes read", &self.read_bytes),
            ("dropped", "Bytes dropped as garbage", &self.dropped_bytes),
            (
                "moved",
                "Bytes moved out of sparse volumes",
                &self.moved_bytes,
            ),
        ];
        for (name, help, counter) in bytes {
            registry.register_with_unit(name, help, Unit::Bytes, counter.clone());
        }
        registry.register_with_unit(
            "commit",
            "Time to write and sync a group",
            Unit::Seconds,
            self.commit_seconds.clone(),
        );
        registry.register(
            "queued",
            "Requests waiting to be written",
            self.queued.clone(),
        );
        registry.register(
            "failing",
            "Whether writes are refused",
            self.failing.clone(),
        );
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
