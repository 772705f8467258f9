//! The ustar and pax formats (POSIX.1-2008, pax), in the choice of fields that git makes.

use std::io::{self, Write};

use git_id::ObjectId;

use super::{Content, Member, Sink};

/// Everything is padded to this many bytes.
const RECORD_BYTES: usize = 512;

/// An archive ends with zeroes up to a multiple of this many bytes.
const BLOCK_BYTES: u64 = 20 * RECORD_BYTES as u64;

const NAME_BYTES: usize = 100;
const PREFIX_BYTES: usize = 155;
const LINK_BYTES: usize = 100;

/// The greatest number that eleven octal digits say: sizes in bytes, times in seconds.
const MAX_NUMBER: u64 = 0o777_7777_7777;

/// What git takes away from modes.
const UMASK: u32 = 0o002;

const EXTENDED: u8 = b'x';
const GLOBAL: u8 = b'g';

/// A tar that is being written.
pub(super) struct Tar<W> {
    out: W,
    written: u64,
    time: u64,
}

/// The fields of a header that differ between members.
struct Header<'a> {
    kind: u8,
    mode: u32,
    size: u64,
    prefix: &'a [u8],
    name: &'a [u8],
    link: &'a [u8],
}

impl<W: Write> Tar<W> {
    /// Writes the global header, which names the commit.
    pub(super) fn begin(out: W, commit: Option<&ObjectId>, time: i64) -> io::Result<Self> {
        let time = u64::try_from(time).unwrap_or(0);
        let mut tar = Self {
            out,
            written: 0,
            time: time.min(MAX_NUMBER),
        };
        let mut global = Vec::new();
        if let Some(commit) = commit {
            pax_record(&mut global, "comment", commit.to_string().as_bytes());
        }
        if time > MAX_NUMBER {
            pax_record(&mut global, "mtime", time.to_string().as_bytes());
        }
        if !global.is_empty() {
            tar.pax_header(GLOBAL, b"pax_global_header", &global)?;
        }
        Ok(tar)
    }

    fn pax_header(&mut self, kind: u8, name: &[u8], records: &[u8]) -> io::Result<()> {
        self.header(&Header {
            kind,
            mode: 0o666,
            size: records.len() as u64,
            prefix: &[],
            name,
            link: &[],
        })?;
        self.padded(records)
    }

    fn header(&mut self, header: &Header<'_>) -> io::Result<()> {
        let mut record = [0u8; RECORD_BYTES];
        let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, header.name);
        put(100, format!("{:07o}", header.mode & 0o7777).as_bytes());
        put(108, b"0000000");
        put(116, b"0000000");
        put(124, format!("{:011o}", header.size).as_bytes());
        put(136, format!("{:011o}", self.time).as_bytes());
        put(148, b"        ");
        put(156, &[header.kind]);
        put(157, header.link);
        put(257, b"ustar\x0000");
        put(265, b"root");
        put(297, b"root");
        put(329, b"0000000");
        put(337, b"0000000");
        put(345, header.prefix);
        let sum: u32 = record.iter().map(|byte| u32::from(*byte)).sum();
        record[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
        self.padded(&record)
    }

    fn padded(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        let padding = bytes.len().next_multiple_of(RECORD_BYTES) - bytes.len();
        self.out.write_all(&[0; RECORD_BYTES][..padding])?;
        self.written += (bytes.len() + padding) as u64;
        Ok(())
    }
}

impl<W: Write> Sink for Tar<W> {
    fn put(&mut self, member: &Member<'_>) -> io::Result<()> {
        let id = member.id.to_string();
        let mut records = Vec::new();
        let stand_in = format!("{id}.data").into_bytes();
        let (prefix, name): (&[u8], &[u8]) = match split_path(member.path) {
            Some(parts) => parts,
            None => {
                pax_record(&mut records, "path", member.path);
                (&[], &stand_in)
            }
        };
        let (kind, mode, data): (u8, u32, &[u8]) = match member.content {
            Content::Directory => (b'5', 0o777 & !UMASK, &[]),
            Content::Link { .. } => (b'2', 0o777, &[]),
            Content::File { data, executable } => {
                let mode = if executable { 0o777 } else { 0o666 };
                (b'0', mode & !UMASK, data)
            }
        };
        let long_link = format!("see {id}.paxheader").into_bytes();
        let link: &[u8] = match member.content {
            Content::Link { target } if target.len() > LINK_BYTES => {
                pax_record(&mut records, "linkpath", target);
                &long_link
            }
            Content::Link { target } => target,
            Content::Directory | Content::File { .. } => &[],
        };
        let size = data.len() as u64;
        if size > MAX_NUMBER {
            pax_record(&mut records, "size", size.to_string().as_bytes());
        }
        if !records.is_empty() {
            self.pax_header(EXTENDED, format!("{id}.paxheader").as_bytes(), &records)?;
        }
        self.header(&Header {
            kind,
            mode,
            size: if size > MAX_NUMBER { 0 } else { size },
            prefix,
            name,
            link,
        })?;
        self.padded(data)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        let mut tail = BLOCK_BYTES - self.written % BLOCK_BYTES;
        if tail < 2 * RECORD_BYTES as u64 {
            tail += BLOCK_BYTES;
        }
        io::copy(&mut io::Read::take(io::repeat(0), tail), &mut self.out)?;
        self.out.flush()
    }
}

/// How a path fits into the fields for it, if it does.
fn split_path(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= NAME_BYTES {
        return Some((&[], path));
    }
    let end = path.len() - usize::from(path.ends_with(b"/"));
    let slash = path[..end.min(PREFIX_BYTES)]
        .iter()
        .rposition(|byte| *byte == b'/')
        .filter(|at| *at > 0)?;
    let name = &path[slash + 1..];
    (name.len() <= NAME_BYTES).then_some((&path[..slash], name))
}

/// Appends `LENGTH KEY=VALUE` and a line feed, where the length counts its own digits.
fn pax_record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = 1 + key.len() + 1 + value.len() + 1;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length += 1;
    }
    records.extend_from_slice(format!("{length} {key}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}
