//! Writing records to the volumes, synced.

use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::Bytes;
use chunking::ChunkId;
use runtime::{Files, Random};
use storage_node_api::{DedupDomain, Generation};

use super::config::Checked;
use super::index::Place;
use super::record::{self, ALIGN, BLOCK, HEADER_BYTES, Header, Kind, align};
use super::recover::Current;
use super::volume::{Identity, VolumeHeader, VolumeId};

/// A record that is to be written.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) kind: Kind,
    pub(super) domain: DedupDomain,
    pub(super) generation: Generation,
    /// Zeros unless it is a chunk.
    pub(super) id: ChunkId,
    pub(super) payload: Bytes,
}

/// The end of the volumes, where records are added.
#[derive(Debug)]
pub(super) struct Appender {
    files: Arc<dyn Files>,
    random: Arc<dyn Random>,
    identity: Identity,
    config: Checked,
    current: Option<Current>,
    next: VolumeId,
}

/// Why records were not appended.
#[derive(Debug)]
pub(super) enum AppendError {
    /// There was no room; nothing is uncertain.
    Full,
    /// A write or sync failed: what reached the disk is unknown.
    Io {
        doing: &'static str,
        volume: VolumeId,
        source: io::Error,
    },
}

impl Appender {
    pub(super) fn new(
        files: Arc<dyn Files>,
        random: Arc<dyn Random>,
        identity: Identity,
        config: Checked,
        current: Option<Current>,
        next: VolumeId,
    ) -> Self {
        Self {
            files,
            random,
            identity,
            config,
            current,
            next,
        }
    }

    /// The volume that takes records, if one was begun.
    pub(super) fn current(&self) -> Option<&Current> {
        self.current.as_ref()
    }

    /// Bytes that can still be written to the disk.
    pub(super) fn available_bytes(&self) -> io::Result<u64> {
        self.files.available_bytes()
    }

    /// Writes records as far as one volume takes them, syncs, and returns where
    /// they are: of the first at least one, in order.
    pub(super) fn append(&mut self, records: &[Pending]) -> Result<Vec<Place>, AppendError> {
        let Some(first) = records.first() else {
            return Ok(Vec::new());
        };
        let limit = self.config.volume_bytes;
        let allocate = self.config.allocate_bytes;
        let current = self.make_room(record::size_of(first.payload.len()))?;
        let start = align(current.end, BLOCK);
        let mut at = start;
        let mut headers = Vec::new();
        let mut places = Vec::new();
        for record in records {
            let size = record::size_of(record.payload.len());
            if at + size > limit && !places.is_empty() {
                break;
            }
            let header = record.header(current.salt, start);
            places.push(Place {
                volume: current.volume,
                offset: at,
                length: header.length,
            });
            headers.push(header.encode(at));
            at += size;
        }
        let mut parts = Vec::with_capacity(headers.len() * 3);
        for (header, record) in headers.iter().zip(records) {
            let length = HEADER_BYTES + record.payload.len();
            let fill = align(length as u64, ALIGN) - length as u64;
            parts.push(IoSlice::new(header));
            parts.push(IoSlice::new(&record.payload));
            parts.push(IoSlice::new(zeros(fill)));
        }
        current.allocate(at, limit, allocate)?;
        let written = current.file.write_vectored_at(&parts, start);
        written.map_err(unwritten("write to", current.volume))?;
        let synced = current.file.sync_data();
        synced.map_err(failed("sync", current.volume))?;
        current.end = at;
        Ok(places)
    }

    /// The current volume if it has room for a record of this size, or a new one.
    fn make_room(&mut self, size: u64) -> Result<&mut Current, AppendError> {
        let limit = self.config.volume_bytes;
        let fits = |current: &Current| align(current.end, BLOCK) + size <= limit;
        if let Some(full) = self.current.as_ref().filter(|current| !fits(current)) {
            seal(full)?;
            self.current = None;
        }
        let current = match self.current.take() {
            Some(current) => current,
            None => self.begin()?,
        };
        Ok(self.current.insert(current))
    }

    fn begin(&mut self) -> Result<Current, AppendError> {
        let header = VolumeHeader {
            volume: self.next,
            identity: self.identity,
            salt: self.random.u64(),
        };
        let created = header.create(&*self.files);
        let file = created.map_err(unwritten("create", self.next))?;
        self.next = self.next.next();
        Ok(Current {
            volume: header.volume,
            file,
            salt: header.salt,
            end: BLOCK,
            allocated: BLOCK,
        })
    }
}

impl Pending {
    fn header(&self, salt: u64, synced: u64) -> Header {
        Header {
            kind: self.kind,
            length: u32::try_from(self.payload.len()).expect("a payload is at most 1 MiB"),
            payload_crc: crc32fast::hash(&self.payload),
            generation: self.generation,
            domain: self.domain,
            synced,
            id: self.id,
            salt,
        }
    }
}

impl Current {
    /// Reserves the space up to `end`, and some more for the next writes.
    fn allocate(&mut self, end: u64, limit: u64, step: u64) -> Result<(), AppendError> {
        if end <= self.allocated {
            return Ok(());
        }
        let generous = (end / step + 1).saturating_mul(step).min(limit).max(end);
        let mut last = Ok(());
        for up_to in [generous, end] {
            last = self.file.allocate(up_to);
            if last.is_ok() {
                self.allocated = up_to;
                return Ok(());
            }
        }
        last.map_err(unwritten("reserve space in", self.volume))
    }
}

/// Ends a volume: from now on it is complete, and its length is exact.
fn seal(full: &Current) -> Result<(), AppendError> {
    let seal = Pending {
        kind: Kind::Seal,
        domain: DedupDomain(0),
        generation: Generation(0),
        id: ChunkId::from_bytes([0; 32]),
        payload: Bytes::new(),
    };
    let offset = align(full.end, BLOCK);
    let header = seal.header(full.salt, offset).encode(offset);
    let written = full.file.write_at(&header, offset);
    written.map_err(unwritten("seal", full.volume))?;
    let sealed = full
        .file
        .set_len(offset + record::size_of(0))
        .and_then(|()| full.file.sync_data());
    sealed.map_err(failed("seal", full.volume))
}

fn zeros(length: u64) -> &'static [u8] {
    const ZEROS: [u8; ALIGN as usize] = [0; ALIGN as usize];
    let length = usize::try_from(length).unwrap_or(ZEROS.len());
    &ZEROS[..length.min(ZEROS.len())]
}

/// For a step before the sync: without room it has left nothing behind that the
/// next attempt does not write over.
fn unwritten(doing: &'static str, volume: VolumeId) -> impl FnOnce(io::Error) -> AppendError {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AppendError::Full,
        _ => failed(doing, volume)(source),
    }
}

fn failed(doing: &'static str, volume: VolumeId) -> impl FnOnce(io::Error) -> AppendError {
    move |source| AppendError::Io {
        doing,
        volume,
        source,
    }
}
