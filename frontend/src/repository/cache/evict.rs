use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use storage_node_api::{RepositoryId, UploadId};

use super::PackCache;
use super::pack_cache::State;

impl PackCache {
    /// Removes the least recently used repositories that nobody works with,
    /// until the cache is within its limit.
    pub(crate) async fn evict(&self) {
        let doomed = self.set_aside();
        if doomed.is_empty() {
            return;
        }
        let removal = self.blocking("evict repositories", move || {
            for path in doomed {
                // What stays is removed at the next start.
                if let Err(error) = fs::remove_dir_all(&path) {
                    tracing::warn!(path = %path.display(), %error, "an evicted repository stays");
                }
            }
        });
        // At shutdown what was set aside is left to the next start.
        let _done = removal.await;
    }

    /// Renames the directories of repositories that have to go, out of the way
    /// of whoever asks for them next.
    fn set_aside(&self) -> Vec<PathBuf> {
        let mut state = self.state();
        let mut doomed = Vec::new();
        while state.bytes() > self.limit
            && let Some(id) = state.least_recent()
        {
            state.open.remove(&id);
            state.disk.remove(&id);
            self.metrics.evicted.inc();
            let name = UploadId::random(&*self.runtime.random).to_string();
            let aside = self.layout.evicted().join(name);
            // Under the lock, so that nobody opens it between the choice and
            // the renaming.
            match fs::rename(self.layout.repository(id), &aside) {
                Ok(()) => doomed.push(aside),
                Err(error) => tracing::warn!(repo.id = %id, %error, "cannot evict a repository"),
            }
        }
        self.report(&state);
        doomed
    }
}

impl State {
    fn bytes(&self) -> u64 {
        self.disk.values().map(|disk| disk.bytes).sum()
    }

    fn least_recent(&self) -> Option<RepositoryId> {
        let is_idle = |id: &RepositoryId| {
            self.open
                .get(id)
                .is_none_or(|(entry, _)| Arc::strong_count(entry) == 1)
        };
        let idle = self.disk.iter().filter(|(id, _)| is_idle(id));
        idle.min_by_key(|(_, disk)| disk.last_use)
            .map(|(id, _)| *id)
    }
}
