use std::sync::Arc;

use raft::grpc::PeerService;
use rpc::Conversations;
use runtime::{Runtime, TaskHandle};
use storage_node_api::node::Node;
use storage_node_client::bulk::{self, Listener, Metrics};
use storage_node_client::control::{Beside, Incoming, service};
use storage_node_client::identity::{Identity, IdentityError, Protocol};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use super::dial::NodesOnly;
use crate::StorageNode;

/// What answers a node's peers and frontends: control and Raft on one listener,
/// bulk on another, so that a heartbeat never waits behind a chunk.
#[derive(Debug)]
pub struct Service {
    stop: CancellationToken,
    tasks: Vec<TaskHandle>,
}

impl Service {
    pub(super) fn start(
        node: &Arc<StorageNode>,
        identity: &Identity,
        control: TcpListener,
        bulk: Box<dyn Listener>,
        metrics: Metrics,
        runtime: &Runtime,
    ) -> Result<Self, IdentityError> {
        let stop = CancellationToken::new();
        let acceptor = identity.acceptor(Protocol::Control, Arc::clone(&runtime.clock))?;
        let incoming = Incoming::new(control, acceptor, runtime);
        let offered = Arc::clone(node) as Arc<dyn Node>;
        let conversations = Conversations::default();
        let raft = PeerService::new(node.raft(), Arc::new(NodesOnly), conversations.clone());
        let control_calls = service(Arc::clone(&offered), conversations.clone());
        let both = Beside::new(control_calls, raft);
        let stopped = stop.clone();
        let serve_control = async move {
            let stopped = async move {
                stopped.cancelled().await;
                conversations.close();
            };
            let served = Server::builder()
                .serve_with_incoming_shutdown(both, incoming, stopped)
                .await;
            if let Err(error) = served {
                tracing::error!(%error, "control is no longer served");
            }
        };
        let serve_bulk = bulk::serve(
            bulk,
            node.id(),
            offered,
            runtime.clone(),
            metrics,
            stop.clone(),
        );
        let tasks = vec![
            runtime
                .tasks
                .spawn("serve control", Box::pin(serve_control)),
            runtime.tasks.spawn("serve bulk", Box::pin(serve_bulk)),
        ];
        Ok(Self { stop, tasks })
    }

    /// Takes no more requests and waits for those under way.
    pub async fn stop(&self, runtime: &Runtime) {
        self.stop.cancel();
        for task in &self.tasks {
            tokio::select! {
                _ = task.join() => {}
                () = runtime.clock.sleep(LAST_REQUESTS) => task.abort(),
            }
        }
    }
}

/// How long requests under way may take once the node is asked to stop.
const LAST_REQUESTS: std::time::Duration = std::time::Duration::from_secs(5);
