use std::collections::{BTreeMap, BTreeSet};

use chunking::BlobId;
use storage_node_api::backup::{OwnedBlob, RepositoryCopy, SlotSpan};
use storage_node_api::map::ClusterMap;
use storage_node_api::order::{Answer, Query};
use storage_node_api::{DedupDomain, RepositoryId, Slot};

use super::{TakeError, Taking};
use crate::format::{GroupsRecord, Stream};
use crate::limits::PART_ENTRIES;
use crate::listing::is_full;
use crate::order::GroupError;
use crate::stream::StreamWriter;

/// The blobs of one slot that are in the backup already.
#[derive(Default)]
struct Seen {
    slot: u16,
    blobs: BTreeSet<(DedupDomain, BlobId)>,
}

impl Seen {
    /// Whether a blob is new to its slot. Slots come one after the other.
    fn is_new(&mut self, slot: Slot, domain: DedupDomain, blob: BlobId) -> bool {
        if self.slot != slot.0 {
            self.slot = slot.0;
            self.blobs.clear();
        }
        self.blobs.insert((domain, blob))
    }
}

impl Taking<'_> {
    /// What all groups have.
    pub(super) async fn groups(&mut self, map: &ClusterMap) -> Result<Stream, TakeError> {
        let mut stream = StreamWriter::new();
        for (range, number) in map.groups.iter().zip(1..) {
            let count = map.groups.len();
            self.progress.say(&format!(
                "reading slots {} to {} ({number} of {count}): {} repositories, {} MiB of blobs so far",
                range.first.0,
                range.last.0,
                self.totals.repositories,
                self.totals.blob_bytes >> 20
            ));
            let slots = SlotSpan {
                first: range.first,
                last: range.last,
            };
            self.group(slots, &mut stream).await?;
        }
        Ok(stream.finish(&mut self.packs).await?)
    }

    async fn group(&mut self, slots: SlotSpan, to: &mut StreamWriter) -> Result<(), TakeError> {
        let begun = self.tier.feeds(slots).await?;
        let begun = begun.into_iter().map(|feed| (feed.slot, feed.last));
        let begun: BTreeMap<Slot, u64> = begun.collect();
        let mut seen = Seen::default();
        // How many events of each repository the copies have.
        let mut counted = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self.tier.repositories(slots, after).await?;
            after = page.last().copied();
            for id in &page {
                if let Some(events) = self.repository(*id, &mut seen, to).await? {
                    counted.insert(*id, events);
                }
            }
            if !is_full(page.len()) {
                break;
            }
        }
        self.owners(slots, to).await?;
        for feed in self.tier.feeds(slots).await? {
            let begun = begun.get(&feed.slot).copied().unwrap_or(0);
            self.feed(feed, begun, &counted, to).await?;
        }
        Ok(())
    }

    /// One repository; how many events it has had.
    async fn repository(
        &mut self,
        id: RepositoryId,
        seen: &mut Seen,
        to: &mut StreamWriter,
    ) -> Result<Option<u64>, TakeError> {
        let copy = match self.tier.ask(id.slot(), Query::RepositoryCopy(id)).await? {
            Answer::RepositoryCopy(Some(copy)) => *copy,
            // Only a hold that was lost lets it go.
            Answer::RepositoryCopy(None) => return Ok(None),
            _ => return Err(GroupError::Unexpected.into()),
        };
        let RepositoryCopy {
            repository,
            hidden,
            refs,
            packs,
        } = copy;
        let (domain, events) = (repository.domain, repository.events);
        for pack in &packs {
            for blob in [pack.pack.pack, pack.pack.index] {
                if seen.is_new(id.slot(), domain, blob) {
                    self.blob(id.slot(), domain, blob, to).await?;
                }
            }
        }
        self.totals.repositories += 1;
        self.totals.refs += refs.len() as u64;
        self.totals.packs += packs.len() as u64;
        let head = GroupsRecord::Repository {
            repository,
            hidden,
            refs: refs.len() as u64,
            packs: u32::try_from(packs.len()).unwrap_or(u32::MAX),
        };
        to.add(&head, &mut self.packs).await?;
        for part in refs.chunks(PART_ENTRIES) {
            let record = GroupsRecord::Refs(part.to_vec());
            to.add(&record, &mut self.packs).await?;
        }
        for part in packs.chunks(PART_ENTRIES) {
            let record = GroupsRecord::Packs(part.to_vec());
            to.add(&record, &mut self.packs).await?;
        }
        Ok(Some(events))
    }

    async fn owners(&mut self, slots: SlotSpan, to: &mut StreamWriter) -> Result<(), TakeError> {
        let mut seen = Seen::default();
        let mut after: Option<OwnedBlob> = None;
        loop {
            let page = self.tier.owners(slots, after).await?;
            after = page.last().copied();
            for owned in &page {
                let OwnedBlob {
                    slot, blob, domain, ..
                } = *owned;
                if seen.is_new(slot, domain, blob) {
                    self.blob(slot, domain, blob, to).await?;
                }
                self.totals.owners += 1;
                to.add(&GroupsRecord::Owner(*owned), &mut self.packs)
                    .await?;
            }
            if !is_full(page.len()) {
                return Ok(());
            }
        }
    }

    async fn blob(
        &mut self,
        slot: Slot,
        domain: DedupDomain,
        blob: BlobId,
        to: &mut StreamWriter,
    ) -> Result<(), TakeError> {
        let manifest = self.manifest(slot, domain, blob).await?;
        self.content(domain, &manifest).await?;
        self.totals.blobs += 1;
        self.totals.blob_bytes += manifest.length;
        let record = GroupsRecord::Blob {
            slot,
            domain,
            manifest,
        };
        to.add(&record, &mut self.packs).await?;
        Ok(())
    }
}
