//! The volumes held against the index.

use std::io;

use chunking::ChunkId;
use runtime::File;
use storage_node_api::scrub::Faults;

use super::super::cold::fault_of;
use super::super::error::StoreError;
use super::super::index::{Checkpoint, Key, Place};
use super::super::record::{self, ALIGN, BLOCK, HEADER_BYTES, Header, Kind, align, plausible};
use super::super::scan::Window;
use super::super::store::Scrubbed;
use super::super::volume::{Damage, VolumeHeader, VolumeId};

/// Bytes of a volume that one step reads, and a little more.
const STEP_BYTES: u64 = 4 << 20;

/// What a part of a volume was found to be.
#[derive(Debug)]
pub(super) struct Walked {
    /// Go on in this volume, or the first one after it,
    pub(super) volume: VolumeId,
    /// from here.
    pub(super) next: u64,
    pub(super) bytes: u64,
    /// Chunks whose bytes are not what they were.
    pub(super) corrupt: Vec<(Key, Place)>,
    /// Bytes in which no record is found.
    pub(super) damage: Vec<Damage>,
    /// Chunks that the index does not know.
    pub(super) unindexed: u64,
    /// The faults that are counted here: those without a chunk.
    pub(super) faults: Faults,
}

/// Verifies the next records from an offset of a volume on, or those of the
/// first volume after it if it is gone. Nothing if there are no more volumes.
pub(super) fn walk(
    store: &Scrubbed<'_>,
    volume: VolumeId,
    offset: u64,
) -> Result<Option<Walked>, StoreError> {
    // Up to where the last volume was synced and indexed.
    let Some(checkpoint) = store.index.checkpoint()? else {
        return Ok(None);
    };
    let next = volumes(store, &checkpoint)?.into_iter();
    let Some(id) = next.filter(|id| *id >= volume).min() else {
        return Ok(None);
    };
    let offset = if id == volume { offset } else { 0 };
    let mut walk = Walk {
        store,
        walked: Walked {
            volume: id,
            next: 0,
            bytes: 0,
            corrupt: Vec::new(),
            damage: Vec::new(),
            unindexed: 0,
            faults: Faults::default(),
        },
    };
    let ended = match walk.run(&checkpoint, offset) {
        Ok(ended) => ended,
        Err(Stop::Store(error)) => return Err(error),
        // Collected since the files were listed.
        Err(Stop::Read(error)) if error.kind() == io::ErrorKind::NotFound => true,
        // What is lost is found out by the cold tier itself.
        Err(Stop::Read(error)) if fault_of(&error).is_some() => {
            tracing::warn!(volume = %id, error = &error as &dyn std::error::Error,
                "the scrub leaves out a volume");
            true
        }
        Err(Stop::Read(error)) => {
            tracing::error!(volume = %id, error = &error as &dyn std::error::Error,
                "the scrub cannot read a volume: check the disk");
            walk.walked.faults.unreadable += 1;
            true
        }
    };
    let mut walked = walk.walked;
    if ended {
        walked.volume = id.next();
        walked.next = 0;
    }
    Ok(Some(walked))
}

/// The volumes that records were acknowledged in.
fn volumes(store: &Scrubbed<'_>, checkpoint: &Checkpoint) -> Result<Vec<VolumeId>, StoreError> {
    let names = store.files.list("").map_err(|error| {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the scrub cannot list volumes"
        );
        StoreError::Failing
    })?;
    let volumes = names.iter().filter_map(|name| VolumeId::of_file(name));
    let volumes = volumes.filter(|id| *id <= checkpoint.volume && store.is_scrubbed(*id));
    Ok(volumes.collect())
}

/// Bytes that a pass reads: the volumes, and a block for each entry of the index.
pub(super) fn measure(store: &Scrubbed<'_>) -> Result<u64, StoreError> {
    let Some(checkpoint) = store.index.checkpoint()? else {
        return Ok(0);
    };
    let length = |id: VolumeId| {
        if id == checkpoint.volume {
            return checkpoint.offset;
        }
        let file = store.files.open(&id.file_name());
        // One that is gone since has nothing to be read.
        file.and_then(|file| file.len()).unwrap_or(0)
    };
    let volumes: u64 = volumes(store, &checkpoint)?.into_iter().map(length).sum();
    Ok(volumes + checkpoint.totals.chunks * BLOCK)
}

enum Stop {
    Store(StoreError),
    Read(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

struct Walk<'a> {
    store: &'a Scrubbed<'a>,
    walked: Walked,
}

impl Walk<'_> {
    /// Says whether the volume ended.
    fn run(&mut self, checkpoint: &Checkpoint, offset: u64) -> Result<bool, Stop> {
        let id = self.walked.volume;
        let file = self.store.files.open(&id.file_name())?;
        let end = if id == checkpoint.volume {
            checkpoint.offset
        } else {
            file.len()?
        };
        let mend = offset == 0 && !self.store.is_away(id);
        let salt = self.salt(&*file, mend)?;
        let from = offset.max(BLOCK);
        let mut window = Window::new(&*file);
        let mut at = from;
        // Where the bytes began that are no record.
        let mut gap = None;
        // What is damaged is told in one piece, if it is no more than another step.
        let limit = |gap: &Option<u64>| STEP_BYTES * if gap.is_some() { 2 } else { 1 };
        while at < end && at - from < limit(&gap) {
            let bytes = window.at(at, HEADER_BYTES)?;
            let header = Header::decode(bytes, at).ok();
            let header = header
                .filter(|header| plausible(header) && salt.is_none_or(|salt| salt == header.salt));
            let Some(header) = header else {
                gap.get_or_insert(at);
                at += ALIGN;
                continue;
            };
            if let Some(began) = gap.take() {
                self.gap(&mut window, began, at)?;
            }
            let size = record::size_of(header.payload_bytes());
            let payload = window.at(at + HEADER_BYTES as u64, header.payload_bytes())?;
            self.record(at, &header, payload)?;
            at += size;
        }
        if let Some(began) = gap.take() {
            self.gap(&mut window, began, at.min(end))?;
        }
        self.walked.bytes = at.min(end).saturating_sub(from) + (from - offset);
        self.walked.next = at;
        Ok(at >= end)
    }

    /// The salt of the volume's records; its first block, which says it, is
    /// written again if it is not what it was.
    fn salt(&mut self, file: &dyn File, mend: bool) -> Result<Option<u64>, Stop> {
        let mut block = [0; BLOCK as usize];
        let read = file.read_at(&mut block, 0)?;
        if let Ok(header) = VolumeHeader::decode(&block[..read]) {
            return Ok(Some(header.salt));
        }
        let mut bytes = [0; HEADER_BYTES];
        let read = file.read_at(&mut bytes, BLOCK)?;
        let Ok(first) = Header::decode(&bytes[..read], BLOCK) else {
            return Ok(None);
        };
        if mend {
            let volume = self.walked.volume;
            tracing::error!(%volume, "the first block of a volume is corrupt: it is written again");
            let header = VolumeHeader {
                volume,
                identity: self.store.identity,
                salt: first.salt,
            };
            file.write_at(&header.encode(), 0)?;
            file.sync_data()?;
            self.walked.faults.first_blocks += 1;
        }
        Ok(Some(first.salt))
    }

    fn record(&mut self, offset: u64, header: &Header, payload: &[u8]) -> Result<(), Stop> {
        let is_whole = payload.len() == header.payload_bytes()
            && crc32fast::hash(payload) == header.payload_crc;
        if header.kind != Kind::Chunk {
            // Every chunk counts as touched when a node starts, so that a lost
            // touch does no harm; it is told all the same.
            if !is_whole {
                let end = offset + record::size_of(header.payload_bytes());
                self.damaged(offset, end);
            }
            return Ok(());
        }
        let key = Key {
            domain: header.domain,
            id: header.id,
        };
        let place = Place {
            volume: self.walked.volume,
            offset,
            length: header.length,
        };
        let entry = self.store.index.get(&key);
        let entry = entry.map_err(|error| Stop::Store(error.into()))?;
        match entry {
            None => self.walked.unindexed += 1,
            Some(entry) if entry.place == place && entry.is_intact() => {
                if !is_whole || ChunkId::of(payload) != header.id {
                    self.walked.corrupt.push((key, place));
                }
            }
            // Put again elsewhere, or known to be corrupt.
            Some(_) => {}
        }
        Ok(())
    }

    /// Bytes without a record: the zeros between two groups of records, or lost ones.
    fn gap(&mut self, window: &mut Window<'_>, from: u64, to: u64) -> Result<(), Stop> {
        let mut at = from;
        while at < to {
            let next = align(at + 1, BLOCK).min(to);
            let length = usize::try_from(next - at).unwrap_or(HEADER_BYTES);
            let bytes = window.at(at, length)?;
            if bytes.iter().any(|byte| *byte != 0) {
                self.damaged(at, to);
                return Ok(());
            }
            at = next;
        }
        Ok(())
    }

    fn damaged(&mut self, from: u64, to: u64) {
        let volume = self.walked.volume;
        self.walked.damage.push(Damage { volume, from, to });
    }
}
