use std::future::Future;
use std::sync::Arc;

use axum::Router;
use domain::Forge;
use prometheus_client::registry::Registry;
use runtime::Runtime;
use storage_node_api::Storage;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::admission::{Admission, Limits};
use crate::auth::Throttle;
use crate::config::CheckedConfig;
use crate::failing::chain;
use crate::lfs::LfsSecret;
use crate::limits::CHORES_EVERY;
use crate::metrics::Metrics;
use crate::repository::{CacheError, KnownNames, PackCache, maintain};
use crate::site::Site;
use crate::ssh::{OpenSshError, SshDoor};
use crate::{api, git, health, lfs, pages, server};

/// A frontend. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Frontend {
    site: Arc<Site>,
}

/// Where a frontend is spoken to.
#[derive(Debug)]
pub struct Listeners {
    /// Git, REST and pages over HTTP.
    pub http: TcpListener,
    /// Git over SSH, if it is offered.
    pub ssh: Option<SshDoor>,
}

impl From<TcpListener> for Listeners {
    fn from(http: TcpListener) -> Self {
        Self { http, ssh: None }
    }
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
        let cache = PackCache::open(settings, Arc::clone(&storage), runtime.clone(), &metrics)?;
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
            lfs: LfsSecret::default(),
            results: git_services::Cache::default(),
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
            .merge(lfs::routes(site))
            .nest("/api/v1", api::routes(site))
            .merge(health::routes())
            .fallback(pages::error_page)
            .with_state(Arc::clone(site))
    }

    /// Makes ready to serve SSH there: reads the host keys, which the first
    /// frontend of all makes. The schema must be up to date.
    pub async fn open_ssh(&self, listener: TcpListener) -> Result<SshDoor, OpenSshError> {
        SshDoor::open(&self.site, listener).await
    }

    /// Serves until `shutdown` completes, then lets requests end for a while.
    /// Also does the chores that some frontend has to do.
    pub async fn serve(
        &self,
        listeners: impl Into<Listeners>,
        shutdown: impl Future<Output = ()> + Send,
    ) {
        let Listeners { http, ssh } = listeners.into();
        let chores = {
            let site = Arc::clone(&self.site);
            self.site
                .runtime
                .tasks
                .spawn("chores", Box::pin(async move { chores(&site).await }))
        };
        let maintenance = {
            let site = Arc::clone(&self.site);
            let maintenance = Box::pin(async move { maintain(&site).await });
            self.site.runtime.tasks.spawn("maintenance", maintenance)
        };
        let closing = CancellationToken::new();
        let over_ssh = async {
            if let Some(door) = ssh {
                door.serve(&self.site, &closing).await;
            }
        };
        let shutdown = async {
            shutdown.await;
            closing.cancel();
        };
        tokio::join!(
            server::serve(&self.site, self.router(), http, shutdown),
            over_ssh,
        );
        chores.abort();
        maintenance.abort();
        // It was aborted, or panicked, which the panic hook has told of.
        let _ended = chores.join().await;
        let _ended = maintenance.join().await;
        if let Err(error) = self.site.forge.tokens.flush_last_used().await {
            tracing::warn!(error = %chain(&error), "last-used times of tokens are lost");
        }
        if let Err(error) = self.site.forge.keys.flush_last_used().await {
            tracing::warn!(error = %chain(&error), "last-used times of keys are lost");
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
        if let Err(error) = site.forge.lfs.reconcile().await {
            tracing::warn!(error = %chain(&error), "owners of large files have to wait");
        }
        if let Err(error) = site.forge.tokens.sweep_sessions().await {
            tracing::warn!(error = %chain(&error), "expired sessions have to wait");
        }
        if let Err(error) = site.forge.tokens.flush_last_used().await {
            tracing::warn!(error = %chain(&error), "last-used times of tokens are lost");
        }
        if let Err(error) = site.forge.keys.flush_last_used().await {
            tracing::warn!(error = %chain(&error), "last-used times of keys are lost");
        }
        site.runtime.clock.sleep(CHORES_EVERY).await;
    }
}
