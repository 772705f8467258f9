use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rpc::Conversations;
use runtime::Runtime;
use storage_node_api::node::{Node, NodeError, NodeFailure};
use storage_node_api::order::{ProposeError, Query, ReadError};
use storage_node_api::{ClusterId, GroupId, NodeId, ReadPoint};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;
use tonic::transport::Server;

use super::{Beside, Caller, Incoming, channel, service};
use crate::identity::{Authority, Identity, Protocol, Role};
use crate::remote::RemoteNode;
use crate::remote::fake::{FakeNode, map, request};

const NODE: NodeId = NodeId(3);

/// A service that nobody calls.
#[derive(Clone)]
struct Other;

impl NamedService for Other {
    const NAME: &'static str = "other";
}

impl Service<http::Request<Body>> for Other {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        panic!("nobody calls it")
    }
}

struct Cluster {
    authority: Authority,
    runtime: Runtime,
}

impl Cluster {
    fn new(id: u8) -> Self {
        let runtime = Runtime::real();
        let authority = Authority::create(ClusterId([id; 16]), runtime.clock.now()).unwrap();
        Self { authority, runtime }
    }

    fn issue(&self, role: Role) -> Identity {
        let now = self.runtime.clock.now();
        self.authority.issue(role, "one", now).unwrap()
    }

    /// Serves a node; returns where.
    async fn serve(&self, node: Arc<dyn Node>) -> (String, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let clock = Arc::clone(&self.runtime.clock);
        let acceptor = self
            .issue(Role::Node)
            .acceptor(Protocol::Control, clock)
            .unwrap();
        let incoming = Incoming::new(listener, acceptor, &self.runtime);
        let services = Beside::new(Other, service(node, Conversations::default()));
        let serving = tokio::spawn(async move {
            let serving = Server::builder().serve_with_incoming(services, incoming);
            serving.await.unwrap();
        });
        (address, serving)
    }

    fn dial(&self, address: &str) -> RemoteNode {
        let clock = Arc::clone(&self.runtime.clock);
        let connector = self
            .issue(Role::Frontend)
            .connector(Protocol::Control, clock)
            .unwrap();
        let channel = channel(connector, address, &self.runtime).unwrap();
        let caller = Caller::new(NODE, channel, self.runtime.clone());
        RemoteNode::new(NODE, Some(caller), None)
    }
}

#[tokio::test]
async fn every_call_reaches_the_node_and_its_outcome_returns() {
    let cluster = Cluster::new(1);
    let fake = Arc::new(FakeNode::new(NODE));
    let (address, _serving) = cluster.serve(Arc::clone(&fake) as Arc<dyn Node>).await;
    let remote = cluster.dial(&address);
    crate::remote::fake::answers_alike(&*fake, &remote).await;
    assert_eq!(remote.map().await.unwrap(), map());
}

#[tokio::test]
async fn failures_keep_their_kind() {
    let cluster = Cluster::new(1);
    let leader = Some(NodeId(9));
    let group = GroupId(16);
    let fake = Arc::new(FakeNode::new(NODE));
    let (address, _serving) = cluster.serve(Arc::clone(&fake) as Arc<dyn Node>).await;
    let remote = cluster.dial(&address);
    for failure in [
        NodeFailure::NotLeader { leader },
        NodeFailure::Node(NodeError::Full { node: NODE }),
        NodeFailure::Failed(ProposeError::Overloaded { group }),
    ] {
        fake.fail_proposals(failure.clone());
        let proposed = remote.propose(group, request()).await;
        assert_eq!(proposed, Err(failure));
    }
    let read = remote.read(GroupId(99), ReadPoint::Stale, Query::Map).await;
    let group = GroupId(99);
    let unavailable = ReadError::Unavailable { group };
    assert_eq!(read, Err(NodeFailure::Failed(unavailable)));
}

#[tokio::test]
async fn no_connection_is_told_from_no_answer() {
    let cluster = Cluster::new(1);
    let unreachable = Err(NodeError::Unreachable { node: NODE });
    // Nobody listens.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let remote = cluster.dial(&address);
    assert_eq!(remote.map().await, unreachable);
    // Another cluster listens.
    let fake = Arc::new(FakeNode::new(NODE));
    let other = Cluster::new(2);
    let (foreign, _serving) = other.serve(Arc::clone(&fake) as Arc<dyn Node>).await;
    assert_eq!(cluster.dial(&foreign).map().await, unreachable);
    assert_eq!(fake.calls(), 0);
}

#[test]
fn a_connection_lost_while_the_node_works_is_silence() {
    let client = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let server = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let fake = Arc::new(FakeNode::new(NODE));
    let cluster = Cluster::new(1);
    let node = Arc::clone(&fake) as Arc<dyn Node>;
    let (address, _) = server.block_on(async { cluster.serve(node).await });
    client.block_on(async {
        let remote = cluster.dial(&address);
        assert_eq!(remote.map().await, Ok(map()));
        fake.hang(true);
        let kill = async {
            while fake.calls() < 2 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            server.shutdown_background();
        };
        let (lost, ()) = tokio::join!(remote.map(), kill);
        assert_eq!(lost, Err(NodeError::Silent { node: NODE }));
        let again = remote.map().await;
        assert_eq!(again, Err(NodeError::Unreachable { node: NODE }));
    });
}

#[tokio::test]
async fn a_node_without_tls_is_not_served() {
    let fake = Arc::new(FakeNode::new(NODE));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let served = service(Arc::clone(&fake) as Arc<dyn Node>, Conversations::default());
    tokio::spawn(Server::builder().serve_with_incoming(served, incoming));
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    let caller = Caller::new(NODE, endpoint.connect_lazy(), Runtime::real());
    let remote = RemoteNode::new(NODE, Some(caller), None);
    assert_eq!(remote.map().await, Err(NodeError::Malformed { node: NODE }));
    assert_eq!(fake.calls(), 0);
}

#[test]
fn addresses_are_a_host_and_a_port() {
    let cluster = Cluster::new(1);
    let clock = Arc::clone(&cluster.runtime.clock);
    let connector = cluster
        .issue(Role::Node)
        .connector(Protocol::Control, clock)
        .unwrap();
    for bad in ["", "host", ":1", "host:", "host:x", "host:70000", "a b:1"] {
        let made = channel(connector.clone(), bad, &cluster.runtime);
        assert!(made.is_err(), "{bad}");
    }
}
