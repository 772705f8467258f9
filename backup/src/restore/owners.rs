use chunking::BlobId;
use storage_node_api::BlobOwner;
use storage_node_api::order::Command;

use super::{MARKED, RestoreError, Restoring};
use crate::listing::is_full;

impl Restoring<'_> {
    /// Ends the restore's ownership of blobs, which have owners of their own by
    /// now, and at the very end its mark.
    pub(super) async fn let_go(&self) -> Result<(), RestoreError> {
        for slots in &self.spans {
            let mut after = None;
            loop {
                let page = self.tier.owners(*slots, after).await?;
                for owned in &page {
                    let is_mark = owned.slot == MARKED && owned.blob == BlobId::of(b"");
                    if !self.is_ours(owned) || is_mark {
                        continue;
                    }
                    let command = Command::RemoveOwner {
                        slot: owned.slot,
                        blob: owned.blob,
                        owner: BlobOwner::Named(owned.owner),
                    };
                    self.tier.commit(owned.slot, command).await?;
                }
                after = page.last().copied();
                if !is_full(page.len()) {
                    break;
                }
            }
        }
        self.unmark().await
    }
}
