//! The zip format (APPNOTE 6.3), with the modes and times of Unix.
//!
//! Members are streamed: their sizes follow them. Beyond 65,535 members or 4 GiB the directory at the
//! end is in the 64-bit form; no single member is that large, since no object is read that is.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use git_id::ObjectId;

use super::{Content, Member, Sink};

/// Sizes follow the data; names are in UTF-8.
const FLAG_STREAMED: u16 = 1 << 3;
const FLAG_UTF8: u16 = 1 << 11;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// The version of the format that readers need.
const VERSION: u16 = 20;
const VERSION_64: u16 = 45;
/// Says that modes of Unix are meant.
const MADE_ON_UNIX: u16 = 3 << 8 | VERSION_64;
/// An extra field with the time in seconds since the epoch ("UT").
const TIME_FIELD: u16 = 0x5455;
/// An extra field with sizes and offsets of 64 bits.
const FIELD_64: u16 = 1;

/// A zip that is being written.
pub(super) struct Zip<W> {
    out: Counted<W>,
    commit: Option<ObjectId>,
    time: u32,
    dos: (u16, u16),
    level: Compression,
    directory: Vec<u8>,
    members: u64,
}

struct Counted<W> {
    out: W,
    written: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Little-endian fields, one after the other.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

impl<W: Write> Zip<W> {
    pub(super) fn new(out: W, commit: Option<ObjectId>, time: i64, level: u32) -> Self {
        let seconds = time.clamp(0, i64::from(i32::MAX));
        Self {
            out: Counted { out, written: 0 },
            commit,
            time: seconds as u32,
            dos: dos_time(seconds),
            level: Compression::new(level.min(9)),
            directory: Vec::new(),
            members: 0,
        }
    }

    fn time_field(&self) -> Vec<u8> {
        let mut field = Fields::default();
        // Only the time of the last change.
        field.u16(TIME_FIELD).u16(5).bytes(&[1]).u32(self.time);
        field.0
    }

    /// What the header before a member and its entry in the directory share.
    fn common(&self, fields: &mut Fields, path: &[u8], entry: &Entry) {
        let utf8 = match std::str::from_utf8(path) {
            Ok(_) => FLAG_UTF8,
            Err(_) => 0,
        };
        let streamed = if entry.streamed { FLAG_STREAMED } else { 0 };
        fields.u16(utf8 | streamed).u16(entry.method);
        fields.u16(self.dos.1).u16(self.dos.0);
    }

    fn directory_entry(&mut self, path: &[u8], entry: &Entry) {
        let mut fields = Fields::default();
        fields.u32(0x0201_4b50).u16(MADE_ON_UNIX).u16(VERSION);
        self.common(&mut fields, path, entry);
        let mut extra = self.time_field();
        let offset = u32::try_from(entry.offset).ok().filter(|at| *at < u32::MAX);
        if offset.is_none() {
            let mut field = Fields::default();
            field.u16(FIELD_64).u16(8).u64(entry.offset);
            extra.extend_from_slice(&field.0);
        }
        fields.u32(entry.checksum).u32(entry.packed).u32(entry.size);
        fields.u16(path.len() as u16).u16(extra.len() as u16);
        // No comment, the first disk, nothing inside.
        fields.u16(0).u16(0).u16(0);
        fields.u32(entry.mode << 16 | entry.dos_attributes);
        fields.u32(offset.unwrap_or(u32::MAX));
        fields.bytes(path).bytes(&extra);
        self.directory.append(&mut fields.0);
        self.members += 1;
    }

    /// Writes a member's data; gives how many bytes it became.
    fn data(&mut self, data: &[u8], method: u16) -> io::Result<u32> {
        let before = self.out.written;
        if method == STORED {
            self.out.write_all(data)?;
        } else {
            let mut encoder = DeflateEncoder::new(&mut self.out, self.level);
            encoder.write_all(data)?;
            encoder.finish()?;
        }
        u32::try_from(self.out.written - before).map_err(|_| io::ErrorKind::FileTooLarge.into())
    }
}

struct Entry {
    method: u16,
    streamed: bool,
    mode: u32,
    dos_attributes: u32,
    checksum: u32,
    packed: u32,
    size: u32,
    offset: u64,
}

impl Entry {
    fn of(member: &Member<'_>, offset: u64) -> io::Result<Self> {
        let (mode, data): (u32, &[u8]) = match member.content {
            Content::Directory => (0o040_775, &[]),
            Content::Link { target } => (0o120_777, target),
            Content::File {
                data,
                executable: true,
            } => (0o100_775, data),
            Content::File { data, .. } => (0o100_664, data),
        };
        let is_directory = matches!(member.content, Content::Directory);
        let is_file = matches!(member.content, Content::File { .. });
        let streamed = is_file && !data.is_empty();
        let size = u32::try_from(data.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        Ok(Self {
            method: if streamed { DEFLATED } else { STORED },
            streamed,
            mode,
            dos_attributes: if is_directory { 0x10 } else { 0 },
            checksum: crc32fast::hash(data),
            packed: size,
            size,
            offset,
        })
    }
}

impl<W: Write> Sink for Zip<W> {
    fn put(&mut self, member: &Member<'_>) -> io::Result<()> {
        let path = member.path;
        if path.len() > usize::from(u16::MAX) {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let mut entry = Entry::of(member, self.out.written)?;
        let mut header = Fields::default();
        header.u32(0x0403_4b50).u16(VERSION);
        self.common(&mut header, path, &entry);
        match entry.streamed {
            true => header.u32(0).u32(0).u32(0),
            false => header.u32(entry.checksum).u32(entry.size).u32(entry.size),
        };
        let extra = self.time_field();
        header.u16(path.len() as u16).u16(extra.len() as u16);
        header.bytes(path).bytes(&extra);
        self.out.write_all(&header.0)?;
        match member.content {
            Content::Directory => {}
            Content::Link { target } => entry.packed = self.data(target, entry.method)?,
            Content::File { data, .. } => entry.packed = self.data(data, entry.method)?,
        }
        if entry.streamed {
            let mut sizes = Fields::default();
            sizes.u32(0x0807_4b50).u32(entry.checksum);
            sizes.u32(entry.packed).u32(entry.size);
            self.out.write_all(&sizes.0)?;
        }
        self.directory_entry(path, &entry);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        let start = self.out.written;
        let directory = std::mem::take(&mut self.directory);
        self.out.write_all(&directory)?;
        let length = directory.len() as u64;
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let members = u16::try_from(self.members).unwrap_or(u16::MAX);
        let mut end = Fields::default();
        if members == u16::MAX || small(start) == u32::MAX || small(length) == u32::MAX {
            let at = self.out.written;
            end.u32(0x0606_4b50).u64(44).u16(MADE_ON_UNIX);
            end.u16(VERSION_64).u32(0).u32(0);
            end.u64(self.members).u64(self.members);
            end.u64(length).u64(start);
            end.u32(0x0706_4b50).u32(0).u64(at).u32(1);
        }
        end.u32(0x0605_4b50).u16(0).u16(0).u16(members).u16(members);
        end.u32(small(length)).u32(small(start));
        let comment = self.commit.map(|commit| commit.to_string());
        let comment = comment.unwrap_or_default();
        end.u16(comment.len() as u16).bytes(comment.as_bytes());
        self.out.write_all(&end.0)?;
        self.out.flush()
    }
}

/// Date and time as DOS had them, in UTC: from 1980 on, to two seconds.
fn dos_time(seconds: i64) -> (u16, u16) {
    const EARLIEST: i64 = 315_532_800;
    let seconds = seconds.max(EARLIEST);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (mut year, mut day) = (1980, days - EARLIEST / 86_400);
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    while day >= 365 + i64::from(is_leap(year)) {
        day -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + i64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let date = (year - 1980) << 9 | month << 5 | (day + 1);
    let time = (second / 3600) << 11 | (second / 60 % 60) << 5 | (second % 60 / 2);
    (date as u16, time as u16)
}

#[cfg(test)]
mod tests {
    use super::dos_time;

    #[test]
    fn times_are_those_of_the_calendar() {
        // 2024-02-29 12:34:56 and the earliest.
        assert_eq!(
            dos_time(1_709_210_096),
            (44 << 9 | 2 << 5 | 29, 12 << 11 | 34 << 5 | 28)
        );
        assert_eq!(dos_time(0), (1 << 5 | 1, 0));
    }
}
