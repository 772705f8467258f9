use std::sync::Arc;

use rpc::Conversations;
use runtime::Runtime;
use storage_node_api::map;
use storage_node_api::node::{Node, NodeError};
use storage_node_api::{ClusterId, NodeId};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use super::RemoteLinks;
use super::fake::{FakeNode, SESSION, answers_alike, chunk, map as fake_map, node, reference};
use crate::bulk::{Metrics, Route, TcpTransport, Transport, serve};
use crate::control::{Incoming, service};
use crate::identity::{Authority, Protocol, Role};
use crate::tier::{InPlace, Links, NoPeers};

struct Cluster {
    authority: Authority,
    runtime: Runtime,
}

impl Cluster {
    fn new() -> Self {
        let runtime = Runtime::real();
        let now = runtime.clock.now();
        let authority = Authority::create(ClusterId([1; 16]), now).unwrap();
        Self { authority, runtime }
    }

    /// Serves a node on both ports.
    async fn serve(&self, id: u64, fake: &Arc<FakeNode>) -> map::Node {
        let now = self.runtime.clock.now();
        let name = id.to_string();
        let identity = self.authority.issue(Role::Node, &name, now).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let control = listener.local_addr().unwrap().to_string();
        let clock = Arc::clone(&self.runtime.clock);
        let acceptor = identity.acceptor(Protocol::Control, clock).unwrap();
        let incoming = Incoming::new(listener, acceptor, &self.runtime);
        let served = Arc::clone(fake) as Arc<dyn Node>;
        let services = service(Arc::clone(&served), Conversations::default());
        tokio::spawn(Server::builder().serve_with_incoming(services, incoming));
        let transport = TcpTransport::new(&identity, self.runtime.clone()).unwrap();
        let listener = transport.listen("127.0.0.1:0").await.unwrap();
        let bulk = listener.address().unwrap();
        tokio::spawn(serve(
            listener,
            NodeId(id),
            served,
            self.runtime.clone(),
            Metrics::default(),
            CancellationToken::new(),
        ));
        node(id, &control, &bulk)
    }

    fn links(&self, seeds: &[String], local: Arc<dyn Links>) -> RemoteLinks {
        let now = self.runtime.clock.now();
        let identity = self.authority.issue(Role::Frontend, "web", now).unwrap();
        let bulk = TcpTransport::new(&identity, self.runtime.clone()).unwrap();
        let runtime = self.runtime.clone();
        let metrics = Metrics::default();
        RemoteLinks::new(
            &identity,
            Route::only(Arc::new(bulk)),
            seeds,
            local,
            runtime,
            metrics,
        )
        .unwrap()
    }
}

#[tokio::test]
async fn a_remote_node_answers_like_the_node_itself() {
    let cluster = Cluster::new();
    let fake = Arc::new(FakeNode::new(NodeId(3)));
    let at = cluster.serve(3, &fake).await;
    let links = cluster.links(std::slice::from_ref(&at.control), Arc::new(NoPeers));
    let remote = links.node(&at);
    answers_alike(&*fake, &*remote).await;
    let one = chunk(1, 70_000);
    let stored = remote.store(&SESSION, vec![one.clone()]).await.unwrap();
    assert_eq!(stored.node, NodeId(3));
    let presence = remote.presence(&SESSION, &[one.id]).await.unwrap();
    assert_eq!(presence.held, [true]);
    let fetched = remote.fetch(SESSION.domain, &[reference(&one)]).await;
    assert_eq!(fetched, Ok(vec![Some(one.bytes)]));
    let seeds = links.seeds();
    assert_eq!(seeds[0].map().await, Ok(fake_map()));
}

#[tokio::test]
async fn a_node_whose_address_another_one_has_does_not_answer() {
    let cluster = Cluster::new();
    let fake = Arc::new(FakeNode::new(NodeId(4)));
    let at = cluster.serve(4, &fake).await;
    let links = cluster.links(&[], Arc::new(NoPeers));
    let lost = links.node(&node(3, &at.control, &at.bulk));
    let unreachable = NodeError::Unreachable { node: NodeId(3) };
    assert_eq!(lost.status().await, Err(unreachable));
    assert_eq!(links.node(&at).status().await.unwrap().id, NodeId(4));
}

#[tokio::test]
async fn nodes_are_kept_until_they_move() {
    let cluster = Cluster::new();
    let links = cluster.links(&[], Arc::new(NoPeers));
    let at = node(3, "127.0.0.1:1", "127.0.0.1:1");
    let first = links.node(&at);
    assert!(Arc::ptr_eq(&first, &links.node(&at)));
    let moved = node(3, "127.0.0.1:2", "127.0.0.1:1");
    assert!(!Arc::ptr_eq(&first, &links.node(&moved)));
    let unreachable = NodeError::Unreachable { node: NodeId(3) };
    assert_eq!(first.map().await, Err(unreachable.clone()));
    let asked = first.presence(&SESSION, &[]).await;
    assert_eq!(asked, Err(unreachable.clone()));
    let nonsense = links.node(&node(3, "no address", ""));
    assert_eq!(nonsense.map().await, Err(unreachable));
}

#[tokio::test]
async fn a_local_node_is_asked_in_place() {
    let cluster = Cluster::new();
    let fake = Arc::new(FakeNode::new(NodeId(3)));
    let local = InPlace::new(NodeId(3), Arc::clone(&fake) as Arc<dyn Node>);
    let links = cluster.links(&[], Arc::new(local));
    assert!(links.is_local(NodeId(3)) && !links.is_local(NodeId(4)));
    let here = links.node(&node(3, "127.0.0.1:1", "127.0.0.1:1"));
    assert_eq!(here.map().await, Ok(fake_map()));
    assert_eq!(links.seeds().len(), 1);
}
