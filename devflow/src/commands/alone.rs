//! The storage of a process that is a cluster of its own.

use std::sync::Arc;

use anyhow::ensure;
use objects::Objects;
use prometheus_client::registry::Registry;
use runtime::Runtime;
use storage_node_client::tier::{Client, InPlace, Links, NoPeers};
use storage_node_server::directory::DataDirectory;
use storage_node_server::node::StorageNode;
use storage_node_server::start::{
    Addresses, Alone as NoRaftPeers, Membership, Network, Stores, start,
};

use super::admin::store::environment;
use crate::config::Config;

/// The stores of a data directory, and the cold one if there is to be one.
pub(super) fn stores(config: &Config, directory: &DataDirectory) -> anyhow::Result<Stores> {
    let cold = config.node.cold.client(environment())?;
    Ok(Stores {
        cold: cold.map(|cold| Arc::new(cold) as Arc<dyn Objects>),
        ..Stores::on_disk(directory)?
    })
}

/// A node without peers, and a client of it.
pub(super) struct Alone {
    pub(super) node: Arc<StorageNode>,
    pub(super) links: Arc<dyn Links>,
    pub(super) storage: Arc<Client>,
}

impl Alone {
    /// Starts the node of a data directory that belongs to no other cluster.
    pub(super) async fn start(
        config: &Config,
        directory: &DataDirectory,
        runtime: Runtime,
        registry: &mut Registry,
    ) -> anyhow::Result<Self> {
        let node_config = config.node.clone().validate()?;
        let client_config = config.storage.clone().validate()?;
        ensure!(
            !directory.path().join("identity").exists(),
            "{} belongs to a cluster: use `devflow storage-node` or `devflow frontend`",
            directory.path().display()
        );
        let node = start(
            stores(config, directory)?,
            Membership::Founder { cluster: None },
            Network {
                peers: Arc::new(NoRaftPeers),
                links: Arc::new(NoPeers),
            },
            Addresses::default(),
            &node_config,
            runtime.clone(),
            registry,
        )
        .await?;
        let links: Arc<dyn Links> = Arc::new(InPlace::new(node.id(), node.clone()));
        let storage = Arc::new(Client::new(Arc::clone(&links), runtime, client_config));
        Ok(Self {
            node,
            links,
            storage,
        })
    }
}
