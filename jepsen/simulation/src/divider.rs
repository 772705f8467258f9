//! Groups that are added and slots that move, ordered at random while clients work and faults
//! strike.

use std::sync::Arc;
use std::time::Duration;

use runtime::{Random, SeededRandom, Timestamp};
use storage_node_api::map::{CLUSTER_GROUP, ClusterMap, Phase, SlotsChange};
use storage_node_api::node::Node;
use storage_node_api::order::{Command, Request};
use storage_node_api::{RequestId, Slot};
use storage_node_server::StorageNode;

use crate::mutation::Mutation;
use crate::network::Network;
use crate::workload::SLOTS;

/// Groups beyond which none is added.
const MOST_GROUPS: usize = 6;
/// The shortest and the longest time between two changes.
const PAUSES: (u64, u64) = (300, 4_000);
/// How often a broken rule looks for its chance.
const HASTE: Duration = Duration::from_millis(2);

/// Orders one change after the other, for as long as it is let.
pub async fn run(network: Network, seed: u64, broken: Option<Mutation>) {
    let random = SeededRandom::new(seed ^ 0x736c_6f74);
    if broken == Some(Mutation::HandoverWithoutCopy) {
        tokio::spawn(hand_over_early(network.clone(), seed));
    }
    loop {
        let pause = PAUSES.0 + random.below(PAUSES.1 - PAUSES.0);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let nodes = network.running();
        let Some(map) = newest(&nodes) else { continue };
        let groups = map.data_groups();
        let change = if groups.len() < MOST_GROUPS && random.below(3) == 0 {
            SlotsChange::Divide(u16::try_from(groups.len() + 1).unwrap_or(u16::MAX))
        } else {
            // One of the slots that clients write to, with some around it.
            let of = usize::try_from(random.below(SLOTS.len() as u64)).unwrap_or(0);
            let to = usize::try_from(random.below(groups.len() as u64)).unwrap_or(0);
            let (first, last) = (Slot(SLOTS[of].0 - 1), Slot(SLOTS[of].0 + 2));
            let to = groups[to];
            SlotsChange::Move { first, last, to }
        };
        // It may be refused, or lost with whoever leads.
        order(&nodes, &map, change, &random).await;
    }
}

/// Says that moves are copied before they are.
async fn hand_over_early(network: Network, seed: u64) {
    let random = SeededRandom::new(seed ^ 0x6561_726c);
    loop {
        tokio::time::sleep(HASTE).await;
        let nodes = network.running();
        let Some(map) = newest(&nodes) else { continue };
        if let Some(moving) = map.moves.moving
            && moving.phase == Phase::Copying
        {
            let copied = SlotsChange::Copied(moving.number);
            order(&nodes, &map, copied, &random).await;
        }
    }
}

fn newest(nodes: &[Arc<StorageNode>]) -> Option<Arc<ClusterMap>> {
    let maps = nodes.iter().filter_map(|node| node.current_map());
    maps.max_by_key(|map| map.epoch)
}

async fn order(
    nodes: &[Arc<StorageNode>],
    map: &ClusterMap,
    change: SlotsChange,
    random: &SeededRandom,
) {
    let seen = map.epoch;
    let request = Request {
        id: RequestId::random(random),
        time: Timestamp(0),
        command: Command::ChangeSlots { seen, change },
    };
    for node in nodes {
        if node.propose(CLUSTER_GROUP, request.clone()).await.is_ok() {
            return;
        }
    }
}
