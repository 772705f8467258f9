use chunking::{BlobId, Profile};
use storage_node_api::backup::SlotSpan;
use storage_node_api::blob::{Chunks, StoredBlob};
use storage_node_api::content::Certificate;
use storage_node_api::order::Command;
use storage_node_api::{BlobOwner, DedupDomain};

use super::{MARKED, RestoreError, Restoring};
use crate::listing::is_full;

/// The domain of the mark.
const DOMAIN: DedupDomain = DedupDomain(0);

impl Restoring<'_> {
    /// Makes sure that the cluster is empty, or that it has nothing but what an
    /// earlier try of this same restore has begun; and leaves the mark by which
    /// a later try knows.
    ///
    /// The mark is an owner of the empty blob: it is the first write and the
    /// last to go.
    pub(super) async fn claim(&self) -> Result<(), RestoreError> {
        if self.is_marked().await? {
            self.progress
                .say("going on with a restore that was interrupted");
            return Ok(());
        }
        self.check_empty().await?;
        let blob = StoredBlob {
            id: BlobId::of(b""),
            length: 0,
            profile: Profile::GenericV1,
            chunks: Chunks::Inline(Vec::new()),
            certificate: Certificate::default(),
        };
        let mark = Command::PutBlob {
            slot: MARKED,
            blob,
            owner: BlobOwner::Named(self.owner),
            domain: DOMAIN,
        };
        Ok(self.tier.commit(MARKED, mark).await?)
    }

    /// Removes the mark.
    pub(super) async fn unmark(&self) -> Result<(), RestoreError> {
        let command = Command::RemoveOwner {
            slot: MARKED,
            blob: BlobId::of(b""),
            owner: BlobOwner::Named(self.owner),
        };
        Ok(self.tier.commit(MARKED, command).await?)
    }

    async fn is_marked(&self) -> Result<bool, RestoreError> {
        let slots = SlotSpan {
            first: MARKED,
            last: MARKED,
        };
        let mut after = None;
        loop {
            let page = self.tier.owners(slots, after).await?;
            let mut found = page.iter();
            if found.any(|one| self.is_ours(one) && one.blob == BlobId::of(b"")) {
                return Ok(true);
            }
            after = page.last().copied();
            if !is_full(page.len()) {
                return Ok(false);
            }
        }
    }

    async fn check_empty(&self) -> Result<(), RestoreError> {
        let has = |what: &str| Err(RestoreError::NotEmpty(what.to_owned()));
        for slots in &self.spans {
            if !self.tier.repositories(*slots, None).await?.is_empty() {
                return has("repositories");
            }
            if !self.tier.owners(*slots, None).await?.is_empty() {
                return has("blobs, or another restore that was not finished");
            }
            if !self.tier.feeds(*slots).await?.is_empty() {
                return has("events of repositories that are gone");
            }
        }
        let mut dump = self.tier.storage.dump().await?;
        match dump.next().await? {
            Some(page) => has(&format!("rows in table {}", page.table)),
            None => Ok(()),
        }
    }
}
