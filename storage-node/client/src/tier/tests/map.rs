use std::time::Duration;

use storage_node_api::content::BeginError;
use storage_node_api::node::NodeError;
use storage_node_api::{ClusterId, Content, MapEpoch, Order};

use super::fake::{Call, Do};
use super::world::{DEADLINE, DOMAIN, World};

async fn epoch(world: &World) -> u64 {
    world.run(world.client.map()).await.0.unwrap().epoch.0
}

#[tokio::test]
async fn the_map_is_kept_and_asked_for_again_when_it_is_old() {
    let world = World::new(3);
    assert_eq!(epoch(&world).await, 5);
    for node in &world.nodes {
        node.take_calls(Call::Map);
    }
    world.remap(|map| map.epoch = MapEpoch(6));
    assert_eq!(epoch(&world).await, 5);
    assert!(
        world
            .nodes
            .iter()
            .all(|node| node.take_calls(Call::Map) == 0)
    );
    world.pass(Duration::from_secs(4)).await;
    // The old one is used while the new one is on its way.
    assert_eq!(epoch(&world).await, 5);
    world.pass(Duration::from_millis(1)).await;
    assert_eq!(epoch(&world).await, 6);
}

#[tokio::test]
async fn the_newest_epoch_wins_and_maps_of_other_clusters_are_ignored() {
    let world = World::new(3);
    assert_eq!(epoch(&world).await, 5);
    let set = |node: u64, change: &dyn Fn(&mut storage_node_api::map::ClusterMap)| {
        change(world.node(node).map.lock().unwrap().as_mut().unwrap());
    };
    set(1, &|map| map.epoch = MapEpoch(4));
    set(2, &|map| {
        map.epoch = MapEpoch(9);
        map.cluster = ClusterId([9; 16]);
    });
    set(3, &|map| map.epoch = MapEpoch(7));
    world
        .node(3)
        .always(&[Call::Map], Do::After(Duration::from_millis(20)));
    world.client.maps.outdated();
    assert_eq!(epoch(&world).await, 7);
    assert_eq!(
        world.run(world.client.map()).await.0.unwrap().cluster,
        ClusterId([1; 16])
    );
}

#[tokio::test]
async fn a_node_that_hangs_does_not_hold_up_the_map_of_another() {
    let world = World::new(3);
    world.node(1).always(&[Call::Map], Do::Hang);
    let (map, took) = world.run(world.client.map()).await;
    assert!(map.is_ok());
    assert_eq!(took, Duration::ZERO);
    world.client.maps.outdated();
    let (map, took) = world.run(world.client.map()).await;
    assert!(map.is_ok());
    assert!(took < Duration::from_millis(200), "{took:?}");
}

#[tokio::test]
async fn seeds_are_asked_when_no_known_node_answers() {
    let world = World::new(3);
    assert_eq!(world.links.seeds, 3);
    world.remap(|map| map.nodes.truncate(2));
    assert_eq!(epoch(&world).await, 5);
    for node in &world.nodes[..2] {
        node.cut_off();
    }
    world.remap(|map| map.epoch = MapEpoch(8));
    world.client.maps.outdated();
    assert_eq!(epoch(&world).await, 8);
}

#[tokio::test]
async fn a_session_waits_for_a_map_until_the_deadline() {
    let world = World::new(1);
    let node = world.node(1);
    let failures = (0..5).map(|_| Do::Fail(NodeError::Silent { node: node.id }));
    node.script(Call::Map, failures, Do::Well);
    let (session, took) = world.run(world.client.begin(DOMAIN)).await;
    assert_eq!(session.unwrap().epoch, MapEpoch(5));
    assert!(took > Duration::ZERO && took < Duration::from_secs(1));

    let alone = World::new(1);
    alone.node(1).cut_off();
    let (failed, took) = alone.run(alone.client.begin(DOMAIN)).await;
    assert_eq!(failed, Err(BeginError::Unavailable));
    assert!(took > DEADLINE / 2 && took <= DEADLINE, "{took:?}");
}
