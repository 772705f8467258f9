//! Both streams of a backup, read in their order and checked as they are read.
//!
//! What verify proves and restore relies on is the same, so it is here once:
//! each record stands where it may stand, each pack and owner names a blob that
//! came before it, each manifest is whole, and everything adds up to the totals.

use std::collections::BTreeSet;
use std::sync::Arc;

use chunking::BlobId;
use storage_node_api::backup::{FeedBounds, NumberedPack};
use storage_node_api::{DedupDomain, RepositoryId, Slot};

use crate::backups::manifest_name;
use crate::destination::{Destination, ObjectError};
use crate::format::{Damage, FactsRecord, GroupsRecord, Manifest, Totals};
use crate::packs::{Catalogue, PackReader};
use crate::rate::Rate;
use crate::stream::StreamReader;

/// A backup that is read.
pub(crate) struct Records {
    pub(crate) manifest: Manifest,
    pub(crate) packs: Arc<PackReader>,
    name: String,
    groups: StreamReader<GroupsRecord>,
    facts: StreamReader<FactsRecord>,
    found: Totals,
    /// Blobs of the slot that is read.
    slot: Option<Slot>,
    blobs: BTreeSet<(DedupDomain, BlobId)>,
    open: Option<Open>,
    feed_last: u64,
}

/// The repository whose parts are expected.
struct Open {
    id: RepositoryId,
    domain: DedupDomain,
    refs: u64,
    packs: u32,
}

impl Records {
    pub(crate) async fn open(
        destination: &Destination,
        rate: Arc<Rate>,
        manifest: Manifest,
    ) -> Result<Self, ObjectError> {
        let name = manifest_name(manifest.id);
        let catalogue = Catalogue::of(destination, &manifest.packs).await?;
        let packs = PackReader::new(destination.clone(), rate, catalogue, name.clone());
        Ok(Self::begin(manifest, Arc::new(packs), name))
    }

    /// The same backup, from its beginning.
    pub(crate) fn again(&self) -> Self {
        let packs = Arc::clone(&self.packs);
        Self::begin(self.manifest.clone(), packs, self.name.clone())
    }

    fn begin(manifest: Manifest, packs: Arc<PackReader>, name: String) -> Self {
        Self {
            groups: StreamReader::new(&manifest.groups, name.clone()),
            facts: StreamReader::new(&manifest.facts, name.clone()),
            packs,
            manifest,
            name,
            found: Totals::default(),
            slot: None,
            blobs: BTreeSet::new(),
            open: None,
            feed_last: 0,
        }
    }

    /// The next record of the groups.
    pub(crate) async fn next_of_groups(&mut self) -> Result<Option<GroupsRecord>, ObjectError> {
        let record = self.groups.next(&self.packs).await?;
        match &record {
            Some(record) => self.check(record)?,
            None => self.close()?,
        }
        Ok(record)
    }

    /// The next record of the facts.
    pub(crate) async fn next_of_facts(&mut self) -> Result<Option<FactsRecord>, ObjectError> {
        let record = self.facts.next(&self.packs).await?;
        if let Some(FactsRecord::Rows(page)) = &record {
            let fits = page.rows.iter().all(|row| row.len() == page.columns.len());
            if !fits || page.rows.is_empty() {
                return Err(self.wrong("a row has another number of values than its table columns"));
            }
            let rows = page.rows.len() as u64;
            match self.found.tables.last_mut() {
                Some((table, count)) if *table == page.table => *count += rows,
                _ => self.found.tables.push((page.table.clone(), rows)),
            }
        }
        Ok(record)
    }

    /// Whether all that was read, to both ends, is all that was written.
    pub(crate) fn confirm(&self) -> Result<(), ObjectError> {
        match self.found == self.manifest.totals {
            true => Ok(()),
            false => Err(self.wrong("its records are not as many as it says")),
        }
    }

    fn check(&mut self, record: &GroupsRecord) -> Result<(), ObjectError> {
        match record {
            GroupsRecord::Blob {
                slot,
                domain,
                manifest,
            } => {
                self.close()?;
                if manifest.validate().is_err() {
                    return Err(self.wrong("the manifest of a blob does not add up"));
                }
                for chunk in &manifest.chunks {
                    self.packs.find(chunk)?;
                }
                self.enter(*slot);
                self.blobs.insert((*domain, manifest.blob));
                self.found.blobs += 1;
                self.found.blob_bytes += manifest.length;
            }
            GroupsRecord::Repository {
                repository,
                refs,
                packs,
                ..
            } => {
                self.close()?;
                self.enter(repository.id.slot());
                self.found.repositories += 1;
                self.open = Some(Open {
                    id: repository.id,
                    domain: repository.domain,
                    refs: *refs,
                    packs: *packs,
                });
            }
            GroupsRecord::Refs(refs) => {
                let count = refs.len() as u64;
                self.found.refs += count;
                let open = self.open.as_mut();
                let left = open.and_then(|open| {
                    open.refs = open.refs.checked_sub(count)?;
                    Some(())
                });
                left.ok_or_else(|| self.wrong("there are references of no repository"))?;
            }
            GroupsRecord::Packs(packs) => self.check_packs(packs)?,
            GroupsRecord::Owner(owned) => {
                self.close()?;
                self.enter(owned.slot);
                if !self.blobs.contains(&(owned.domain, owned.blob)) {
                    return Err(self.wrong("an owner has a blob that is not there"));
                }
                self.found.owners += 1;
            }
            GroupsRecord::Events(events) => {
                self.close()?;
                self.found.events += events.len() as u64;
                self.feed_last = events.last().map_or(0, |event| event.sequence);
            }
            GroupsRecord::Feed(feed) => self.check_feed(*feed)?,
        }
        Ok(())
    }

    fn check_feed(&mut self, feed: FeedBounds) -> Result<(), ObjectError> {
        self.close()?;
        let ends = match feed.last >= feed.first_kept {
            true => feed.last,
            false => 0,
        };
        if std::mem::take(&mut self.feed_last) != ends {
            return Err(self.wrong("a feed does not end with its last event"));
        }
        Ok(())
    }

    fn check_packs(&mut self, packs: &[NumberedPack]) -> Result<(), ObjectError> {
        self.found.packs += packs.len() as u64;
        let Some(open) = &mut self.open else {
            return Err(self.wrong("there are packs of no repository"));
        };
        let count = u32::try_from(packs.len()).unwrap_or(u32::MAX);
        let left = open.packs.checked_sub(count);
        let (domain, slot) = (open.domain, open.id.slot());
        open.packs = left.unwrap_or(0);
        let blobs = packs.iter().flat_map(|p| [p.pack.pack, p.pack.index]);
        let known = blobs
            .into_iter()
            .all(|blob| self.slot == Some(slot) && self.blobs.contains(&(domain, blob)));
        match left.is_some() && known {
            true => Ok(()),
            false => Err(self.wrong("a pack list names a blob that is not there")),
        }
    }

    /// Ends the repository that was open: nothing of it may be missing.
    fn close(&mut self) -> Result<(), ObjectError> {
        match self.open.take() {
            Some(open) if (open.refs, open.packs) != (0, 0) => {
                Err(self.wrong("a repository lacks references or packs"))
            }
            _ => Ok(()),
        }
    }

    fn enter(&mut self, slot: Slot) {
        if self.slot != Some(slot) {
            self.slot = Some(slot);
            self.blobs.clear();
        }
    }

    fn wrong(&self, what: &'static str) -> ObjectError {
        ObjectError::damaged(&self.name, Damage::Contradiction(what))
    }
}
