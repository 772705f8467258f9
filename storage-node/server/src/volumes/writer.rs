//! The queue before the volumes: puts that come while one group is written and
//! synced make up the next, so that many share one sync.

use runtime::{Runtime, run_blocking};
use tokio::sync::mpsc;

use super::commit::{Committer, Request};

/// Serves requests, group by group, until the store is dropped.
pub(super) async fn run(
    mut committer: Committer,
    mut requests: mpsc::Receiver<Request>,
    runtime: Runtime,
) {
    while let Some(first) = requests.recv().await {
        let mut bytes = first.bytes();
        let mut group = vec![first];
        while bytes < committer.config.group_bytes {
            let Ok(request) = requests.try_recv() else {
                break;
            };
            bytes += request.bytes();
            group.push(request);
        }
        let (metrics, condition) = (committer.metrics.clone(), committer.condition.clone());
        metrics
            .queued
            .set(i64::try_from(requests.len()).unwrap_or(i64::MAX));
        let begun = runtime.clock.monotonic();
        metrics.recent_commits.begin(begun);
        let committed = run_blocking(&*runtime.tasks, "write chunks", move || {
            committer.commit(group);
            committer
        });
        committer = match committed.await {
            Ok(committer) => committer,
            Err(failed) => {
                condition.fail();
                metrics.failing.set(1);
                tracing::error!(
                    error = &failed as &dyn std::error::Error,
                    "the chunk writer ended"
                );
                return;
            }
        };
        let ended = runtime.clock.monotonic();
        let took = ended.saturating_sub(begun);
        metrics.recent_commits.end(ended);
        metrics.commit_seconds.observe(took.as_secs_f64());
    }
}
