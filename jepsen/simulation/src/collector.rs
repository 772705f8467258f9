//! Cycles of the collector, begun at random while clients work and faults strike.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use runtime::{Random, SeededRandom, Timestamp};
use storage_node_api::collect::CollectOrder;
use storage_node_api::map::CLUSTER_GROUP;
use storage_node_api::node::Node;
use storage_node_api::order::{Command, Reply, Request};
use storage_node_api::{Generation, RequestId};
use storage_node_server::StorageNode;
use tokio::time::Instant;

use crate::network::Network;

/// How long a cycle may take while nothing is wrong.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it is looked how far it is.
const LOOK: Duration = Duration::from_millis(50);
/// The shortest and the longest time between two cycles.
const PAUSES: (u64, u64) = (200, 3_000);

/// Begins one cycle after the other, for as long as it is let.
pub async fn run(network: Network, seed: u64) {
    let random = SeededRandom::new(seed ^ 0x636f_6c6c);
    loop {
        let pause = PAUSES.0 + random.below(PAUSES.1 - PAUSES.0);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let begun = advance(&network.running(), &random).await;
        if begun.is_some() && random.below(2) == 0 {
            for node in network.running() {
                drop(node.collect(CollectOrder::Hurry).await);
            }
        }
    }
}

/// One cycle, to its end on all nodes that run. Each of a run has a number of its
/// own, so that it asks under new ids.
pub async fn cycle(network: &Network, number: u64) -> anyhow::Result<()> {
    let random = SeededRandom::new(0x6379_636c ^ number);
    let began = Instant::now();
    let in_time = || {
        ensure!(
            began.elapsed() < PATIENCE,
            "a cycle takes over {PATIENCE:?}"
        );
        Ok(tokio::time::sleep(LOOK))
    };
    for node in network.running() {
        // A node sits out the generation that it finds when it first asks.
        while node.collect(CollectOrder::Look).await?.started_in.is_none() {
            in_time()?.await;
        }
    }
    let generation = loop {
        match advance(&network.running(), &random).await {
            Some(generation) => break generation,
            None => in_time()?.await,
        }
    };
    for node in network.running() {
        node.collect(CollectOrder::Hurry).await?;
        while node.collect(CollectOrder::Look).await?.swept < Some(generation) {
            in_time()?.await;
        }
    }
    Ok(())
}

/// Advances the clock, if the last barriers are through and somebody leads.
async fn advance(nodes: &[Arc<StorageNode>], random: &SeededRandom) -> Option<Generation> {
    let maps = nodes.iter().filter_map(|node| node.current_map());
    let seen = maps.map(|map| map.generation).max()?;
    let request = Request {
        id: RequestId::random(random),
        time: Timestamp(0),
        command: Command::Advance { seen },
    };
    for node in nodes {
        if let Ok(committed) = node.propose(CLUSTER_GROUP, request.clone()).await {
            let begun = committed.reply == Reply::Done;
            return begun.then_some(Generation(seen.0 + 1));
        }
    }
    None
}
