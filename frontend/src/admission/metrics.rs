use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Refused;

/// What all kinds of requests count. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct AdmissionMetrics {
    working: Family<Kind, Gauge>,
    waiting: Family<Kind, Gauge>,
    refused: Family<Reason, Counter>,
}

/// What one kind of request counts.
#[derive(Clone, Debug)]
pub(crate) struct KindMetrics {
    /// Those under way.
    pub(super) working: Gauge,
    /// Those that wait.
    pub(super) waiting: Gauge,
    over_share: Counter,
    overloaded: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    kind: &'static str,
    reason: &'static str,
}

impl AdmissionMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "admitted",
            "Requests being served, by kind",
            self.working.clone(),
        );
        registry.register(
            "waiting",
            "Requests that wait for their turn, by kind",
            self.waiting.clone(),
        );
        registry.register(
            "refused",
            "Requests told to come back, by kind and reason",
            self.refused.clone(),
        );
    }

    /// The counts of one kind.
    pub(crate) fn of(&self, kind: &'static str) -> KindMetrics {
        let refused = |reason| {
            let labels = Reason { kind, reason };
            self.refused.get_or_create(&labels).clone()
        };
        KindMetrics {
            working: self.working.get_or_create(&Kind { kind }).clone(),
            waiting: self.waiting.get_or_create(&Kind { kind }).clone(),
            over_share: refused("share"),
            overloaded: refused("overloaded"),
        }
    }
}

impl KindMetrics {
    pub(super) fn refused(&self, why: Refused) {
        match why {
            Refused::Share => self.over_share.inc(),
            Refused::Overloaded => self.overloaded.inc(),
        };
    }
}
