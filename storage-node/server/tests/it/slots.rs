//! Groups are made and slots move between them while pushes go on and nodes lose power.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use runtime::Survives;
use storage_node_api::map::{ClusterMap, FIRST_DATA_GROUP, SlotsChange, SlotsError};
use storage_node_api::node::Node;
use storage_node_api::order::{Refusal, Reply};
use storage_node_api::{GroupId, NodeId, Slot};

use crate::members::Traffic;
use crate::world::{PATIENCE, World};

/// The group of the slot that is pushed to.
fn owner(map: &ClusterMap) -> GroupId {
    map.group_of(Slot(3))
}

/// Waits until every data group has one state on all nodes.
async fn same_states(world: &World) {
    let began = world.runtime.clock.monotonic();
    loop {
        let mut states: BTreeMap<GroupId, BTreeSet<(u64, [u8; 32])>> = BTreeMap::new();
        for node in world.links.running() {
            for group in node.status().await.unwrap().groups {
                let state = (group.applied, group.state_hash);
                states.entry(group.group).or_default().insert(state);
            }
        }
        let data = states
            .iter()
            .filter(|(group, _)| **group >= FIRST_DATA_GROUP);
        if data.clone().all(|(_, states)| states.len() == 1) {
            return;
        }
        let waited = world.runtime.clock.monotonic() - began;
        assert!(waited < PATIENCE, "{states:?}");
        world.runtime.clock.sleep(Duration::from_millis(50)).await;
    }
}

async fn settled(world: &World, groups: usize) {
    world
        .wait_until("all slots are where they are to be", |world| {
            let map = world.map();
            let is_settled = map.slots_to_move() == 0 && map.moves.moving.is_none();
            let nodes = world.links.running();
            let are_open = nodes
                .iter()
                .all(|node| node.raft().groups_open().len() == groups + 2);
            is_settled && map.owners().len() == groups && are_open
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_added_and_slots_go_to_them_and_back_while_pushes_go_on() {
    let world = World::of(3).await;
    let traffic = Traffic::begin(&world).await;
    let before = world.map().owners().len();
    assert_eq!(
        world.divide(SlotsChange::Divide(before as u16 + 2)).await,
        Reply::Done
    );
    settled(&world, before + 2).await;
    // The pushed slot goes to the last group, and back.
    let (home, last) = (owner(&world.map()), *world.map().owners().last().unwrap());
    for to in [last, home] {
        let (first, last) = (Slot(0), Slot(5));
        assert_eq!(
            world.divide(SlotsChange::Move { first, last, to }).await,
            Reply::Done
        );
        settled(&world, before + 2).await;
        assert_eq!(owner(&world.map()), to);
    }
    let fewer = world.divide(SlotsChange::Divide(1)).await;
    let now = before as u16 + 2;
    assert_eq!(
        fewer,
        Reply::Refused(Refusal::Slots(SlotsError::BadCount { now }))
    );
    traffic.end(5).await;
    same_states(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_is_finished_by_whoever_leads_after_a_power_failure() {
    let mut world = World::of(3).await;
    let traffic = Traffic::begin(&world).await;
    let groups = world.map().owners().len() as u16 + 3;
    assert_eq!(world.divide(SlotsChange::Divide(groups)).await, Reply::Done);
    // Each node once, wherever the moves are then.
    for id in [1, 2, 3].map(NodeId) {
        let begun = world.map().moves.begun;
        let _ = tokio::time::timeout(PATIENCE / 6, async {
            while world.map().moves.begun == begun {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        world.crash(id, Survives::Nothing).await;
        world.launch(id).await;
    }
    settled(&world, usize::from(groups)).await;
    traffic.end(3).await;
    same_states(&world).await;
}
