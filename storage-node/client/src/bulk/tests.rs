use std::sync::Arc;

use runtime::Runtime;
use storage_node_api::ClusterId;

use super::suite::{Ends, peers_are_known, transport, world};
use super::{MemoryNetwork, TcpTransport, Transport};
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
async fn memory_passes_the_suite() {
    transport(&memory).await;
    peers_are_known(memory(&world().0), "frontend web", "node three").await;
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
