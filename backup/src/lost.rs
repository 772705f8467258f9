//! Which content the groups name and no node holds: what a cluster has lost for good.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use chunking::{BlobId, ChunkId, ChunkRef};
use runtime::Runtime;
use storage_node_api::backup::{OwnedBlob, SlotSpan};
use storage_node_api::limits::CHUNK_BATCH;
use storage_node_api::order::{Answer, Query};
use storage_node_api::{BlobOwner, DedupDomain, RepositoryId, Slot, Storage};

use crate::limits::MAX_LOST_BLOBS;
use crate::listing::is_full;
use crate::order::{GroupError, Tier};
use crate::progress::Progress;

/// Who can say which chunks are anywhere.
#[async_trait]
pub trait Holders: Debug + Send + Sync {
    /// For each chunk whether some node holds it, intact as far as that node knows.
    async fn held(&self, domain: DedupDomain, chunks: &[ChunkRef]) -> Result<Vec<bool>, String>;
}

/// What was looked at, and what is nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Repositories that were looked at.
    pub repositories: u64,
    /// Blobs that were looked at, each once per slot and domain.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Blobs that lack something, each once for each owner.
    pub lost: Vec<LostBlob>,
    /// How many more there are than [`MAX_LOST_BLOBS`].
    pub more: u64,
}

/// A blob that cannot be read in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostBlob {
    /// Where it is kept.
    pub slot: Slot,
    /// Its domain.
    pub domain: DedupDomain,
    /// Which blob.
    pub blob: BlobId,
    /// What keeps it: a repository's pack list, or a named owner.
    pub owner: BlobOwner,
    /// Its length; nothing if even its manifest is gone.
    pub length: Option<u64>,
    /// The chunks that no node holds, each once.
    pub chunks: Vec<ChunkRef>,
}

impl LostBlob {
    /// The bytes of the chunks that are lost.
    pub fn lost_bytes(&self) -> u64 {
        self.chunks
            .iter()
            .map(|chunk| u64::from(chunk.length))
            .sum()
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum LostError {
    /// A group could not be read.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The nodes could not be asked.
    #[error("ask the nodes what they hold: {0}")]
    Holders(String),
}

/// Goes through everything that the groups name and asks who holds it. Content is not read: a node
/// that does not know yet that a chunk is corrupt counts as holding it, which a scrub finds.
pub async fn lost(
    storage: Arc<dyn Storage>,
    runtime: Runtime,
    holders: &dyn Holders,
    progress: &dyn Progress,
) -> Result<Lost, LostError> {
    let tier = Tier { storage, runtime };
    let map = tier.map().await?;
    let mut looking = Looking {
        tier,
        holders,
        lost: Lost::default(),
        slot: Slot(0),
        seen: BTreeMap::new(),
    };
    for (range, number) in map.groups.iter().zip(1..) {
        progress.say(&format!(
            "looking at slots {} to {} ({number} of {}): {} repositories, {} MiB of blobs, {} blobs lack something so far",
            range.first.0,
            range.last.0,
            map.groups.len(),
            looking.lost.repositories,
            looking.lost.blob_bytes >> 20,
            looking.lost.lost.len() as u64 + looking.lost.more,
        ));
        let slots = SlotSpan {
            first: range.first,
            last: range.last,
        };
        looking.repositories(slots).await?;
        looking.owners(slots).await?;
    }
    Ok(looking.lost)
}

struct Looking<'a> {
    tier: Tier,
    holders: &'a dyn Holders,
    lost: Lost,
    /// The slot that is looked at.
    slot: Slot,
    /// What was found of each blob of it.
    seen: BTreeMap<(DedupDomain, BlobId), Found>,
}

/// What there is of a blob.
#[derive(Clone)]
struct Found {
    length: Option<u64>,
    chunks: Vec<ChunkRef>,
}

impl Looking<'_> {
    async fn repositories(&mut self, slots: SlotSpan) -> Result<(), LostError> {
        let mut after = None;
        loop {
            let page = self.tier.repositories(slots, after).await?;
            after = page.last().copied();
            for id in &page {
                self.repository(*id).await?;
            }
            if !is_full(page.len()) {
                return Ok(());
            }
        }
    }

    async fn repository(&mut self, id: RepositoryId) -> Result<(), LostError> {
        let copy = match self.tier.ask(id.slot(), Query::RepositoryCopy(id)).await? {
            Answer::RepositoryCopy(Some(copy)) => *copy,
            // Deleted meanwhile.
            Answer::RepositoryCopy(None) => return Ok(()),
            _ => return Err(GroupError::Unexpected.into()),
        };
        self.lost.repositories += 1;
        let domain = copy.repository.domain;
        for pack in &copy.packs {
            for blob in [pack.pack.pack, pack.pack.index] {
                let owner = BlobOwner::Repository(id);
                self.blob(id.slot(), domain, blob, owner).await?;
            }
        }
        Ok(())
    }

    async fn owners(&mut self, slots: SlotSpan) -> Result<(), LostError> {
        let mut after: Option<OwnedBlob> = None;
        loop {
            let page = self.tier.owners(slots, after).await?;
            after = page.last().copied();
            for owned in &page {
                let owner = BlobOwner::Named(owned.owner);
                self.blob(owned.slot, owned.domain, owned.blob, owner)
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
        owner: BlobOwner,
    ) -> Result<(), LostError> {
        if self.slot != slot {
            self.slot = slot;
            self.seen.clear();
        }
        let found = match self.seen.get(&(domain, blob)) {
            Some(found) => found.clone(),
            None => {
                let found = self.look(slot, domain, blob).await?;
                self.lost.blobs += 1;
                self.lost.blob_bytes += found.length.unwrap_or(0);
                self.seen.insert((domain, blob), found.clone());
                found
            }
        };
        let Found { length, chunks } = found;
        if length.is_some() && chunks.is_empty() {
            return Ok(());
        }
        if self.lost.lost.len() >= MAX_LOST_BLOBS {
            self.lost.more += 1;
            return Ok(());
        }
        self.lost.lost.push(LostBlob {
            slot,
            domain,
            blob,
            owner,
            length,
            chunks,
        });
        Ok(())
    }

    async fn look(
        &self,
        slot: Slot,
        domain: DedupDomain,
        blob: BlobId,
    ) -> Result<Found, LostError> {
        let query = Query::Manifest { slot, domain, blob };
        let manifest = match self.tier.ask(slot, query).await? {
            Answer::Manifest(manifest) => manifest,
            _ => return Err(GroupError::Unexpected.into()),
        };
        let Some(manifest) = manifest else {
            return Ok(Found {
                length: None,
                chunks: Vec::new(),
            });
        };
        let mut known = BTreeSet::<ChunkId>::new();
        let mut chunks = manifest.chunks.clone();
        chunks.retain(|chunk| known.insert(chunk.id));
        let mut lost = Vec::new();
        for batch in chunks.chunks(CHUNK_BATCH) {
            let held = self.holders.held(domain, batch).await;
            let held = held.map_err(LostError::Holders)?;
            let missing = batch.iter().zip(held).filter(|(_, held)| !held);
            lost.extend(missing.map(|(chunk, _)| *chunk));
        }
        Ok(Found {
            length: Some(manifest.length),
            chunks: lost,
        })
    }
}
