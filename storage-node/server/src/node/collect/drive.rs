//! Cycles that begin by themselves.

use std::time::Duration;

use storage_node_api::Timestamp;
use storage_node_api::map::{CLUSTER_GROUP, COLLECTION_VERSION, ClusterMap};
use storage_node_api::order::{Answer, Command, Query};
use storage_node_machine::query;

use super::super::StorageNode;

impl StorageNode {
    /// Called where the cluster group is led: begins a cycle if the last one
    /// began long enough ago. Time only paces it.
    pub(in crate::node) async fn drive_cycles(&self, map: &ClusterMap) {
        let Some(interval) = self.parts.collecting.interval() else {
            return;
        };
        if map.machine_version < COLLECTION_VERSION {
            return;
        }
        let known = self
            .view(CLUSTER_GROUP)
            .and_then(|view| query(&view, &Query::Cycle));
        let Ok(Answer::Cycle { cycle, .. }) = known else {
            return;
        };
        let clock = &self.parts.runtime.clock;
        let is_due = match cycle.began {
            Some(began) => is_due(began, clock.now(), interval),
            // Not while a cluster is being set up.
            None => self.parts.collecting.led_for(clock.monotonic()) >= interval,
        };
        let passed = |group| cycle.barrier_of(group) >= map.generation;
        if is_due && map.owners().into_iter().all(passed) {
            tracing::info!(
                generation = map.generation.0 + 1,
                "a cycle of the collector begins"
            );
            let seen = map.generation;
            // A failure is taken up again at the next look.
            let _ = self.commit(CLUSTER_GROUP, Command::Advance { seen }).await;
        }
    }
}

/// Whether a cycle that began then lies so long back. A wall clock that went back
/// must not put cycles off for ever.
fn is_due(began: Timestamp, now: Timestamp, interval: Duration) -> bool {
    now.since(began) >= interval || began > now.plus(interval)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use storage_node_api::Timestamp;

    use super::is_due;

    #[test]
    fn a_cycle_is_due_after_the_interval_and_when_the_clock_went_back_far() {
        let interval = Duration::from_millis(100);
        for (began, now, due) in [
            (1_000, 1_099, false),
            (1_000, 1_100, true),
            (1_000, 950, false),
            (1_000, 899, true),
        ] {
            let is = is_due(Timestamp(began), Timestamp(now), interval);
            assert_eq!(is, due, "began {began}, now {now}");
        }
    }
}
