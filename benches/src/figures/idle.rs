//! What a cluster of many groups costs while nobody asks it anything.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use jepsen::harness::{Cluster, Layout};

use super::report::{Goal, Report, median};
use crate::processes::{processor_time, resident_mib};

/// The groups.
const GROUPS: [u16; 2] = [4, 1000];
/// How long nothing happens before.
const QUIET: Duration = Duration::from_secs(30);
/// How long each round is.
const ROUND: Duration = Duration::from_secs(10);
/// How long all nodes may take to vote in all groups.
const PATIENCE: Duration = Duration::from_secs(900);
/// Nodes.
const NODES: usize = 3;

/// Processor time and memory of each node, with few groups and with many.
pub(super) fn measure(place: &Path, rounds: usize) -> anyhow::Result<Report> {
    let mut report = Report::new("Idle groups", "devflow, a node", "");
    for groups in GROUPS {
        let own = place.join(groups.to_string());
        std::fs::create_dir(&own)?;
        let variable = ("DEVFLOW_NODE__GROUPS".to_owned(), groups.to_string());
        let layout = Layout {
            variables: vec![vec![variable]; NODES],
            patience: Some(PATIENCE),
            ..Layout::default()
        };
        let began = Instant::now();
        let cluster = Cluster::start_as(&own, NODES, 0, layout)?;
        let started = began.elapsed();
        thread::sleep(QUIET);
        let (mut cores, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let before = cluster_time(&cluster)?;
            let began = Instant::now();
            thread::sleep(ROUND);
            let elapsed = began.elapsed().as_secs_f64();
            let after = cluster_time(&cluster)?;
            let spent = after.iter().zip(&before);
            cores.extend(spent.map(|(after, before)| (*after - *before).as_secs_f64() / elapsed));
        }
        for node in &cluster.nodes {
            memory.push(resident_mib(node.id().context("the node runs")?)? as f64);
        }
        let goals = match groups {
            1000 => [Goal::Most(0.25), Goal::Most(250.0)],
            _ => [Goal::None, Goal::None],
        };
        let rows = [
            ("processor", "cores", cores),
            ("memory", "MiB resident", memory),
        ];
        for ((what, unit, figures), goal) in rows.into_iter().zip(goals) {
            let row = format!("{groups} groups: {what}");
            report.alone(&row, unit, median(&figures), goal);
        }
        report.note(format!(
            "{groups} groups: until all nodes voted in all of them, {} s.",
            started.as_secs()
        ));
    }
    report.note(format!(
        "Three nodes, {QUIET:?} after they settled, medians of {rounds} times {ROUND:?} and of the nodes."
    ));
    Ok(report)
}

fn cluster_time(cluster: &Cluster) -> anyhow::Result<Vec<Duration>> {
    let of = |node: &jepsen::harness::Process| processor_time(node.id().context("the node runs")?);
    cluster.nodes.iter().map(of).collect()
}
