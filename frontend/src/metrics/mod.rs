mod answers;

use std::time::Duration;

use git_serve::AnswerCounts;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::admission::AdmissionMetrics;
use crate::metrics::answers::AnswerCollector;

/// What a frontend counts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<AreaLabel, Histogram>,
    /// Open connections.
    pub(crate) connections: Gauge,
    /// Connections turned away or cut, by reason.
    pub(crate) cut: Family<ReasonLabel, Counter>,
    /// Who is served, waits, and is told to come back.
    pub(crate) admission: AdmissionMetrics,
    /// Git services, by outcome.
    pub(crate) services: Family<ServiceLabels, Counter>,
    /// Repositories that were to be maintained, by outcome.
    maintained: Family<OutcomeLabel, Counter>,
    /// Failed sign-ins.
    pub(crate) failed_sign_ins: Counter,
    /// What the pack cache does.
    pub(crate) cache: CacheMetrics,
    /// Packs that several clients were sent.
    pub(crate) answers: AnswerCounts,
    /// What happens over SSH.
    pub(crate) ssh: frontend_ssh::Metrics,
}

/// What the pack cache counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct CacheMetrics {
    /// Bytes of packs and indexes in the directory.
    pub(crate) bytes: Gauge,
    /// Repositories in the directory.
    pub(crate) repositories: Gauge,
    /// Packs that were there when needed.
    pub(crate) hits: Counter,
    /// Packs that were fetched from the storage.
    pub(crate) fetched: Counter,
    /// Bytes that were fetched from the storage.
    pub(crate) fetched_bytes: Counter,
    /// Repositories that had to go for others.
    pub(crate) evicted: Counter,
    /// Files whose bytes were not those that their name says.
    pub(crate) corrupt: Counter,
}

/// A part of the frontend, and how a request of it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    area: &'static str,
    status: u16,
}

/// A part of the frontend.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AreaLabel {
    area: &'static str,
}

/// Why a connection was cut.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ReasonLabel {
    pub(crate) reason: &'static str,
}

/// A git service and its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ServiceLabels {
    pub(crate) service: &'static str,
    pub(crate) outcome: &'static str,
}

/// How something ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

impl Metrics {
    /// Makes the metrics and registers them under `devflow_frontend_`.
    pub fn register(registry: &mut Registry) -> Self {
        // From a millisecond to two minutes.
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 18));
        let durations = Family::new_with_constructor(histogram);
        let registry = registry.sub_registry_with_prefix("devflow_frontend");
        let metrics = Self {
            requests: Family::default(),
            durations,
            connections: Gauge::default(),
            cut: Family::default(),
            admission: AdmissionMetrics::default(),
            services: Family::default(),
            maintained: Family::default(),
            failed_sign_ins: Counter::default(),
            cache: CacheMetrics::default(),
            answers: AnswerCounts::default(),
            ssh: frontend_ssh::Metrics::register(registry),
        };
        metrics.register_all(registry);
        metrics
    }

    fn register_all(&self, registry: &mut Registry) {
        registry.register("requests", "Requests answered", self.requests.clone());
        registry.register(
            "request_seconds",
            "Seconds until the head of the answer",
            self.durations.clone(),
        );
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register(
            "connections_cut",
            "Connections cut, by reason",
            self.cut.clone(),
        );
        self.admission.register(registry);
        registry.register_collector(Box::new(AnswerCollector(self.answers.clone())));
        registry.register(
            "git_services",
            "Git services, by outcome",
            self.services.clone(),
        );
        registry.register(
            "maintained",
            "Repositories that were to be maintained, by outcome",
            self.maintained.clone(),
        );
        registry.register(
            "failed_sign_ins",
            "Failed sign-ins",
            self.failed_sign_ins.clone(),
        );
        let cache = &self.cache;
        registry.register(
            "cache_bytes",
            "Bytes in the pack cache",
            cache.bytes.clone(),
        );
        registry.register(
            "cache_repositories",
            "Repositories in the pack cache",
            cache.repositories.clone(),
        );
        registry.register("cache_hits", "Packs that were cached", cache.hits.clone());
        registry.register("cache_fetched", "Packs fetched", cache.fetched.clone());
        registry.register(
            "cache_fetched_bytes",
            "Bytes fetched",
            cache.fetched_bytes.clone(),
        );
        registry.register(
            "cache_evicted",
            "Repositories evicted",
            cache.evicted.clone(),
        );
        registry.register(
            "cache_corrupt",
            "Cached files found corrupt",
            cache.corrupt.clone(),
        );
    }

    /// Counts a request of a part of the frontend.
    pub(crate) fn request(&self, area: &'static str, status: u16, duration: Duration) {
        self.requests
            .get_or_create(&RequestLabels { area, status })
            .inc();
        self.durations
            .get_or_create(&AreaLabel { area })
            .observe(duration.as_secs_f64());
    }

    /// Counts a git service.
    pub(crate) fn service(&self, service: &'static str, outcome: &'static str) {
        self.services
            .get_or_create(&ServiceLabels { service, outcome })
            .inc();
    }

    /// Counts a repository that was to be maintained.
    pub(crate) fn maintained(&self, outcome: &'static str) {
        let label = OutcomeLabel { outcome };
        self.maintained.get_or_create(&label).inc();
    }

    /// Counts a cut connection.
    pub(crate) fn cut(&self, reason: &'static str) {
        self.cut.get_or_create(&ReasonLabel { reason }).inc();
    }
}
