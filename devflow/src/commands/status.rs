//! `devflow cluster status`.

use std::path::PathBuf;

use anyhow::Context;
use runtime::Runtime;
use serde_json::{Value, json};
use storage_node_api::Timestamp;
use storage_node_api::collect::{Amount, CollectOrder, CollectReport};
use storage_node_api::health::HealthReport;
use storage_node_api::map::{ClusterMap, Node};
use storage_node_api::node::NodeStatus;
use storage_node_api::rebuild::{RebuildOrder, RebuildReport};
use storage_node_api::scrub::{Faults, ScrubOrder, ScrubReport};
use storage_node_client::tier::Links;

use super::cluster::links;
use super::collect;
use super::health;
use super::holds::Holds;
use super::progress::Progress;
use super::rebuild;
use super::scrub::{faults, progress};
use super::slots;

/// Asks every node of the map how it is.
pub(super) async fn show(data: PathBuf, as_json: bool) -> anyhow::Result<()> {
    let runtime = Runtime::real();
    let links = links(&data, &runtime)?;
    let map = newest_map(&*links).await?;
    let members = Progress::ask(&*links, &map).await;
    let now = runtime.clock.now();
    let holds = Holds::ask(&*links, &map, now).await;
    let mut nodes = Vec::new();
    for node in &map.nodes {
        nodes.push(Told::ask(&*links, node).await);
    }
    if as_json {
        let nodes: Vec<Value> = nodes.iter().map(|told| told.json(&members)).collect();
        println!(
            "{}",
            json!({
                "cluster": map.cluster.to_string(),
                "epoch": map.epoch.0,
                "machine_version": map.machine_version,
                "nodes": nodes,
                "backups": holds.json(),
            })
        );
        return Ok(());
    }
    println!(
        "cluster {}, map epoch {}, machine version {}",
        map.cluster, map.epoch, map.machine_version
    );
    if let Some(line) = slots::moving(&map) {
        println!("{line}");
    }
    if let Some(line) = holds.line(now) {
        println!("{line}");
    }
    for told in &nodes {
        told.print(&members, now);
    }
    Ok(())
}

/// What a node says of itself, as far as it answers.
struct Told<'a> {
    node: &'a Node,
    status: Option<NodeStatus>,
    scrub: Option<ScrubReport>,
    collected: Option<CollectReport>,
    health: Option<HealthReport>,
    rebuild: Option<RebuildReport>,
}

impl<'a> Told<'a> {
    async fn ask(links: &dyn Links, node: &'a Node) -> Self {
        let link = links.node(node);
        Self {
            node,
            status: link.status().await.ok(),
            scrub: link.scrub(ScrubOrder::Look).await.ok(),
            collected: link.collect(CollectOrder::Look).await.ok(),
            health: link.health().await.ok(),
            rebuild: link.rebuild(RebuildOrder::Look).await.ok(),
        }
    }

    fn json(&self, members: &Progress) -> Value {
        fn or_null<T>(told: Option<&T>, json: impl FnOnce(&T) -> Value) -> Value {
            told.map_or(Value::Null, json)
        }
        let mut json = to_json(self.node.id.0, self.status.as_ref());
        json["health"] = or_null(self.health.as_ref(), health::to_json);
        json["rebuild"] = or_null(self.rebuild.as_ref(), rebuild::to_json);
        json["members"] = members.json(self.node.id);
        json["scrub"] = or_null(self.scrub.as_ref(), scrub_to_json);
        json["collect"] = or_null(self.collected.as_ref(), collect_to_json);
        json
    }

    fn print(&self, members: &Progress, now: Timestamp) {
        match &self.status {
            None => println!(
                "node {}  {}  does not answer",
                self.node.id, self.node.control
            ),
            Some(status) => print(&self.node.control, status),
        }
        println!("  members    {}", members.line(self.node.id));
        if let Some(report) = &self.health {
            println!("  health     {}", health::line(report));
        }
        for line in self.rebuild.iter().flat_map(rebuild::lines) {
            println!("  rebuild    {line}");
        }
        if let Some(scrub) = &self.scrub {
            print_scrub(scrub, now);
        }
        if let Some(report) = &self.collected {
            println!("  collect    {}", collect::line(report));
        }
    }
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

fn print_scrub(scrub: &ScrubReport, now: Timestamp) {
    let last = match scrub.last_full_pass {
        Some(last) => format!("last full pass {} h ago", now.since(last).as_secs() / 3600),
        None => "no full pass yet".to_owned(),
    };
    let pass = if scrub.running {
        format!("under way, {}, {last}", progress(scrub))
    } else {
        last
    };
    println!(
        "  scrub      {pass}; found {}; {} quarantined, being replaced, {} on no other node, {} replaced; {} chunks belong elsewhere",
        faults(&scrub.faults, &Faults::default()),
        scrub.quarantined.saturating_sub(scrub.lost),
        scrub.lost,
        scrub.repaired,
        scrub.surplus,
    );
    for fault in &scrub.replicas {
        println!("  group {:<4} {}", fault.group, fault.reason);
    }
}

fn collect_to_json(report: &CollectReport) -> Value {
    let amount = |amount: Amount| json!({"chunks": amount.chunks, "bytes": amount.bytes});
    json!({
        "generation": report.generation.0,
        "started_in": report.started_in.map(|generation| generation.0),
        "swept": report.swept.map(|generation| generation.0),
        "live": amount(report.live),
        "dead": amount(report.dead),
        "extra": amount(report.extra),
        "unconfirmed": amount(report.unconfirmed),
        "dropped": amount(report.dropped),
        "volumes_removed": report.volumes,
        "given_back_bytes": report.given_back,
    })
}

fn scrub_to_json(scrub: &ScrubReport) -> Value {
    let kinds = scrub.faults.by_kind();
    let faults = kinds.map(|(kind, found)| (kind.to_owned(), Value::from(found)));
    let replicas: Vec<Value> = scrub
        .replicas
        .iter()
        .map(|fault| json!({"group": fault.group.0, "reason": fault.reason}))
        .collect();
    json!({
        "running": scrub.running,
        "read_bytes": scrub.read_bytes,
        "total_bytes": scrub.total_bytes,
        "last_full_pass": scrub.last_full_pass.map(Timestamp::seconds),
        "faults": Value::Object(faults.into_iter().collect()),
        "quarantined": scrub.quarantined,
        "lost": scrub.lost,
        "repaired": scrub.repaired,
        "surplus": scrub.surplus,
        "unindexed": scrub.unindexed,
        "replicas": replicas,
    })
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
