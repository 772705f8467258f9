//! Dropping chunks and writing records again, in the writer: look and deed are
//! one step between two groups of puts and touches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use chunking::ChunkId;
use storage_node_api::{DedupDomain, Generation};

use super::append::{AppendError, Pending};
use super::commit::Committer;
use super::error::StoreError;
use super::index::{Changes, Key, Place};
use super::record::{Kind, MAX_TOUCHES};
use super::volume::VolumeId;

/// What the collector asks of the writer.
#[derive(Debug)]
pub(super) enum Collect {
    /// Drop those of these chunks that were last touched before a generation.
    Drop {
        before: Generation,
        chunks: Vec<ChunkId>,
        done: Arc<Tally>,
    },
    /// Write again what a volume has that is still needed.
    Move {
        volume: VolumeId,
        chunks: Vec<Moving>,
        /// Of chunks in other volumes.
        touches: Vec<(ChunkId, Generation)>,
        /// Whose records may be in older volumes.
        drops: Vec<ChunkId>,
        done: Arc<Tally>,
    },
}

/// A record of a volume that is to go, with the bytes of its chunk.
#[derive(Debug)]
pub(super) struct Moving {
    pub(super) id: ChunkId,
    pub(super) place: Place,
    pub(super) bytes: Bytes,
}

/// How much of what was asked had to be done.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) chunks: AtomicU64,
    pub(super) bytes: AtomicU64,
}

impl Tally {
    fn add(&self, bytes: u64) {
        self.chunks.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Collect {
    /// Bytes of its chunks.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Drop { .. } => 0,
            Self::Move { chunks, .. } => chunks.iter().map(|chunk| chunk.bytes.len()).sum(),
        }
    }
}

impl Committer {
    /// Does it, synced and in the index. Neither needs the reserve: both are
    /// what makes space.
    pub(super) fn collect(
        &mut self,
        domain: DedupDomain,
        collect: &Collect,
    ) -> Result<(), StoreError> {
        if self.condition.is_failing() {
            return Err(StoreError::Failing);
        }
        match collect {
            Collect::Drop {
                before,
                chunks,
                done,
            } => self.drop_chunks(domain, *before, chunks, done),
            Collect::Move {
                volume,
                chunks,
                touches,
                drops,
                done,
            } => {
                let mut records = self.moved_chunks(domain, chunks, done)?;
                records.extend(self.moved_touches(domain, *volume, touches)?);
                records.extend(self.moved_drops(domain, drops)?);
                let mut changes = self.changes();
                let places = self.append_all(&records)?;
                for (record, place) in records.iter().zip(places) {
                    if record.kind == Kind::Chunk {
                        let key = Key {
                            domain,
                            id: record.id,
                        };
                        changes.stored(&self.index, key, place, record.generation)?;
                        self.metrics.moved_bytes.inc_by(u64::from(place.length));
                    }
                }
                self.keep(&changes)
            }
        }
    }

    fn drop_chunks(
        &mut self,
        domain: DedupDomain,
        before: Generation,
        chunks: &[ChunkId],
        done: &Tally,
    ) -> Result<(), StoreError> {
        let mut changes = self.changes();
        let mut ids = Vec::new();
        for id in chunks {
            let key = Key { domain, id: *id };
            let entry = changes.get(&self.index, &key)?;
            if let Some(entry) = entry.filter(|entry| entry.touched < before) {
                let bytes = u64::from(entry.place.length);
                done.add(bytes);
                self.metrics.dropped.inc();
                self.metrics.dropped_bytes.inc_by(bytes);
                changes.dropped(&self.index, key)?;
                ids.push(*id);
            }
        }
        let records = lists(Kind::Drop, domain, before, &ids);
        self.append_all(&records)?;
        self.keep(&changes)
    }

    /// Records for chunks that are still where they were, with their last touch.
    fn moved_chunks(
        &self,
        domain: DedupDomain,
        chunks: &[Moving],
        done: &Tally,
    ) -> Result<Vec<Pending>, StoreError> {
        let mut records = Vec::new();
        for chunk in chunks {
            let id = chunk.id;
            let entry = self.index.get(&Key { domain, id })?;
            if let Some(entry) = entry
                && entry.is_intact()
                && entry.place == chunk.place
            {
                done.add(u64::from(entry.place.length));
                records.push(Pending {
                    kind: Kind::Chunk,
                    domain,
                    generation: entry.touched,
                    id,
                    payload: chunk.bytes.clone(),
                });
            }
        }
        Ok(records)
    }

    /// Records for touches that nothing else keeps: the last ones of chunks in
    /// other volumes. Those in this one are written again with theirs.
    fn moved_touches(
        &self,
        domain: DedupDomain,
        volume: VolumeId,
        touches: &[(ChunkId, Generation)],
    ) -> Result<Vec<Pending>, StoreError> {
        let mut last: BTreeMap<Generation, Vec<ChunkId>> = BTreeMap::new();
        for (id, generation) in touches {
            let entry = self.index.get(&Key { domain, id: *id })?;
            if entry
                .is_some_and(|entry| entry.touched == *generation && entry.place.volume != volume)
            {
                last.entry(*generation).or_default().push(*id);
            }
        }
        let records = last.into_iter();
        Ok(records
            .flat_map(|(generation, ids)| lists(Kind::Touch, domain, generation, &ids))
            .collect())
    }

    /// Records for drops of chunks that were not put again.
    fn moved_drops(
        &self,
        domain: DedupDomain,
        drops: &[ChunkId],
    ) -> Result<Vec<Pending>, StoreError> {
        let mut gone = Vec::new();
        for id in drops {
            if self.index.get(&Key { domain, id: *id })?.is_none() {
                gone.push(*id);
            }
        }
        Ok(lists(Kind::Drop, domain, Generation(0), &gone))
    }

    fn changes(&self) -> Changes {
        let totals = self.checkpoint.map(|checkpoint| checkpoint.totals);
        Changes::new(totals.unwrap_or_default())
    }

    /// Appends all records, synced, to as many volumes as it takes.
    fn append_all(&mut self, records: &[Pending]) -> Result<Vec<Place>, StoreError> {
        let mut places = Vec::with_capacity(records.len());
        while places.len() < records.len() {
            match self.appender.append(&records[places.len()..]) {
                Ok(more) => places.extend(more),
                Err(AppendError::Full) => return Err(StoreError::Full),
                Err(AppendError::Io {
                    doing,
                    volume,
                    source,
                }) => {
                    tracing::error!(%volume, doing, error = &source as &dyn std::error::Error, "a volume failed");
                    self.fail();
                    return Err(StoreError::Failing);
                }
            }
        }
        Ok(places)
    }

    fn keep(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let volume = self.checkpoint.map(|checkpoint| checkpoint.volume);
        let moved = self.appender.current().map(|current| current.volume) != volume;
        if changes.len() == 0 && !moved {
            return Ok(());
        }
        self.index_changes(changes, moved).map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the chunk index failed"
            );
            self.fail();
            StoreError::Failing
        })
    }
}

/// Records that name chunks.
fn lists(kind: Kind, domain: DedupDomain, generation: Generation, ids: &[ChunkId]) -> Vec<Pending> {
    let records = ids.chunks(MAX_TOUCHES).map(|part| {
        let mut payload = BytesMut::with_capacity(part.len() * 32);
        part.iter().for_each(|id| payload.put(&id.as_bytes()[..]));
        Pending {
            kind,
            domain,
            generation,
            id: ChunkId::from_bytes([0; 32]),
            payload: payload.freeze(),
        }
    });
    records.collect()
}
