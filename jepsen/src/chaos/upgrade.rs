//! A rolling upgrade under load: processes of an earlier release are replaced by the
//! present one, one at a time, and cannot be taken back once the cluster has risen.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;

use super::run::{conclude, doors_of};
use super::trial::Trial;
use super::{Options as Chaos, Report};
use crate::checkers::{Verdict, check_progress};
use crate::harness::{Cluster, Layout, Status};
use crate::history::{Event, Recorder};

/// The cluster.
const NODES: usize = 3;
const FRONTENDS: usize = 2;
/// The order of replacement, by place: nodes first, then frontends. Old frontends with
/// new nodes and new frontends with old nodes both occur; the last is a node, since
/// frontends of the earlier release need not understand what the cluster then rises to.
const ORDER: [usize; NODES + FRONTENDS] = [3, 0, 1, 4, 2];
/// What replacing one process is called in histories.
const STEP: &str = "upgrade";
/// How long clients work between two replacements.
const BETWEEN: Duration = Duration::from_secs(3);
/// The longest that writes may stand still while one process is replaced.
const LONGEST_STOP: Duration = Duration::from_secs(10);
/// How long a replaced node may take to answer, and the cluster to rise or settle.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(200);
/// What a refused start leaves as it was: who the node is, and the format of its data.
const UNTOUCHED: [&str; 2] = ["node", "format"];

/// What to upgrade.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The binary of the earlier release.
    #[arg(long, value_name = "PATH")]
    pub old: PathBuf,
    /// Where the history is written.
    #[arg(long, default_value = "upgrade-history.jsonl", value_name = "FILE")]
    pub history: PathBuf,
    /// Where a page with the chart and the verdict is written.
    #[arg(long, value_name = "FILE")]
    pub page: Option<PathBuf>,
}

/// Upgrades a cluster of three nodes and two frontends, prints the report, and fails if
/// a promise was broken.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let chaos = Chaos {
        history: options.history.clone(),
        page: options.page.clone(),
        ..Chaos::default()
    };
    let report = judge(&options.old, &chaos)?;
    conclude(&chaos, &report)
}

/// Upgrades and reports. Fails only if the run itself could not be made.
pub fn judge(old: &Path, options: &Chaos) -> anyhow::Result<Report> {
    let old = fs::canonicalize(old).with_context(|| format!("find {}", old.display()))?;
    let place = tempfile::tempdir()?;
    let layout = Layout {
        program: Some(old.clone()),
        ..Layout::default()
    };
    let mut cluster = Cluster::start_as(place.path(), NODES, FRONTENDS, layout)?;
    cluster.use_binary_under_test();
    let doors = doors_of(&cluster, "frontend")?;
    let mut trial = Trial::run(options, place.path(), doors, None, |recorder| {
        roll(&mut cluster, recorder)
    })?;
    let report = &mut trial.report;
    let progress = check_progress(&report.events, STEP, LONGEST_STOP);
    report.verdicts.push(Verdict::of("progress", progress));
    let refused = refuse_downgrade(&mut cluster, &old);
    report.verdicts.push(Verdict::of("downgrade", refused));
    let settled = cluster.wait_until_settled(PATIENCE);
    let settled = settled.map(|status| {
        let groups = status.count_groups();
        format!("{groups} groups: one state hash each on all nodes")
    });
    report.verdicts.push(Verdict::of("replicas", settled));
    let verified = cluster.wait_until_verified(PATIENCE);
    let verified = verified.map(|said| said.trim().replace('\n', "; "));
    report.verdicts.push(Verdict::of("content", verified));
    trial.finish()
}

/// Replaces one process after the other, and sees that the cluster rises by itself with
/// the last node and not before.
fn roll(cluster: &mut Cluster, recorder: &Recorder) -> anyhow::Result<()> {
    let before = version(cluster)?;
    for (count, &place) in ORDER.iter().enumerate() {
        let now = version(cluster)?;
        ensure!(
            now == before,
            "the machine version rose from {before} to {now} after {count} of {} processes",
            ORDER.len()
        );
        let begin = recorder.now_us();
        let process = match place.checked_sub(NODES) {
            Some(frontend) => &mut cluster.frontends[frontend],
            None => &mut cluster.nodes[place],
        };
        let name = process.name().to_owned();
        process.stop()?;
        process.set_program(None);
        process.restart()?;
        wait(cluster, |status| {
            status.nodes.iter().all(|node| node.reachable)
        })
        .with_context(|| format!("after {name} was replaced"))?;
        println!("  {name} is of the present release");
        recorder.add(Event::fault(
            STEP.to_owned(),
            name,
            begin,
            recorder.now_us(),
        ))?;
        thread::sleep(BETWEEN);
    }
    let risen = |status: &Status| status.machine_version > Some(before);
    wait(cluster, risen).context("the machine version does not rise")?;
    println!("  machine version {before} rose to {}", version(cluster)?);
    Ok(())
}

fn version(cluster: &Cluster) -> anyhow::Result<u32> {
    let status = cluster.status()?;
    status.machine_version.context("no machine version is told")
}

/// Waits until the cluster answers and this holds.
fn wait(cluster: &Cluster, holds: impl Fn(&Status) -> bool) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let status = cluster.status();
        if status.as_ref().is_ok_and(&holds) {
            return Ok(());
        }
        ensure!(
            began.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {status:?}"
        );
        thread::sleep(LOOK);
    }
}

/// Starts the earlier release on the data of a node that has risen. It must refuse and
/// say why; the present one must then go on.
fn refuse_downgrade(cluster: &mut Cluster, old: &Path) -> anyhow::Result<String> {
    let data = cluster.data(0);
    let node = cluster.nodes.first_mut().context("no nodes")?;
    node.stop()?;
    let read = || UNTOUCHED.map(|file| fs::read(data.join(file)).ok());
    let before = read();
    node.set_program(Some(old.to_owned()));
    let started = node.restart();
    // It has said that it ends; the kernel may need a moment more.
    thread::sleep(LOOK);
    let has_ended = node.has_ended();
    node.kill()?;
    let untouched = read() == before;
    node.set_program(None);
    node.restart()?;
    let Err(refusal) = started else {
        bail!("the earlier release started on the data of the present one");
    };
    ensure!(
        has_ended,
        "the earlier release neither serves nor ends: {refusal:#}"
    );
    ensure!(untouched, "a refused start changed the directory");
    let said = refusal.to_string();
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    Ok(format!("refused: {}", last.unwrap_or_default().trim()))
}
