use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kv::Memory;
use rpc::Conversations;
use runtime::Runtime;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::Extensions;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::{Authorise, GrpcPeers, PeerService, PlainDial};
use crate::tests::machine::Journal;
use crate::{Config, Group, GroupId, Metrics, NodeId, Peer, PeerError, PeerRequest, Peers, Raft};

const GROUP: GroupId = GroupId(3);

/// Without TLS there is nothing to judge by; the one stranger is known by its number.
#[derive(Debug)]
struct AllButStrangers;

const STRANGER: NodeId = NodeId(66);

impl Authorise for AllButStrangers {
    fn may_speak_for(&self, _connection: &Extensions, node: NodeId) -> bool {
        node != STRANGER
    }
}

struct Node {
    raft: Arc<Raft>,
    group: Group,
    journal: Journal,
    server: JoinHandle<()>,
    address: SocketAddr,
    log: Memory,
}

fn serve(listener: TcpListener, raft: &Arc<Raft>) -> JoinHandle<()> {
    let service = PeerService::new(raft, Arc::new(AllButStrangers), Conversations::default());
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tokio::spawn(async move {
        let serving = Server::builder().serve_with_incoming(service, incoming);
        serving.await.unwrap();
    })
}

async fn start(node: u64, log: Memory, journal: Journal, listener: TcpListener) -> Node {
    let address = listener.local_addr().unwrap();
    let runtime = Runtime::real();
    let peers = GrpcPeers::new(Arc::new(PlainDial), runtime.clone());
    let raft = Raft::start(
        Config::for_testing().validate().unwrap(),
        NodeId(node),
        Arc::new(log.clone()),
        Arc::new(peers),
        runtime,
        Metrics::default(),
    )
    .await
    .unwrap();
    let group = raft.open(GROUP, Box::new(journal.clone())).await.unwrap();
    Node {
        server: serve(listener, &raft),
        raft,
        group,
        journal,
        address,
        log,
    }
}

async fn propose(nodes: &BTreeMap<u64, Node>, command: &str) -> u64 {
    for _ in 0..1000 {
        for (id, node) in nodes {
            if node
                .group
                .propose(Bytes::from(command.to_owned()))
                .await
                .is_ok()
            {
                return *id;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nobody took {command}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_on_loopback_commit_fail_over_and_reconnect() {
    let mut nodes = BTreeMap::new();
    for id in 1..=3 {
        let log = Memory::new(&crate::FAMILIES);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        nodes.insert(id, start(id, log, Journal::in_memory(), listener).await);
    }
    let address = |node: &Node| Peer {
        address: node.address.to_string(),
    };
    let voters = nodes.iter().map(|(id, node)| (NodeId(*id), address(node)));
    let voters: BTreeMap<_, _> = voters.collect();
    nodes[&1].group.initialize(voters).await.unwrap();
    for i in 0..50 {
        propose(&nodes, &format!("{i}")).await;
    }
    for node in nodes.values() {
        node.group.read_index().await.unwrap();
        assert_eq!(node.journal.commands().len(), 50);
    }

    let leader = propose(&nodes, "before the end").await;
    let dead = nodes.remove(&leader).unwrap();
    dead.server.abort();
    dead.raft.shutdown().await;
    let next = propose(&nodes, "without the first leader").await;
    assert_ne!(next, leader);

    let listener = loop {
        match TcpListener::bind(dead.address).await {
            Ok(listener) => break listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let back = start(leader, dead.log, dead.journal, listener).await;
    back.group.read_index().await.unwrap();
    assert!(back.journal.has("without the first leader"));
    assert_eq!(back.journal.commands().len(), 52);
}

#[tokio::test]
async fn strangers_and_the_dead_are_unreachable() {
    let log = Memory::new(&crate::FAMILIES);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = start(1, log, Journal::in_memory(), listener).await;
    let address = node.address.to_string();
    let ask = async |from: NodeId, address: &str| {
        let peers = GrpcPeers::new(Arc::new(PlainDial), Runtime::real());
        let request = PeerRequest {
            from,
            to: NodeId(1),
            messages: Vec::new(),
        };
        peers.send(NodeId(1), address, request).await
    };
    assert!(ask(NodeId(2), &address).await.is_ok());
    for (from, address, word) in [
        (STRANGER, address.as_str(), "may not speak"),
        (NodeId(2), "127.0.0.1:1", "Unavailable"),
        (NodeId(2), "no address", "connect"),
    ] {
        match ask(from, address).await {
            Err(PeerError::Unreachable { reason, .. }) => {
                assert!(reason.contains(word), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_peer_that_was_unreachable_is_left_alone_for_a_while() {
    let (runtime, clock) = Runtime::simulated(1);
    let peers = GrpcPeers::new(Arc::new(PlainDial), runtime);
    let ask = async || {
        let request = PeerRequest {
            from: NodeId(1),
            to: NodeId(2),
            messages: Vec::new(),
        };
        match peers.send(NodeId(2), "127.0.0.1:1", request).await {
            Err(PeerError::Unreachable { reason, .. }) => reason.contains("a moment ago"),
            other => panic!("{other:?}"),
        }
    };
    assert!(!ask().await);
    assert!(ask().await);
    clock.advance(Duration::from_millis(60));
    assert!(!ask().await);
    clock.advance(Duration::from_millis(60));
    assert!(ask().await, "the wait has doubled");
}
