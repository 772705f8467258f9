//! Leaders that are lost, one after the other, as often as one likes: simulated time
//! costs nothing, so that a livelock which comes once in a thousand times can be found.

use std::time::Duration;

use anyhow::{Context, ensure};
use runtime::{Random, SeededRandom, Survives};
use storage_node_api::NodeId;
use tokio::time::Instant;

use crate::entropy;
use crate::history::Recorder;
use crate::network::Endpoint;
use crate::observer::Observer;
use crate::trace::Trace;
use crate::workload::{Client, SLOTS};
use crate::world::{Shape, World};

/// The longest that writes may stand still before it counts as a livelock.
const LIVELOCK: Duration = Duration::from_secs(60);
/// The pause after a write that was not acknowledged.
const PAUSE: Duration = Duration::from_millis(10);
/// The longest pause between two losses.
const LONGEST_CALM_MILLIS: u64 = 2_000;
const NODES: u64 = 3;
/// Applied entries after which a group's log is cut: often, so that nodes also come
/// back by snapshots.
const SNAPSHOT_ENTRIES: u64 = 40;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What all chance follows.
    pub seed: u64,
    /// How many leaders are lost.
    pub times: usize,
    /// When a leader counts as lost.
    pub profile: raft::Profile,
}

/// Loses so many leaders: by power failures that keep or lose what was not synced, or by
/// cutting one off. Returns how long it was each time, in simulated time, until a client
/// that tries without rest had its next write acknowledged. To be called once in a
/// process, on its main thread: see [`entropy`].
pub fn run(plan: &Plan) -> anyhow::Result<Vec<Duration>> {
    entropy::follow(plan.seed);
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    tokio.block_on(Box::pin(play(plan)))
}

async fn play(plan: &Plan) -> anyhow::Result<Vec<Duration>> {
    let trace = Trace::begin(false);
    let observer = Observer::new(trace.clone());
    let shape = Shape {
        seed: plan.seed,
        nodes: NODES,
        snapshot_entries: SNAPSHOT_ENTRIES,
        hibernate_after: raft::Config::default().hibernate_after,
        broken: None,
        timing: Some(plan.profile),
    };
    let mut world = World::new(&shape, observer.clone()).await?;
    let random = SeededRandom::new(plan.seed ^ 0x6661_696c);
    let access = world.client(0, None)?;
    let mut client = Client::new(0, access, Recorder::default(), trace, false);
    client.repositories = client.prepare().await?;
    let mut resumed = Vec::new();
    for time in 1..=plan.times {
        write(&mut client).await?;
        let calm = Duration::from_millis(random.below(LONGEST_CALM_MILLIS));
        tokio::time::sleep(calm).await;
        let leader = leader(&world).context("nobody leads")?;
        let began = Instant::now();
        lose(&mut world, leader, &random);
        let again = write(&mut client).await;
        again.with_context(|| format!("after loss {time}, of node {leader}"))?;
        resumed.push(began.elapsed());
        world.network.heal();
        if !world.running().contains(&leader) {
            world.launch(leader).await?;
        }
        let all = |world: &World| world.network.running().iter().all(|node| node.is_ready());
        world.wait_until("all groups have leaders", all).await?;
        observer.replicas(&world.network.running());
        let faults = observer.faults();
        ensure!(faults.is_empty(), "after loss {time}: {faults:?}");
    }
    Ok(resumed)
}

/// Writes until a write of every group was acknowledged.
async fn write(client: &mut Client) -> anyhow::Result<()> {
    let began = Instant::now();
    while !client.push_everywhere().await {
        ensure!(
            began.elapsed() < LIVELOCK,
            "no write was acknowledged within {LIVELOCK:?}"
        );
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// The node that leads the group of the first repository.
fn leader(world: &World) -> Option<NodeId> {
    let nodes = world.network.running();
    let maps = nodes.iter().filter_map(|node| node.current_map());
    let map = maps.max_by_key(|map| map.epoch)?;
    let group = raft::GroupId(map.group_of(SLOTS[0]).0);
    let told = nodes.iter().filter_map(|node| {
        let status = node.raft().group(group)?.status();
        Some((status.term, status.leader?))
    });
    told.max().map(|(_, leader)| NodeId(leader.0))
}

fn lose(world: &mut World, leader: NodeId, random: &SeededRandom) {
    match random.below(4) {
        0 => {
            for other in world.nodes().into_iter().filter(|other| *other != leader) {
                let (one, other) = (Endpoint::Node(leader), Endpoint::Node(other));
                world.network.cut(one, other);
                world.network.cut(other, one);
            }
        }
        1 => world.crash(leader, Survives::Nothing),
        2 => world.crash(leader, Survives::Everything),
        _ => world.crash(leader, Survives::Random(random.u64())),
    }
}
