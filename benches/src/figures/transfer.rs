//! What a planned change of leader costs a writer.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use jepsen::harness::{Cluster, Status};
use storage_node_api::Slot;
use storage_node_api::order::Order;

use super::clients;
use super::foreground::Foreground;
use super::report::{Goal, Report, at, median};
use super::tier::Tier;

/// Transfers in a round.
const TRANSFERS: usize = 6;
/// How long the writer is watched after each, and for as long before.
const WATCHED: Duration = Duration::from_secs(1);

/// The longest write around each transfer, beside the longest in as much time
/// without one.
pub(super) fn measure(place: &Path, rounds: usize) -> anyhow::Result<Report> {
    let clients = clients()?;
    let cluster = Cluster::start(place, 3, 0)?;
    let tier = clients.block_on(async { Tier::enter(&cluster.data(0)) })?;
    let tier = Arc::new(tier);
    let slot = Slot(0);
    let group = clients.block_on(tier.storage.map())?.group_of(slot).0;
    let foreground = Foreground::start(&clients, &tier, slot)?;
    thread::sleep(2 * WATCHED);
    let (mut during, mut quiet) = (Vec::new(), Vec::new());
    for _ in 0..rounds * TRANSFERS {
        let status = cluster.status()?;
        let leader = leader_of(&status, group)?;
        let other = status.nodes.iter().find(|node| node.id != leader);
        let other = other.context("there is one node only")?.id;
        let before = Instant::now();
        thread::sleep(WATCHED);
        let began = Instant::now();
        cluster.transfer(group, other)?;
        let leader = leader_of(&cluster.status()?, group)?;
        ensure!(
            leader == other,
            "group {group} is led by {leader}, not by {other}"
        );
        thread::sleep(WATCHED);
        quiet.push(foreground.longest(before, began));
        during.push(foreground.longest(began, Instant::now()));
    }
    foreground.stop(&clients)?;
    let mut report = Report::new("A planned transfer", "longest write", "without one");
    let pair = |percent| [(at(&during, percent), at(&quiet, percent))];
    report.pairs(
        "of one writer that never rests: p50",
        "ms",
        &pair(50),
        Goal::None,
    );
    report.pairs("p90", "ms", &pair(90), Goal::None);
    report.pairs("at most", "ms", &pair(100), Goal::None);
    report.alone(
        "p50 of all transfers",
        "ms",
        median(&during),
        Goal::Most(100.0),
    );
    report.note(format!(
        "{} transfers by `devflow cluster transfer` to another node and back; the longest write that began within {WATCHED:?} \
         from the order, beside the longest in the second before it.",
        during.len()
    ));
    Ok(report)
}

/// The leader by the word of most who say one.
fn leader_of(status: &Status, group: u64) -> anyhow::Result<u64> {
    let groups = status.nodes.iter().flat_map(|node| &node.groups);
    let mut leaders: Vec<u64> = groups
        .filter(|found| found.group == group)
        .filter_map(|found| found.leader)
        .collect();
    leaders.sort_unstable();
    leaders
        .get(leaders.len() / 2)
        .copied()
        .context("nobody leads")
}
