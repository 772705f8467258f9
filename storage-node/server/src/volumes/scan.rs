//! Reading a volume from some point to its end, and telling what happened to it.
//!
//! Three kinds of flaw are told apart. A record whose payload is not intact is
//! corrupt, and its header says which chunk it was. Bytes in which no record is
//! found although later ones are intact are damage. A torn tail is what the last
//! group of writes left behind that was never acknowledged: it begins at the
//! first flaw of the last volume, if no later record proves by its synced offset
//! that the flaw lies in bytes that had been synced, and if the index does not
//! know better.

use std::io;
use std::ops::ControlFlow;

use runtime::File;

use super::record::{
    self, ALIGN, BLOCK, HEADER_BYTES, Header, Kind, MAX_PAYLOAD_BYTES, NotAHeader, align,
};

/// Bytes read at a time; any record fits.
const WINDOW_BYTES: usize = 4 << 20;
/// The error number of a disk that cannot read its own sector.
const EIO: i32 = 5;

/// What a scan comes upon.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// An intact record and its payload.
    Record {
        offset: u64,
        header: &'a Header,
        payload: &'a [u8],
    },
    /// A record whose payload is not what was written.
    Corrupt { offset: u64, header: &'a Header },
    /// Bytes without records that must have held some.
    Damage { from: u64, to: u64 },
}

/// What to scan.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    pub(super) file: &'a dyn File,
    /// The salt that records must carry; `None` takes that of the first one,
    /// for a volume whose first block is lost.
    pub(super) salt: Option<u64>,
    /// Where to begin: the first block's end, or where a group began or ended.
    pub(super) from: u64,
    /// Everything before this is known to have been synced.
    pub(super) synced: u64,
    /// Whether the volume may end in a torn tail.
    pub(super) last: bool,
}

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// Behind the last record, or where the torn tail begins.
    pub(super) offset: u64,
    /// Whether there is a torn tail.
    pub(super) torn: bool,
    /// Whether the volume ends with a seal.
    pub(super) sealed: bool,
    /// Everything before this is known to have been synced.
    pub(super) synced: u64,
    /// The salt of the records.
    pub(super) salt: Option<u64>,
}

/// Why a scan stopped.
#[derive(Debug)]
pub(super) enum ScanError<E> {
    /// The file could not be read.
    Read(io::Error),
    /// A record of a later release.
    Newer(u8),
    /// The visitor refused.
    Visit(E),
}

/// A flaw that is either corruption or the beginning of the torn tail, and the
/// records since, which decide.
struct Doubt {
    offset: u64,
    /// Behind the record before it.
    end: u64,
    flaws: Vec<(u64, Flaw)>,
}

enum Flaw {
    Gap { to: u64 },
    Corrupt(Header),
    Intact(Header),
}

impl Flaw {
    fn end(&self, offset: u64) -> u64 {
        match self {
            Self::Gap { to } => *to,
            Self::Corrupt(header) | Self::Intact(header) => {
                offset + record::size_of(header.payload_bytes())
            }
        }
    }
}

impl Scan<'_> {
    /// Shows everything that belongs to the volume to `visit`, in order.
    pub(super) fn run<E>(
        self,
        visit: &mut dyn FnMut(Found<'_>) -> Result<(), E>,
    ) -> Result<End, ScanError<E>> {
        let mut walk = Walk {
            window: Window::new(self.file),
            salt: self.salt,
            synced: self.synced,
            last: self.last,
            end: self.from,
            doubt: None,
            sealed: false,
            damaged: false,
        };
        let mut at = self.from;
        loop {
            let (next, header) = match walk.next_header(at)? {
                ControlFlow::Continue(found) => found,
                ControlFlow::Break(()) => break,
            };
            let expected = walk.window.after_fill(at)?;
            if next != at && next != expected {
                walk.flaw(expected, Flaw::Gap { to: next }, visit)?;
            }
            at = walk.record(next, header, visit)?;
        }
        walk.finish(at, visit)
    }
}

struct Walk<'a> {
    window: Window<'a>,
    salt: Option<u64>,
    synced: u64,
    last: bool,
    /// Behind the last record that is not in doubt.
    end: u64,
    doubt: Option<Doubt>,
    sealed: bool,
    damaged: bool,
}

impl Walk<'_> {
    /// The next header at or after `at`.
    fn next_header<E>(
        &mut self,
        mut at: u64,
    ) -> Result<ControlFlow<(), (u64, Header)>, ScanError<E>> {
        loop {
            let bytes = self.window.at(at, HEADER_BYTES).map_err(ScanError::Read)?;
            if bytes.len() < HEADER_BYTES {
                return Ok(ControlFlow::Break(()));
            }
            match Header::decode(bytes, at) {
                Ok(header) if self.belongs(&header) => {
                    self.salt = Some(header.salt);
                    return Ok(ControlFlow::Continue((at, header)));
                }
                Err(NotAHeader::Newer { format, salt }) if self.salt.is_none_or(|s| s == salt) => {
                    return Err(ScanError::Newer(format));
                }
                Ok(_) | Err(_) => at += ALIGN,
            }
        }
    }

    fn belongs(&self, header: &Header) -> bool {
        self.salt.is_none_or(|salt| salt == header.salt) && record::plausible(header)
    }

    /// Looks at the record at `offset` and returns where it ends.
    fn record<E>(
        &mut self,
        offset: u64,
        header: Header,
        visit: &mut dyn FnMut(Found<'_>) -> Result<(), E>,
    ) -> Result<u64, ScanError<E>> {
        self.synced = self.synced.max(header.synced.min(offset));
        self.settle(visit)?;
        let length = header.payload_bytes();
        let start = offset + HEADER_BYTES as u64;
        let payload = self.window.at(start, length).map_err(ScanError::Read)?;
        let end = offset + record::size_of(length);
        if payload.len() < length || crc32fast::hash(payload) != header.payload_crc {
            self.sealed = false;
            self.flaw(offset, Flaw::Corrupt(header), visit)?;
            return Ok(end);
        }
        self.sealed = header.kind == Kind::Seal;
        match &mut self.doubt {
            Some(doubt) => doubt.flaws.push((offset, Flaw::Intact(header))),
            None => {
                visit(Found::Record {
                    offset,
                    header: &header,
                    payload,
                })
                .map_err(ScanError::Visit)?;
                self.end = end;
            }
        }
        Ok(end)
    }

    fn flaw<E>(
        &mut self,
        offset: u64,
        flaw: Flaw,
        visit: &mut dyn FnMut(Found<'_>) -> Result<(), E>,
    ) -> Result<(), ScanError<E>> {
        let end = self.end;
        let doubt = self.doubt.get_or_insert_with(|| Doubt {
            offset,
            end,
            flaws: Vec::new(),
        });
        doubt.flaws.push((offset, flaw));
        self.settle(visit)
    }

    /// Ends a doubt about bytes that turn out to have been synced.
    fn settle<E>(
        &mut self,
        visit: &mut dyn FnMut(Found<'_>) -> Result<(), E>,
    ) -> Result<(), ScanError<E>> {
        let Some(doubt) = self
            .doubt
            .take_if(|doubt| !self.last || doubt.offset < self.synced)
        else {
            return Ok(());
        };
        let mut rest = doubt.flaws.into_iter();
        while let Some((offset, flaw)) = rest.next() {
            if self.last && offset >= self.synced && !matches!(flaw, Flaw::Intact(_)) {
                let flaws = std::iter::once((offset, flaw)).chain(rest).collect();
                let end = self.end;
                self.doubt = Some(Doubt { offset, end, flaws });
                return Ok(());
            }
            self.end = flaw.end(offset);
            match flaw {
                Flaw::Gap { to } => {
                    self.damaged = true;
                    visit(Found::Damage { from: offset, to })
                }
                Flaw::Corrupt(header) => visit(Found::Corrupt {
                    offset,
                    header: &header,
                }),
                Flaw::Intact(header) => {
                    let start = offset + HEADER_BYTES as u64;
                    let length = header.payload_bytes();
                    let payload = self.window.at(start, length).map_err(ScanError::Read)?;
                    visit(Found::Record {
                        offset,
                        header: &header,
                        payload,
                    })
                }
            }
            .map_err(ScanError::Visit)?;
        }
        Ok(())
    }

    /// `at` is behind the last record.
    fn finish<E>(
        mut self,
        at: u64,
        visit: &mut dyn FnMut(Found<'_>) -> Result<(), E>,
    ) -> Result<End, ScanError<E>> {
        let length = self.window.file.len().map_err(ScanError::Read)?;
        // A damaged volume takes no more records, so it is never sealed.
        let ended = self.last || self.sealed || self.damaged;
        let complete = ended && at >= self.synced && self.window.blank(at, length)?;
        if !complete && self.doubt.is_none() {
            let from = self.window.after_fill(at)?;
            let to = length.max(self.synced).max(from);
            self.flaw(from, Flaw::Gap { to }, visit)?;
        }
        let torn = self.doubt.as_ref().map(|doubt| doubt.end);
        Ok(End {
            offset: torn.unwrap_or(at),
            torn: torn.is_some(),
            sealed: self.sealed && torn.is_none(),
            synced: self.synced,
            salt: self.salt,
        })
    }
}

/// A part of the file in memory.
pub(super) struct Window<'a> {
    file: &'a dyn File,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    pub(super) fn new(file: &'a dyn File) -> Self {
        Self {
            file,
            start: 0,
            bytes: Vec::new(),
        }
    }

    /// The bytes from `offset` on, fewer than `length` only at the file's end.
    pub(super) fn at(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        debug_assert!(length <= HEADER_BYTES + MAX_PAYLOAD_BYTES);
        let end = self.start + self.bytes.len() as u64;
        if offset < self.start || offset + length as u64 > end {
            self.fill(offset)?;
        }
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        let rest = self.bytes.get(from..).unwrap_or_default();
        Ok(&rest[..rest.len().min(length)])
    }

    fn fill(&mut self, offset: u64) -> io::Result<()> {
        self.start = offset;
        self.bytes.resize(WINDOW_BYTES, 0);
        let read = match self.file.read_at(&mut self.bytes, offset) {
            Err(error) if error.raw_os_error() == Some(EIO) => self.fill_by_block(offset)?,
            read => read?,
        };
        self.bytes.truncate(read);
        Ok(())
    }

    /// Reads around sectors that the disk cannot read: they count as garbage.
    fn fill_by_block(&mut self, offset: u64) -> io::Result<usize> {
        let length = self.file.len()?;
        let mut read = 0;
        for block in self.bytes.chunks_mut(BLOCK as usize) {
            match self.file.read_at(block, offset + read as u64) {
                Ok(0) => break,
                Ok(n) => read += n,
                Err(error) if error.raw_os_error() == Some(EIO) => {
                    let rest = length.saturating_sub(offset + read as u64);
                    let lost = block.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
                    block[..lost].fill(0xff);
                    read += lost;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    /// Where the next group begins if the one before ended at `at`: at the next
    /// block if there are zeros up to there.
    fn after_fill<E>(&mut self, at: u64) -> Result<u64, ScanError<E>> {
        let block = align(at, BLOCK);
        Ok(if self.blank(at, block)? { block } else { at })
    }

    /// Whether there are only zeros from `at` to `to`.
    fn blank<E>(&mut self, mut at: u64, to: u64) -> Result<bool, ScanError<E>> {
        while at < to {
            let length = usize::try_from(to - at).unwrap_or(usize::MAX);
            let length = length.min(MAX_PAYLOAD_BYTES);
            let bytes = self.at(at, length).map_err(ScanError::Read)?;
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            if bytes.len() < length {
                return Ok(true);
            }
            at += length as u64;
        }
        Ok(true)
    }
}
