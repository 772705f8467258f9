use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What the server counts. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Open connections.
    pub(crate) connections: Gauge,
    /// Sessions under way.
    pub(crate) sessions: Gauge,
    /// Connections that were let in, by what proved who they are.
    pub(crate) authenticated: Family<MeansLabel, Counter>,
    /// Connections turned away or cut, by reason.
    refused: Family<ReasonLabel, Counter>,
    /// Commands, by what became of them.
    pub(crate) commands: Family<CommandLabels, Counter>,
}

/// What proved who a client is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct MeansLabel {
    pub(crate) means: &'static str,
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// A command and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct CommandLabels {
    pub(crate) command: &'static str,
    pub(crate) outcome: &'static str,
}

impl Metrics {
    /// Makes the metrics and registers them under `ssh_` in this registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("ssh");
        registry.register(
            "connections",
            "Open connections",
            metrics.connections.clone(),
        );
        registry.register("sessions", "Sessions under way", metrics.sessions.clone());
        registry.register(
            "authenticated",
            "Connections let in, by what proved who they are",
            metrics.authenticated.clone(),
        );
        registry.register(
            "refused",
            "Connections turned away or cut, by reason",
            metrics.refused.clone(),
        );
        registry.register(
            "commands",
            "Commands, by what became of them",
            metrics.commands.clone(),
        );
        metrics
    }

    /// Counts a connection that was turned away or cut.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// How many were, for that reason.
    pub fn refused_for(&self, reason: &'static str) -> u64 {
        self.refused.get_or_create(&ReasonLabel { reason }).get()
    }
}
