//! `devflow cluster status`.

use std::path::PathBuf;

use anyhow::Context;
use runtime::Runtime;
use serde_json::{Value, json};
use storage_node_api::map::ClusterMap;
use storage_node_api::node::NodeStatus;
use storage_node_client::tier::Links;

use super::cluster::links;

/// Asks every node of the map how it is.
pub(super) async fn show(data: PathBuf, as_json: bool) -> anyhow::Result<()> {
    let runtime = Runtime::real();
    let links = links(&data, &runtime)?;
    let map = newest_map(&*links).await?;
    let mut nodes = Vec::new();
    for node in &map.nodes {
        let status = links.node(node).status().await;
        nodes.push((node, status.ok()));
    }
    if as_json {
        let nodes: Vec<Value> = nodes
            .iter()
            .map(|(node, status)| to_json(node.id.0, status.as_ref()))
            .collect();
        println!(
            "{}",
            json!({"cluster": map.cluster.to_string(), "epoch": map.epoch.0, "nodes": nodes})
        );
        return Ok(());
    }
    println!("cluster {}, map epoch {}", map.cluster, map.epoch);
    for (node, status) in &nodes {
        match status {
            None => println!("node {}  {}  does not answer", node.id, node.control),
            Some(status) => print(&node.control, status),
        }
    }
    Ok(())
}

/// The newest map that any seed knows.
pub(super) async fn newest_map(links: &dyn Links) -> anyhow::Result<ClusterMap> {
    let mut newest: Option<ClusterMap> = None;
    for seed in links.seeds() {
        if let Ok(map) = seed.map().await
            && newest.as_ref().is_none_or(|known| known.epoch < map.epoch)
        {
            newest = Some(map);
        }
    }
    newest.context("no node of the cluster answered: check that it runs")
}

fn print(address: &str, status: &NodeStatus) {
    let missing = match status.missing_chunks {
        Some(0) => "lacks none".to_owned(),
        Some(missing) => format!("lacks {missing}"),
        None => "has not looked what it lacks".to_owned(),
    };
    println!(
        "node {}  {address}  {} chunks, {} MiB, {missing}, {} corrupt; {} MiB free",
        status.id,
        status.chunks,
        status.chunk_bytes >> 20,
        status.corrupt_chunks,
        status.available_bytes >> 20,
    );
    for group in &status.groups {
        let leader = group
            .leader
            .map_or("no leader".to_owned(), |id| format!("leader {id}"));
        println!(
            "  group {:<4} {leader}, term {}, applied {} of {}, {} voters",
            group.group,
            group.term,
            group.applied,
            group.committed,
            group.voters.len()
        );
    }
}

fn to_json(id: u64, status: Option<&NodeStatus>) -> Value {
    let Some(status) = status else {
        return json!({"id": id, "reachable": false, "missing_chunks": null, "groups": []});
    };
    let groups: Vec<Value> = status
        .groups
        .iter()
        .map(|group| {
            let hash: String = group
                .state_hash
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            json!({
                "group": group.group.0,
                "leader": group.leader.map(|leader| leader.0),
                "term": group.term,
                "applied": group.applied,
                "committed": group.committed,
                "voters": group.voters.iter().map(|voter| voter.0).collect::<Vec<_>>(),
                "state_hash": hash,
            })
        })
        .collect();
    json!({
        "id": id,
        "reachable": true,
        "chunks": status.chunks,
        "chunk_bytes": status.chunk_bytes,
        "missing_chunks": status.missing_chunks,
        "corrupt_chunks": status.corrupt_chunks,
        "available_bytes": status.available_bytes,
        "groups": groups,
    })
}
