//! `devflow serve`: everything in one process.

use prometheus_client::registry::Registry;
use runtime::Runtime;
use storage_node_server::directory::DataDirectory;

use super::admin::socket;
use super::alone::Alone;
use super::sockets::Sockets;
use super::{block_on, frontend};
use crate::cli::ServeArguments;
use crate::config::Config;
use crate::telemetry;

/// Serves until asked to stop.
pub(crate) fn run(arguments: &ServeArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.common, Some(&arguments.listen))?;
    telemetry::start(&config.log)?;
    block_on(serve(config))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let directory = DataDirectory::open(&config.data)?;
    let sockets = Sockets::bind(&config).await?;
    let runtime = Runtime::real();
    let mut registry = Registry::default();
    let alone = Alone::start(&config, &directory, runtime.clone(), &mut registry).await?;
    let orders = socket::listen(directory.path())?;
    let answering = socket::answer(orders, alone.storage.clone(), runtime.clone());
    let cache = directory.below("cache")?;
    let served = tokio::select! {
        served = frontend::serve(
            config,
            cache,
            alone.storage.clone(),
            runtime,
            registry,
            sockets,
        ) => served,
        never = answering => match never {},
    };
    served?;
    alone.node.shutdown().await;
    Ok(())
}
