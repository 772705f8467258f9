use std::sync::Arc;

use storage_node_api::UploadId;
use storage_node_api::order::Command;
use storage_node_api::repository::Replacement;

use super::error::MaintenanceError;
use super::maintainer::Maintainer;
use super::scratch::Outcome;
use crate::failing::chain;
use crate::repository::cache::Entry;
use crate::repository::store::PackStore;

impl Maintainer {
    /// Makes what was made durable and commits it in the place of what it replaces, of the list of
    /// that version. Then the cache has it too.
    pub(super) async fn replace(
        &self,
        entry: &Arc<Entry>,
        seen: u64,
        outcome: Outcome,
    ) -> Result<(), MaintenanceError> {
        let store = PackStore {
            cache: Arc::clone(&self.cache),
            entry: Arc::clone(entry),
            threads: self.threads,
        };
        let (mut new, mut staged, mut listed) = (Vec::new(), Vec::new(), Vec::new());
        for made in &outcome.made {
            let index = made.path.with_extension("idx");
            let stored = store.store_files(&made.path, &index).await?;
            listed.push(stored.listed(made.checksum, made.objects));
            let upload = UploadId::random(&*self.cache.runtime.random);
            let (pack, parts) = stored.staged(made.checksum, made.objects, upload);
            new.push(pack);
            staged.extend(parts);
        }
        let replacement = Replacement {
            repository: entry.id,
            old: outcome.replaced,
            new,
            seen,
            drops: outcome.dropped > 0,
        };
        let slot = entry.id.slot();
        for part in staged {
            self.commits.commit(slot, part).await?;
        }
        let replace = Command::ReplacePacks(replacement);
        self.commits.commit(slot, replace).await?;
        for (made, pack) in outcome.made.iter().zip(&listed) {
            if let Err(error) = self.cache.keep(entry, &made.path, pack).await {
                tracing::warn!(
                    repo.id = %entry.id,
                    error = %chain(&error),
                    "a pack that maintenance made is not kept in the cache"
                );
            }
        }
        Ok(())
    }
}
