//! A node as a member of a cluster: it joins once, and serves its peers and the
//! frontends under mutual TLS.

mod dial;
mod join;
mod serve;

use std::sync::Arc;

use prometheus_client::registry::Registry;
use raft::grpc::GrpcPeers;
use runtime::Runtime;
use storage_node_client::bulk::{
    self, Choice, Falling, QuicTransport, Route, TcpTransport, Transport,
};
use storage_node_client::identity::{Identity, IdentityError};
use storage_node_client::remote::RemoteLinks;
use storage_node_client::tier::{Links, NoPeers};
use tokio::net::TcpListener;

pub use join::JoinError;
pub use serve::Service;

use crate::StorageNode;
use crate::directory::NodeRecord;
use crate::start::{Addresses, Checked, Membership, Network, StartError, Stores, start};

/// How a node takes part in its cluster.
#[derive(Clone, Debug)]
pub struct Part {
    /// Who it is.
    pub identity: Identity,
    /// Whether it makes the cluster, rather than joining it.
    pub founder: bool,
    /// Control addresses of nodes that were there before it.
    pub seeds: Vec<String>,
    /// Where it listens for control and Raft.
    pub listen: String,
    /// Where it listens for bulk.
    pub bulk: String,
    /// How chunks travel to other nodes.
    pub choice: Choice,
}

/// A running member.
#[derive(Debug)]
pub struct Member {
    /// The node.
    pub node: Arc<StorageNode>,
    /// What serves it.
    pub service: Service,
    /// Where it is reached.
    pub addresses: Addresses,
}

/// Why a member did not start.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// Its certificate or key is of no use.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// An address could not be listened on.
    #[error("listen on {address}")]
    Listen {
        /// Which.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The cluster did not take it.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The node itself did not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Listens, joins if it has not yet, starts the node, and serves it.
pub async fn run(
    part: &Part,
    stores: Stores,
    config: &Checked,
    runtime: Runtime,
    registry: &mut Registry,
) -> Result<Member, MemberError> {
    let listen = |address: &str| {
        let address = address.to_owned();
        move |source| MemberError::Listen { address, source }
    };
    let control = TcpListener::bind(&part.listen)
        .await
        .map_err(listen(&part.listen))?;
    let tcp = Arc::new(TcpTransport::new(&part.identity, runtime.clone())?);
    let quic = Arc::new(QuicTransport::new(&part.identity, runtime.clone())?);
    let falling = Arc::new(Falling::new(quic, tcp.clone(), runtime.clone()));
    let bulk = falling
        .listen(&part.bulk)
        .await
        .map_err(listen(&part.bulk))?;
    let addresses = Addresses {
        control: control
            .local_addr()
            .map_err(listen(&part.listen))?
            .to_string(),
        bulk: bulk.address().map_err(listen(&part.bulk))?,
    };

    let metrics = bulk::Metrics::default();
    metrics.register(registry.sub_registry_with_prefix("devflow_bulk"));
    falling.register(registry.sub_registry_with_prefix("devflow_bulk"));
    let region = Some(config.region().to_owned());
    let route = Route::new(tcp, falling, part.choice, region);
    let links: Arc<dyn Links> = Arc::new(RemoteLinks::new(
        &part.identity,
        route,
        &part.seeds,
        Arc::new(NoPeers),
        runtime.clone(),
        metrics.clone(),
    )?);
    let cluster = part.identity.cluster();
    // A founder that has lost its state is a node like any other: it must not found again.
    let is_known = NodeRecord::load(&*stores.files)
        .map_err(StartError::from)?
        .is_some_and(|record| record.node.is_some());
    let asks = is_known && !part.seeds.is_empty();
    let membership = if part.founder && !asks {
        Membership::Founder {
            cluster: Some(cluster),
        }
    } else {
        let map = join::join(&stores, cluster, &links, &addresses, config, &runtime).await?;
        Membership::Joined { map: Box::new(map) }
    };
    let dial = dial::TlsDial::new(&part.identity, runtime.clone())?;
    let peers = Arc::new(GrpcPeers::new(Arc::new(dial), runtime.clone()));
    let network = Network { peers, links };
    let node = start(
        stores,
        membership,
        network,
        addresses.clone(),
        config,
        runtime.clone(),
        registry,
    )
    .await?;
    let service = Service::start(&node, &part.identity, control, bulk, metrics, &runtime)?;
    Ok(Member {
        node,
        service,
        addresses,
    })
}
