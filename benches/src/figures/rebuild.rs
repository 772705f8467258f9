//! A node whose disk was lost, until its successor has everything.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use jepsen::harness::Cluster;
use storage_node_api::Slot;

use super::clients;
use super::content::{random, stamp};
use super::deduplication::usage;
use super::foreground::Foreground;
use super::report::{Goal, Report, at};
use super::tier::Tier;

/// Blobs and the size of each.
const BLOBS: (usize, usize) = (16, 64 << 20);
/// The most rounds: each is a whole cluster's content.
const MAX_ROUNDS: usize = 3;
/// How long the foreground is watched while nothing is rebuilt.
const QUIET: Duration = Duration::from_secs(10);

/// The last of three nodes is killed, wiped and replaced, beside a copy of the same files.
pub(super) fn measure(place: &Path, rounds: usize) -> anyhow::Result<Report> {
    let clients = clients()?;
    let mut cluster = Cluster::start(place, 3, 0)?;
    let tier = clients.block_on(async { Tier::enter(&cluster.data(0)) })?;
    let tier = Arc::new(tier);
    let mut content = random(BLOBS.1, &tier.runtime);
    for _ in 0..BLOBS.0 {
        stamp(&mut content, &tier.runtime);
        clients.block_on(tier.write(content.clone().into()))?;
    }
    let foreground = Foreground::start(&clients, &tier, Slot(0))?;
    let (mut speeds, mut latencies) = (Vec::new(), Vec::new());
    for _ in 0..rounds.min(MAX_ROUNDS) {
        let volumes = cluster.data(0).join("volumes");
        let bytes = usage(&volumes)? as f64 / 1e6;
        let raw = copy(&volumes, &place.join("copy"))?;
        let quiet = Instant::now();
        thread::sleep(QUIET);
        let quiet = at(&foreground.between(quiet, Instant::now()), 95);
        cluster.nodes[2].kill()?;
        fs::remove_dir_all(cluster.data(2))?;
        // Until its leaders are others.
        thread::sleep(Duration::from_secs(5));
        let began = Instant::now();
        cluster.replace(2)?;
        let ended = Instant::now();
        latencies.push((at(&foreground.between(began, ended), 95), quiet));
        let took = (ended - began).as_secs_f64();
        speeds.push((bytes / took, bytes / raw.as_secs_f64()));
    }
    foreground.stop(&clients)?;
    let mut report = Report::new("A wiped node is rebuilt", "devflow", "the other");
    report.pairs("beside cp and sync", "MB/s", &speeds, Goal::Least(0.5));
    report.pairs(
        "p95 of small pushes meanwhile, beside before",
        "ms",
        &latencies,
        Goal::Most(2.0),
    );
    report.note(format!(
        "{} MiB of content in three copies; from when the successor is invited until the map is without the lost node and the \
         successor votes in every group and lacks no chunk.",
        (BLOBS.0 * BLOBS.1) >> 20
    ));
    Ok(report)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    let synced = Command::new("sync").arg("-f").arg(to).status()?;
    ensure!(
        copied.success() && synced.success(),
        "copy {}",
        from.display()
    );
    let took = began.elapsed();
    fs::remove_dir_all(to)?;
    Ok(took)
}
