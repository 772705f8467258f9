use std::fmt;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// What one end of bulk connections counts. Clones share the counts.
#[derive(Clone, Default)]
pub struct Metrics {
    /// Connections that are open.
    pub connections: Gauge,
    /// Connections that broke, and those that did not come about.
    pub connection_errors: Counter,
    /// Requests asked or answered.
    pub requests: Counter,
    /// Requests without an answer in time.
    pub request_errors: Counter,
    /// Requests under way.
    pub in_flight: Gauge,
    /// Bytes of chunks sent.
    pub sent_bytes: Counter,
    /// Bytes of chunks received.
    pub received_bytes: Counter,
}

impl Metrics {
    /// Names the metrics in a registry, whose prefix says which end it is.
    pub fn register(&self, registry: &mut Registry) {
        let gauges = [
            ("connections", "Open connections", &self.connections),
            ("in_flight", "Requests under way", &self.in_flight),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        let counters = [
            (
                "connection_errors",
                "Connections that failed",
                &self.connection_errors,
            ),
            ("requests", "Requests", &self.requests),
            (
                "request_errors",
                "Requests without an answer",
                &self.request_errors,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let bytes = [
            ("sent", "Bytes of chunks sent", &self.sent_bytes),
            ("received", "Bytes of chunks received", &self.received_bytes),
        ];
        for (name, help, counter) in bytes {
            registry.register_with_unit(name, help, Unit::Bytes, counter.clone());
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
