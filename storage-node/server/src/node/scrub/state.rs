use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runtime::{Runtime, Timestamp};
use storage_node_api::GroupId;
use storage_node_api::scrub::{ReplicaFault, ScrubReport};
use tokio::sync::Notify;

use super::metrics::Metrics;
use super::pace::Pace;
use super::{LOOK, Next, due};
use crate::volumes::{Scrub, Step};

/// What everyone may see of the scrub, and what is ordered of it.
#[derive(Debug)]
pub(crate) struct Scrubbing {
    /// 0 if only ordered passes are made.
    bytes_per_second: u64,
    metrics: Metrics,
    state: Mutex<State>,
    woken: Notify,
}

#[derive(Debug, Default)]
struct State {
    report: ScrubReport,
    /// The pace of a pass that is to begin.
    ordered: Option<Pace>,
    /// The pace of the pass under way, if this process began it.
    pace: Option<Pace>,
    /// Corrupt chunks that nobody has and no blob needs.
    dead: u64,
}

impl Scrubbing {
    /// At most this many bytes per second; with 0 passes are made only when
    /// they are ordered. Some replicas may be known to be wrong.
    pub(crate) fn new(
        bytes_per_second: u64,
        metrics: Metrics,
        replicas: Vec<ReplicaFault>,
    ) -> Self {
        let report = ScrubReport {
            replicas,
            ..ScrubReport::default()
        };
        Self {
            bytes_per_second,
            metrics,
            state: Mutex::new(State {
                report,
                ..State::default()
            }),
            woken: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Orders a pass.
    pub(crate) fn order(&self, fast: bool) {
        let pace = if fast { Pace::Fast } else { self.tranquil() };
        let mut state = self.lock();
        state.ordered = Some(pace);
        // Who asks next must not take the pass for done.
        state.report.running = true;
        state.report.fast = fast;
        state.report.pass += 1;
        drop(state);
        self.woken.notify_one();
    }

    /// The report. The store has so many corrupt chunks now, if that is known,
    /// and reads have found so many.
    pub(crate) fn report(&self, corrupt: Option<u64>, by_reads: u64) -> ScrubReport {
        let mut state = self.lock();
        if let Some(corrupt) = corrupt {
            state.report.quarantined = corrupt.saturating_sub(state.dead);
        }
        state.report.faults.reads = by_reads;
        self.metrics.show(&state.report);
        state.report.clone()
    }

    pub(super) fn is_ordered(&self) -> bool {
        self.lock().ordered.is_some()
    }

    /// Waits for so long, or until a pass is ordered.
    pub(super) async fn wait(&self, runtime: &Runtime, pause: Duration) {
        if self.is_ordered() {
            return;
        }
        tokio::select! {
            () = runtime.clock.sleep(pause) => {}
            () = self.woken.notified() => {}
        }
    }

    /// What to do now.
    pub(super) fn next(&self, scrub: &Scrub, now: Timestamp) -> Next {
        let mut state = self.lock();
        if let Some(pace) = state.ordered.take() {
            state.pace = Some(pace);
            return Next::Begin(pace);
        }
        if scrub.is_under_way() {
            if let Some(pace) = state.pace {
                return Next::GoOn(pace);
            }
            if self.bytes_per_second > 0 {
                state.pace = Some(self.tranquil());
                state.report.pass += 1;
                return Next::GoOn(self.tranquil());
            }
        }
        if self.bytes_per_second == 0 {
            return Next::Wait(LOOK);
        }
        match due(scrub.began(), now) {
            Err(pause) => Next::Wait(pause),
            Ok(()) => {
                state.pace = Some(self.tranquil());
                state.report.pass += 1;
                Next::Begin(self.tranquil())
            }
        }
    }

    pub(super) fn begun(&self, scrub: &Scrub, pace: Pace, total: u64) {
        let mut state = self.lock();
        state.report.running = true;
        state.report.fast = pace == Pace::Fast;
        state.report.total_bytes = total;
        fill(&mut state.report, scrub);
    }

    pub(super) fn stepped(&self, scrub: &Scrub, step: &Step) {
        self.metrics.read_bytes.inc_by(step.bytes);
        let mut state = self.lock();
        state.report.faults.add(&step.faults);
        fill(&mut state.report, scrub);
        self.metrics.show(&state.report);
    }

    /// Shows what is known from an earlier process.
    pub(super) fn show(&self, scrub: &Scrub) {
        let mut state = self.lock();
        fill(&mut state.report, scrub);
        if !scrub.is_under_way() {
            state.report.surplus = scrub.surplus();
            state.report.unindexed = scrub.unindexed();
        }
        self.metrics.show(&state.report);
    }

    /// The pass is over, unless another was ordered meanwhile.
    pub(super) fn stopped(&self) {
        let mut state = self.lock();
        state.pace = None;
        state.report.running = state.ordered.is_some();
        self.metrics.show(&state.report);
    }

    /// A replica cannot be trusted. Says whether that is new.
    pub(super) fn distrust(&self, fault: ReplicaFault) -> bool {
        let mut state = self.lock();
        let known = &mut state.report.replicas;
        if known.iter().any(|known| known.group == fault.group) {
            return false;
        }
        known.push(fault);
        state.report.faults.replicas += 1;
        self.metrics.show(&state.report);
        true
    }

    /// A replica was rebuilt.
    pub(in crate::node) fn trust(&self, group: GroupId) {
        let known = &mut self.lock().report.replicas;
        known.retain(|known| known.group != group);
    }

    /// Whether a replica of this group was found wrong.
    pub(in crate::node) fn distrusts(&self, group: GroupId) -> bool {
        let state = self.lock();
        state
            .report
            .replicas
            .iter()
            .any(|known| known.group == group)
    }

    /// Chunks were replaced.
    pub(crate) fn repaired(&self, chunks: u64) {
        self.metrics.repaired.inc_by(chunks);
        self.lock().report.repaired += chunks;
    }

    /// So many corrupt chunks are nowhere else although a blob needs them, and
    /// so many nobody needs.
    pub(crate) fn left(&self, lost: u64, dead: u64) {
        let mut state = self.lock();
        state.dead = dead;
        state.report.lost = lost;
    }

    fn tranquil(&self) -> Pace {
        // An ordered pass needs some rate.
        const LEAST: u64 = 1 << 20;
        Pace::Tranquil {
            bytes_per_second: self.bytes_per_second.max(LEAST),
        }
    }
}

fn fill(report: &mut ScrubReport, scrub: &Scrub) {
    report.read_bytes = scrub.read_bytes();
    report.last_full_pass = scrub.completed();
    if !scrub.is_under_way() {
        report.surplus = scrub.surplus();
        report.unindexed = scrub.unindexed();
    }
}
