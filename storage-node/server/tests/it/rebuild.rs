//! Replicas whose state is wrong or lost: never served, and rebuilt from another node's, with the
//! log and the vote that the node always had.

use std::ops::{Bound, ControlFlow};

use kv::{Batch, Direction, Durability, KeyValue, Memory, View};
use runtime::Survives;
use storage_node_api::map::{CLUSTER_GROUP, FIRST_DATA_GROUP, METADATA_GROUP};
use storage_node_api::node::{Node, NodeFailure};
use storage_node_api::order::{Answer, Command, Query};
use storage_node_api::rebuild::{RebuildError, RebuildOrder, RebuildReport};
use storage_node_api::{GroupId, NodeId, ReadPoint, RepositoryId};
use storage_node_server::replica::{REPLICAS, STATE};
use storage_node_server::start::{StartError, Stores};

use crate::repair::{NODES, SLOT, Stored, eventually, propose};
use crate::world::World;

const GROUP: GroupId = FIRST_DATA_GROUP;

impl World {
    async fn rebuilds(&self, id: NodeId) -> RebuildReport {
        let asked = self.node(id).rebuild(RebuildOrder::Look).await;
        asked.unwrap()
    }

    /// Index and hash of a node's replica, if it serves it.
    async fn state(&self, id: NodeId, group: GroupId) -> Option<(u64, [u8; 32])> {
        let query = Query::StateHash;
        match self.node(id).read(group, ReadPoint::Stale, query).await {
            Ok(Answer::StateHash { index, hash }) => Some((index, hash)),
            Ok(other) => panic!("{other:?}"),
            Err(_) => None,
        }
    }

    /// Waits until all nodes serve the group at one index, with one hash.
    async fn alike(&self, group: GroupId) {
        eventually(self, "all replicas are alike", async || {
            let first = self.state(NODES[0], group).await;
            let mut alike = first.is_some();
            for id in NODES {
                alike &= self.state(id, group).await == first;
            }
            alike
        })
        .await;
    }

    async fn rebuilt(&self, id: NodeId) {
        eventually(self, "nothing is left to rebuild", async || {
            let report = self.rebuilds(id).await;
            report.pending.is_empty() && report.rebuilt > 0
        })
        .await;
    }

    /// So many entries in the group, more than any log keeps.
    async fn fill_log(&self, stored: &Stored) {
        for _ in 0..300 {
            let repository = RepositoryId::in_slot(SLOT, &*self.runtime.random);
            propose(self, &stored.storage, Command::SealRepository(repository)).await;
        }
    }
}

/// Changes the longest value in a group's state on a node's disk.
fn change_state(state: &Memory, group: GroupId) {
    let prefix = group.0.to_be_bytes();
    let range = (Bound::Included(&prefix[..]), Bound::Unbounded);
    let mut longest = (Vec::new(), Vec::new());
    state
        .scan(STATE, range, Direction::Ascending, &mut |key, value| {
            if key.starts_with(&prefix) && value.len() > longest.1.len() {
                longest = (key.to_vec(), value.to_vec());
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let (key, mut value) = longest;
    let middle = value.len() / 2;
    value[middle] ^= 1;
    let mut batch = Batch::new();
    batch.put(STATE, key, value);
    state.write(batch, Durability::Synced).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_state_has_changed_is_rebuilt_and_serves_again() {
    let mut world = World::of(3).await;
    let stored = Stored::begin(&world).await;
    let wrong = NODES[2];
    change_state(&world.disks[&wrong].state, GROUP);
    let report = world.scrub(wrong).await;
    assert_eq!(report.faults.replicas, 1, "{report:?}");
    world.rebuilt(wrong).await;
    assert_eq!(world.report(wrong).await.replicas, []);
    world.alike(GROUP).await;
    // It takes part again, and a restart finds nothing to do.
    world.crash(NODES[0], Survives::Nothing).await;
    world.fill_log(&stored).await;
    world.launch(NODES[0]).await;
    world.crash(wrong, Survives::Nothing).await;
    world.launch(wrong).await;
    world.alike(GROUP).await;
    assert_eq!(world.rebuilds(wrong).await, RebuildReport::default());
    assert_eq!(world.scrub(wrong).await.faults.total(), 0);
    assert_eq!(stored.read(&world).await, Ok(stored.bytes.to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_replica_is_not_served_while_nobody_can_give_its_state() {
    let mut world = World::of(3).await;
    let stored = Stored::begin(&world).await;
    let wrong = NODES[2];
    change_state(&world.disks[&wrong].state, GROUP);
    for id in [NODES[0], NODES[1]] {
        world.crash(id, Survives::Everything).await;
    }
    let report = world.scrub(wrong).await;
    assert_eq!(report.replicas.len(), 1, "{report:?}");
    assert_eq!(report.replicas[0].group, GROUP);
    assert!(report.replicas[0].reason.contains("not what was written"));
    for _ in 0..2 {
        assert_eq!(world.state(wrong, GROUP).await, None);
        eventually(&world, "it is said that nobody has it", async || {
            let pending = world.rebuilds(wrong).await.pending;
            let failed = pending.first().and_then(|pending| pending.failed.clone());
            failed.is_some_and(|why| why.contains("no other node has a replica"))
        })
        .await;
        // Nor after a restart.
        world.crash(wrong, Survives::Nothing).await;
        world.launch(wrong).await;
    }
    for id in [NODES[0], NODES[1]] {
        world.launch(id).await;
    }
    world.rebuilt(wrong).await;
    world.alike(GROUP).await;
    assert_eq!(stored.read(&world).await, Ok(stored.bytes.to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_lost_its_state_keeps_its_number_and_rebuilds_every_replica() {
    let mut world = World::with_short_logs(3).await;
    let stored = Stored::begin(&world).await;
    world.fill_log(&stored).await;
    world.alike(GROUP).await;
    // The founder too: it must not found another cluster.
    for id in [NODES[1], NODES[0]] {
        world.crash(id, Survives::Nothing).await;
        world.disks.get_mut(&id).unwrap().state = Memory::new(&Stores::state_families());
        world.launch(id).await;
        world.rebuilt(id).await;
        for group in [CLUSTER_GROUP, GROUP] {
            world.alike(group).await;
        }
        world.whole(&NODES).await;
    }
    world.voting(&NODES).await;
    assert_eq!(stored.read(&world).await, Ok(stored.bytes.to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_founder_without_state_that_can_ask_nobody_does_not_found_again() {
    let mut world = World::of(1).await;
    let id = NODES[0];
    world.crash(id, Survives::Everything).await;
    world.disks.get_mut(&id).unwrap().state = Memory::new(&Stores::state_families());
    world.forget_map();
    let started = world.try_launch(id).await;
    assert!(
        matches!(started, Err(StartError::StateLost(lost)) if lost == id),
        "{started:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_stops_is_rebuilt_while_the_others_go_on() {
    let world = World::of(3).await;
    let stored = Stored::begin(&world).await;
    let stopped = NODES[1];
    let mut batch = Batch::new();
    batch.put(REPLICAS, GROUP.0.to_be_bytes().to_vec(), vec![1, 2]);
    let state = &world.disks[&stopped].state;
    state.write(batch, Durability::Synced).unwrap();
    world.fill_log(&stored).await;
    world.rebuilt(stopped).await;
    world.alike(GROUP).await;
    assert_eq!(world.scrub(stopped).await.faults.total(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_to_rebuild_is_refused_where_it_would_cost_the_quorum() {
    let mut world = World::of(3).await;
    let stored = Stored::begin(&world).await;
    let id = NODES[2];
    let unknown = GroupId(999);
    let refused = world.node(id).rebuild(RebuildOrder::Start(unknown)).await;
    let no_group = NodeFailure::Failed(RebuildError::NoGroup(unknown));
    assert_eq!(refused, Err(no_group));
    world.crash(NODES[0], Survives::Everything).await;
    let order = RebuildOrder::Start(GROUP);
    let refused = world.node(id).rebuild(order).await;
    let quorum = RebuildError::Quorum {
        group: GROUP,
        answering: 1,
        voters: 3,
    };
    assert_eq!(refused, Err(NodeFailure::Failed(quorum)));
    assert!(world.state(id, GROUP).await.is_some(), "it was taken out");
    world.launch(NODES[0]).await;
    for group in [CLUSTER_GROUP, METADATA_GROUP, GROUP] {
        let before = world.rebuilds(id).await.rebuilt;
        eventually(&world, "the order is taken", async || {
            let order = RebuildOrder::Start(group);
            world.node(id).rebuild(order).await.is_ok()
        })
        .await;
        eventually(&world, "the order is carried out", async || {
            let report = world.rebuilds(id).await;
            report.pending.is_empty() && report.rebuilt > before
        })
        .await;
    }
    world.alike(GROUP).await;
    assert_eq!(stored.read(&world).await, Ok(stored.bytes.to_vec()));
}
