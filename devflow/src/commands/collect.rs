//! `devflow cluster collect`: a cycle of the collector, now; or what one would
//! find; or how the last one is.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use runtime::Runtime;
use storage_node_api::collect::{Amount, CollectOrder, CollectReport, Cycle, Phase};
use storage_node_api::map::{CLUSTER_GROUP, COLLECTION_VERSION, ClusterMap};
use storage_node_api::order::{Answer, Command, Query, Refusal, Reply, Request};
use storage_node_api::{Generation, NodeId, ReadPoint, RequestId};
use storage_node_client::tier::Links;

use super::cluster::links;
use super::policy::propose;
use super::status::newest_map;

/// How often the nodes are asked how far they are.
const LOOK: Duration = Duration::from_millis(500);
/// How often a node may fail to answer in a row before it is left to later cycles.
const SILENCES: u32 = 60;
/// How long the barriers of the last cycle, and new ones, may take to pass.
const BARRIER_PATIENCE: Duration = Duration::from_secs(60);
/// How long nodes that have just started are waited for.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// A cycle, if asked without pauses.
    Cycle { fast: bool },
    /// Only to count what a cycle would find.
    DryRun,
    /// Only to show how the last one is.
    Status,
}

type Reports = BTreeMap<NodeId, CollectReport>;

/// Does it, and shows how it goes.
pub(super) async fn run(data: PathBuf, order: Order) -> anyhow::Result<()> {
    let runtime = Runtime::real();
    let links = links(&data, &runtime)?;
    let map = newest_map(&*links).await?;
    ensure!(
        map.machine_version >= COLLECTION_VERSION,
        "the collector takes machine version {COLLECTION_VERSION}, the cluster is at {}: upgrade all nodes first",
        map.machine_version
    );
    match order {
        Order::Status => status(&*links, &map).await,
        Order::DryRun => dry_run(&*links, &map, &runtime).await,
        Order::Cycle { fast } => cycle(&*links, &map, &runtime, fast).await,
    }
}

async fn status(links: &dyn Links, map: &ClusterMap) -> anyhow::Result<()> {
    let (generation, cycle) = ask_cycle(links, map).await?;
    println!("{}", groups(map, generation, &cycle));
    for node in &map.nodes {
        match links.node(node).collect(CollectOrder::Look).await {
            Ok(report) => println!("node {}: {}", node.id, line(&report)),
            Err(error) => println!("node {}: {error}", node.id),
        }
    }
    Ok(())
}

/// How many groups have the barrier.
fn groups(map: &ClusterMap, generation: Generation, cycle: &Cycle) -> String {
    let passed = |group| cycle.barrier_of(group) >= generation;
    let groups = map.owners();
    let through = groups.iter().filter(|group| passed(**group)).count();
    format!(
        "generation {}: {through} of {} groups have passed its barrier",
        generation.0,
        groups.len()
    )
}

/// How a node's collector is, in one line.
pub(super) fn line(report: &CollectReport) -> String {
    let phase = match report.phase {
        Phase::Idle => match report.swept {
            Some(swept) => format!("swept generation {}", swept.0),
            None => return "has not swept since its start".to_owned(),
        },
        Phase::Waits => "waits for the barriers of all groups".to_owned(),
        Phase::Sweeps => format!("sweeps generation {}", report.generation.0),
        Phase::Compacts => "compacts volumes".to_owned(),
        Phase::Counts => "counts".to_owned(),
    };
    format!(
        "{phase}; {} live, {} dead, {} belong elsewhere, {} dropped; since its start {} volumes removed, {} MiB given back",
        amount(report.live),
        amount(report.dead),
        amount(report.unconfirmed),
        amount(report.dropped),
        report.volumes,
        report.given_back >> 20
    )
}

fn amount(amount: Amount) -> String {
    format!(
        "{} chunks ({} KiB)",
        amount.chunks,
        amount.bytes.div_ceil(1024)
    )
}

async fn dry_run(links: &dyn Links, map: &ClusterMap, runtime: &Runtime) -> anyhow::Result<()> {
    let mut before = Reports::new();
    for node in &map.nodes {
        let counting = || format!("have node {} count", node.id);
        let known = links.node(node).collect(CollectOrder::Count).await;
        before.insert(node.id, known.with_context(counting)?);
    }
    let done = |node: NodeId, report: &CollectReport| {
        before
            .get(&node)
            .is_none_or(|known| report.counts > known.counts)
    };
    let reports = follow(links, map, runtime, done).await?;
    let mut all = Amount::default();
    for (node, report) in &reports {
        println!(
            "node {node}: a cycle could drop {}",
            amount(report.droppable)
        );
        all.chunks += report.droppable.chunks;
        all.bytes += report.droppable.bytes;
    }
    println!(
        "all nodes: {}; uploads under way are counted, and stay",
        amount(all)
    );
    ensure!(
        reports.len() == map.nodes.len(),
        "not every node has counted"
    );
    Ok(())
}

async fn cycle(
    links: &dyn Links,
    map: &ClusterMap,
    runtime: &Runtime,
    fast: bool,
) -> anyhow::Result<()> {
    wait_for_starts(links, map, runtime).await;
    let generation = advance(links, map, runtime).await?;
    println!("generation {} has begun", generation.0);
    if fast {
        for node in &map.nodes {
            // One that does not answer is told of below.
            let _ = links.node(node).collect(CollectOrder::Hurry).await;
        }
    }
    let is_done = |_: NodeId, report: &CollectReport| {
        report.swept >= Some(generation) || report.started_in >= Some(generation)
    };
    let reports = follow(links, map, runtime, is_done).await?;
    let mut all = Amount::default();
    let mut swept = 0;
    for (node, report) in &reports {
        if report.swept < Some(generation) {
            println!("node {node}: has started meanwhile, and sweeps in the next cycle");
            continue;
        }
        swept += 1;
        all.chunks += report.dropped.chunks;
        all.bytes += report.dropped.bytes;
        println!("node {node}: {}", line(report));
    }
    println!("all nodes: {} dropped", amount(all));
    ensure!(
        swept == map.nodes.len(),
        "{swept} of {} nodes have swept; the others do in later cycles",
        map.nodes.len()
    );
    Ok(())
}

/// Gives nodes that have just started time to ask in which generation they have:
/// they would sit out the one that begins.
async fn wait_for_starts(links: &dyn Links, map: &ClusterMap, runtime: &Runtime) {
    let began = runtime.clock.monotonic();
    for node in &map.nodes {
        while let Ok(report) = links.node(node).collect(CollectOrder::Look).await
            && report.started_in.is_none()
            && runtime.clock.monotonic().saturating_sub(began) < START_PATIENCE
        {
            runtime.clock.sleep(LOOK).await;
        }
    }
}

/// Begins a generation, after the barriers of the last one.
async fn advance(
    links: &dyn Links,
    map: &ClusterMap,
    runtime: &Runtime,
) -> anyhow::Result<Generation> {
    let began = runtime.clock.monotonic();
    loop {
        let (seen, _) = ask_cycle(links, map).await?;
        let request = Request {
            id: RequestId::random(&*runtime.random),
            time: runtime.clock.now(),
            command: Command::Advance { seen },
        };
        match propose(links, map, &request).await? {
            Reply::Done => return Ok(Generation(seen.0 + 1)),
            Reply::Refused(refusal) => {
                let waits = matches!(
                    refusal,
                    Refusal::BarrierOutstanding { .. } | Refusal::GenerationMoved { .. }
                );
                let waited = runtime.clock.monotonic().saturating_sub(began);
                ensure!(
                    waits && waited < BARRIER_PATIENCE,
                    "no cycle began: {refusal}"
                );
            }
            other => bail!("the cluster answered something else: {other:?}"),
        }
        runtime.clock.sleep(LOOK).await;
    }
}

async fn ask_cycle(links: &dyn Links, map: &ClusterMap) -> anyhow::Result<(Generation, Cycle)> {
    for node in &map.nodes {
        let link = links.node(node);
        let asked = link.read(CLUSTER_GROUP, ReadPoint::Linearizable, Query::Cycle);
        if let Ok(Answer::Cycle {
            generation, cycle, ..
        }) = asked.await
        {
            return Ok((generation, cycle));
        }
    }
    bail!("no node could read the cluster group at the moment: try again")
}

/// Asks until all nodes are done, or no longer answer.
async fn follow(
    links: &dyn Links,
    map: &ClusterMap,
    runtime: &Runtime,
    is_done: impl Fn(NodeId, &CollectReport) -> bool,
) -> anyhow::Result<Reports> {
    let mut reports = Reports::new();
    let mut silences: BTreeMap<NodeId, u32> = BTreeMap::new();
    loop {
        let mut waits = false;
        for node in &map.nodes {
            if reports
                .get(&node.id)
                .is_some_and(|known| is_done(node.id, known))
            {
                continue;
            }
            match links.node(node).collect(CollectOrder::Look).await {
                Ok(report) => {
                    silences.remove(&node.id);
                    waits |= !is_done(node.id, &report);
                    reports.insert(node.id, report);
                }
                Err(error) => {
                    let silent = silences.entry(node.id).or_default();
                    *silent += 1;
                    if *silent == SILENCES {
                        println!("node {}: {error}", node.id);
                    }
                    waits |= *silent < SILENCES;
                }
            }
        }
        show(&reports);
        if !waits {
            if std::io::stderr().is_terminal() {
                eprintln!();
            }
            reports.retain(|node, report| is_done(*node, report));
            return Ok(reports);
        }
        runtime.clock.sleep(LOOK).await;
    }
}

/// One line that is written over, for people who watch.
fn show(reports: &Reports) {
    let mut error = std::io::stderr();
    if !error.is_terminal() {
        return;
    }
    let each = reports.iter().map(|(node, report)| {
        let looked_at = report.looked_at;
        format!("node {node} {:?} {looked_at} chunks", report.phase)
    });
    let each: Vec<String> = each.collect();
    // Nothing is lost with a line that cannot be shown.
    let _ = write!(error, "\r\x1b[K{}", each.join(" · "));
    let _ = error.flush();
}

#[cfg(test)]
mod tests {
    use storage_node_api::Generation;
    use storage_node_api::collect::{Amount, CollectReport, Phase};

    use super::line;

    #[test]
    fn a_line_says_what_was_done_and_what_is_left() {
        let amount = |chunks| Amount {
            chunks,
            bytes: chunks * 1000,
        };
        let report = CollectReport {
            generation: Generation(4),
            swept: Some(Generation(3)),
            live: amount(7),
            dead: amount(5),
            dropped: amount(4),
            volumes: 2,
            given_back: 3 << 20,
            ..CollectReport::default()
        };
        let expected = "swept generation 3; 7 chunks (7 KiB) live, 5 chunks (5 KiB) dead, 0 chunks (0 KiB) belong elsewhere, 4 chunks (4 KiB) dropped; since its start 2 volumes removed, 3 MiB given back";
        assert_eq!(line(&report), expected);
        let sweeping = CollectReport {
            phase: Phase::Sweeps,
            ..report
        };
        assert!(line(&sweeping).starts_with("sweeps generation 4; "));
    }
}
