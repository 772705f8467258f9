//! `devflow frontend`: stateless, in front of a cluster's storage nodes.

use std::path::PathBuf;
use std::sync::Arc;

use frontend::{Frontend, Metrics};
use prometheus_client::registry::Registry;
use runtime::Runtime;
use storage_node_api::Storage;
use storage_node_client::tier::Client;
use storage_node_server::directory::DataDirectory;

use super::cluster::routed;
use super::sockets::Sockets;
use super::{asked_to_stop, block_on};
use crate::cli::FrontendArguments;
use crate::config::{AdminConfig, Config};
use crate::telemetry;

/// Serves until asked to stop.
pub(crate) fn run(arguments: &FrontendArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.common, Some(&arguments.listen))?;
    telemetry::start(&config.log)?;
    block_on(connect(config))
}

async fn connect(config: Config) -> anyhow::Result<()> {
    let client_config = config.storage.clone().validate()?;
    let runtime = Runtime::real();
    let mut registry = Registry::default();
    let (choice, region) = (config.storage.bulk, config.storage.region.clone());
    let links = routed(&config.data, &runtime, choice, region, &mut registry)?;
    let directory = DataDirectory::open(&config.data)?;
    let sockets = Sockets::bind(&config).await?;
    let storage = Arc::new(Client::new(links, runtime.clone(), client_config));
    let cache = directory.below("cache")?;
    serve(config, cache, storage, runtime, registry, sockets).await
}

/// Brings the schema up to date, makes the first administrator, and serves
/// until asked to stop.
pub(super) async fn serve(
    mut config: Config,
    cache: PathBuf,
    storage: Arc<dyn Storage>,
    runtime: Runtime,
    mut registry: Registry,
    sockets: Sockets,
) -> anyhow::Result<()> {
    config.frontend.cache_directory = cache;
    let metrics = Metrics::register(&mut registry);
    let checked = config.frontend.validate()?;
    let frontend = Frontend::new(checked, storage, runtime, metrics, Arc::new(registry))?;
    frontend.forge().migrate().await?;
    make_administrator(&frontend, &config.admin).await?;
    let listeners = sockets.open(&frontend).await?;
    let stop = async {
        if let Err(error) = asked_to_stop().await {
            tracing::error!(%error, "signals cannot be awaited");
        }
    };
    frontend.serve(listeners, stop).await;
    Ok(())
}

async fn make_administrator(frontend: &Frontend, admin: &AdminConfig) -> anyhow::Result<()> {
    let accounts = &frontend.forge().accounts;
    let made = accounts
        .ensure_administrator(&admin.name, admin.password.as_deref())
        .await?;
    if let Some(password) = made {
        announce!(
            "the administrator is {:?} with the password {password}",
            admin.name
        );
        announce!("it is not shown again: keep it, or change it after signing in");
    }
    Ok(())
}
