//! A disk that becomes slow: who leads hands over, stays away for as long as it is slow, and
//! pushes go on all the while.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use kv::{Batch, Direction, Durability, Family, KeyValue, KvError, Memory, Range, View, Visit};
use storage_node_api::NodeId;
use storage_node_api::health::Slow;
use storage_node_api::node::Node;

use crate::crashes::Pusher;
use crate::world::World;

/// A log on a disk whose syncs take longer than they should, by so many milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct SlowLog {
    pub(crate) log: Memory,
    pub(crate) millis: Arc<AtomicU64>,
}

impl SlowLog {
    fn wait(&self) {
        let millis = self.millis.load(Ordering::SeqCst);
        thread::sleep(Duration::from_millis(millis));
    }
}

impl View for SlowLog {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<bytes::Bytes>, KvError> {
        self.log.get(family, key)
    }

    fn scan(
        &self,
        family: Family,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), KvError> {
        self.log.scan(family, range, direction, visit)
    }
}

impl KeyValue for SlowLog {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), KvError> {
        if durability == Durability::Synced {
            self.wait();
        }
        self.log.write(batch, durability)
    }

    fn sync(&self) -> Result<(), KvError> {
        self.wait();
        self.log.sync()
    }

    fn view(&self) -> Box<dyn View> {
        self.log.view()
    }
}

/// How many groups a node leads, as the nodes know.
fn led_by(world: &World, leader: NodeId) -> usize {
    let nodes = world.links.running();
    let led = nodes.iter().map(|node| {
        let raft = node.raft();
        let groups = raft.groups_open().into_iter();
        let leaders = groups.filter_map(|group| raft.group(group)?.leader());
        leaders.filter(|id| id.0 == leader.0).count()
    });
    led.max().unwrap_or(0)
}

/// Pushes until it holds.
async fn push_until(world: &World, pusher: &mut Pusher, holds: impl Fn(&World) -> bool) {
    let began = world.runtime.clock.monotonic();
    while !holds(world) {
        pusher.push().await;
        let waited = world.runtime.clock.monotonic() - began;
        assert!(waited < 3 * crate::world::PATIENCE, "not within {waited:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_with_a_slow_disk_hands_over_and_leads_nothing_while_it_is_slow() {
    let world = World::of(3).await;
    let mut pusher = Pusher::begin(world.storage(), world.runtime.clone()).await;
    // The founder led every group at first; where elections went otherwise, whoever leads most.
    let slow = [NodeId(1), NodeId(2), NodeId(3)]
        .into_iter()
        .max_by_key(|id| led_by(&world, *id))
        .unwrap();
    assert!(led_by(&world, slow) > 0);
    world.slow_log(slow, Duration::from_millis(400));
    push_until(&world, &mut pusher, |world| led_by(world, slow) == 0).await;
    // It says so itself, and nobody else does.
    for node in world.links.running() {
        let told = node.health().await.unwrap().slow;
        assert_eq!(
            told,
            (node.id() == slow).then_some(Slow::Log),
            "{}",
            node.id()
        );
    }
    // Looks go by, and pushes go on; nobody calls it back for good. An election that it won in the
    // meantime is undone.
    for _ in 0..20 {
        pusher.push().await;
        world.runtime.clock.sleep(Duration::from_millis(100)).await;
    }
    push_until(&world, &mut pusher, |world| led_by(world, slow) == 0).await;
    world.slow_log(slow, Duration::ZERO);
    pusher.push().await;
    assert_eq!(pusher.faults().await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_moves_where_all_disks_are_as_slow() {
    let world = World::of(3).await;
    let mut pusher = Pusher::begin(world.storage(), world.runtime.clone()).await;
    for id in [NodeId(1), NodeId(2), NodeId(3)] {
        world.slow_log(id, Duration::from_millis(150));
    }
    let began = world.runtime.clock.monotonic();
    while world.runtime.clock.monotonic() - began < Duration::from_secs(8) {
        pusher.push().await;
    }
    for node in world.links.running() {
        let report = node.health().await.unwrap();
        assert!(report.log >= Some(Duration::from_millis(150)), "{report:?}");
        assert_eq!(report.slow, None, "{}", node.id());
    }
    assert_eq!(pusher.faults().await, [] as [String; 0]);
}
