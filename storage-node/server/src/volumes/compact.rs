//! Dropping chunks that nothing refers to, and making volumes go of which enough
//! is dead.
//!
//! What a volume has that is still needed is written again at the end of the
//! volumes, synced and indexed like a put; then the index is looked through, and
//! only a volume to which nothing points is removed. A crash at any point leaves
//! a record twice at most, of which the later one counts.
//!
//! Still needed are chunks, the last touches of chunks in other volumes, and
//! drops, as long as there is an older volume that may have the dropped chunk.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chunking::{ChunkId, ChunkRef};
use storage_node_api::limits::CHUNK_BATCH;
use storage_node_api::{DedupDomain, Generation};

use super::cold::{Fault, fault_of};
use super::collect::{Collect, Moving, Tally};
use super::commit::Work;
use super::error::{OpenError, StoreError};
use super::index::{Key, Place};
use super::record::{BLOCK, Kind, size_of, touched};
use super::recover::open;
use super::scan::{Found, Scan, ScanError};
use super::store::ChunkStore;
use super::volume::VolumeId;

/// Most volumes that one pass writes again before it removes them.
const PASS_VOLUMES: usize = 16;
/// Bytes of chunks that are written again at a time.
const MOVE_BYTES: u64 = 4 << 20;

/// What was dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Chunks.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What a pass of compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Volumes removed.
    pub volumes: u64,
    /// Bytes of their files.
    pub freed_bytes: u64,
    /// Bytes of chunks written again.
    pub moved_bytes: u64,
    /// Volumes that were due and stay because of damage or corrupt chunks.
    pub damaged: u64,
    /// Volumes that were due and stay because the cold store is away.
    pub away: u64,
}

/// When a pass of compaction moves what, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The share of a volume, in percent, that has to be dead.
    pub dead_percent: u8,
    /// Bytes of chunks written again in a second; nothing for no limit.
    pub bytes_per_second: Option<NonZeroU64>,
}

/// A volume of which enough is dead.
#[derive(Clone, Copy, Debug)]
struct Sparse {
    volume: VolumeId,
    bytes: u64,
    /// Whether no older volume is there.
    oldest: bool,
}

/// What a volume has that may still be needed.
#[derive(Debug, Default)]
struct Contents {
    chunks: Vec<(Key, Place)>,
    lists: BTreeMap<DedupDomain, Lists>,
    damaged: bool,
}

/// The chunks that touch and drop records name.
#[derive(Debug, Default)]
struct Lists {
    touches: Vec<(ChunkId, Generation)>,
    drops: Vec<ChunkId>,
}

impl ChunkStore {
    /// Drops those of the chunks of a domain that were last touched before a
    /// generation, durably. Look and drop are one step, before or after each
    /// put and presence answer: a chunk that was touched stays. Their bytes
    /// become free when their volumes are compacted.
    pub async fn drop_untouched(
        &self,
        before: Generation,
        domain: DedupDomain,
        chunks: Vec<ChunkId>,
    ) -> Result<Dropped, StoreError> {
        let done = Arc::new(Tally::default());
        let drop = Collect::Drop {
            before,
            chunks,
            done: Arc::clone(&done),
        };
        self.submit(domain, Work::Collect(drop), None).await?;
        Ok(Dropped {
            chunks: done.chunks.load(Ordering::Relaxed),
            bytes: done.bytes.load(Ordering::Relaxed),
        })
    }

    /// One pass: writes again what is live in the volumes of which enough is
    /// dead, at most [`PASS_VOLUMES`] of them, the emptiest first, and removes
    /// them. The last volume is never among them. Nothing that is held is ever
    /// not held, and a crash loses nothing; the next pass goes on.
    pub async fn compact(&self, pace: Pace) -> Result<Compacted, StoreError> {
        let mut compacted = Compacted::default();
        let mut moved = Vec::new();
        for sparse in self.sparse(pace.dead_percent).await? {
            let done = Arc::new(Tally::default());
            match self.move_out(sparse, pace, &done).await {
                Ok(true) => moved.push(sparse),
                Ok(false) => compacted.damaged += 1,
                // It waits for the cold store; the others need not.
                Err(StoreError::Away { .. }) => compacted.away += 1,
                Err(error) => return Err(error),
            }
            compacted.moved_bytes += done.bytes.load(Ordering::Relaxed);
        }
        if !moved.is_empty() {
            let store = self.clone();
            let remove = self.blocking("remove volumes", move || store.remove(&moved));
            let (volumes, bytes) = remove.await??;
            (compacted.volumes, compacted.freed_bytes) = (volumes, bytes);
        }
        Ok(compacted)
    }

    async fn sparse(&self, dead_percent: u8) -> Result<Vec<Sparse>, StoreError> {
        let store = self.clone();
        let find = move || store.find_sparse(dead_percent);
        self.blocking("look for sparse volumes", find).await?
    }

    fn find_sparse(&self, dead_percent: u8) -> Result<Vec<Sparse>, StoreError> {
        let parts = self.scrubbed();
        let Some(checkpoint) = parts.index.checkpoint()? else {
            return Ok(Vec::new());
        };
        let live = self.live_bytes()?;
        let names = parts.files.list("");
        let names = names.map_err(|error| failing("list", &error))?;
        let volumes: Vec<VolumeId> = names.iter().filter_map(|n| VolumeId::of_file(n)).collect();
        let oldest = volumes.iter().min().copied();
        let known = self.stats().map_err(|error| failing("look at", &error))?;
        let damaged = |id: VolumeId| known.damage.iter().any(|damage| damage.volume == id);
        let mut sparse = Vec::new();
        let sealed = volumes.into_iter().filter(|id| *id < checkpoint.volume);
        for id in sealed.filter(|id| !damaged(*id)) {
            let file = parts.files.open(&id.file_name());
            let length = file.and_then(|file| file.len());
            let bytes = length.map_err(|error| failing("look at", &error))?;
            let live = live.get(&id).copied().unwrap_or(0);
            let dead = bytes.saturating_sub(BLOCK).saturating_sub(live);
            if dead.saturating_mul(100) >= bytes.saturating_mul(u64::from(dead_percent)) {
                let oldest = oldest == Some(id);
                let volume = id;
                sparse.push((
                    live,
                    Sparse {
                        volume,
                        bytes,
                        oldest,
                    },
                ));
            }
        }
        sparse.sort_unstable_by_key(|(live, sparse)| (*live, sparse.volume));
        sparse.truncate(PASS_VOLUMES);
        Ok(sparse.into_iter().map(|(_, sparse)| sparse).collect())
    }

    /// Bytes of records that the index points to, by volume.
    pub(super) fn live_bytes(&self) -> Result<BTreeMap<VolumeId, u64>, StoreError> {
        let mut live = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self.index().page(after.as_ref())?;
            let Some((last, _)) = page.last() else {
                return Ok(live);
            };
            after = Some(*last);
            for (_, entry) in page {
                *live.entry(entry.place.volume).or_default() +=
                    size_of(entry.place.length as usize);
            }
        }
    }

    /// Writes again what a volume has; says whether the volume can go.
    async fn move_out(
        &self,
        sparse: Sparse,
        pace: Pace,
        done: &Arc<Tally>,
    ) -> Result<bool, StoreError> {
        let (store, volume) = (self.clone(), sparse.volume);
        let read = self.blocking("read a volume", move || store.contents(volume));
        let contents = read.await??;
        if contents.damaged {
            return Ok(false);
        }
        for (domain, Lists { touches, drops }) in contents.lists {
            let lists = Collect::Move {
                volume,
                chunks: Vec::new(),
                touches,
                drops: if sparse.oldest { Vec::new() } else { drops },
                done: Arc::clone(done),
            };
            self.submit(domain, Work::Collect(lists), None).await?;
        }
        let mut rest = contents.chunks.as_slice();
        while !rest.is_empty() {
            let (batch, others) = rest.split_at(batch_length(rest));
            rest = others;
            if !self.move_batch(volume, batch, done).await? {
                return Ok(false);
            }
            if let Some(rate) = pace.bytes_per_second {
                let bytes: u64 = batch.iter().map(|(_, place)| u64::from(place.length)).sum();
                let pause = Duration::from_millis(bytes.saturating_mul(1000) / rate);
                self.clock().sleep(pause).await;
            }
        }
        Ok(true)
    }

    /// Writes chunks of one domain again, each checked against its id.
    async fn move_batch(
        &self,
        volume: VolumeId,
        batch: &[(Key, Place)],
        done: &Arc<Tally>,
    ) -> Result<bool, StoreError> {
        let Some((Key { domain, .. }, _)) = batch.first() else {
            return Ok(true);
        };
        let reference = |(key, place): &(Key, Place)| ChunkRef {
            id: key.id,
            length: place.length,
        };
        let refs: Vec<ChunkRef> = batch.iter().map(reference).collect();
        let found = self.get(*domain, &refs).await?;
        let mut whole = true;
        let mut chunks = Vec::new();
        for ((key, place), bytes) in batch.iter().zip(found) {
            match bytes {
                Some(bytes) => chunks.push(Moving {
                    id: key.id,
                    place: *place,
                    bytes,
                }),
                // Dropped meanwhile, or corrupt: only in the first case may the volume go.
                None => whole &= self.index().get(key)?.is_none(),
            }
        }
        let work = Collect::Move {
            volume,
            chunks,
            touches: Vec::new(),
            drops: Vec::new(),
            done: Arc::clone(done),
        };
        self.submit(*domain, Work::Collect(work), None).await?;
        Ok(whole)
    }

    fn contents(&self, volume: VolumeId) -> Result<Contents, StoreError> {
        let parts = self.scrubbed();
        let (file, header) = open(parts.files, parts.identity, volume).map_err(|error| {
            if let OpenError::Io { source, .. } = &error
                && let Some(fault) = fault_of(source)
            {
                return away(fault);
            }
            failing("open", &error)
        })?;
        let Some(header) = header else {
            return Ok(Contents {
                damaged: true,
                ..Contents::default()
            });
        };
        let scan = Scan {
            file: &*file,
            salt: Some(header.salt),
            from: BLOCK,
            synced: BLOCK,
            last: false,
        };
        let mut contents = Contents::default();
        let scanned = scan.run(&mut |found| self.note(&mut contents, volume, found));
        match scanned {
            Ok(_) => {}
            Err(ScanError::Visit(error)) => return Err(error),
            Err(ScanError::Read(error)) => {
                return Err(match fault_of(&error) {
                    Some(fault) => away(fault),
                    None => failing("read", &error),
                });
            }
            Err(ScanError::Newer(_)) => contents.damaged = true,
        }
        contents.chunks.sort_by_key(|(key, _)| key.domain);
        Ok(contents)
    }

    fn note(
        &self,
        contents: &mut Contents,
        volume: VolumeId,
        found: Found<'_>,
    ) -> Result<(), StoreError> {
        let (offset, header, payload) = match found {
            Found::Record {
                offset,
                header,
                payload,
            } => (offset, header, payload),
            Found::Corrupt { offset, header } if header.kind == Kind::Chunk => {
                (offset, header, &[][..])
            }
            Found::Corrupt { .. } | Found::Damage { .. } => {
                contents.damaged = true;
                return Ok(());
            }
        };
        let lists = contents.lists.entry(header.domain);
        match header.kind {
            Kind::Chunk => {
                let key = Key {
                    domain: header.domain,
                    id: header.id,
                };
                let place = Place {
                    volume,
                    offset,
                    length: header.length,
                };
                let entry = self.index().get(&key)?;
                if let Some(entry) = entry.filter(|entry| entry.place == place) {
                    contents.damaged |= !entry.is_intact();
                    contents.chunks.push((key, place));
                }
            }
            Kind::Touch => {
                let generation = header.generation;
                let ids = touched(payload).map(|id| (id, generation));
                lists.or_default().touches.extend(ids);
            }
            Kind::Drop => lists.or_default().drops.extend(touched(payload)),
            Kind::Seal => {}
        }
        Ok(())
    }

    /// Removes those volumes to which nothing points; how many, and their bytes.
    fn remove(&self, moved: &[Sparse]) -> Result<(u64, u64), StoreError> {
        let parts = self.scrubbed();
        // Otherwise a power failure could bring back entries that point there.
        parts.index.sync()?;
        let live = self.live_bytes()?;
        let (mut volumes, mut bytes) = (0, 0);
        for sparse in moved.iter().filter(|one| !live.contains_key(&one.volume)) {
            let removed = parts.files.remove(&sparse.volume.file_name());
            removed.map_err(|error| failing("remove", &error))?;
            self.forget(sparse.volume);
            self.metrics().removed_volumes.inc();
            volumes += 1;
            bytes += sparse.bytes;
        }
        let synced = parts.files.sync_dir("");
        synced.map_err(|error| failing("sync the directory of", &error))?;
        Ok((volumes, bytes))
    }
}

/// How many of the chunks, all of one domain, are written again at a time.
fn batch_length(chunks: &[(Key, Place)]) -> usize {
    let domain = chunks.first().map(|(key, _)| key.domain);
    let mut bytes = 0;
    let fits = chunks.iter().take(CHUNK_BATCH).take_while(|(key, place)| {
        bytes += u64::from(place.length);
        Some(key.domain) == domain && bytes <= MOVE_BYTES
    });
    fits.count().max(1)
}

fn away(fault: &Fault) -> StoreError {
    StoreError::Away {
        cause: fault.to_string().into(),
    }
}

fn failing(doing: &'static str, error: &(dyn std::error::Error + 'static)) -> StoreError {
    tracing::error!(doing, error, "a volume cannot be compacted");
    StoreError::Failing
}
