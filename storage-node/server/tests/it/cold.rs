//! Nodes that put every sealed volume into a bucket at once.

use std::sync::Arc;

use objects::suite::Server;
use objects::{Location, MemoryObjects, Objects, RemoteObjects};
use runtime::{Files, Survives};
use storage_node_api::NodeId;
use storage_node_api::node::{Node, NodeError};
use storage_node_server::volumes::cold::directory_of;

use crate::conformance::passes_everything;
use crate::repair::{DOMAIN, Stored, eventually};
use crate::world::World;

const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

/// The volumes of a node that are in the bucket.
fn objects_of(world: &World, bucket: &MemoryObjects, id: NodeId) -> Vec<String> {
    let directory = directory_of(world.map().cluster, id);
    let mut names = bucket.names();
    names.retain(|name| name.starts_with(&format!("{directory}/")) && !name.ends_with("/mark"));
    names
}

/// Volumes that a node has on its disk.
fn on_disk(world: &World, id: NodeId) -> usize {
    let names = world.disks[&id].volumes.list("").unwrap();
    names.iter().filter(|name| name.starts_with("vol-")).count()
}

/// Three nodes with a blob of 20 MiB, most of which is in the bucket only.
async fn cold_world() -> (World, MemoryObjects, Stored) {
    let bucket = MemoryObjects::new();
    let world = World::cold(3, Arc::new(bucket.clone())).await;
    let stored = Stored::of(&world, 20 << 20).await;
    for id in NODES {
        eventually(&world, "sealed volumes are away", async || {
            objects_of(&world, &bucket, id).len() >= 2 && on_disk(&world, id) == 1
        })
        .await;
    }
    (world, bucket, stored)
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_with_cold_volumes_conform_and_keep_everything_over_a_power_failure() {
    let (mut world, bucket, stored) = cold_world().await;
    passes_everything(world.storage(), world.runtime.clone()).await;
    for id in NODES {
        world.crash(id, Survives::Nothing).await;
        world.launch(id).await;
        stored.wait_until_whole(&world, id).await;
    }
    assert_eq!(stored.read(&world).await.unwrap(), stored.bytes);
    assert!(!objects_of(&world, &bucket, NodeId(1)).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_whose_object_is_gone_is_fetched_from_a_peer() {
    let (world, bucket, stored) = cold_world().await;
    for name in objects_of(&world, &bucket, NodeId(2)) {
        bucket.lose(&name);
    }
    assert_eq!(stored.read(&world).await.unwrap(), stored.bytes);
    stored.wait_until_whole(&world, NodeId(2)).await;
    assert_eq!(stored.read(&world).await.unwrap(), stored.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_store_is_away_says_so_and_takes_writes() {
    let (world, bucket, stored) = cold_world().await;
    bucket.faults().fail_all_after(0);
    let node = world.node(NodeId(1));
    eventually(&world, "the store is away", async || {
        for chunk in stored.refs() {
            let read = node.fetch(DOMAIN, &[chunk]).await;
            if read == Err(NodeError::ColdAway { node: NodeId(1) }) {
                return true;
            }
        }
        false
    })
    .await;
    let more = world.storage();
    let begun = storage_node_api::Content::begin(&*more, DOMAIN).await;
    let session = begun.unwrap();
    let bytes = bytes::Bytes::from_static(b"written while the store is away");
    let id = chunking::ChunkId::of(&bytes);
    let put = node
        .store(&session, vec![chunking::Chunk { id, bytes }])
        .await;
    assert!(put.is_ok(), "{put:?}");
    bucket.faults().heal();
    stored.wait_until_whole(&world, NodeId(1)).await;
    assert!(
        bucket
            .length(&objects_of(&world, &bucket, NodeId(1))[0])
            .is_ok()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_keep_their_volumes_in_a_real_s3_server() {
    let Some(server) = Server::start() else {
        return println!("{}", Server::NONE);
    };
    server.make_bucket("cold");
    let location: Location = "s3://cold/nodes".parse().unwrap();
    let bucket = Arc::new(RemoteObjects::open(&location, &server.options()).unwrap());
    let mut world = World::cold(3, Arc::clone(&bucket) as Arc<dyn Objects>).await;
    let stored = Stored::of(&world, 20 << 20).await;
    for id in NODES {
        eventually(&world, "sealed volumes are away", async || {
            on_disk(&world, id) == 1
        })
        .await;
    }
    assert_eq!(stored.read(&world).await.unwrap(), stored.bytes);
    for id in NODES {
        world.crash(id, Survives::Nothing).await;
        world.launch(id).await;
    }
    for id in NODES {
        stored.wait_until_whole(&world, id).await;
    }
    assert_eq!(stored.read(&world).await.unwrap(), stored.bytes);
}
