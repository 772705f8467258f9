use std::collections::BTreeMap;

use chunking::{ChunkId, ChunkRef};
use storage_node_api::{DedupDomain, Generation};

use crate::volumes::{ChunkStore, StoreError};

/// The most chunks that are held against the listings at a time: some 40 MB. A
/// node with more goes over the listings once for each so many.
///
/// What is kept in memory is what the node may drop and not what the cluster
/// names, of which a node has no say in how much it is; a node with a million
/// chunks reads each listing once.
pub(super) const PASS_CHUNKS: usize = 1 << 20;

/// Chunks of the store that are not known to be needed, in order.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    domains: BTreeMap<DedupDomain, Vec<Candidate>>,
    last: Option<(DedupDomain, ChunkId)>,
    /// How many chunks were looked at to find these.
    pub(super) looked_at: u64,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) chunk: ChunkRef,
    pub(super) listed: bool,
}

impl Candidates {
    /// The next chunks behind a chunk that were last touched before a generation.
    /// Blocks on the disk.
    pub(super) fn next(
        store: &ChunkStore,
        after: Option<(DedupDomain, ChunkId)>,
        before: Generation,
        limit: usize,
    ) -> Result<Self, StoreError> {
        let entries = match after {
            Some((domain, id)) => store.iter_after(domain, id),
            None => store.iter(),
        };
        let mut candidates = Self::default();
        let mut count = 0;
        for stored in entries {
            let stored = stored?;
            candidates.looked_at += 1;
            candidates.last = Some((stored.domain, stored.chunk.id));
            if stored.touched >= before {
                continue;
            }
            let of_domain = candidates.domains.entry(stored.domain).or_default();
            of_domain.push(Candidate {
                chunk: stored.chunk,
                listed: false,
            });
            count += 1;
            if count == limit {
                break;
            }
        }
        Ok(candidates)
    }

    /// Where the next ones begin.
    pub(super) fn last(&self) -> Option<(DedupDomain, ChunkId)> {
        self.last
    }

    pub(super) fn is_empty(&self) -> bool {
        self.domains.is_empty()
    }

    /// These chunks are listed.
    pub(super) fn mark(&mut self, listed: &[(DedupDomain, ChunkRef)]) {
        for (domain, chunk) in listed {
            let Some(candidates) = self.domains.get_mut(domain) else {
                continue;
            };
            let found = candidates.binary_search_by(|known| known.chunk.id.cmp(&chunk.id));
            if let Ok(index) = found {
                candidates[index].listed = true;
            }
        }
    }

    /// All of them, by domain.
    pub(super) fn into_domains(self) -> impl Iterator<Item = (DedupDomain, Vec<Candidate>)> {
        self.domains.into_iter()
    }
}
