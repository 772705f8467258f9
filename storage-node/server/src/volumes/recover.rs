//! Bringing volumes and index together when a store is opened.

use std::io;
use std::sync::Arc;

use kv::KvError;
use runtime::{File, Files};

use super::cold::{Fault, fault_of};
use super::error::{OpenError, report};
use super::index::{Changes, Checkpoint, Index, Key, Place, Totals};
use super::record::{BLOCK, Kind, touched};
use super::scan::{End, Found, Scan, ScanError};
use super::volume::{self, Damage, HeaderFault, Identity, VolumeHeader, VolumeId};

/// Changes to the index that are written at a time.
const FLUSH_CHANGES: usize = 4096;
/// Bytes of a tail that are written again at a time.
const REWRITE_BYTES: usize = 1 << 20;

/// The volume that takes records.
#[derive(Clone, Debug)]
pub(super) struct Current {
    pub(super) volume: VolumeId,
    pub(super) file: Arc<dyn File>,
    pub(super) salt: u64,
    /// Behind the last record.
    pub(super) end: u64,
    /// The file's length.
    pub(super) allocated: u64,
}

/// A store as it was found.
#[derive(Debug)]
pub(super) struct Recovered {
    /// The volume to go on with, if the last one takes more.
    pub(super) current: Option<Current>,
    /// The next volume to make.
    pub(super) next: VolumeId,
    /// What the index says of itself; nothing if there are no volumes.
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) damage: Vec<Damage>,
}

/// Reads what the index does not have yet, cuts a torn tail, and makes sure that
/// all that is now served is on the disk.
pub(super) fn recover(
    files: &dyn Files,
    index: &Index,
    identity: Identity,
) -> Result<Recovered, OpenError> {
    let volumes = volume::list(files).map_err(io("list the files of", String::new()))?;
    // A name that an earlier process saw may not have been durable.
    files
        .sync_dir("")
        .map_err(io("sync the directory of", String::new()))?;
    let start = usable_checkpoint(files, index, identity, &volumes)?;
    if start.is_none() {
        index.clear()?;
    }
    let mut recovery = Recovery {
        files,
        index,
        identity,
        totals: start
            .map(|checkpoint| checkpoint.totals)
            .unwrap_or_default(),
        current: None,
    };
    for id in &volumes {
        let last = Some(id) == volumes.last();
        let from = match start {
            Some(checkpoint) if *id < checkpoint.volume => continue,
            Some(checkpoint) if *id == checkpoint.volume => checkpoint.offset,
            _ => BLOCK,
        };
        recovery.volume(*id, from, last)?;
    }
    let damage = index.damage()?;
    let mut current = recovery.current;
    if current.as_ref().is_some_and(|current| {
        let of_current = |damage: &Damage| damage.volume == current.volume;
        damage.iter().any(of_current)
    }) {
        current = None;
    }
    Ok(Recovered {
        current,
        next: volumes.last().map_or(VolumeId(1), |last| last.next()),
        checkpoint: index.checkpoint()?,
        damage,
    })
}

/// The checkpoint, if it is of these volumes.
fn usable_checkpoint(
    files: &dyn Files,
    index: &Index,
    identity: Identity,
    volumes: &[VolumeId],
) -> Result<Option<Checkpoint>, OpenError> {
    let Some(checkpoint) = index.checkpoint()? else {
        return Ok(None);
    };
    if checkpoint.identity != identity || !volumes.contains(&checkpoint.volume) {
        tracing::warn!("the chunk index is of other volumes: it is made anew");
        return Ok(None);
    }
    let (file, header) = open(files, identity, checkpoint.volume)?;
    let length = file.len().map_err(io("look at", checkpoint.volume))?;
    let other = header.is_some_and(|header| header.salt != checkpoint.salt);
    if other || length < checkpoint.offset {
        tracing::warn!(volume = %checkpoint.volume, "the chunk index is not of this volume: it is made anew");
        return Ok(None);
    }
    Ok(Some(checkpoint))
}

struct Recovery<'a> {
    files: &'a dyn Files,
    index: &'a Index,
    identity: Identity,
    totals: Totals,
    current: Option<Current>,
}

impl Recovery<'_> {
    /// Takes a volume in; one whose object is lost is damaged as a whole.
    fn volume(&mut self, id: VolumeId, from: u64, last: bool) -> Result<(), OpenError> {
        let lost = match self.take_in(id, from, last) {
            Err(OpenError::Io { source, .. })
                if matches!(fault_of(&source), Some(Fault::Lost { .. })) =>
            {
                id
            }
            taken => return taken,
        };
        // What was taken in before counts.
        if let Some(reached) = self.index.checkpoint()?
            && reached.volume == id
        {
            self.totals = reached.totals;
        }
        let mut changes = Changes::new(self.totals);
        self.damaged(&mut changes, lost, 0, u64::MAX);
        let checkpoint = Checkpoint {
            identity: self.identity,
            volume: id,
            offset: BLOCK,
            totals: self.totals,
            salt: 0,
        };
        Ok(self.index.write(&changes, &checkpoint)?)
    }

    fn take_in(&mut self, id: VolumeId, from: u64, last: bool) -> Result<(), OpenError> {
        let (file, header) = open(self.files, self.identity, id)?;
        let salt = header.map(|header| header.salt);
        let mut scan = Scan {
            file: &*file,
            salt,
            from,
            synced: from,
            last,
        };
        if last {
            let end = scan
                .again()
                .run(&mut |_| Ok::<(), KvError>(()))
                .map_err(scan_error(id))?;
            secure(&*file, id, &end)?;
            scan.synced = end.offset.max(from);
        }
        let mut changes = Changes::new(self.totals);
        let checkpoint = |salt: Option<u64>, offset, totals| Checkpoint {
            identity: self.identity,
            volume: id,
            offset,
            totals,
            salt: salt.unwrap_or_default(),
        };
        if header.is_none() && from == BLOCK {
            self.damaged(&mut changes, id, 0, BLOCK);
        }
        let end = scan
            .run(&mut |found| {
                if changes.len() >= FLUSH_CHANGES {
                    let totals = changes.totals();
                    let reached = checkpoint(salt, offset_of(&found), totals);
                    self.index.write(&changes, &reached)?;
                    changes = Changes::new(totals);
                }
                self.apply(&mut changes, id, found)
            })
            .map_err(scan_error(id))?;
        self.totals = changes.totals();
        self.index
            .write(&changes, &checkpoint(end.salt, end.offset, self.totals))?;
        if last
            && !end.sealed
            && let Some(header) = header
        {
            let allocated = file.len().map_err(io("look at", id))?;
            self.current = Some(Current {
                volume: id,
                file,
                salt: header.salt,
                end: end.offset,
                allocated,
            });
        }
        Ok(())
    }

    fn apply(&self, changes: &mut Changes, id: VolumeId, found: Found<'_>) -> Result<(), KvError> {
        match found {
            Found::Record {
                offset,
                header,
                payload,
            } => match header.kind {
                Kind::Chunk => {
                    let key = Key {
                        domain: header.domain,
                        id: header.id,
                    };
                    let place = place(id, offset, header.length);
                    changes.stored(self.index, key, place, header.generation)
                }
                Kind::Touch => touched(payload).try_for_each(|chunk| {
                    let key = Key {
                        domain: header.domain,
                        id: chunk,
                    };
                    changes.touched(self.index, key, header.generation)
                }),
                Kind::Drop => touched(payload).try_for_each(|chunk| {
                    let key = Key {
                        domain: header.domain,
                        id: chunk,
                    };
                    changes.dropped(self.index, key)
                }),
                Kind::Seal => Ok(()),
            },
            Found::Corrupt { offset, header } if header.kind == Kind::Chunk => {
                let key = Key {
                    domain: header.domain,
                    id: header.id,
                };
                tracing::error!(volume = %id, offset, chunk.id = %header.id, "a chunk is corrupt");
                let place = place(id, offset, header.length);
                changes.corrupted(self.index, key, place, header.generation)?;
                Ok(())
            }
            // A touch that is lost does no harm: every chunk counts as touched
            // when a node starts.
            Found::Corrupt { offset, header } => {
                let to = offset + super::record::size_of(header.payload_bytes());
                self.damaged(changes, id, offset, to);
                Ok(())
            }
            Found::Damage { from, to } => {
                self.damaged(changes, id, from, to);
                Ok(())
            }
        }
    }

    fn damaged(&self, changes: &mut Changes, volume: VolumeId, from: u64, to: u64) {
        let damage = Damage { volume, from, to };
        report(&damage);
        changes.damaged(damage);
    }
}

impl<'a> Scan<'a> {
    fn again(&self) -> Scan<'a> {
        Scan { ..*self }
    }
}

/// Cuts the torn tail, and writes again what an earlier process may have written
/// without a successful sync: its bytes can be in the system's cache and not on
/// the disk, where a sync alone would not bring them after one that failed.
fn secure(file: &dyn File, id: VolumeId, end: &End) -> Result<(), OpenError> {
    if end.torn {
        tracing::info!(volume = %id, offset = end.offset, "cut a torn tail that was never acknowledged");
        file.set_len(end.offset).map_err(io("cut", id))?;
    }
    let mut at = end.synced;
    let mut bytes = vec![0; REWRITE_BYTES];
    while at < end.offset {
        let length = usize::try_from(end.offset - at).unwrap_or(usize::MAX);
        let part = &mut bytes[..length.min(REWRITE_BYTES)];
        let read = file.read_at(part, at).map_err(io("read", id))?;
        if read == 0 {
            break;
        }
        file.write_at(&part[..read], at)
            .map_err(io("write again the end of", id))?;
        at += read as u64;
    }
    file.sync_data().map_err(io("sync", id))
}

/// Opens a volume; without its header if that is damaged.
pub(super) fn open(
    files: &dyn Files,
    identity: Identity,
    id: VolumeId,
) -> Result<(Arc<dyn File>, Option<VolumeHeader>), OpenError> {
    let file = files.open(&id.file_name()).map_err(io("open", id))?;
    let mut block = [0; 64];
    let read = file.read_at(&mut block, 0).map_err(io("read", id))?;
    match VolumeHeader::decode(&block[..read]) {
        Ok(header) if header.identity != identity || header.volume != id => {
            Err(OpenError::Foreign { volume: id })
        }
        Ok(header) => Ok((file, Some(header))),
        Err(HeaderFault::Newer(format)) => Err(OpenError::Newer { volume: id, format }),
        Err(HeaderFault::Corrupt) => Ok((file, None)),
    }
}

fn offset_of(found: &Found<'_>) -> u64 {
    match found {
        Found::Record { offset, .. } | Found::Corrupt { offset, .. } => *offset,
        Found::Damage { from, .. } => *from,
    }
}

fn place(volume: VolumeId, offset: u64, length: u32) -> Place {
    Place {
        volume,
        offset,
        length,
    }
}

fn io(doing: &'static str, name: impl ToString) -> impl FnOnce(io::Error) -> OpenError {
    let name = name.to_string();
    move |source| OpenError::Io {
        doing,
        name,
        source,
    }
}

fn scan_error(volume: VolumeId) -> impl FnOnce(ScanError<KvError>) -> OpenError {
    move |error| match error {
        ScanError::Read(source) => io("read", volume)(source),
        ScanError::Newer(format) => OpenError::Newer {
            volume,
            format: u32::from(format),
        },
        ScanError::Visit(error) => OpenError::Index(error),
    }
}
