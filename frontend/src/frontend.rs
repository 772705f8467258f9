use std::future::Future;
use std::sync::Arc;

use axum::Router;
use domain::Forge;
use prometheus_client::registry::Registry;
use runtime::Runtime;
use storage_node_api::Storage;
use tokio::net::TcpListener;

use crate::admission::{Admission, Limits};
use crate::auth::Throttle;
use crate::config::CheckedConfig;
use crate::failing::chain;
use crate::limits::CHORES_EVERY;
use crate::metrics::Metrics;
use crate::repository::{CacheError, KnownNames, PackCache};
use crate::site::Site;
use crate::{api, git, health, pages, server};

/// A frontend. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Frontend {
    site: Arc<Site>,
}

impl Frontend {
    /// A frontend over that storage, whose schema must be up to date
    /// ([`Forge::migrate`]). `metrics` were registered in `registry`, which
    /// `/metrics` shows whole. Opens the cache directory.
    pub fn new(
        config: CheckedConfig,
        storage: Arc<dyn Storage>,
        runtime: Runtime,
        metrics: Metrics,
        registry: Arc<Registry>,
    ) -> Result<Self, CacheError> {
        let settings = &config.config;
        let cache = PackCache::open(
            &settings.cache_directory,
            settings.cache_bytes,
            Arc::clone(&storage),
            runtime.clone(),
            &metrics,
        )?;
        let forge = Forge::new(
            Arc::clone(&storage),
            runtime.clone(),
            settings.password_cost,
        );
        let admission = |kind, working| {
            let limits = Limits::of(working, settings.tenant_share_percent);
            Admission::new(
                limits,
                metrics.admission.of(kind),
                Arc::clone(&runtime.clock),
            )
        };
        let fetches = admission("fetch", settings.concurrent_fetches);
        let pushes = admission("push", settings.concurrent_pushes);
        let requests = admission("request", settings.concurrent_requests);
        let site = Site {
            config,
            forge,
            storage,
            runtime,
            metrics,
            registry,
            cache: Arc::new(cache),
            names: KnownNames::default(),
            throttle: Throttle::default(),
            fetches,
            pushes,
            requests,
        };
        Ok(Self {
            site: Arc::new(site),
        })
    }

    /// The use cases that this frontend serves.
    pub fn forge(&self) -> &Forge {
        &self.site.forge
    }

    /// All routes.
    pub fn router(&self) -> Router {
        let site = &self.site;
        Router::new()
            .merge(pages::routes(site))
            .merge(git::routes(site))
            .nest("/api/v1", api::routes(site))
            .merge(health::routes())
            .fallback(pages::error_page)
            .with_state(Arc::clone(site))
    }

    /// Serves until `shutdown` completes, then lets requests end for a while.
    /// Also does the chores that some frontend has to do.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) {
        let chores = {
            let site = Arc::clone(&self.site);
            self.site
                .runtime
                .tasks
                .spawn("chores", Box::pin(async move { chores(&site).await }))
        };
        server::serve(&self.site, self.router(), listener, shutdown).await;
        chores.abort();
        // It was aborted, or panicked, which the panic hook has told of.
        let _ended = chores.join().await;
        if let Err(error) = self.site.forge.tokens.flush_last_used().await {
            tracing::warn!(error = %chain(&error), "last-used times of tokens are lost");
        }
    }
}

/// Writes down what was gathered and finishes what was left half done, now and
/// then. Every frontend may: each step can be repeated.
async fn chores(site: &Site) {
    loop {
        if let Err(error) = site.forge.repositories.reconcile().await {
            tracing::warn!(error = %chain(&error), "unfinished repositories have to wait");
        }
        if let Err(error) = site.forge.tokens.sweep_sessions().await {
            tracing::warn!(error = %chain(&error), "expired sessions have to wait");
        }
        if let Err(error) = site.forge.tokens.flush_last_used().await {
            tracing::warn!(error = %chain(&error), "last-used times of tokens are lost");
        }
        site.runtime.clock.sleep(CHORES_EVERY).await;
    }
}
