use std::sync::Arc;

use domain::Forge;
use prometheus_client::registry::Registry;
use runtime::Runtime;
use storage_node_api::Storage;

use crate::admission::Admission;
use crate::auth::Throttle;
use crate::config::CheckedConfig;
use crate::lfs::LfsSecret;
use crate::metrics::Metrics;
use crate::repository::{KnownNames, PackCache};

/// What every request works with.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) config: CheckedConfig,
    pub(crate) forge: Forge,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) runtime: Runtime,
    pub(crate) metrics: Metrics,
    /// All metrics of the process, for `/metrics`.
    pub(crate) registry: Arc<Registry>,
    pub(crate) cache: Arc<PackCache>,
    pub(crate) names: KnownNames,
    pub(crate) lfs: LfsSecret,
    /// What was computed from objects.
    pub(crate) results: git_services::Cache,
    pub(crate) throttle: Throttle,
    pub(crate) fetches: Admission,
    pub(crate) pushes: Admission,
    /// All other requests: REST and pages.
    pub(crate) requests: Admission,
}
