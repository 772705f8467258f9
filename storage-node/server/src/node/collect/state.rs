use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage_node_api::Generation;
use storage_node_api::collect::{Amount, CollectReport, Phase};
use tokio::sync::Notify;

use super::super::scrub::Pace;
use super::metrics::Metrics;
use super::sweep::Judged;
use crate::volumes::Compacted;

/// An ordered cycle needs some rate.
const LEAST_RATE: u64 = 1 << 20;

/// What everyone may see of the collector, and what is ordered of it.
#[derive(Debug)]
pub(crate) struct Collecting {
    interval: Option<Duration>,
    bytes_per_second: u64,
    metrics: Metrics,
    state: Mutex<State>,
    woken: Notify,
}

#[derive(Debug, Default)]
struct State {
    report: CollectReport,
    /// Without pauses, until what is under way is done.
    hurries: bool,
    counts: bool,
    looked: bool,
    /// The generation of the last sweep that was begun.
    sweeps: Option<Generation>,
    /// Since when this node has led the cluster group, on the clock that does not
    /// jump.
    leads_since: Option<Duration>,
}

impl Collecting {
    /// Cycles begin so often by themselves, or never for 0, and go at this rate.
    pub(crate) fn new(interval_seconds: u64, bytes_per_second: u64, metrics: Metrics) -> Self {
        Self {
            interval: (interval_seconds > 0).then(|| Duration::from_secs(interval_seconds)),
            bytes_per_second: bytes_per_second.max(LEAST_RATE),
            metrics,
            state: Mutex::default(),
            woken: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often cycles begin by themselves.
    pub(super) fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// For how long this node has led the cluster group, or was asked to.
    pub(super) fn led_for(&self, now: Duration) -> Duration {
        let since = *self.lock().leads_since.get_or_insert(now);
        now.saturating_sub(since)
    }

    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// What is under way goes without pauses.
    pub(super) fn hurry(&self) {
        self.lock().hurries = true;
        self.woken.notify_one();
    }

    /// A count is ordered.
    pub(super) fn count(&self) {
        self.lock().counts = true;
        self.woken.notify_one();
    }

    pub(super) fn is_count_ordered(&self) -> bool {
        self.lock().counts
    }

    /// How fast it goes at the moment.
    pub(super) fn pace(&self) -> Pace {
        let state = self.lock();
        if state.hurries || state.counts {
            return Pace::Fast;
        }
        Pace::Tranquil {
            bytes_per_second: self.bytes_per_second,
        }
    }

    /// The report, of a node that has this generation.
    pub(super) fn report(&self, generation: Generation) -> CollectReport {
        let mut state = self.lock();
        state.report.generation = generation;
        state.report.clone()
    }

    pub(super) fn started_in(&self) -> Option<Generation> {
        self.lock().report.started_in
    }

    pub(super) fn starts_in(&self, generation: Generation) {
        self.lock().report.started_in = Some(generation);
    }

    pub(super) fn swept(&self) -> Option<Generation> {
        self.lock().report.swept
    }

    /// Whether nothing was compacted yet since the start.
    pub(super) fn is_first_look(&self) -> bool {
        !std::mem::replace(&mut self.lock().looked, true)
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.lock().report.phase = phase;
    }

    pub(super) fn idle(&self) {
        self.enter(Phase::Idle);
    }

    /// A sweep begins.
    pub(super) fn begins(&self, phase: Phase, generation: Generation) {
        let mut state = self.lock();
        state.report.phase = phase;
        if phase == Phase::Counts {
            state.report.droppable = Amount::default();
            return;
        }
        let again = state.sweeps.replace(generation) == Some(generation);
        let report = &mut state.report;
        report.looked_at = 0;
        for amount in [
            &mut report.live,
            &mut report.dead,
            &mut report.extra,
            &mut report.unconfirmed,
        ] {
            *amount = Amount::default();
        }
        if !again {
            report.dropped = Amount::default();
        }
    }

    /// Some chunks were held against the listings.
    pub(super) fn judged(&self, judged: &Judged) {
        let mut state = self.lock();
        let report = &mut state.report;
        if report.phase == Phase::Counts {
            add(&mut report.droppable, judged.dead);
            return;
        }
        report.looked_at += judged.looked_at;
        add(&mut report.live, judged.live);
        add(&mut report.dead, judged.dead);
        add(&mut report.extra, judged.extra);
        add(&mut report.unconfirmed, judged.unconfirmed);
    }

    pub(super) fn dropped(&self, dropped: Amount) {
        add(&mut self.lock().report.dropped, dropped);
    }

    pub(super) fn listed(&self, chunks: u64) {
        self.metrics.listed.inc_by(chunks);
    }

    pub(super) fn compacted(&self, compacted: &Compacted) {
        let mut state = self.lock();
        let report = &mut state.report;
        report.volumes += compacted.volumes;
        let back = compacted.freed_bytes.saturating_sub(compacted.moved_bytes);
        report.given_back += back;
        self.metrics.given_back.inc_by(back);
    }

    /// The count that was ordered is done.
    pub(super) fn counted(&self) {
        let mut state = self.lock();
        state.counts = false;
        state.report.counts += 1;
    }

    /// The sweep of a generation and what follows from it is done.
    pub(super) fn swept_all(&self, generation: Generation) {
        let mut state = self.lock();
        state.hurries = false;
        state.looked = true;
        state.report.swept = Some(generation);
        self.metrics.show(&state.report);
    }
}

fn add(sum: &mut Amount, more: Amount) {
    sum.chunks += more.chunks;
    sum.bytes += more.bytes;
}
