//! One sweep: what the node has against what all groups list.

use std::sync::Arc;

use chunking::{ChunkId, ChunkRef};
use runtime::{Clock, run_blocking};
use storage_node_api::collect::{Amount, Phase};
use storage_node_api::limits::CHUNK_BATCH;
use storage_node_api::map::ClusterMap;
use storage_node_api::placement::Placement;
use storage_node_api::{DedupDomain, Generation, GroupId};

use super::super::StorageNode;
use super::candidates::{Candidate, Candidates, PASS_CHUNKS};
use super::state::Collecting;
use crate::volumes::StoreError;

/// What a sweep is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// To drop what nothing names.
    Drops,
    /// To count what the next cycle could drop. Changes nothing, not even a touch.
    Counts,
}

/// Why a sweep is not complete. It begins anew.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    /// A group or the node itself is at another generation or map.
    #[error("a group or this node has another generation or map")]
    Moved,
    /// No replica of a group could be read.
    #[error("no replica of group {group} could be read")]
    NoListing {
        /// Which.
        group: GroupId,
    },
    /// The store of chunks.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The process ends.
    #[error("the process is shutting down")]
    ShuttingDown,
}

/// What some chunks are.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) looked_at: u64,
    pub(super) live: Amount,
    pub(super) dead: Amount,
    pub(super) extra: Amount,
    pub(super) unconfirmed: Amount,
}

/// A sweep at one generation and by one map.
pub(super) struct Sweep<'a> {
    pub(super) node: &'a Arc<StorageNode>,
    pub(super) map: Arc<ClusterMap>,
    pub(super) kind: Kind,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(node: &'a Arc<StorageNode>, map: &Arc<ClusterMap>, kind: Kind) -> Self {
        let map = Arc::clone(map);
        Self { node, map, kind }
    }

    pub(super) fn collecting(&self) -> &Collecting {
        &self.node.parts.collecting
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.node.parts.runtime.clock
    }

    fn phase(&self) -> Phase {
        match self.kind {
            Kind::Drops => Phase::Sweeps,
            Kind::Counts => Phase::Counts,
        }
    }

    /// Goes over everything that the node has.
    pub(super) async fn run(self) -> Result<(), Stopped> {
        self.check_groups().await?;
        self.collecting().begins(self.phase(), self.map.generation);
        let mut after = None;
        loop {
            let mut candidates = self.candidates(after).await?;
            after = candidates.last();
            let mut judged = Judged {
                looked_at: candidates.looked_at,
                ..Judged::default()
            };
            if !candidates.is_empty() {
                self.list(&mut candidates).await?;
                self.judge(candidates, &mut judged).await?;
            }
            self.collecting().judged(&judged);
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// The next chunks that the listings decide about.
    async fn candidates(
        &self,
        after: Option<(DedupDomain, ChunkId)>,
    ) -> Result<Candidates, Stopped> {
        let store = (*self.node.parts.chunks).clone();
        let before = match self.kind {
            Kind::Drops => self.map.generation,
            Kind::Counts => Generation(u64::MAX),
        };
        let next = move || Candidates::next(&store, after, before, PASS_CHUNKS);
        let tasks = &*self.node.parts.runtime.tasks;
        let found = run_blocking(tasks, "look for chunks to drop", next).await;
        Ok(found.map_err(|_| Stopped::ShuttingDown)??)
    }

    async fn judge(&self, candidates: Candidates, judged: &mut Judged) -> Result<(), Stopped> {
        let own = self.node.id();
        for (domain, chunks) in candidates.into_domains() {
            let placement = Placement::new(domain, &self.map);
            let mut to_drop = Vec::new();
            let mut extras = Vec::new();
            for Candidate { chunk, listed } in chunks {
                let bytes = u64::from(chunk.length);
                if !listed {
                    judged.dead.add(bytes);
                    to_drop.push(chunk);
                } else if placement.is_placed(&chunk.id, own) {
                    judged.live.add(bytes);
                } else {
                    extras.push(chunk);
                }
            }
            if self.kind == Kind::Counts {
                continue;
            }
            let confirmed = self.confirm(domain, &placement, &extras).await;
            for (chunk, confirmed) in extras.into_iter().zip(confirmed) {
                let bytes = u64::from(chunk.length);
                if confirmed {
                    judged.extra.add(bytes);
                    to_drop.push(chunk);
                } else {
                    judged.unconfirmed.add(bytes);
                }
            }
            self.drop_all(domain, to_drop).await?;
        }
        Ok(())
    }

    /// Drops those that were not touched since the barrier.
    async fn drop_all(&self, domain: DedupDomain, chunks: Vec<ChunkRef>) -> Result<(), Stopped> {
        for batch in chunks.chunks(CHUNK_BATCH) {
            if self.has_moved() {
                return Err(Stopped::Moved);
            }
            let began = self.clock().monotonic();
            let ids = batch.iter().map(|chunk| chunk.id).collect();
            let store = &self.node.parts.chunks;
            let before = self.map.generation;
            let dropped = store.drop_untouched(before, domain, ids).await?;
            self.collecting().dropped(Amount {
                chunks: dropped.chunks,
                bytes: dropped.bytes,
            });
            let took = self.clock().monotonic().saturating_sub(began);
            self.rest(0, took).await;
        }
        Ok(())
    }

    /// Whether the node has another map by now, which makes what was listed void.
    fn has_moved(&self) -> bool {
        let now = self.node.current_map();
        now.is_none_or(|now| (now.generation, now.epoch) != (self.map.generation, self.map.epoch))
    }
}
