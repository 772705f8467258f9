use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage_node_api::GroupId;
use storage_node_api::rebuild::{RebuildReport, Rebuilding, Stage};
use tokio::sync::Notify;

use super::metrics::Metrics;

/// The pause before a replica that could not be rebuilt is tried again, the first time; then
/// twice as long each time.
const AGAIN: Duration = Duration::from_millis(500);
/// The longest of these pauses.
const LONGEST: Duration = Duration::from_secs(60);

/// The replicas that are to be rebuilt.
#[derive(Debug)]
pub(crate) struct Rebuilds {
    metrics: Metrics,
    state: Mutex<State>,
    woken: Notify,
}

#[derive(Debug, Default)]
struct State {
    report: RebuildReport,
    /// One for each pending replica, in their order.
    turns: Vec<Turn>,
}

/// When a replica is tried next.
#[derive(Clone, Copy, Debug)]
struct Turn {
    at: Duration,
    pause: Duration,
}

impl Rebuilds {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            state: Mutex::default(),
            woken: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A replica is not served any more, and to be rebuilt. One that is pending already is tried
    /// at once.
    pub(crate) fn add(&self, group: GroupId, reason: String) {
        let mut state = self.lock();
        let turn = Turn {
            at: Duration::ZERO,
            pause: AGAIN,
        };
        match place(&state, group) {
            Some(place) => state.turns[place] = turn,
            None => {
                state.report.pending.push(Rebuilding {
                    group,
                    reason,
                    stage: Stage::Waiting,
                    failed: None,
                });
                state.turns.push(turn);
            }
        }
        self.metrics.pending(state.report.pending.len());
        drop(state);
        self.woken.notify_one();
    }

    /// Whether the replica waits to be rebuilt.
    pub(in crate::node) fn is_pending(&self, group: GroupId) -> bool {
        place(&self.lock(), group).is_some()
    }

    /// The next replica whose turn it is.
    pub(super) fn next(&self, now: Duration) -> Option<GroupId> {
        let state = self.lock();
        let turns = state.turns.iter().zip(&state.report.pending);
        let due = turns.filter(|(turn, _)| turn.at <= now);
        due.min_by_key(|(turn, _)| turn.at)
            .map(|(_, pending)| pending.group)
    }

    /// A replica has come so far.
    pub(super) fn at(&self, group: GroupId, stage: Stage) {
        let mut state = self.lock();
        if let Some(place) = place(&state, group) {
            state.report.pending[place].stage = stage;
        }
    }

    /// So many bytes more have come.
    pub(super) fn copied(&self, bytes: u64) {
        self.metrics.bytes.inc_by(bytes);
        self.lock().report.bytes += bytes;
    }

    /// A replica could not be rebuilt now.
    pub(super) fn failed(&self, group: GroupId, why: String, now: Duration) {
        self.metrics.failed.inc();
        let mut state = self.lock();
        let Some(place) = place(&state, group) else {
            return;
        };
        state.report.pending[place].stage = Stage::Waiting;
        state.report.pending[place].failed = Some(why);
        let turn = &mut state.turns[place];
        turn.at = now + turn.pause;
        turn.pause = (turn.pause * 2).min(LONGEST);
    }

    /// A replica is served again.
    pub(super) fn done(&self, group: GroupId) {
        self.metrics.rebuilt.inc();
        let mut state = self.lock();
        if let Some(place) = place(&state, group) {
            state.report.pending.remove(place);
            state.turns.remove(place);
            state.report.rebuilt += 1;
        }
        self.metrics.pending(state.report.pending.len());
    }

    pub(super) fn report(&self) -> RebuildReport {
        self.lock().report.clone()
    }

    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }
}

fn place(state: &State, group: GroupId) -> Option<usize> {
    let pending = &state.report.pending;
    pending.iter().position(|pending| pending.group == group)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use storage_node_api::GroupId;
    use storage_node_api::rebuild::Stage;

    use super::{LONGEST, Rebuilds};
    use crate::node::rebuild::Metrics;

    #[test]
    fn who_fails_waits_longer_each_time_and_an_order_shortens_it() {
        let rebuilds = Rebuilds::new(Metrics::default());
        let (first, second) = (GroupId(1), GroupId(16));
        let mut now = Duration::from_secs(5);
        rebuilds.add(first, "wrong".to_owned());
        rebuilds.add(second, "stopped".to_owned());
        assert_eq!(rebuilds.next(now), Some(first));
        rebuilds.failed(first, "nobody has it".to_owned(), now);
        assert_eq!(rebuilds.next(now), Some(second));
        rebuilds.done(second);
        assert_eq!(rebuilds.next(now), None);
        let mut pauses = Vec::new();
        for _ in 0..12 {
            let failed = now;
            while rebuilds.next(now).is_none() {
                now += Duration::from_millis(100);
            }
            pauses.push(now - failed);
            rebuilds.failed(first, "nobody has it".to_owned(), now);
        }
        assert!(pauses.is_sorted() && pauses[0] < pauses[1], "{pauses:?}");
        assert_eq!(pauses.last(), Some(&LONGEST));
        rebuilds.add(first, "ordered".to_owned());
        assert_eq!(rebuilds.next(now), Some(first));
        let report = rebuilds.report();
        assert_eq!((report.pending.len(), report.rebuilt), (1, 1));
        assert_eq!(report.pending[0].reason, "wrong");
        assert_eq!(report.pending[0].stage, Stage::Waiting);
    }
}
