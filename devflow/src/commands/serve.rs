//! `devflow serve`: everything in one process.

use std::sync::Arc;

use anyhow::{Context, ensure};
use prometheus_client::registry::Registry;
use runtime::Runtime;
use storage_node_client::tier::{Client, InPlace, NoPeers};
use storage_node_server::directory::DataDirectory;
use storage_node_server::start::{Addresses, Alone, Membership, Network, Stores, start};
use tokio::net::TcpListener;

use super::{block_on, frontend};
use crate::cli::ServeArguments;
use crate::config::Config;
use crate::telemetry;

/// Serves until asked to stop.
pub(crate) fn run(arguments: &ServeArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.common, arguments.http)?;
    telemetry::start(&config.log)?;
    block_on(serve(config))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let node_config = config.node.clone().validate()?;
    let client_config = config.storage.clone().validate()?;
    let directory = DataDirectory::open(&config.data)?;
    ensure!(
        !directory.path().join("identity").exists(),
        "{} belongs to a cluster: use `devflow storage-node` or `devflow frontend`",
        directory.path().display()
    );
    let listener = TcpListener::bind(config.http.address)
        .await
        .with_context(|| format!("listen on {}", config.http.address))?;
    let runtime = Runtime::real();
    let mut registry = Registry::default();
    let node = start(
        Stores::on_disk(&directory)?,
        Membership::Founder { cluster: None },
        Network {
            peers: Arc::new(Alone),
            links: Arc::new(NoPeers),
        },
        Addresses::default(),
        &node_config,
        runtime.clone(),
        &mut registry,
    )
    .await?;
    let links = Arc::new(InPlace::new(node.id(), node.clone()));
    let storage = Arc::new(Client::new(links, runtime.clone(), client_config));
    let cache = directory.below("cache")?;
    frontend::serve(config, cache, storage, runtime, registry, listener).await?;
    node.shutdown().await;
    Ok(())
}
