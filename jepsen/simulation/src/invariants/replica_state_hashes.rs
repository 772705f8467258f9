use std::collections::BTreeMap;
use std::sync::Arc;

use storage_node_api::map::METADATA_GROUP;
use storage_node_api::node::Node;
use storage_node_api::{GroupId, NodeId};
use storage_node_machine::recompute;
use storage_node_server::StorageNode;
use storage_node_server::replica::StateView;
use tokio::time::{Duration, Instant};

use super::Evidence;
use crate::world::PATIENCE;

const NAME: &str = "replica state hashes";

/// What each replica of a group has come to.
type Replicas = BTreeMap<GroupId, BTreeMap<NodeId, (u64, [u8; 32])>>;

/// Once nothing is written any more, all replicas of a group come to the same
/// index with the same hash, and the hash that is kept is that of the state.
pub(super) async fn hold(evidence: &Evidence<'_>) -> anyhow::Result<()> {
    let began = Instant::now();
    let nodes = evidence.world.network.running();
    let mut last = Replicas::new();
    let replicas = loop {
        let replicas = ask(&nodes).await?;
        let alike = replicas.values().all(|group| {
            let mut indexes = group.values().map(|(index, _)| index);
            let first = indexes.next();
            indexes.all(|index| Some(index) == first)
        });
        if alike && replicas == last {
            break replicas;
        }
        anyhow::ensure!(
            began.elapsed() < PATIENCE,
            "replicas do not come to the same index within {PATIENCE:?}"
        );
        last = replicas;
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    for (group, states) in &replicas {
        let mut hashes: Vec<_> = states.values().map(|(_, hash)| hash).collect();
        hashes.dedup();
        if hashes.len() > 1 {
            let what = format!("the replicas of group {group} differ: {states:?}");
            evidence.observer.fault(NAME, what);
        }
    }
    let data = replicas
        .iter()
        .filter(|(group, _)| **group != METADATA_GROUP);
    for (group, states) in data {
        for (node, (_, kept)) in states {
            let Some(machine) = evidence.world.machines.get(node) else {
                continue;
            };
            let view = StateView::now(&machine.disks.state, raft::GroupId(group.0))?;
            if recompute(&view)? != *kept {
                let what =
                    format!("node {node} keeps another hash of group {group} than its state has");
                evidence.observer.fault(NAME, what);
            }
        }
    }
    Ok(())
}

async fn ask(nodes: &[Arc<StorageNode>]) -> anyhow::Result<Replicas> {
    let mut replicas = Replicas::new();
    for node in nodes {
        for group in node.status().await?.groups {
            let state = (group.applied, group.state_hash);
            replicas
                .entry(group.group)
                .or_default()
                .insert(node.id(), state);
        }
    }
    Ok(replicas)
}
