use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chunking::ChunkId;
use storage_node_api::map::ClusterMap;
use storage_node_api::node::Node;
use storage_node_api::order::{Answer, Query};
use storage_node_api::placement::Placement;
use storage_node_api::{DedupDomain, NodeId, ReadPoint};
use storage_node_server::StorageNode;
use tokio::time::{Duration, Instant};

use super::acknowledged_is_durable::{read_all, through};
use super::{Evidence, tell};
use crate::collector;
use crate::workload::acknowledged;

const NAME: &str = "collection safety";
/// Cycles after which nothing dead may be left once nobody writes: one that
/// closes what was removed, and one for copies that had to be made elsewhere
/// before they could go.
const CYCLES: u64 = 2;
/// How long nodes may take to fetch what they lack.
const FILL_PATIENCE: Duration = Duration::from_secs(90);

/// What was acknowledged and not deleted is readable after the collector has run
/// among faults, and after it has run undisturbed; and then no node has anything
/// that no blob needs.
pub(super) async fn hold(evidence: &Evidence<'_>) -> anyhow::Result<()> {
    for number in 0..CYCLES {
        wait_until_filled(evidence).await?;
        collector::cycle(&evidence.world.network, number).await?;
    }
    let blobs = acknowledged(evidence.recorder);
    for near in evidence.world.nodes().into_iter().take(1) {
        let mut client = through(evidence, near)?;
        let faults = read_all(&mut client, &blobs, "after the collector").await;
        tell(evidence.observer, NAME, faults);
    }
    let nodes = evidence.world.network.running();
    let expected = live(&nodes).await?;
    for node in &nodes {
        let status = node.status().await?;
        let held = status.chunks + status.corrupt_chunks;
        let live = expected
            .get(&node.id())
            .map_or(0, |chunks| chunks.len() as u64);
        if held > live {
            let id = node.id();
            let what = format!("node {id} has {held} chunks, and {live} are live there");
            evidence.observer.fault(NAME, what);
        }
    }
    Ok(())
}

/// Waits until every node has what is placed on it.
async fn wait_until_filled(evidence: &Evidence<'_>) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let nodes = evidence.world.network.running();
        let mut lacking = 0;
        for node in &nodes {
            let status = node.status().await?;
            lacking += status.missing_chunks.unwrap_or(1);
        }
        if lacking == 0 || began.elapsed() > FILL_PATIENCE {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// What each node should have.
type Live = BTreeMap<NodeId, BTreeSet<(DedupDomain, ChunkId)>>;

async fn live(nodes: &[Arc<StorageNode>]) -> anyhow::Result<Live> {
    let mut live = Live::new();
    let Some((reader, map)) = nodes
        .iter()
        .filter_map(|node| Some((node, node.current_map()?)))
        .max_by_key(|(_, map)| map.epoch)
    else {
        return Ok(live);
    };
    let map: &ClusterMap = &map;
    for group in map.owners() {
        let mut after = Some(Vec::new());
        while let Some(from) = after {
            let query = Query::LiveChunks { after: from };
            let read = reader.read(group, ReadPoint::Linearizable, query);
            let Answer::LiveChunks { chunks, next } = read.await? else {
                anyhow::bail!("an answer to another question");
            };
            for (domain, chunk) in chunks {
                for node in Placement::new(domain, map).place(&chunk.id) {
                    live.entry(node).or_default().insert((domain, chunk.id));
                }
            }
            after = next;
        }
    }
    Ok(live)
}
