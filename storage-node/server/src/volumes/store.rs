use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef, MAX_CHUNK_BYTES};
use kv::KeyValue;
use runtime::{Clock, Files, Runtime, run_blocking};
use storage_node_api::{DedupDomain, Generation};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::append::Appender;
use super::cold::{Cold, ColdStore};
use super::commit::{Committer, Request, Work};
use super::condition::Condition;
use super::config::Checked;
use super::entries::Entries;
use super::error::{OpenError, StoreError};
use super::handles::Handles;
use super::index::{Index, Key};
use super::metrics::Metrics;
use super::quarantine::{Quarantine, Quarantined};
use super::read::Reader;
use super::recover::recover;
use super::volume::{Damage, Identity, VolumeId};
use super::writer;

/// Bytes that one permit of the queue stands for.
const PERMIT_BYTES: usize = 4096;

/// The chunks of one node. Clones share it; the writer ends with the last.
///
/// A future that is dropped leaves its request in the queue: what was put may
/// still be stored, which is harmless.
#[derive(Clone)]
pub struct ChunkStore {
    inner: Arc<Inner>,
}

struct Inner {
    files: Arc<dyn Files>,
    index: Index,
    reader: Reader,
    requests: mpsc::Sender<Request>,
    queue: Arc<Semaphore>,
    condition: Arc<Condition>,
    quarantine: Arc<Quarantine>,
    damage: Mutex<Vec<Damage>>,
    identity: Identity,
    runtime: Runtime,
    config: Checked,
    metrics: Metrics,
    cold: Option<Arc<Cold>>,
}

/// A store's account of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Intact chunks.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Chunks that are known to be corrupt and were not put again.
    pub corrupt: u64,
    /// The number of the last volume; 0 if there is none.
    pub last_volume: u64,
    /// Where volumes are damaged, as far as is known.
    pub damage: Vec<Damage>,
    /// Free bytes of the disk.
    pub available_bytes: u64,
    /// Whether puts are refused for want of space.
    pub full: bool,
    /// Whether puts are refused because a write has failed.
    pub failing: bool,
}

impl ChunkStore {
    /// Opens the store whose volumes are the files of `files`, which nobody else
    /// writes to, and brings its index, in family
    /// [`INDEX_FAMILY`](super::INDEX_FAMILY) of `index`, up to date.
    ///
    /// An index that is missing or of other volumes is made anew, which reads
    /// all of them; otherwise only what was written last is read. A torn tail,
    /// which was never acknowledged, is cut. Corrupt records and damage are
    /// reported, counted and not served; a damaged volume takes no more records.
    ///
    /// Volumes that are in `cold` are there like the others. Without one there
    /// must be none.
    pub async fn open(
        files: Arc<dyn Files>,
        index: Arc<dyn KeyValue>,
        identity: Identity,
        config: Checked,
        cold: Option<ColdStore>,
        runtime: Runtime,
        metrics: Metrics,
    ) -> Result<Self, OpenError> {
        let index = Index::new(index);
        let (files, cold) = ColdStore::join(cold, files, identity, &runtime).await?;
        let (recovered, files, index) = run_blocking(&*runtime.tasks, "open volumes", move || {
            (recover(&*files, &index, identity), files, index)
        })
        .await
        .map_err(|_| OpenError::ShuttingDown)?;
        let recovered = recovered?;
        let checkpoint = recovered.checkpoint;
        let condition = Arc::new(Condition::new(
            checkpoint
                .map(|checkpoint| checkpoint.totals)
                .unwrap_or_default(),
            checkpoint.map(|checkpoint| checkpoint.volume),
        ));
        let totals = checkpoint.map(|checkpoint| checkpoint.totals);
        let quarantine = Quarantine::of(totals.map_or(0, |totals| totals.corrupt));
        let quarantine = Arc::new(quarantine);
        let committer = Committer {
            appender: Appender::new(
                Arc::clone(&files),
                Arc::clone(&runtime.random),
                identity,
                config,
                recovered.current,
                recovered.next,
            ),
            index: index.clone(),
            identity,
            checkpoint,
            condition: Arc::clone(&condition),
            quarantine: Arc::clone(&quarantine),
            config,
            metrics: metrics.clone(),
        };
        let (requests, receiver) = mpsc::channel(config.queue_requests);
        let writer = writer::run(committer, receiver, runtime.clone());
        runtime.tasks.spawn("chunk writer", Box::pin(writer));
        let handles = Handles::new(Arc::clone(&files));
        let reader = Reader::new(
            index.clone(),
            handles,
            runtime.clone(),
            config,
            cold.clone(),
            metrics.clone(),
        );
        Ok(Self {
            inner: Arc::new(Inner {
                files,
                index,
                reader,
                requests,
                queue: Arc::new(Semaphore::new(config.queue_bytes.div_ceil(PERMIT_BYTES))),
                condition,
                quarantine,
                damage: Mutex::new(recovered.damage),
                identity,
                runtime,
                config,
                metrics,
                cold,
            }),
        })
    }

    /// Makes chunks durable in a domain, touched at least at `generation`. Each
    /// is compared with its id first; those that are there are not written
    /// again. When it returns, all of them survive a crash. If it fails, some
    /// may be stored all the same.
    pub async fn put(
        &self,
        generation: Generation,
        domain: DedupDomain,
        chunks: Vec<Chunk>,
    ) -> Result<(), StoreError> {
        if self.inner.condition.is_failing() {
            return Err(StoreError::Failing);
        }
        let bytes: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        let permits = bytes.clamp(PERMIT_BYTES, self.inner.config.queue_bytes) / PERMIT_BYTES;
        let permits = u32::try_from(permits.max(1)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.inner.queue).acquire_many_owned(permits);
        let permit = permit.await.map_err(|_| StoreError::ShuttingDown)?;
        let inner = Arc::clone(&self.inner);
        let checked = self.blocking("check chunks", move || {
            inner.lacking(generation, domain, chunks)
        });
        let lacking = checked.await??;
        if lacking.is_empty() {
            return Ok(());
        }
        let work = Work::Write {
            generation,
            chunks: lacking,
            touches: Vec::new(),
        };
        self.submit(domain, work, Some(permit)).await
    }

    /// Which chunks of a domain are held, synced and intact as far as is known.
    /// Those are touched at least at `generation`, durably, when it returns.
    pub async fn presence(
        &self,
        generation: Generation,
        domain: DedupDomain,
        chunks: &[ChunkId],
    ) -> Result<Vec<bool>, StoreError> {
        let (held, touches) = self.look_up(generation, domain, chunks).await?;
        if touches.is_empty() {
            return Ok(held);
        }
        let work = Work::Write {
            generation,
            chunks: Vec::new(),
            touches,
        };
        self.submit(domain, work, None).await?;
        // One may have been found corrupt in the meantime.
        let (held, _) = self.look_up(generation, domain, chunks).await?;
        Ok(held)
    }

    /// The bytes of chunks of a domain, in order; `None` for one that is not
    /// there, has another length, is corrupt or cannot be read. What is found
    /// corrupt is quarantined before this returns, if the index can be written.
    /// [`StoreError::Away`] if there are none only because the cold store is
    /// away.
    pub async fn get(
        &self,
        domain: DedupDomain,
        chunks: &[ChunkRef],
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        let mut got = self.inner.reader.get(domain, chunks).await?;
        if !got.moved.is_empty() {
            let again: Vec<ChunkRef> = got.moved.iter().map(|number| chunks[*number]).collect();
            let found = self.inner.reader.get(domain, &again).await?;
            for (number, bytes) in got.moved.iter().zip(found.chunks) {
                got.chunks[*number] = bytes;
            }
            got.corrupt.extend(found.corrupt);
            got.away = got.away.or(found.away);
        }
        for (chunk, place) in got.corrupt {
            tracing::error!(chunk.id = %chunk, volume = %place.volume, offset = place.offset,
                "a chunk is corrupt: it must be fetched from a peer");
            let by_read = true;
            let work = Work::Quarantine {
                chunk,
                place,
                by_read,
            };
            // Without it the next read finds out the same.
            if let Err(error) = self.submit(domain, work, None).await {
                tracing::warn!(chunk.id = %chunk, error = &error as &dyn std::error::Error,
                    "a corrupt chunk could not be quarantined");
            }
        }
        if let Some(cause) = got.away
            && got.chunks.iter().all(Option::is_none)
        {
            return Err(StoreError::Away { cause });
        }
        Ok(got.chunks)
    }

    /// Chunks that are known to be corrupt and were not put again, at most a few
    /// thousand of them. Those that were replaced since are forgotten with this.
    pub async fn quarantined(&self) -> Result<Vec<Quarantined>, StoreError> {
        let inner = Arc::clone(&self.inner);
        let list = move || inner.quarantine.list(&inner.index);
        self.blocking("list corrupt chunks", list).await?
    }

    /// How many chunks were found corrupt by reads since the store was opened.
    pub fn found_by_reads(&self) -> u64 {
        self.inner.quarantine.found_by_reads()
    }

    /// Waits until another chunk was found corrupt.
    pub async fn quarantine_grows(&self) {
        self.inner.quarantine.grows().await;
    }

    /// Which chunks of a domain are held and intact as far as is known. Unlike
    /// [`presence`](Self::presence) it pins none of them: the next drop may take
    /// what this has shown.
    pub async fn held(
        &self,
        domain: DedupDomain,
        chunks: &[ChunkId],
    ) -> Result<Vec<bool>, StoreError> {
        let (held, _) = self.look_up(Generation(0), domain, chunks).await?;
        Ok(held)
    }

    /// All chunks, in the order of domain and id, read page by page from the
    /// index: each step may block on the disk.
    pub fn iter(&self) -> Entries {
        Entries::new(self.inner.index.clone(), None)
    }

    /// Those behind a chunk.
    pub fn iter_after(&self, domain: DedupDomain, id: ChunkId) -> Entries {
        Entries::new(self.inner.index.clone(), Some(Key { domain, id }))
    }

    /// How much there is and how it is.
    pub fn stats(&self) -> io::Result<Stats> {
        let inner = &self.inner;
        let (totals, volume) = inner.condition.counts();
        let available_bytes = inner.files.available_bytes()?;
        Ok(Stats {
            chunks: totals.chunks,
            bytes: totals.bytes,
            corrupt: totals.corrupt,
            last_volume: volume.map_or(0, |volume| volume.0),
            damage: inner.damage().clone(),
            available_bytes,
            full: available_bytes < inner.config.reserve_bytes,
            failing: inner.condition.is_failing(),
        })
    }

    pub(super) async fn submit(
        &self,
        domain: DedupDomain,
        work: Work,
        permit: Option<tokio::sync::OwnedSemaphorePermit>,
    ) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let request = Request {
            domain,
            work,
            answer,
            permit,
        };
        let sent = self.inner.requests.send(request).await;
        sent.map_err(|_| StoreError::ShuttingDown)?;
        answered.await.unwrap_or(Err(StoreError::ShuttingDown))
    }

    /// Which chunks are there, and which of them need a touch.
    async fn look_up(
        &self,
        generation: Generation,
        domain: DedupDomain,
        chunks: &[ChunkId],
    ) -> Result<(Vec<bool>, Vec<ChunkId>), StoreError> {
        let (inner, chunks) = (Arc::clone(&self.inner), chunks.to_vec());
        let looked = self.blocking("look up chunks", move || {
            let mut held = Vec::with_capacity(chunks.len());
            let mut touches = Vec::new();
            for id in chunks {
                let entry = inner.index.get(&Key { domain, id })?;
                let entry = entry.filter(|entry| entry.is_intact());
                if entry.is_some_and(|entry| entry.touched < generation) {
                    touches.push(id);
                }
                held.push(entry.is_some());
            }
            Ok((held, touches))
        });
        looked.await?
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        name: &'static str,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        run_blocking(&*self.inner.runtime.tasks, name, call)
            .await
            .map_err(|_| StoreError::ShuttingDown)
    }
}

/// What a scrub reads.
pub(super) struct Scrubbed<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) index: &'a Index,
    pub(super) identity: Identity,
    pub(super) cold: Option<&'a Cold>,
}

impl Scrubbed<'_> {
    /// Whether a volume is in the cold store only.
    pub(super) fn is_away(&self, volume: VolumeId) -> bool {
        self.cold.is_some_and(|cold| cold.is_away(volume))
    }

    /// Whether a pass reads a volume.
    pub(super) fn is_scrubbed(&self, volume: VolumeId) -> bool {
        self.cold.is_none_or(|cold| cold.is_scrubbed(volume))
    }
}

impl ChunkStore {
    pub(super) fn scrubbed(&self) -> Scrubbed<'_> {
        Scrubbed {
            files: &*self.inner.files,
            index: &self.inner.index,
            identity: self.inner.identity,
            cold: self.inner.cold.as_deref(),
        }
    }

    /// A volume was removed: nothing is read from it any more.
    pub(super) fn forget(&self, volume: VolumeId) {
        self.inner.reader.forget(volume);
    }

    pub(super) fn cold(&self) -> Option<&Arc<Cold>> {
        self.inner.cold.as_ref()
    }

    pub(super) async fn sealed(&self) {
        self.inner.condition.sealed().await;
    }

    pub(super) fn reserve_bytes(&self) -> u64 {
        self.inner.config.reserve_bytes
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.inner.runtime.clock
    }

    pub(super) fn index(&self) -> &Index {
        &self.inner.index
    }

    /// Remembers damage; says whether it was unknown.
    pub(super) fn note_damage(&self, damage: Damage) -> bool {
        let mut known = self.inner.damage();
        let overlaps = |old: &Damage| {
            old.volume == damage.volume && old.from < damage.to && damage.from < old.to
        };
        let is_new = !known.iter().any(overlaps);
        if is_new {
            known.push(damage);
        }
        is_new
    }
}

impl Inner {
    fn damage(&self) -> MutexGuard<'_, Vec<Damage>> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks chunks against their ids and returns those that have to be
    /// written or touched.
    fn lacking(
        &self,
        generation: Generation,
        domain: DedupDomain,
        chunks: Vec<Chunk>,
    ) -> Result<Vec<Chunk>, StoreError> {
        let mut lacking = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let (id, bytes) = (chunk.id, chunk.bytes.len());
            if bytes == 0 || bytes > MAX_CHUNK_BYTES {
                return Err(StoreError::Size { chunk: id, bytes });
            }
            if ChunkId::of(&chunk.bytes) != id {
                return Err(StoreError::Mismatch { chunk: id });
            }
            let entry = self.index.get(&Key { domain, id })?;
            if entry.is_some_and(|entry| entry.is_intact() && entry.touched >= generation) {
                self.metrics.present.inc();
            } else {
                lacking.push(chunk);
            }
        }
        Ok(lacking)
    }
}

impl fmt::Debug for ChunkStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkStore")
            .field("condition", &self.inner.condition)
            .finish_non_exhaustive()
    }
}
