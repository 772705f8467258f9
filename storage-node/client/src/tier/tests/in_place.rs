use std::sync::{Arc, Mutex};
use std::time::Duration;

use storage_node_api::content::BeginError;
use storage_node_api::{NodeId, Storage};

use super::fake::{Call, Do, Fake};
use super::world::{DOMAIN, World, chunk, map_of, reference};
use crate::tier::{Client, Config, InPlace, Links, NoPeers};

fn client(world: &World, links: Arc<dyn Links>) -> Arc<dyn Storage> {
    let config = Config::default().validate().unwrap();
    Arc::new(Client::new(links, world.runtime.clone(), config))
}

#[tokio::test]
async fn a_node_in_place_is_the_whole_storage_once_it_is_bound() {
    let world = World::new(1);
    let links = Arc::new(InPlace::unbound(NodeId(1)));
    let storage = client(&world, Arc::clone(&links) as Arc<dyn Links>);
    let begun = world.run(storage.begin(DOMAIN)).await.0;
    assert_eq!(begun, Err(BeginError::Unavailable));

    let node = Fake::new(
        NodeId(1),
        Arc::clone(&world.runtime.clock),
        map_of(1),
        Arc::new(Mutex::default()),
    );
    assert!(links.bind(Arc::clone(&node) as Arc<_>));
    assert!(!links.bind(Arc::clone(&node) as Arc<_>));
    let session = world.run(storage.begin(DOMAIN)).await.0.unwrap();
    let one = chunk("one");
    let put = storage.put(&session, vec![one.clone()]);
    let (held, took) = world.run(put).await;
    assert_eq!(held.unwrap()[0].receipts.len(), 1);
    assert_eq!(took, Duration::ZERO);
    let got = world.run(storage.get(DOMAIN, &[reference(&one)])).await.0;
    assert_eq!(got, Ok(vec![one.bytes]));
    assert!(links.is_local(NodeId(1)) && !links.is_local(NodeId(2)));
}

#[tokio::test]
async fn other_nodes_than_the_one_in_place_are_unreachable() {
    let world = World::new(3);
    let node = Arc::clone(&world.nodes[0]);
    node.always(&[Call::Map], Do::Well);
    let links: Arc<dyn Links> = Arc::new(InPlace::new(NodeId(1), node));
    for (links, reached) in [(links, 1), (Arc::new(NoPeers), 0)] {
        let mut answered = 0;
        for node in &map_of(3).nodes {
            answered += usize::from(links.node(node).map().await.is_ok());
        }
        assert_eq!((answered, links.seeds().len()), (reached, reached));
    }
}
