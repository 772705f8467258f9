use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::bug::STALE_FOR;
use super::field::{Field, NODES, Needs};
use super::nemesis::{self, KINDS, Kind};
use super::schedule::{self, Hand};
use super::workload::{self, Door, Log, Names, Refs, Shared, Stale, Workload};
use super::{Bug, Options, Phase, Report, page, whole};
use crate::checkers::{Porcupine, Verdict, check_atomicity, check_linearizability, registers};
use crate::harness::{ADMINISTRATOR, PASSWORD};
use crate::history::{Event, Recorder};

/// How many frontends a local cluster has.
const FRONTENDS: usize = 2;
/// How long replicas, and then content, may take to be as they should.
const PATIENCE: Duration = Duration::from_secs(180);
/// The same where a fault could not be mended, so that this is hopeless.
const NO_PATIENCE: Duration = Duration::from_secs(5);

/// Runs it, prints the report, writes the page, and fails if a promise was broken.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let report = judge(options)?;
    report.print();
    if let Some(path) = &options.page {
        fs::write(path, page::render(&report))?;
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
        let doors = doors_of(options)?;
        let mut hand = match &options.hook {
            Some(hook) => Hand::Hook(hook, options.faults.clone()),
            None => Hand::Idle,
        };
        let (mut report, ..) = work(options, place.path(), doors, None, &mut hand)?;
        report.verdicts.extend(judge_history(&report.events)?);
        return Ok(report);
    }
    if options.bug == Some(Bug::SplitBrain) {
        return split_brain(options, place.path());
    }
    let kinds = choose(options)?;
    let needs = kinds
        .iter()
        .fold(Needs::default(), |all, kind| all.and(kind.needs));
    let mut field = Field::start(place.path(), NODES, FRONTENDS, needs)?;
    if options.bug == Some(Bug::LyingDisks) {
        for shim in &field.shims {
            shim.lie()?;
        }
    }
    let mut doors = doors_of_field(&field, "frontend")?;
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
        "three nodes, two frontends; seed {}; faults: {}",
        options.seed,
        names.join(", ")
    );
    let clients = field.clients()?;
    let mut hand = Hand::Field(&mut field, kinds);
    let (mut report, shared, logs) = work(options, place.path(), doors, clients, &mut hand)?;
    let patience = match report.is_kept() {
        true => PATIENCE,
        false => NO_PATIENCE,
    };
    let settled = Verdict::of("replicas", field.settle(patience));
    report.verdicts.push(settled);
    let verified = field.cluster.wait_until_verified(patience);
    let verified = verified.map(|said| said.trim().replace('\n', "; "));
    report.verdicts.push(Verdict::of("content", verified));
    finish(&mut report, &shared, &logs, place.path())?;
    Ok(report)
}

/// Two clusters of one node each, taken for one.
fn split_brain(options: &Options, place: &Path) -> anyhow::Result<Report> {
    let mut doors = Vec::new();
    let mut fields = Vec::new();
    for half in ["left", "right"] {
        let directory = place.join(half);
        fs::create_dir(&directory)?;
        let field = Field::start(&directory, 1, 1, Needs::default())?;
        doors.extend(doors_of_field(&field, half)?);
        fields.push(field);
    }
    let (mut report, shared, logs) = work(options, place, doors, None, &mut Hand::Idle)?;
    finish(&mut report, &shared, &logs, place)?;
    Ok(report)
}

/// Lets clients work while `hand` breaks things; all verdicts but that on the
/// faults are still to come.
fn work(
    options: &Options,
    place: &Path,
    doors: Vec<Door>,
    host: Option<Arc<crate::network::Host>>,
    hand: &mut Hand<'_>,
) -> anyhow::Result<(Report, Arc<Shared>, Vec<Log>)> {
    let run = format!("{}-{:x}", options.seed, std::process::id());
    let credentials = &doors.first().context("no frontend")?.credentials;
    let owner = credentials.split(':').next().unwrap_or_default().to_owned();
    let mut commits = Vec::new();
    // One cluster needs this once; two that are taken for one need it both.
    let homes = if options.bug == Some(Bug::SplitBrain) {
        doors.len()
    } else {
        1
    };
    for door in &doors[..homes] {
        commits = workload::prepare(door, &owner, &run, place)?;
    }
    let split = options.bug == Some(Bug::SplitPushes);
    let groups = format!("{owner}/groups-{run}");
    let shared = Arc::new(Shared {
        refs: Refs::new(
            "refs",
            1,
            format!("{owner}/refs-{run}"),
            commits.clone(),
            false,
        ),
        groups: Refs::new("groups", 3, groups, commits, split),
        names: Names::of_run(run),
        recorder: Recorder::create(&options.history)?,
        stop: AtomicBool::new(false),
        doors,
        owner,
        host,
    });
    let recorder = &shared.recorder;
    let workload = Workload::start(&shared, place);
    let mut phases = Vec::new();
    let mut from_us = recorder.now_us();
    let mut phase = |name| {
        let to_us = recorder.now_us();
        phases.push(Phase {
            name,
            from_us,
            to_us,
        });
        from_us = to_us;
    };
    thread::sleep(options.calm);
    phase("before");
    let faults = schedule::run(hand, recorder, options.length, options.seed);
    phase("during");
    thread::sleep(options.calm);
    phase("after");
    let logs = workload.stop(&shared)?;
    let count = recorder.events().len();
    let said = faults.map(|()| format!("{count} events; all faults were mended"));
    let report = Report {
        seed: options.seed,
        phases,
        verdicts: vec![Verdict::of("faults", said)],
        events: recorder.events(),
    };
    if !matches!(hand, Hand::Field(..)) {
        workload::read_all(&shared)?;
        return Ok((
            Report {
                events: recorder.events(),
                ..report
            },
            shared,
            logs,
        ));
    }
    Ok((report, shared, logs))
}

/// The last reads, and what the history and the clones say.
fn finish(report: &mut Report, shared: &Shared, logs: &[Log], place: &Path) -> anyhow::Result<()> {
    workload::read_all(shared)?;
    report.events = shared.recorder.events();
    let pushes = whole::check(&shared.doors, logs, &place.join("clones"));
    report.verdicts.push(Verdict::of("pushes", pushes));
    report.verdicts.extend(judge_history(&report.events)?);
    Ok(())
}

fn judge_history(events: &[Event]) -> anyhow::Result<Vec<Verdict>> {
    let porcupine = Porcupine::find()?;
    let judge = |checker, prefix: &str| {
        let registers = registers(events, |event| event.key.starts_with(prefix));
        check_linearizability(checker, &registers, &porcupine)
    };
    let groups = "refs/heads/groups-";
    let atomicity = check_atomicity(events, |event| event.key.starts_with(groups));
    Ok(vec![
        judge("refs", "refs/heads/refs-"),
        judge("groups", groups),
        judge("names", "name-"),
        Verdict::of("atomicity", atomicity),
    ])
}

fn doors_of_field(field: &Field, name: &str) -> anyhow::Result<Vec<Door>> {
    let frontends = 0..field.cluster.frontends.len();
    let doors = frontends.map(|number| {
        Ok(Door {
            name: format!("{name}{}", number + 1),
            base: field.cluster.base(number)?,
            credentials: format!("{ADMINISTRATOR}:{PASSWORD}"),
            stale: None,
        })
    });
    doors.collect()
}

fn doors_of(options: &Options) -> anyhow::Result<Vec<Door>> {
    let user = options.user.as_deref().context("--cluster needs --user")?;
    let file = options.password_file.as_deref();
    let file = file.context("--cluster needs --password-file")?;
    let password = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let doors = options.cluster.iter().map(|base| Door {
        name: base.clone(),
        base: base.trim_end_matches('/').to_owned(),
        credentials: format!("{user}:{}", password.trim_end()),
        stale: None,
    });
    Ok(doors.collect())
}

/// The faults that were asked for, or all; without those for which this machine
/// lacks what they need, which is said.
fn choose(options: &Options) -> anyhow::Result<Vec<Kind>> {
    let mut kinds = match options.faults.is_empty() {
        true => KINDS.to_vec(),
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
