//! `devflow storage-node`: one node of a cluster.

use prometheus_client::registry::Registry;
use runtime::Runtime;
use storage_node_server::directory::DataDirectory;
use storage_node_server::member::{self, Member};
use tokio::net::TcpListener;

use super::alone::stores;
use super::{asked_to_stop, block_on, identity, probes, rebuild};
use crate::cli::NodeArguments;
use crate::config::Config;
use crate::telemetry;

/// Runs the node until asked to stop.
pub(crate) fn run(arguments: &NodeArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.common, None)?;
    telemetry::start(&config.log)?;
    block_on(serve(config, arguments))
}

async fn serve(config: Config, arguments: &NodeArguments) -> anyhow::Result<()> {
    let node_config = config.node.clone().validate()?;
    let mut part = identity::node_part(&config.data)?;
    part.choice = config.storage.bulk;
    part.seeds
        .extend(arguments.seed.iter().map(ToString::to_string));
    let directory = DataDirectory::open(&config.data)?;
    if arguments.rebuild {
        rebuild::set_aside(&directory)?;
    }
    let probes = match arguments.http {
        Some(address) => Some(TcpListener::bind(address).await?),
        None => None,
    };
    let runtime = Runtime::real();
    let mut registry = Registry::default();
    let stores = stores(&config, &directory)?;
    let member = member::run(&part, stores, &node_config, runtime.clone(), &mut registry).await?;
    let Member {
        node,
        service,
        addresses,
    } = member;
    announce!(
        "listening on https://{} for control and raft",
        addresses.control
    );
    announce!("listening on tls://{} for bulk", addresses.bulk);
    if let Some(listener) = probes {
        announce!("listening on http://{}", listener.local_addr()?);
        let ready = node.clone();
        let probes = probes::serve(listener, registry, move || ready.is_ready());
        runtime.tasks.spawn("probes", Box::pin(probes));
    }
    let ended = tokio::select! {
        stopped = asked_to_stop() => stopped.map(|()| None)?,
        reason = node.ended() => Some(reason),
    };
    service.stop(&runtime).await;
    node.shutdown().await;
    match ended {
        Some(reason) => Err(anyhow::Error::msg(reason)),
        None => Ok(()),
    }
}
