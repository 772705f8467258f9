use std::fs::File;
use std::io::{self, BufRead, BufWriter, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use git_id::ObjectId;

use super::batch::Batches;
use super::examine::Examiner;
use super::finish::Workplace;
use super::{ReceiveError, ReceiveOptions};
use crate::defect::Defect;
use crate::entry::{EntryHeader, Inflater, Representation, parse_header};
use crate::hashing::{Checksum, ObjectHasher};
use crate::objects::PACK_HEADER_BYTES;
use crate::resolve::{DeltaForest, ForestBuilder};
use crate::{Kind, Progress};

/// Blobs above this size are named while they stream by and never held in memory.
const LARGE_BLOB_BYTES: u64 = 8 << 20;

/// Bytes of output between two calls of the decoder.
const PIECE_BYTES: usize = 64 << 10;

/// Bytes written to the disk at a time.
const WRITE_BYTES: usize = 1 << 20;

/// Entries between two words to the progress.
const ENTRIES_PER_REPORT: u32 = 64;

/// The beginning of a pack.
pub(super) struct PackHeader {
    bytes: [u8; PACK_HEADER_BYTES as usize],
    pub(super) objects: u32,
}

/// What is known once the whole pack went by.
pub(super) struct Streamed {
    pub(super) forest: DeltaForest,
    /// CRC-32 of each entry as stored.
    pub(super) crcs: Vec<u32>,
    pub(super) checksum: ObjectId,
    /// All bytes, the checksum included.
    pub(super) bytes: u64,
}

/// Reads the twelve bytes at a pack's beginning.
pub(super) fn read_header(
    input: &mut dyn BufRead,
    options: &ReceiveOptions,
) -> Result<PackHeader, ReceiveError> {
    let mut bytes = [0; PACK_HEADER_BYTES as usize];
    let mut read = 0;
    while read < bytes.len() {
        match input.read(&mut bytes[read..]) {
            Ok(0) => return Err(ReceiveError::Truncated { bytes: read as u64 }),
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ReceiveError::Input(error)),
        }
    }
    let number =
        |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let (version, objects) = (number(4), number(8));
    if &bytes[..4] != b"PACK" {
        return Err(ReceiveError::NotAPack);
    }
    if !(2..=3).contains(&version) {
        return Err(ReceiveError::UnsupportedVersion { version });
    }
    if objects > options.max_objects {
        return Err(ReceiveError::TooManyObjects {
            objects,
            limit: options.max_objects,
        });
    }
    Ok(PackHeader { bytes, objects })
}

/// Streams the entries and the checksum to disk, finding where each entry ends, and has the
/// objects that are stored whole examined.
pub(super) fn read_entries(
    input: &mut dyn BufRead,
    header: &PackHeader,
    work: &Workplace,
    options: &ReceiveOptions,
    examiners: &mut [Examiner],
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<Streamed, ReceiveError> {
    let mut stream = Stream::new(input, work, options)?;
    stream.record(&header.bytes)?;
    progress.stage("Indexing objects", Some(u64::from(header.objects)));
    let streamed = std::thread::scope(|scope| {
        let (inline, others) = examiners
            .split_first_mut()
            .expect("there is at least one examiner");
        let mut batches = Batches::start(scope, others);
        let mut builder = ForestBuilder::with_capacity(header.objects);
        let mut crcs = Vec::with_capacity(header.objects.min(1 << 20) as usize);
        for number in 0..header.objects {
            if cancel.load(Ordering::Relaxed) {
                return Err(ReceiveError::Cancelled);
            }
            crcs.push(stream.entry(&mut builder, inline, &mut batches)?);
            if number % ENTRIES_PER_REPORT == ENTRIES_PER_REPORT - 1 {
                progress.advance(u64::from(ENTRIES_PER_REPORT));
            }
        }
        progress.advance(u64::from(header.objects % ENTRIES_PER_REPORT));
        batches.finish()?;
        Ok((builder.finish(), crcs))
    });
    let (forest, crcs) = streamed?;
    let (checksum, bytes) = stream.finish()?;
    progress.done();
    Ok(Streamed {
        forest,
        crcs,
        checksum,
        bytes,
    })
}

struct Stream<'a> {
    input: &'a mut dyn BufRead,
    out: BufWriter<File>,
    work: &'a Workplace,
    options: &'a ReceiveOptions,
    checksum: Checksum,
    crc: crc32fast::Hasher,
    offset: u64,
    inflater: Inflater,
    piece: Vec<u8>,
}

impl<'a> Stream<'a> {
    fn new(
        input: &'a mut dyn BufRead,
        work: &'a Workplace,
        options: &'a ReceiveOptions,
    ) -> Result<Self, ReceiveError> {
        Ok(Self {
            input,
            out: BufWriter::with_capacity(WRITE_BYTES, work.create_pack()?),
            work,
            options,
            checksum: Checksum::new(options.hash),
            crc: crc32fast::Hasher::new(),
            offset: 0,
            inflater: Inflater::new(),
            piece: vec![0; PIECE_BYTES],
        })
    }

    /// Stores bytes of the pack and counts them into both sums.
    fn record(&mut self, bytes: &[u8]) -> Result<(), ReceiveError> {
        record(&mut self.out, &mut self.checksum, &mut self.crc, bytes)
            .map_err(|error| self.work.failed("write", error))?;
        self.offset += bytes.len() as u64;
        if self.offset > self.options.max_bytes {
            return Err(ReceiveError::TooLarge {
                limit: self.options.max_bytes,
            });
        }
        Ok(())
    }

    /// Takes one entry in; gives the CRC-32 of its bytes.
    fn entry(
        &mut self,
        builder: &mut ForestBuilder,
        inline: &mut Examiner,
        batches: &mut Batches<'_>,
    ) -> Result<u32, ReceiveError> {
        let offset = self.offset;
        self.crc = crc32fast::Hasher::new();
        let EntryHeader {
            representation,
            size,
            ..
        } = self.entry_header()?;
        let limit = self.options.max_object_bytes;
        if size > limit {
            return Err(ReceiveError::ObjectTooLarge {
                offset,
                size,
                limit,
            });
        }
        let number = builder
            .push(offset, &representation)
            .map_err(|defect| ReceiveError::at(offset, defect))?;
        match representation {
            Representation::Whole(Kind::Blob) if size > LARGE_BLOB_BYTES => {
                let mut hasher = ObjectHasher::new(self.options.hash, Kind::Blob, size);
                self.inflate(offset, size, &mut |piece| hasher.update(piece))?;
                let id = hasher
                    .finish()
                    .map_err(|_| ReceiveError::Collision { entry: number })?;
                inline.note(number, Kind::Blob, id);
            }
            Representation::Whole(kind) => {
                let mut data = batches.buffer();
                self.inflate(offset, size, &mut |piece| data.extend_from_slice(piece))?;
                batches.examine(inline, number, kind, data)?;
            }
            Representation::Offset(_) | Representation::Reference(_) => {
                self.inflate(offset, size, &mut |_| {})?;
            }
        }
        Ok(self.crc.clone().finalize())
    }

    fn entry_header(&mut self) -> Result<EntryHeader, ReceiveError> {
        let offset = self.offset;
        let mut gathered = Vec::new();
        loop {
            let buffer = fill(self.input, offset + gathered.len() as u64)?;
            let (bytes, before) = if gathered.is_empty() {
                (buffer, 0)
            } else {
                let before = gathered.len();
                gathered.push(buffer[0]);
                (&gathered[..], before)
            };
            match parse_header(bytes, self.options.hash) {
                Ok(header) => {
                    let header_bytes = bytes[..header.length].to_vec();
                    self.input.consume(header.length - before);
                    self.record(&header_bytes)?;
                    return Ok(header);
                }
                Err(Defect::Truncated) if before == 0 => {
                    let length = buffer.len();
                    gathered.extend_from_slice(buffer);
                    self.input.consume(length);
                }
                Err(Defect::Truncated) => self.input.consume(1),
                Err(defect) => return Err(ReceiveError::at(offset, defect)),
            }
        }
    }

    /// Inflates the zlib stream that comes next and hands out what it holds.
    fn inflate(
        &mut self,
        entry: u64,
        size: u64,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), ReceiveError> {
        self.inflater.begin();
        let mut produced = 0;
        loop {
            let buffer = fill(self.input, self.offset)?;
            let step = self.inflater.step(buffer, &mut self.piece);
            let (taken, put, ended) = step.map_err(|defect| ReceiveError::at(entry, defect))?;
            let recorded = record(
                &mut self.out,
                &mut self.checksum,
                &mut self.crc,
                &buffer[..taken],
            );
            recorded.map_err(|error| self.work.failed("write", error))?;
            self.input.consume(taken);
            self.offset += taken as u64;
            if self.offset > self.options.max_bytes {
                return Err(ReceiveError::TooLarge {
                    limit: self.options.max_bytes,
                });
            }
            produced += put as u64;
            if produced > size || (ended && produced < size) {
                return Err(ReceiveError::at(entry, Defect::SizeMismatch));
            }
            take(&self.piece[..put]);
            if ended {
                return Ok(());
            }
        }
    }

    /// Reads and verifies the checksum at the pack's end.
    fn finish(mut self) -> Result<(ObjectId, u64), ReceiveError> {
        let computed = self.checksum.clone().finish();
        let length = self.options.hash.len_bytes();
        let mut trailer = Vec::with_capacity(length);
        while trailer.len() < length {
            let buffer = fill(self.input, self.offset + trailer.len() as u64)?;
            let taken = buffer.len().min(length - trailer.len());
            trailer.extend_from_slice(&buffer[..taken]);
            self.input.consume(taken);
        }
        self.record(&trailer)?;
        let stated = ObjectId::from_bytes(&trailer).expect("as long as an id");
        if stated != computed {
            return Err(ReceiveError::ChecksumMismatch { computed, stated });
        }
        self.out
            .flush()
            .map_err(|error| self.work.failed("write", error))?;
        Ok((stated, self.offset))
    }
}

fn record(
    out: &mut BufWriter<File>,
    checksum: &mut Checksum,
    crc: &mut crc32fast::Hasher,
    bytes: &[u8],
) -> io::Result<()> {
    checksum.update(bytes);
    crc.update(bytes);
    out.write_all(bytes)
}

/// What the input holds next, at least one byte; `position` is for the error.
fn fill(input: &mut dyn BufRead, position: u64) -> Result<&[u8], ReceiveError> {
    loop {
        match input.fill_buf() {
            Ok([]) => return Err(ReceiveError::Truncated { bytes: position }),
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ReceiveError::Input(error)),
        }
    }
    input.fill_buf().map_err(ReceiveError::Input)
}
