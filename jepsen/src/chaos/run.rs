use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::ensure;

use super::bug::STALE_FOR;
use super::field::{Field, NODES, Needs};
use super::foreign::{self, Foreign};
use super::nemesis::{self, KINDS, Kind};
use super::schedule::{self, Hand};
use super::trial::Trial;
use super::workload::{Door, Stale};
use super::{Bug, Options, Report, page};
use crate::checkers::{Verdict, check_progress};
use crate::harness::{ADMINISTRATOR, Cluster, PASSWORD};

/// How many frontends a local cluster has.
const FRONTENDS: usize = 2;
/// How long replicas, and then content, may take to be as they should.
const PATIENCE: Duration = Duration::from_secs(180);
/// The same where a fault could not be mended, so that this is hopeless.
const NO_PATIENCE: Duration = Duration::from_secs(5);
/// The fault after which writes must go on, and how long that may take: an election, and
/// clients that wait for an answer from the lost frontend.
const REGION: &str = "region";
const LONGEST_STOP: Duration = Duration::from_secs(10);

/// Runs it, prints the report, writes the page, and fails if a promise was broken.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let report = judge(options)?;
    conclude(options, &report)
}

/// Prints the report, writes the page, and fails if a promise was broken.
pub(super) fn conclude(options: &Options, report: &Report) -> anyhow::Result<()> {
    report.print();
    if let Some(path) = &options.page {
        fs::write(path, page::render(report))?;
        println!("page: {}", fs::canonicalize(path)?.display());
    }
    println!("history: {}", fs::canonicalize(&options.history)?.display());
    let kept = report
        .verdicts
        .iter()
        .filter(|v| v.kept == Some(true))
        .count();
    let other = report.verdicts.len() - kept;
    println!("{kept} passed, {other} failed");
    ensure!(
        report.is_kept(),
        "not every promise was kept; run it again with --seed {}",
        report.seed
    );
    Ok(())
}

/// Runs it and reports. Fails only if the run itself could not be made.
pub fn judge(options: &Options) -> anyhow::Result<Report> {
    // The network of a thread that entered another cannot be changed back, so it is one of its own.
    thread::scope(|scope| scope.spawn(|| judge_here(options)).join())
        .map_err(|_| anyhow::anyhow!("the run panicked"))?
}

fn judge_here(options: &Options) -> anyhow::Result<Report> {
    let place = tempfile::tempdir()?;
    if !options.cluster.is_empty() {
        return judge_foreign(options, place.path());
    }
    if options.bug == Some(Bug::SplitBrain) {
        return split_brain(options, place.path());
    }
    let kinds = choose(options)?;
    let needs = kinds
        .iter()
        .fold(Needs::default(), |all, kind| all.and(kind.needs));
    let mut field = Field::start(place.path(), NODES, FRONTENDS, needs)?;
    let mut doors = doors_of(&field.cluster, "frontend")?;
    if options.bug == Some(Bug::StaleReads)
        && let Some(door) = doors.last_mut()
    {
        door.stale = Some(Stale {
            keep: STALE_FOR,
            held: Arc::new(Mutex::default()),
        });
    }
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
    println!(
        "{} nodes, {} frontends; seed {}; faults: {}",
        field.cluster.nodes.len(),
        field.cluster.frontends.len(),
        options.seed,
        names.join(", ")
    );
    let clients = field.clients()?;
    let loses_regions = kinds.iter().any(|kind| kind.name == REGION);
    let mut hand = Hand::Field(&mut field, kinds);
    let mut trial = Trial::run(options, place.path(), doors, clients, |recorder| {
        if hand.lie(options.bug)? {
            // So that there is something to lose.
            thread::sleep(options.calm);
        }
        schedule::run(&mut hand, recorder, options.length, options.seed)
    })?;
    let report = &mut trial.report;
    if loses_regions {
        let progress = check_progress(&report.events, REGION, LONGEST_STOP);
        report.verdicts.push(Verdict::of("progress", progress));
    }
    let patience = match report.is_kept() && options.bug.is_none() {
        true => PATIENCE,
        false => NO_PATIENCE,
    };
    let settled = Verdict::of("replicas", field.settle(patience));
    report.verdicts.push(settled);
    let verified = field.cluster.wait_until_verified(patience);
    let verified = verified.map(|said| said.trim().replace('\n', "; "));
    report.verdicts.push(Verdict::of("content", verified));
    trial.finish()
}

/// A cluster that we did not start.
fn judge_foreign(options: &Options, place: &Path) -> anyhow::Result<Report> {
    let foreign = Foreign::of(options)?;
    let doors = foreign::doors(options)?;
    let mut hand = Hand::Foreign(foreign);
    let mut trial = Trial::run(options, place, doors, None, |recorder| {
        schedule::run(&mut hand, recorder, options.length, options.seed)
    })?;
    if let Hand::Foreign(foreign) = &hand {
        trial.report.verdicts.extend(foreign.verdicts());
    }
    trial.finish()
}

/// Two clusters of one node each, taken for one.
fn split_brain(options: &Options, place: &Path) -> anyhow::Result<Report> {
    let mut doors = Vec::new();
    let mut fields = Vec::new();
    for half in ["left", "right"] {
        let directory = place.join(half);
        fs::create_dir(&directory)?;
        let field = Field::start(&directory, 1, 1, Needs::default())?;
        doors.extend(doors_of(&field.cluster, half)?);
        fields.push(field);
    }
    let trial = Trial::run(options, place, doors, None, |_| {
        thread::sleep(options.length);
        Ok(())
    })?;
    trial.finish()
}

/// The frontends of a cluster of ours.
pub(super) fn doors_of(cluster: &Cluster, name: &str) -> anyhow::Result<Vec<Door>> {
    let frontends = 0..cluster.frontends.len();
    let doors = frontends.map(|number| {
        Ok(Door {
            name: format!("{name}{}", number + 1),
            base: cluster.base(number)?,
            credentials: format!("{ADMINISTRATOR}:{PASSWORD}"),
            stale: None,
        })
    });
    doors.collect()
}

/// The faults that were asked for, or all; without those for which this machine
/// lacks what they need, which is said.
fn choose(options: &Options) -> anyhow::Result<Vec<Kind>> {
    let mut kinds = match options.faults.is_empty() {
        // Regions take more processes: only who asks for their loss pays for them.
        true => KINDS
            .iter()
            .copied()
            .filter(|kind| !kind.needs.regions)
            .collect(),
        false => nemesis::find(&options.faults)?,
    };
    if !crate::network::is_possible() {
        for kind in kinds.iter().filter(|kind| kind.needs.network) {
            println!(
                "skipped: {} ({}) needs root and /dev/net/tun",
                kind.name, kind.what
            );
        }
        kinds.retain(|kind| !kind.needs.network);
    }
    ensure!(!kinds.is_empty(), "no fault is left to inflict");
    Ok(kinds)
}
