use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::Context;

use super::workload::{self, Clones, Door, Kept, Names, Refs, Shared, Workload};
use super::{Bug, Options, Phase, Report, whole};
use crate::checkers::{Porcupine, Verdict, check_atomicity, check_linearizability, registers};
use crate::history::{Event, Recorder};
use crate::network::Host;

/// Clients that worked while something happened to their cluster.
pub(super) struct Trial {
    /// What is known so far.
    pub(super) report: Report,
    shared: Arc<Shared>,
    kept: Vec<Kept>,
    place: PathBuf,
}

impl Trial {
    /// Lets clients work, in calm, then while `during` lasts, then in calm again. All
    /// verdicts but that on the faults are still to come.
    pub(super) fn run(
        options: &Options,
        place: &Path,
        doors: Vec<Door>,
        host: Option<Arc<Host>>,
        during: impl FnOnce(&Recorder) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let shared = Arc::new(share(options, place, doors, host)?);
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
        let faults = during(recorder);
        phase("during");
        thread::sleep(options.calm);
        phase("after");
        let kept = workload.stop(&shared)?;
        let events = recorder.events();
        let said = faults.map(|()| format!("{} events; all faults were mended", events.len()));
        let report = Report {
            seed: options.seed,
            phases,
            verdicts: vec![Verdict::of("faults", said)],
            events,
        };
        Ok(Self {
            report,
            shared,
            kept,
            place: place.to_owned(),
        })
    }

    /// The last reads, and what the history and the clones say.
    pub(super) fn finish(mut self) -> anyhow::Result<Report> {
        workload::read_all(&self.shared)?;
        self.report.events = self.shared.recorder.events();
        let (doors, clones) = (&self.shared.doors, self.place.join("clones"));
        let logs = self.shared.logs();
        let pushes = whole::check(doors, &logs, &clones);
        self.report.verdicts.push(Verdict::of("pushes", pushes));
        let kept = whole::check_kept(doors, &self.kept, &clones);
        self.report.verdicts.push(Verdict::of("churn", kept));
        let read = whole::check_read(&self.shared.clones());
        self.report.verdicts.push(Verdict::of("clones", read));
        let judged = judge_history(&self.report.events)?;
        self.report.verdicts.extend(judged);
        Ok(self.report)
    }
}

/// What all clients of a run share; makes their repositories.
fn share(
    options: &Options,
    place: &Path,
    doors: Vec<Door>,
    host: Option<Arc<Host>>,
) -> anyhow::Result<Shared> {
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
    let (refs, groups) = (
        format!("{owner}/refs-{run}"),
        format!("{owner}/groups-{run}"),
    );
    Ok(Shared {
        refs: Refs::new("refs", 1, refs, commits.clone(), false),
        groups: Refs::new("groups", 3, groups, commits, split),
        logs: Shared::empty_logs(&owner, &run),
        clones: Mutex::new(Clones::default()),
        names: Names::of_run(run),
        recorder: Recorder::create(&options.history)?,
        stop: AtomicBool::new(false),
        doors,
        owner,
        host,
    })
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
