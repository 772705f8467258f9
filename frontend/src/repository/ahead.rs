use std::sync::Arc;

use storage_node_api::RepositoryId;
use tokio::sync::oneshot;

use super::names::Known;
use crate::repository::cache::{CacheError, PackCache};
use crate::repository::refs::VersionedRefs;

/// Refs that are being read before it is known whether they may be shown. Who
/// may not see them never waits for them, so that a refusal takes as long
/// whether there is something to hide or not.
#[derive(Debug)]
pub(crate) struct RefsAhead {
    id: RepositoryId,
    answer: oneshot::Receiver<Result<Arc<VersionedRefs>, CacheError>>,
}

impl RefsAhead {
    /// Begins to read.
    pub(crate) fn begin(cache: &Arc<PackCache>, known: Known) -> Self {
        let (sender, answer) = oneshot::channel();
        let reading = Arc::clone(cache);
        let read = async move {
            let entry = reading.entry(known.id, known.hash);
            // Nobody waits for what turned out not to be asked for.
            drop(sender.send(reading.refs(&entry).await));
        };
        let tasks = &cache.runtime.tasks;
        tasks.spawn("read refs ahead", Box::pin(read));
        Self {
            id: known.id,
            answer,
        }
    }

    /// Whose refs they are.
    pub(crate) fn id(&self) -> RepositoryId {
        self.id
    }

    /// The refs, as new as everything acknowledged before they were begun to be
    /// read; nothing if that failed.
    pub(crate) async fn take(self) -> Option<Arc<VersionedRefs>> {
        self.answer.await.ok()?.ok()
    }
}
