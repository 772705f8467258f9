//! Turning a group of requests into records, one sync, and answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use chunking::{Chunk, ChunkId};
use kv::KvError;
use storage_node_api::{DedupDomain, Generation};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::append::{AppendError, Appender, Pending};
use super::collect::Collect;
use super::condition::Condition;
use super::config::Checked;
use super::error::StoreError;
use super::index::{Changes, Checkpoint, Index, Key, Place};
use super::metrics::Metrics;
use super::quarantine::Quarantine;
use super::record::{Kind, MAX_TOUCHES};
use super::volume::{Damage, Identity};

/// Something that the writer is asked to do.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) domain: DedupDomain,
    pub(super) work: Work,
    pub(super) answer: oneshot::Sender<Result<(), StoreError>>,
    /// Its share of the queue, freed with it.
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

/// What there is to do.
#[derive(Debug)]
pub(super) enum Work {
    /// Make these durable at this generation.
    Write {
        generation: Generation,
        chunks: Vec<Chunk>,
        touches: Vec<ChunkId>,
    },
    /// The record at this place was found corrupt, by a read or by the scrub.
    Quarantine {
        chunk: ChunkId,
        place: Place,
        by_read: bool,
    },
    /// In these bytes no record was found.
    Damaged(Damage),
    /// Drop chunks, or write records again so that a volume can go.
    Collect(Collect),
}

impl Request {
    /// Bytes of its chunks.
    pub(super) fn bytes(&self) -> usize {
        match &self.work {
            Work::Write { chunks, .. } => chunks.iter().map(|chunk| chunk.bytes.len()).sum(),
            Work::Collect(collect) => collect.bytes(),
            Work::Quarantine { .. } | Work::Damaged(_) => 0,
        }
    }
}

/// The only one that changes volumes and index. Present, touched and quarantined
/// are decided here, one group after the other.
#[derive(Debug)]
pub(super) struct Committer {
    pub(super) appender: Appender,
    pub(super) index: Index,
    pub(super) identity: Identity,
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) condition: Arc<Condition>,
    pub(super) quarantine: Arc<Quarantine>,
    pub(super) config: Checked,
    pub(super) metrics: Metrics,
}

/// What a group needs to have written.
#[derive(Default)]
struct Plan {
    records: Vec<Planned>,
    /// Chunks among the records, and the greatest generation planned for them.
    chunks: HashMap<Key, Generation>,
    touches: BTreeMap<(DedupDomain, Generation), Vec<(ChunkId, usize)>>,
    present: u64,
    /// Chunks that are now known to be corrupt, their bytes, and whether a read
    /// found them.
    quarantined: Vec<(Key, u32, bool)>,
}

struct Planned {
    record: Pending,
    /// The requests that wait for it, by their index in the group.
    waiting: Vec<usize>,
    /// For a touch: whom.
    touched: Vec<ChunkId>,
}

impl Committer {
    /// Does what a group asks for and answers each request. Everything that is
    /// answered with success is synced.
    ///
    /// What is collected comes last, when all puts and touches of the group are
    /// in the index: it sees them, or they see that the chunk is gone.
    pub(super) fn commit(&mut self, group: Vec<Request>) {
        let collects = |request: &Request| matches!(request.work, Work::Collect(_));
        let (last, first): (Vec<_>, Vec<_>) = group.into_iter().partition(collects);
        self.commit_puts(first);
        for request in last {
            let result = match &request.work {
                Work::Collect(collect) => self.collect(request.domain, collect),
                _ => Ok(()),
            };
            drop(request.permit);
            drop(request.answer.send(result));
        }
    }

    fn commit_puts(&mut self, group: Vec<Request>) {
        let totals = self.checkpoint.map(|checkpoint| checkpoint.totals);
        let mut changes = Changes::new(totals.unwrap_or_default());
        let mut plan = Plan::default();
        let full = self.is_full();
        let mut results: Vec<Result<(), StoreError>> = group
            .iter()
            .enumerate()
            .map(|(number, request)| self.plan(&mut plan, &mut changes, request, number, full))
            .collect();
        plan.write_touches();
        self.metrics.present.inc_by(plan.present);
        let volume = self.checkpoint.map(|checkpoint| checkpoint.volume);
        self.write(plan.records, &mut changes, &mut results);
        if changes.len() > 0 {
            let moved = self.appender.current().map(|current| current.volume) != volume;
            if let Err(error) = self.index_changes(&changes, moved) {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the chunk index failed"
                );
                self.fail();
                results.fill_with(|| Err(StoreError::Failing));
            }
        }
        // Whoever hears of them finds them in the index.
        for (key, length, by_read) in plan.quarantined {
            self.quarantine.add(key, length, by_read);
        }
        for (request, result) in group.into_iter().zip(results) {
            drop(request.permit);
            // Whoever asked may have gone away.
            drop(request.answer.send(result));
        }
    }

    fn is_full(&self) -> bool {
        match self.appender.available_bytes() {
            Ok(bytes) => bytes < self.config.reserve_bytes,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "free space is unknown"
                );
                false
            }
        }
    }

    pub(super) fn fail(&self) {
        self.condition.fail();
        self.metrics.failing.set(1);
    }

    fn plan(
        &self,
        plan: &mut Plan,
        changes: &mut Changes,
        request: &Request,
        number: usize,
        full: bool,
    ) -> Result<(), StoreError> {
        let domain = request.domain;
        let key = |id| Key { domain, id };
        match &request.work {
            Work::Quarantine {
                chunk,
                place,
                by_read,
            } => {
                // The touch of the entry is kept. One that is gone stays gone.
                let key = key(*chunk);
                let known = changes.get(&self.index, &key)?.is_some();
                if known && changes.corrupted(&self.index, key, *place, Generation(0))? {
                    self.metrics.corrupt.inc();
                    plan.quarantined.push((key, place.length, *by_read));
                }
                Ok(())
            }
            Work::Damaged(damage) => {
                changes.damaged(*damage);
                Ok(())
            }
            Work::Collect(_) => Ok(()),
            Work::Write { .. } if self.condition.is_failing() => Err(StoreError::Failing),
            Work::Write { chunks, .. } if full && !chunks.is_empty() => {
                self.metrics.refused_full.inc();
                Err(StoreError::Full)
            }
            Work::Write {
                generation,
                chunks,
                touches,
            } => {
                for chunk in chunks {
                    let held = self.touch(plan, changes, key(chunk.id), *generation, number)?;
                    if !held {
                        plan.store(domain, *generation, chunk, number);
                    }
                }
                for id in touches {
                    self.touch(plan, changes, key(*id), *generation, number)?;
                }
                Ok(())
            }
        }
    }

    /// Plans to raise the touch of a chunk that is there, if it is lower; says
    /// whether the chunk is there.
    fn touch(
        &self,
        plan: &mut Plan,
        changes: &Changes,
        key: Key,
        generation: Generation,
        number: usize,
    ) -> Result<bool, StoreError> {
        let entry = changes.get(&self.index, &key)?;
        let entry = entry.filter(|entry| entry.is_intact());
        let planned = plan.chunks.get(&key).copied();
        let Some(touched) = entry.map(|entry| entry.touched).max(planned) else {
            return Ok(false);
        };
        plan.present += 1;
        if touched < generation {
            let touches = plan.touches.entry((key.domain, generation)).or_default();
            touches.push((key.id, number));
        } else if planned.is_some() {
            // Its record is written for another request: this one waits for it too.
            let id = key.id;
            let chunk = |planned: &&mut Planned| {
                planned.record.id == id && planned.record.domain == key.domain
            };
            if let Some(record) = plan.records.iter_mut().find(chunk) {
                record.waiting.push(number);
            }
        }
        Ok(true)
    }

    fn write(
        &mut self,
        mut planned: Vec<Planned>,
        changes: &mut Changes,
        results: &mut [Result<(), StoreError>],
    ) {
        let records: Vec<Pending> = planned
            .iter()
            .map(|planned| planned.record.clone())
            .collect();
        let mut done = 0;
        while done < records.len() {
            let error = match self.appender.append(&records[done..]) {
                Ok(places) => {
                    self.metrics.syncs.inc();
                    match self.note(&planned[done..], &places, changes) {
                        Ok(()) => {
                            done += places.len();
                            continue;
                        }
                        Err(error) => error,
                    }
                }
                Err(AppendError::Full) => {
                    self.metrics.refused_full.inc();
                    StoreError::Full
                }
                Err(AppendError::Io {
                    doing,
                    volume,
                    source,
                }) => {
                    tracing::error!(%volume, doing, error = &source as &dyn std::error::Error, "a volume failed");
                    self.fail();
                    StoreError::Failing
                }
            };
            for number in planned.drain(done..).flat_map(|planned| planned.waiting) {
                results[number] = Err(error.clone());
            }
            break;
        }
    }

    fn note(
        &self,
        planned: &[Planned],
        places: &[Place],
        changes: &mut Changes,
    ) -> Result<(), StoreError> {
        for (planned, place) in planned.iter().zip(places) {
            let record = &planned.record;
            let key = |id| Key {
                domain: record.domain,
                id,
            };
            if record.kind == Kind::Chunk {
                changes.stored(&self.index, key(record.id), *place, record.generation)?;
                self.metrics.appended.inc();
                self.metrics.appended_bytes.inc_by(u64::from(place.length));
            }
            for id in &planned.touched {
                changes.touched(&self.index, key(*id), record.generation)?;
                self.metrics.touched.inc();
            }
        }
        Ok(())
    }

    /// Brings the index up to the end of the volumes.
    pub(super) fn index_changes(&mut self, changes: &Changes, moved: bool) -> Result<(), KvError> {
        let end = self.appender.current().map(|current| Checkpoint {
            identity: self.identity,
            volume: current.volume,
            offset: current.end,
            totals: changes.totals(),
            salt: current.salt,
        });
        let last = self.checkpoint.map(|checkpoint| Checkpoint {
            totals: changes.totals(),
            ..checkpoint
        });
        let Some(checkpoint) = end.or(last) else {
            return Ok(());
        };
        self.index.write(changes, &checkpoint)?;
        if moved {
            // So that after a power failure there is at most a volume to read.
            self.index.sync()?;
        }
        self.checkpoint = Some(checkpoint);
        self.condition.count(checkpoint.totals, checkpoint.volume);
        Ok(())
    }
}

impl Plan {
    fn store(&mut self, domain: DedupDomain, generation: Generation, chunk: &Chunk, number: usize) {
        let id = chunk.id;
        self.chunks.insert(Key { domain, id }, generation);
        self.records.push(Planned {
            record: Pending {
                kind: Kind::Chunk,
                domain,
                generation,
                id,
                payload: chunk.bytes.clone(),
            },
            waiting: vec![number],
            touched: Vec::new(),
        });
    }

    /// Plans records for the touches, after those of the chunks.
    fn write_touches(&mut self) {
        for ((domain, generation), touches) in std::mem::take(&mut self.touches) {
            for part in touches.chunks(MAX_TOUCHES) {
                let mut payload = BytesMut::with_capacity(part.len() * 32);
                part.iter()
                    .for_each(|(id, _)| payload.put(&id.as_bytes()[..]));
                let mut waiting: Vec<usize> = part.iter().map(|(_, number)| *number).collect();
                waiting.dedup();
                self.records.push(Planned {
                    record: Pending {
                        kind: Kind::Touch,
                        domain,
                        generation,
                        id: ChunkId::from_bytes([0; 32]),
                        payload: Bytes::from(payload),
                    },
                    waiting,
                    touched: part.iter().map(|(id, _)| *id).collect(),
                });
            }
        }
    }
}
