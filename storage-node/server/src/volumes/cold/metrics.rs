use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// What the cold tier counts. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Volumes that have an object.
    pub volumes: Gauge,
    /// Bytes of these objects.
    pub object_bytes: Gauge,
    /// Bytes of sealed volumes that are on the disk as well, or only there.
    pub local_bytes: Gauge,
    /// Objects written and read back.
    pub uploads: Counter,
    /// Bytes written to objects.
    pub uploaded_bytes: Counter,
    /// Volumes whose file went.
    pub left: Counter,
    /// Volumes that came back.
    pub returned: Counter,
    /// Ranges of objects that were read.
    pub range_reads: Counter,
    /// Their bytes.
    pub range_bytes: Counter,
    /// Blocks that were found in memory.
    pub cache_hits: Counter,
    /// Objects deleted.
    pub deleted: Counter,
    /// Volumes whose object was found to be gone.
    pub lost: Counter,
    /// 0 while the store cannot be used.
    pub reachable: Gauge,
    errors: Family<Kind, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

impl Metrics {
    /// Names the metrics in a registry, whose prefix says whose they are.
    pub fn register(&self, registry: &mut Registry) {
        let counters = [
            ("uploads", "Volumes uploaded and read back", &self.uploads),
            ("left", "Volumes whose local file went", &self.left),
            ("returned", "Volumes fetched back whole", &self.returned),
            ("range_reads", "Ranges of objects read", &self.range_reads),
            (
                "cache_hits",
                "Blocks of objects found in memory",
                &self.cache_hits,
            ),
            ("deleted", "Objects deleted", &self.deleted),
            ("lost", "Volumes whose object was gone", &self.lost),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let bytes = [
            ("uploaded", "Bytes written to objects", &self.uploaded_bytes),
            ("range", "Bytes of ranges read", &self.range_bytes),
        ];
        for (name, help, counter) in bytes {
            registry.register_with_unit(name, help, Unit::Bytes, counter.clone());
        }
        let gauges = [
            ("volumes", "Volumes that have an object", &self.volumes),
            ("object_bytes", "Bytes of these objects", &self.object_bytes),
            (
                "local_bytes",
                "Bytes of sealed volumes on the disk",
                &self.local_bytes,
            ),
            (
                "reachable",
                "Whether the store can be used",
                &self.reachable,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        registry.register(
            "errors",
            "Calls that the store failed, by kind",
            self.errors.clone(),
        );
    }

    pub(super) fn error(&self, kind: &'static str) {
        self.errors.get_or_create(&Kind { kind }).inc();
    }
}
