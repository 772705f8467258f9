use std::sync::Arc;

use runtime::Runtime;
use storage_node_api::ClusterId;

use super::suite::{
    Ends, a_way_that_loses_packets_brings_everything, peers_are_known, transport, world,
};
use super::{Falling, MemoryNetwork, QuicTransport, TcpTransport, Transport, lossy};
use crate::identity::{Authority, Peer, Role};

fn tcp(runtime: &Runtime) -> Ends {
    let now = runtime.clock.now();
    let authority = Authority::create(ClusterId([1; 16]), now).unwrap();
    let transport = |role, name| {
        let identity = authority.issue(role, name, now).unwrap();
        Arc::new(TcpTransport::new(&identity, runtime.clone()).unwrap()) as Arc<dyn Transport>
    };
    Ends {
        client: transport(Role::Frontend, "web"),
        server: transport(Role::Node, "three"),
        address: "127.0.0.1:0".to_owned(),
    }
}

fn quic(runtime: &Runtime) -> Ends {
    let now = runtime.clock.now();
    let authority = Authority::create(ClusterId([1; 16]), now).unwrap();
    let transport = |role, name| {
        let identity = authority.issue(role, name, now).unwrap();
        Arc::new(QuicTransport::new(&identity, runtime.clone()).unwrap()) as Arc<dyn Transport>
    };
    Ends {
        client: transport(Role::Frontend, "web"),
        server: transport(Role::Node, "three"),
        address: "127.0.0.1:0".to_owned(),
    }
}

fn memory(_: &Runtime) -> Ends {
    let network = MemoryNetwork::new();
    let peer = |role, name: &str| Peer {
        role,
        name: name.to_owned(),
    };
    Ends {
        client: Arc::new(network.transport(peer(Role::Frontend, "web"))),
        server: Arc::new(network.transport(peer(Role::Node, "three"))),
        address: "three".to_owned(),
    }
}

#[tokio::test]
async fn tcp_with_tls_passes_the_suite() {
    transport(&tcp).await;
    peers_are_known(tcp(&world().0), "frontend web", "node three").await;
}

#[tokio::test]
async fn quic_passes_the_suite() {
    transport(&quic).await;
    peers_are_known(quic(&world().0), "frontend web", "node three").await;
}

#[tokio::test]
async fn memory_passes_the_suite() {
    transport(&memory).await;
    peers_are_known(memory(&world().0), "frontend web", "node three").await;
}

#[tokio::test]
async fn tcp_brings_everything_where_packets_are_lost() {
    let around = world();
    let ends = tcp(&around.0);
    a_way_that_loses_packets_brings_everything(ends, around, lossy::tcp).await;
}

#[tokio::test]
async fn quic_brings_everything_where_packets_are_lost() {
    let around = world();
    let ends = quic(&around.0);
    a_way_that_loses_packets_brings_everything(ends, around, lossy::udp).await;
}

/// TCP alone at the other end, as where UDP does not pass or nobody listens.
#[tokio::test]
async fn where_quic_does_not_get_through_tcp_takes_its_place_for_a_while() {
    let (runtime, clock) = world();
    let ours = tcp(&runtime);
    let mut listener = ours.server.listen(&ours.address).await.unwrap();
    let address = listener.address().unwrap();
    let quic = quic(&runtime).client;
    let falling = Falling::new(quic, ours.client, runtime);
    let connect = async {
        // Nothing answers: its patience has an end.
        let connect = falling.connect(&address);
        let mut connect = std::pin::pin!(connect);
        loop {
            let wait = std::time::Duration::from_millis(50);
            match tokio::time::timeout(wait, &mut connect).await {
                Ok(stream) => break stream.unwrap(),
                Err(_) => clock.advance(std::time::Duration::from_secs(1)),
            }
        }
    };
    let (stream, accepted) = tokio::join!(connect, listener.accept());
    assert_eq!(stream.peer.to_string(), "node three");
    assert_eq!(accepted.unwrap().peer.to_string(), "frontend web");
    assert_eq!(falling.fallbacks(), 1);
    // Known by now: no time passes, and none is needed.
    let (again, accepted) = tokio::join!(falling.connect(&address), listener.accept());
    assert!(again.is_ok() && accepted.is_ok());
    assert_eq!(falling.fallbacks(), 1);
}

#[tokio::test]
async fn by_quic_a_party_of_another_cluster_never_appears() {
    let (runtime, _) = world();
    let (ours, theirs) = (quic(&runtime), quic(&runtime));
    let mut listener = ours.server.listen(&ours.address).await.unwrap();
    let address = listener.address().unwrap();
    let foreign = async {
        let stream = theirs.client.connect(&address).await;
        assert!(stream.is_err(), "the server's certificate is foreign");
        ours.client.connect(&address).await.unwrap()
    };
    let (ours, accepted) = tokio::join!(foreign, listener.accept());
    assert_eq!(accepted.unwrap().peer.to_string(), "frontend web");
    drop(ours);
}

#[tokio::test]
async fn a_party_of_another_cluster_never_appears() {
    let (runtime, _) = world();
    let (ours, theirs) = (tcp(&runtime), tcp(&runtime));
    let mut listener = ours.server.listen(&ours.address).await.unwrap();
    let address = listener.address().unwrap();
    let foreign = async {
        let stream = theirs.client.connect(&address).await;
        assert!(stream.is_err(), "the server's certificate is foreign");
        ours.client.connect(&address).await.unwrap()
    };
    let (ours, accepted) = tokio::join!(foreign, listener.accept());
    assert_eq!(accepted.unwrap().peer.to_string(), "frontend web");
    drop(ours);
}
