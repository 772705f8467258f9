//! Reading everything again, piece by piece.
//!
//! A pass goes through the volumes in order and verifies each record, then
//! through the index and looks whether each entry's place holds its record. The
//! position is kept in the index, so that a restart goes on with the pass; one
//! that was lost with the index begins anew.
//!
//! What it keeps true:
//! - What is found corrupt is quarantined before the step ends, if the index
//!   still points there: the writer decides, so that a chunk that was put again
//!   or moved meanwhile is not touched.
//! - Bytes that were not acknowledged yet are not looked at.
//!
//! Not here: how fast it goes and when (`node/scrub`), and fetching what was
//! found corrupt (`node/repair`).

mod census;
mod finds;
mod position;
mod records;

use std::sync::Arc;

use chunking::ChunkId;
use storage_node_api::scrub::Faults;
use storage_node_api::{DedupDomain, Timestamp};

use self::census::Census;
use super::error::StoreError;
use super::index::Key;
use super::store::ChunkStore;
use super::volume::VolumeId;

use self::position::At;
pub(super) use self::position::Position;

/// Says whether a chunk belongs on this node.
pub type Belongs = dyn Fn(DedupDomain, &ChunkId) -> bool + Send + Sync;

/// Bytes of volumes that are read between two writes of the position.
const POSITION_BYTES: u64 = 64 << 20;

/// The passes over one store. There is one at a time.
#[derive(Debug)]
pub struct Scrub {
    store: ChunkStore,
    position: Position,
    /// Bytes read since the position was written.
    unwritten: u64,
}

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Bytes read from the disk.
    pub bytes: u64,
    /// What was found and not known before.
    pub faults: Faults,
    /// Chunks seen that do not belong here.
    pub surplus: u64,
    /// Chunks seen in volumes that the index does not know. Those that were
    /// collected and whose volume is not compacted yet are among them.
    pub unindexed: u64,
    /// Whether the pass is complete.
    pub ended: bool,
}

impl Scrub {
    /// The passes over a store, going on where an earlier process was.
    pub async fn load(store: ChunkStore) -> Result<Self, StoreError> {
        let index = store.index().clone();
        let read = store.blocking("read where the scrub was", move || index.position());
        let position = read.await??.unwrap_or_default();
        Ok(Self {
            store,
            position,
            unwritten: 0,
        })
    }

    /// Whether a pass is under way.
    pub fn is_under_way(&self) -> bool {
        self.position.at != At::Idle
    }

    /// When the pass under way, or the last one, began; nothing if there was none.
    pub fn began(&self) -> Option<Timestamp> {
        Some(self.position.began).filter(|began| began.0 > 0)
    }

    /// When the last full pass ended.
    pub fn completed(&self) -> Option<Timestamp> {
        Some(self.position.completed).filter(|completed| completed.0 > 0)
    }

    /// Bytes that the pass under way, or the last one, has read.
    pub fn read_bytes(&self) -> u64 {
        self.position.bytes
    }

    /// Chunks that the pass under way, or the last one, saw and that do not
    /// belong here.
    pub fn surplus(&self) -> u64 {
        self.position.surplus
    }

    /// Chunks that it saw in volumes and not in the index.
    pub fn unindexed(&self) -> u64 {
        self.position.unindexed
    }

    /// Bytes that a pass has to read, as of now.
    pub async fn total_bytes(&self) -> Result<u64, StoreError> {
        let store = self.store.clone();
        let measure = move || records::measure(&store.scrubbed());
        self.store.blocking("measure the volumes", measure).await?
    }

    /// Begins a pass, from the beginning.
    pub async fn begin(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.position = Position {
            began: now,
            bytes: 0,
            surplus: 0,
            unindexed: 0,
            at: At::Volume {
                volume: VolumeId(0),
                offset: 0,
            },
            ..self.position
        };
        self.write_position().await
    }

    /// Reads some more, a few MiB at most, and quarantines what is corrupt.
    pub async fn step(
        &mut self,
        belongs: &Arc<Belongs>,
        now: Timestamp,
    ) -> Result<Step, StoreError> {
        let was = self.position.at;
        let mut step = match was {
            At::Idle => Step {
                ended: true,
                ..Step::default()
            },
            At::Volume { volume, offset } => self.volume_step(volume, offset).await?,
            At::Index { after } => self.index_step(after, belongs).await?,
        };
        self.position.bytes += step.bytes;
        self.position.surplus += step.surplus;
        self.position.unindexed += step.unindexed;
        self.unwritten += step.bytes;
        if was != At::Idle && self.position.at == At::Idle {
            step.ended = true;
            self.position.completed = now;
        }
        if step.ended || self.unwritten >= POSITION_BYTES {
            self.write_position().await?;
        }
        Ok(step)
    }

    async fn volume_step(&mut self, volume: VolumeId, offset: u64) -> Result<Step, StoreError> {
        let store = self.store.clone();
        let walk = move || records::walk(&store.scrubbed(), volume, offset);
        let walked = self.store.blocking("scrub a volume", walk).await??;
        let Some(walked) = walked else {
            self.position.at = At::Index { after: None };
            return Ok(Step::default());
        };
        let mut step = Step {
            bytes: walked.bytes,
            faults: walked.faults,
            unindexed: walked.unindexed,
            ..Step::default()
        };
        let damage = self.store.report_damage(&walked.damage).await?;
        step.faults.stretches += damage.len() as u64;
        for (key, place) in &walked.corrupt {
            step.faults.records += self.store.quarantine(key, place).await?;
        }
        if !damage.is_empty() {
            step.faults.entries += self.store.quarantine_within(damage).await?;
        }
        self.position.at = At::Volume {
            volume: walked.volume,
            offset: walked.next,
        };
        Ok(step)
    }

    async fn index_step(
        &mut self,
        after: Option<Key>,
        belongs: &Arc<Belongs>,
    ) -> Result<Step, StoreError> {
        let (store, belongs) = (self.store.clone(), Arc::clone(belongs));
        let take = move || census::take(&store.scrubbed(), after.as_ref(), &*belongs);
        let Census {
            last,
            bytes,
            dangling,
            surplus,
        } = self.store.blocking("scrub the index", take).await??;
        let mut step = Step {
            bytes,
            surplus,
            ..Step::default()
        };
        for (key, place) in &dangling {
            step.faults.entries += self.store.quarantine(key, place).await?;
        }
        self.position.at = match last {
            Some(last) => At::Index { after: Some(last) },
            None => At::Idle,
        };
        Ok(step)
    }

    async fn write_position(&mut self) -> Result<(), StoreError> {
        let (index, position) = (self.store.index().clone(), self.position);
        self.unwritten = 0;
        let write = move || index.set_position(&position);
        let written = self
            .store
            .blocking("keep where the scrub is", write)
            .await?;
        Ok(written?)
    }
}
