//! Reading chunks: neighbours in one read, everything checked.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use chunking::{ChunkId, ChunkRef};
use futures_util::{StreamExt, stream};
use runtime::{Runtime, TaskFailed, run_blocking};
use storage_node_api::DedupDomain;
use tokio::sync::Semaphore;

use super::cold::{Cold, Fault, fault_of};
use super::config::{Checked, Verify};
use super::error::StoreError;
use super::handles::Handles;
use super::index::{Index, Key, Place};
use super::metrics::Metrics;
use super::record::{ALIGN, BLOCK, HEADER_BYTES, Header, size_of};
use super::volume::VolumeId;

/// Most bytes that are read in one go, unless one record is longer.
const RUN_BYTES: u64 = 2 << 20;
/// Most records that are remembered as verified; then all are forgotten.
const MAX_VERIFIED: usize = 1 << 19;

/// Reads chunks by their ids.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    index: Index,
    handles: Arc<Handles>,
    verified: Arc<Verified>,
    turns: Arc<Semaphore>,
    cold: Option<Arc<Cold>>,
    /// For runs of volumes that are away: they take none of the others' turns.
    cold_turns: Arc<Semaphore>,
    runtime: Runtime,
    config: Checked,
    metrics: Metrics,
}

/// Which records were compared with their ids since the start.
#[derive(Debug, Default)]
struct Verified(Mutex<HashSet<u64>>);

/// A chunk that is to be read, by its number in the request.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    number: usize,
    id: ChunkId,
    place: Place,
}

/// What reading a chunk gave.
#[derive(Debug)]
enum Outcome {
    Intact(Bytes),
    Corrupt,
    Unreadable,
    /// The cold store cannot be used.
    Away(Arc<str>),
    Gone,
}

/// The answer to a request, and the records that turned out to be corrupt.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) chunks: Vec<Option<Bytes>>,
    pub(super) corrupt: Vec<(ChunkId, Place)>,
    /// Those, by their number, whose volume is gone: their records moved meanwhile.
    pub(super) moved: Vec<usize>,
    /// Why some could not be read from the cold store.
    pub(super) away: Option<Arc<str>>,
}

impl Reader {
    pub(super) fn new(
        index: Index,
        handles: Handles,
        runtime: Runtime,
        config: Checked,
        cold: Option<Arc<Cold>>,
        metrics: Metrics,
    ) -> Self {
        let cold_turns = cold.as_ref().map_or(1, |cold| cold.readers());
        Self {
            index,
            handles: Arc::new(handles),
            verified: Arc::default(),
            turns: Arc::new(Semaphore::new(config.readers)),
            cold,
            cold_turns: Arc::new(Semaphore::new(cold_turns)),
            runtime,
            config,
            metrics,
        }
    }

    /// A volume was removed: nothing is read from it any more.
    pub(super) fn forget(&self, volume: VolumeId) {
        self.handles.forget(volume);
    }

    pub(super) async fn get(
        &self,
        domain: DedupDomain,
        chunks: &[ChunkRef],
    ) -> Result<Got, StoreError> {
        let (reader, asked) = (self.clone(), chunks.to_vec());
        let first = self.blocking(&self.turns, move || {
            let mut runs = reader.plan(domain, &asked)?;
            let first = runs.pop_if(|run| !reader.is_away(run));
            let first = first.map(|run| reader.read(domain, &run));
            Ok::<_, StoreError>((first.unwrap_or_default(), runs))
        });
        let (mut read, runs) = first.await??;
        let rest = stream::iter(runs).map(|run| {
            let reader = self.clone();
            let turns = if self.is_away(&run) {
                &self.cold_turns
            } else {
                &self.turns
            };
            self.blocking(turns, move || reader.read(domain, &run))
        });
        let mut rest = rest.buffer_unordered(self.config.readers);
        while let Some(run) = rest.next().await {
            read.extend(run?);
        }
        let mut got = Got {
            chunks: vec![None; chunks.len()],
            corrupt: Vec::new(),
            moved: Vec::new(),
            away: None,
        };
        for (wanted, outcome) in read {
            match outcome {
                Outcome::Intact(bytes) => {
                    self.metrics.read.inc();
                    self.metrics.read_bytes.inc_by(bytes.len() as u64);
                    got.chunks[wanted.number] = Some(bytes);
                }
                Outcome::Corrupt => got.corrupt.push((wanted.id, wanted.place)),
                Outcome::Unreadable => {
                    self.metrics.read_errors.inc();
                }
                Outcome::Away(cause) => got.away = Some(cause),
                Outcome::Gone => got.moved.push(wanted.number),
            }
        }
        Ok(got)
    }

    fn is_away(&self, run: &[Wanted]) -> bool {
        let volume = run.first().map(|wanted| wanted.place.volume);
        let cold = self.cold.as_ref();
        cold.zip(volume)
            .is_some_and(|(cold, volume)| cold.is_away(volume))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        turns: &Semaphore,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = turns.acquire().await;
        let _turn = turn.map_err(|_| StoreError::ShuttingDown)?;
        run_blocking(&*self.runtime.tasks, "read chunks", call)
            .await
            .map_err(|_: TaskFailed| StoreError::ShuttingDown)
    }

    /// Where the chunks are, in runs of neighbours.
    fn plan(
        &self,
        domain: DedupDomain,
        chunks: &[ChunkRef],
    ) -> Result<Vec<Vec<Wanted>>, StoreError> {
        let mut wanted = Vec::with_capacity(chunks.len());
        for (number, chunk) in chunks.iter().enumerate() {
            let id = chunk.id;
            if let Some(entry) = self.index.get(&Key { domain, id })?
                && entry.is_intact()
                && entry.place.length == chunk.length
            {
                let place = entry.place;
                wanted.push(Wanted { number, id, place });
            }
        }
        wanted.sort_unstable_by_key(|wanted| wanted.place);
        let mut runs: Vec<Vec<Wanted>> = Vec::new();
        for next in wanted {
            match runs.last_mut() {
                Some(run) if joins(run, &next.place) => run.push(next),
                _ => runs.push(vec![next]),
            }
        }
        Ok(runs)
    }

    /// Reads a run. The chunks share one buffer.
    fn read(&self, domain: DedupDomain, run: &[Wanted]) -> Vec<(Wanted, Outcome)> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            return Vec::new();
        };
        let start = first.place.offset;
        let end = last.place.offset + size_of(last.place.length as usize);
        let all = |outcome: fn() -> Outcome| {
            let each = run.iter().map(|wanted| (*wanted, outcome()));
            each.collect()
        };
        let is_away = self.is_away(run);
        let bytes = match self.read_bytes(first.place, end) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return all(|| Outcome::Gone),
            Err(error) => match fault_of(&error) {
                Some(Fault::Lost { .. }) => return all(|| Outcome::Corrupt),
                Some(fault @ Fault::Away(_)) => {
                    let cause: Arc<str> = fault.to_string().into();
                    let each = run.iter();
                    let each = each.map(|wanted| (*wanted, Outcome::Away(Arc::clone(&cause))));
                    return each.collect();
                }
                None => {
                    tracing::error!(volume = %first.place.volume, offset = start,
                        error = &error as &dyn std::error::Error, "chunks are unreadable");
                    return all(|| Outcome::Unreadable);
                }
            },
        };
        if let Some(cold) = &self.cold {
            cold.was_read(first.place.volume);
        }
        let check = |wanted: &Wanted| {
            let from = usize::try_from(wanted.place.offset - start).unwrap_or(usize::MAX);
            let bytes = bytes.slice(from.min(bytes.len())..);
            match self.check(domain, wanted, bytes, is_away) {
                Some(payload) => (*wanted, Outcome::Intact(payload)),
                None => (*wanted, Outcome::Corrupt),
            }
        };
        run.iter().map(check).collect()
    }

    fn read_bytes(&self, first: Place, end: u64) -> io::Result<Bytes> {
        let file = self.handles.get(first.volume)?;
        let length = usize::try_from(end - first.offset).map_err(io::Error::other)?;
        let mut bytes = BytesMut::zeroed(length);
        let read = file.read_at(&mut bytes, first.offset)?;
        bytes.truncate(read);
        Ok(bytes.freeze())
    }

    /// The payload of the record that these bytes begin with, if it is the one
    /// that is wanted and intact. What a network brought is always held against
    /// its id.
    fn check(
        &self,
        domain: DedupDomain,
        wanted: &Wanted,
        record: Bytes,
        from_network: bool,
    ) -> Option<Bytes> {
        let Place { offset, length, .. } = wanted.place;
        let header = Header::decode(&record, offset).ok()?;
        if header.id != wanted.id || header.domain != domain || header.length != length {
            return None;
        }
        let end = HEADER_BYTES + length as usize;
        if record.len() < end {
            return None;
        }
        let payload = record.slice(HEADER_BYTES..end);
        if crc32fast::hash(&payload) != header.payload_crc {
            return None;
        }
        let always = from_network || self.config.verify == Verify::Always;
        if always || !self.verified.contains(&wanted.place) {
            if ChunkId::of(&payload) != wanted.id {
                return None;
            }
            if !from_network {
                self.verified.insert(&wanted.place);
            }
        }
        Some(payload)
    }
}

/// Whether a record lies so closely behind a run that one read takes both.
fn joins(run: &[Wanted], next: &Place) -> bool {
    let (Some(first), Some(last)) = (run.first(), run.last()) else {
        return false;
    };
    let end = last.place.offset + size_of(last.place.length as usize);
    first.place.volume == next.volume
        && next.offset >= end
        && next.offset - end <= BLOCK
        && next.offset + size_of(next.length as usize) - first.place.offset <= RUN_BYTES
}

impl Verified {
    fn contains(&self, place: &Place) -> bool {
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.contains(&Self::key(place))
    }

    fn insert(&self, place: &Place) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() >= MAX_VERIFIED {
            records.clear();
        }
        records.insert(Self::key(place));
    }

    /// Volumes have fewer than 2^32 aligned places and will not come to 2^32.
    fn key(place: &Place) -> u64 {
        place.volume.0 << 32 | (place.offset / ALIGN)
    }
}
