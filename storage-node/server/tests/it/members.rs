//! Nodes that come and go while pushes go on: nothing acknowledged is lost, and what is told of
//! the way is true.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use runtime::Survives;
use storage_node_api::NodeId;
use storage_node_api::map::{
    Copies, FailureDomain, MembersChange, MembersError, Policy, RegionShare, Standing,
};
use storage_node_api::node::{Node, NodeFailure};
use storage_node_api::order::{Refusal, Reply};
use storage_node_server::recover::{RecoverError, accept_loss};
use storage_node_server::start::StartError;
use tokio::task::JoinHandle;

use crate::crashes::{Outcome, Pusher};
use crate::world::{Place, World};

/// Somebody who pushes all the time.
pub(crate) struct Traffic {
    stop: Arc<AtomicBool>,
    pushing: JoinHandle<Pusher>,
}

impl Traffic {
    pub(crate) async fn begin(world: &World) -> Self {
        let mut pusher = Pusher::begin(world.storage(), world.runtime.clone()).await;
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let pushing = tokio::spawn(async move {
            while !told.load(Ordering::SeqCst) {
                pusher.push().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            pusher
        });
        Self { stop, pushing }
    }

    /// Ends it, and holds what is there against what was told.
    pub(crate) async fn end(self, at_least: usize) -> Pusher {
        self.stop.store(true, Ordering::SeqCst);
        let mut pusher = self.pushing.await.unwrap();
        pusher.push().await;
        assert_eq!(pusher.pushes.last(), Some(&Outcome::Acknowledged));
        assert_eq!(pusher.faults().await, [] as [String; 0]);
        let acknowledged = pusher.pushes.iter();
        let acknowledged = acknowledged
            .filter(|push| **push == Outcome::Acknowledged)
            .count();
        assert!(acknowledged >= at_least, "only {acknowledged} pushes");
        pusher
    }
}

fn ids(numbers: impl IntoIterator<Item = u64>) -> Vec<NodeId> {
    numbers.into_iter().map(NodeId).collect()
}

fn leave(node: NodeId, dead: bool) -> MembersChange {
    MembersChange::Remove { node, dead }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_added_and_another_drained_and_removed_while_pushes_go_on() {
    let mut world = World::of(3).await;
    let traffic = Traffic::begin(&world).await;
    let (first, new) = (NodeId(1), world.join().await);
    world.voting(&ids(1..=4)).await;
    // Not before it is drained.
    let early = world.change(leave(first, false)).await;
    let not_drained = Refusal::Members(MembersError::NotDrained(first));
    assert_eq!(early, Reply::Refused(not_drained));
    // Two operators who have seen the same map: one of them is told.
    let seen = world.map();
    let drain = MembersChange::Drain(first);
    assert_eq!(world.change_seen(&seen, &drain).await, Reply::Done);
    let second = world
        .change_seen(&seen, &MembersChange::Drain(NodeId(2)))
        .await;
    assert!(
        matches!(second, Reply::Refused(Refusal::MapChanged { .. })),
        "{second:?}"
    );
    world.stands(first, Standing::Drained).await;
    world.voting(&ids(2..=4)).await;
    assert_eq!(world.change(leave(first, false)).await, Reply::Done);
    world.stands(first, Standing::Gone).await;
    // It hears of it, closes its replicas, and does not start again.
    let old = world
        .links
        .running()
        .into_iter()
        .find(|n| n.id() == first)
        .unwrap();
    let reason = tokio::time::timeout(crate::world::PATIENCE, old.ended())
        .await
        .unwrap();
    assert!(reason.contains("was removed from the cluster"), "{reason}");
    drop(old);
    world.crash(first, Survives::Everything).await;
    let again = world.try_launch(first).await;
    assert!(
        matches!(again, Err(StartError::Refused { .. })),
        "{again:?}"
    );
    traffic.end(5).await;
    // What it had is with the others: any one of them may go.
    world.whole(&[NodeId(2), NodeId(3), new]).await;
    world.crash(NodeId(2), Survives::Nothing).await;
    let pusher = Pusher::begin(world.storage(), world.runtime.clone()).await;
    assert_eq!(pusher.faults().await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_node_is_replaced_and_its_copies_come_back() {
    let mut world = World::of(3).await;
    let traffic = Traffic::begin(&world).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let dead = NodeId(2);
    world.crash(dead, Survives::Nothing).await;
    let new = world.join().await;
    assert_eq!(world.change(leave(dead, true)).await, Reply::Done);
    let again = world.change(leave(dead, true)).await;
    assert!(matches!(
        again,
        Reply::Refused(Refusal::Members(
            MembersError::Leaving(_) | MembersError::NoNode(_)
        ))
    ));
    world.stands(dead, Standing::Gone).await;
    let left = [NodeId(1), NodeId(3), new];
    world.voting(&left).await;
    world.whole(&left).await;
    let pusher = traffic.end(3).await;
    // Three copies again: the loss of another node loses nothing.
    world.whole(&left).await;
    world.crash(NodeId(1), Survives::Nothing).await;
    assert_eq!(pusher.faults().await, [] as [String; 0]);
    // The dead one comes back with all that it knew.
    let back = world.try_launch(dead).await;
    let Err(StartError::Refused { reason, .. }) = back else {
        panic!("{back:?}");
    };
    assert!(reason.contains("was removed"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_goes_on_through_the_loss_of_every_leader_and_can_be_undone() {
    let mut world = World::of(4).await;
    let traffic = Traffic::begin(&world).await;
    let going = NodeId(4);
    assert_eq!(world.change(MembersChange::Drain(going)).await, Reply::Done);
    for round in 0..6_u64 {
        let victim = NodeId(round % 4 + 1);
        world.crash(victim, Survives::Random(round)).await;
        world
            .runtime
            .clock
            .sleep(Duration::from_millis(50 * round))
            .await;
        world.launch(victim).await;
        world
            .wait_until("all groups are led", |world| {
                world.links.running().iter().all(|node| node.is_ready())
            })
            .await;
    }
    world.stands(going, Standing::Drained).await;
    world.voting(&ids(1..=3)).await;
    assert_eq!(
        world.change(MembersChange::Undrain(going)).await,
        Reply::Done
    );
    world.voting(&ids(1..=4)).await;
    world.whole(&ids(1..=4)).await;
    traffic.end(5).await;
}

fn three_regions(node: NodeId) -> Place {
    let index = usize::try_from(node.0 - 1).unwrap();
    Place {
        zone: "z".to_owned(),
        region: ["eu", "us", "ap"][index % 3].to_owned(),
    }
}

fn order(regions: &[&str], home: &str) -> MembersChange {
    let share = |region: &&str| RegionShare {
        region: (*region).to_owned(),
        copies: 1,
    };
    MembersChange::Order(Some(Policy {
        copies: Copies::Regions(regions.iter().map(share).collect()),
        survive: FailureDomain::Region,
        home: Some(home.to_owned()),
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_voter_in_each_region_the_leader_at_home_and_the_rest_follow() {
    let world = World::spread(4, three_regions).await;
    let traffic = Traffic::begin(&world).await;
    let all = ["eu", "us", "ap"];
    assert_eq!(world.change(order(&all, "us")).await, Reply::Done);
    world
        .wait_until("three voters, led from us", |world| {
            world.links.running().iter().all(|node| {
                let led = node.voters().iter().all(|voters| voters.len() == 3);
                let leader = node.raft().groups_open().into_iter().all(|group| {
                    let group = node.raft().group(group);
                    group.and_then(|group| group.leader()) == Some(raft::NodeId(2))
                });
                led && leader
            })
        })
        .await;
    // By hand it can be sent elsewhere, but not to who does not vote.
    let leader = world
        .links
        .running()
        .into_iter()
        .find(|n| n.id() == NodeId(2))
        .unwrap();
    let map = world.map();
    let group = map.groups[0].group;
    let seats = map.seats(group);
    let follower = *seats.learners.first().unwrap();
    let refused = leader.transfer(group, follower).await;
    assert!(
        matches!(refused, Err(NodeFailure::Failed(_))),
        "{refused:?}"
    );
    let reply = world.change(order(&["eu", "mars"], "eu")).await;
    assert!(matches!(
        reply,
        Reply::Refused(Refusal::Members(MembersError::Policy(_)))
    ));
    // A node moves to where more is needed.
    let moved = MembersChange::Set {
        node: NodeId(4),
        zone: None,
        region: Some("us".to_owned()),
        capacity: Some(3),
    };
    assert_eq!(world.change(moved).await, Reply::Done);
    world.whole(&ids(1..=4)).await;
    assert_eq!(world.map().node(NodeId(4)).unwrap().region, "us");
    traffic.end(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survivor_makes_a_cluster_again_and_the_lost_ones_never_rejoin() {
    let mut world = World::of(3).await;
    let traffic = Traffic::begin(&world).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let pusher = traffic.end(1).await;
    // What is acknowledged is on a quorum; on the survivor once it has all.
    world.whole(&ids(1..=3)).await;
    for id in ids(1..=3) {
        world.crash(id, Survives::Nothing).await;
    }
    let survivor = NodeId(3);
    let recovered = accept_loss(&world.stores(survivor), &world.runtime).unwrap();
    assert_eq!(recovered.lost.len(), 2);
    assert_eq!(recovered.missing, []);
    world.launch(survivor).await;
    world.voting(&[survivor]).await;
    assert_eq!(pusher.faults().await, [] as [String; 0]);
    for lost in ids([1, 2]) {
        world.stands(lost, Standing::Gone).await;
        let refused = world.try_launch(lost).await;
        assert!(
            matches!(refused, Err(StartError::Refused { .. })),
            "{refused:?}"
        );
    }
    let alone = accept_loss(&world.stores(survivor), &world.runtime);
    assert!(matches!(alone, Err(RecoverError::Alone(_))), "{alone:?}");
    let new = [world.join().await, world.join().await];
    assert!(new[0] > NodeId(1000), "{new:?}");
    world.voting(&[survivor, new[0], new[1]]).await;
    world.whole(&[survivor, new[0], new[1]]).await;
    world.crash(survivor, Survives::Nothing).await;
    assert_eq!(pusher.faults().await, [] as [String; 0]);
}
