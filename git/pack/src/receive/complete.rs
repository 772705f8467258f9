use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use git_id::ObjectId;

use super::examine::Examiner;
use super::finish::Workplace;
use super::stream::Streamed;
use super::{ReceiveError, ReceiveOptions};
use crate::Kind;
use crate::defect::Defect;
use crate::entry::{Representation, deflate, parse_header, push_type_and_size};
use crate::hashing::Checksum;
use crate::objects::{MAX_DELTA_CHAIN, Objects, ReadError};
use crate::resolve::{Resolver, Start};

/// Bytes of bases held in memory at a time.
const ROUND_BYTES: usize = 32 << 20;

/// Bytes read at a time when the checksum is made anew.
const PIECE_BYTES: usize = 1 << 20;

/// An object appended to the pack because deltas build on it.
pub(super) struct Added {
    pub(super) id: ObjectId,
    pub(super) offset: u64,
    pub(super) crc: u32,
}

/// Completing a thin pack.
pub(super) struct Completion<'a> {
    pub(super) work: &'a Workplace,
    pub(super) streamed: &'a Streamed,
    pub(super) bases: &'a Objects,
    pub(super) options: &'a ReceiveOptions,
}

/// The pack file while objects are appended.
struct Appending {
    file: File,
    /// Where the next entry goes.
    end: u64,
    added: Vec<Added>,
}

impl Completion<'_> {
    /// Rebuilds what waits for objects stored elsewhere, and appends those of them that the
    /// pack turns out not to have itself; gives them and the pack's checksum.
    pub(super) fn run(
        &self,
        resolver: &Resolver<'_>,
        examiners: &mut [Examiner],
    ) -> Result<(Vec<Added>, ObjectId), ReceiveError> {
        let mut used = Vec::new();
        loop {
            let waiting = self.streamed.forest.still_waiting();
            let Some((_, first)) = waiting.first() else {
                break;
            };
            if resolver.cancel.load(Ordering::Relaxed) {
                return Err(ReceiveError::Cancelled);
            }
            let starts = self.starts(&waiting)?;
            if starts.is_empty() {
                return Err(ReceiveError::MissingBase {
                    base: *first,
                    deltas: self.unresolved(examiners),
                });
            }
            used.extend(starts.iter().filter_map(|start| start.id));
            resolver.run(&starts, examiners)?;
        }
        if used.is_empty() {
            return Ok((Vec::new(), self.streamed.checksum));
        }
        let mut own: Vec<(ObjectId, u32)> = examiners
            .iter()
            .flat_map(|examiner| &examiner.named)
            .map(|named| (named.id, named.entry))
            .collect();
        own.sort_unstable();
        let is_own = |id: &ObjectId| own.binary_search_by_key(id, |(id, _)| *id).is_ok();
        for id in used.iter().filter(|id| is_own(id)) {
            self.check_grounded(resolver, &own, id)?;
        }
        used.retain(|id| !is_own(id));
        if used.is_empty() {
            return Ok((Vec::new(), self.streamed.checksum));
        }
        let mut target = self.open()?;
        for id in used {
            let object = self.bases.read(&id).map_err(ReceiveError::Base)?;
            let object = object.ok_or(ReceiveError::Base(ReadError::Missing {
                id,
                referrer: None,
            }))?;
            self.append(&mut target, id, object.kind, &object.data)?;
        }
        let checksum = self.seal(&target)?;
        Ok((target.added, checksum))
    }

    fn unresolved(&self, examiners: &[Examiner]) -> u32 {
        let named: usize = examiners.iter().map(|examiner| examiner.named.len()).sum();
        (self.streamed.forest.offsets().len() - named) as u32
    }

    /// Reads those of the bases that are stored, as many as memory allows.
    fn starts(&self, waiting: &[(u32, ObjectId)]) -> Result<Vec<Start>, ReceiveError> {
        let mut starts = Vec::new();
        let mut bytes = 0;
        for (entry, base) in waiting {
            let Some(object) = self.bases.read(base).map_err(ReceiveError::Base)? else {
                continue;
            };
            let (size, limit) = (object.data.len() as u64, self.options.max_object_bytes);
            if size > limit {
                let offset = self.streamed.forest.offset(*entry);
                return Err(ReceiveError::ObjectTooLarge {
                    offset,
                    size,
                    limit,
                });
            }
            bytes += object.data.len();
            let data = Some(Arc::new(object.data));
            starts.push(Start {
                entry: u32::MAX,
                kind: object.kind,
                id: Some(*base),
                data,
            });
            if bytes >= ROUND_BYTES {
                break;
            }
        }
        Ok(starts)
    }

    /// Checks that an object of the pack, whose stored copy was used as a base, does not
    /// build on itself inside the pack.
    fn check_grounded(
        &self,
        resolver: &Resolver<'_>,
        own: &[(ObjectId, u32)],
        id: &ObjectId,
    ) -> Result<(), ReceiveError> {
        let forest = &self.streamed.forest;
        let entry_of = |id: &ObjectId| {
            own.binary_search_by_key(id, |(id, _)| *id)
                .ok()
                .map(|at| own[at].1)
        };
        let mut entry = entry_of(id);
        for _ in 0..=MAX_DELTA_CHAIN {
            let Some(at) = entry else { return Ok(()) };
            let offset = forest.offset(at);
            let corrupt = |defect| ReceiveError::at(offset, defect);
            let bytes = resolver
                .pack
                .get(offset as usize..)
                .ok_or(corrupt(Defect::Truncated))?;
            entry = match parse_header(bytes, self.options.hash)
                .map_err(corrupt)?
                .representation
            {
                Representation::Whole(_) => None,
                Representation::Offset(distance) => {
                    let base = forest.offsets().binary_search(&(offset - distance));
                    Some(base.map_err(|_| corrupt(Defect::BadBase))? as u32)
                }
                Representation::Reference(base) => entry_of(&base),
            };
        }
        let offset = entry.map_or(0, |at| forest.offset(at));
        Err(ReceiveError::at(
            offset,
            Defect::ChainTooLong {
                limit: MAX_DELTA_CHAIN,
            },
        ))
    }

    fn open(&self) -> Result<Appending, ReceiveError> {
        let mut file = self.work.reopen_pack()?;
        let end = self.streamed.bytes - self.options.hash.len_bytes() as u64;
        file.seek(SeekFrom::Start(end))
            .map_err(|error| self.work.failed("write", error))?;
        Ok(Appending {
            file,
            end,
            added: Vec::new(),
        })
    }

    fn append(
        &self,
        target: &mut Appending,
        id: ObjectId,
        kind: Kind,
        data: &[u8],
    ) -> Result<(), ReceiveError> {
        let mut entry = Vec::new();
        push_type_and_size(&mut entry, &Representation::Whole(kind), data.len() as u64);
        deflate(data, &mut entry);
        target
            .file
            .write_all(&entry)
            .map_err(|error| self.work.failed("write", error))?;
        target.added.push(Added {
            id,
            offset: target.end,
            crc: crc32fast::hash(&entry),
        });
        target.end += entry.len() as u64;
        Ok(())
    }

    /// Corrects the number of objects and makes the checksum anew.
    fn seal(&self, appending: &Appending) -> Result<ObjectId, ReceiveError> {
        let count = self.streamed.forest.offsets().len() + appending.added.len();
        let count = u32::try_from(count).map_err(|_| ReceiveError::TooManyObjects {
            objects: u32::MAX,
            limit: self.options.max_objects,
        })?;
        let mut file = &appending.file;
        let sealed = (|| {
            file.seek(SeekFrom::Start(8))?;
            file.write_all(&count.to_be_bytes())?;
            file.seek(SeekFrom::Start(0))?;
            let mut checksum = Checksum::new(self.options.hash);
            let mut piece = vec![0; PIECE_BYTES];
            let mut rest = appending.end;
            while rest > 0 {
                let length = rest.min(PIECE_BYTES as u64) as usize;
                file.read_exact(&mut piece[..length])?;
                checksum.update(&piece[..length]);
                rest -= length as u64;
            }
            let checksum = checksum.finish();
            file.write_all(checksum.as_bytes())?;
            file.set_len(appending.end + checksum.as_bytes().len() as u64)?;
            Ok(checksum)
        })();
        sealed.map_err(|error| self.work.failed("write", error))
    }
}
