//! Nodes that are not who they say, or not any more: each is refused with a reason, and none votes
//! as if it knew.

use kv::Memory;
use runtime::Survives;
use storage_node_api::map::{MembersChange, Standing};
use storage_node_api::order::Reply;
use storage_node_api::{ClusterId, NodeId};
use storage_node_server::directory::NodeRecord;
use storage_node_server::start::StartError;

use crate::world::{Disks, World};

async fn refused(world: &mut World, id: NodeId) -> String {
    match world.try_launch(id).await {
        Err(StartError::Refused { node, reason }) if node == id => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_disk_was_rolled_back_does_not_start_however_often_it_tries() {
    let mut world = World::of(3).await;
    let old = NodeId(2);
    let earlier = world.disks[&old].clone();
    let early = earlier.crashed(Survives::Everything);
    for _ in 0..3 {
        let starts = world.map().node(old).unwrap().incarnation;
        world.crash(old, Survives::Nothing).await;
        world.launch(old).await;
        world
            .wait_until("its start is known", |world| {
                world.map().node(old).unwrap().incarnation > starts
            })
            .await;
    }
    world.crash(old, Survives::Nothing).await;
    world.disks.insert(old, early);
    for _ in 0..5 {
        let reason = refused(&mut world, old).await;
        assert!(reason.contains("was rolled back"), "{reason}");
    }
    // With nobody to ask either.
    for other in [1, 3].map(NodeId) {
        world.crash(other, Survives::Everything).await;
    }
    refused(&mut world, old).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_rolled_back_while_nobody_could_be_asked_is_stopped_when_it_says_so() {
    let mut world = World::of(3).await;
    let old = NodeId(3);
    let disks = world.disks[&old].clone();
    let early = disks.crashed(Survives::Everything);
    for _ in 0..2 {
        let starts = world.map().node(old).unwrap().incarnation;
        world.crash(old, Survives::Nothing).await;
        world.launch(old).await;
        world
            .wait_until("its start is known", |world| {
                world.map().node(old).unwrap().incarnation > starts
            })
            .await;
    }
    for id in [1, 2, 3].map(NodeId) {
        world.crash(id, Survives::Nothing).await;
    }
    world.disks.insert(old, early);
    world.launch(old).await;
    let node = world.links.running().remove(0);
    for id in [1, 2].map(NodeId) {
        world.launch(id).await;
    }
    let reason = tokio::time::timeout(crate::world::PATIENCE, node.ended()).await;
    let reason = reason.unwrap();
    assert!(reason.contains("was rolled back"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_lost_its_log_does_not_vote_under_its_old_number() {
    let mut world = World::of(3).await;
    let id = NodeId(2);
    world.crash(id, Survives::Everything).await;
    world.disks.get_mut(&id).unwrap().log = Memory::new(&raft::FAMILIES);
    let reason = refused(&mut world, id).await;
    assert!(reason.contains("has lost its raft log"), "{reason}");
    // All wiped but for its name: the others remember that it has been there.
    let other = NodeId(3);
    let record = NodeRecord::load(&world.disks[&other].files)
        .unwrap()
        .unwrap();
    world.crash(other, Survives::Everything).await;
    let wiped = Disks::new();
    record.save(&wiped.files).unwrap();
    world.disks.insert(other, wiped);
    let reason = refused(&mut world, other).await;
    assert!(reason.contains("has lost its raft log"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_cluster_and_a_node_without_a_name_do_not_start() {
    let mut world = World::of(1).await;
    let id = world.join().await;
    world.crash(id, Survives::Everything).await;
    let files = &world.disks[&id].files;
    let mut record = NodeRecord::load(files).unwrap().unwrap();
    record.cluster = ClusterId([9; 16]);
    record.save(files).unwrap();
    let other = world.try_launch(id).await;
    assert!(
        matches!(other, Err(StartError::OtherCluster { .. })),
        "{other:?}"
    );
    world.disks.insert(id, Disks::new());
    let nameless = world.try_launch(id).await;
    assert!(
        matches!(nameless, Err(StartError::NotJoined)),
        "{nameless:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_an_old_map_comes_to_the_new_one_and_to_its_part_in_it() {
    let mut world = World::of(4).await;
    let late = NodeId(3);
    world.crash(late, Survives::Everything).await;
    let new = world.join().await;
    let drain = MembersChange::Drain(NodeId(4));
    assert_eq!(world.change(drain).await, Reply::Done);
    let moved = MembersChange::Set {
        node: late,
        zone: Some("elsewhere".to_owned()),
        region: None,
        capacity: None,
    };
    assert_eq!(world.change(moved).await, Reply::Done);
    // It holds up the drain: nobody knows what it lacks.
    assert_eq!(world.map().standing(NodeId(4)), Standing::Draining);
    world.launch(late).await;
    world.stands(NodeId(4), Standing::Drained).await;
    world.voting(&[NodeId(1), NodeId(2), late, new]).await;
    let nodes = world.links.running();
    let node = nodes.iter().find(|node| node.id() == late).unwrap();
    assert_eq!(
        node.current_map().unwrap().node(late).unwrap().zone,
        "elsewhere"
    );
}
