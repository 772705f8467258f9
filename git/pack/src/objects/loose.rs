use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use git_id::{HashKind, ObjectId};

use super::error::ReadError;
use super::{Header, MAX_READ_BYTES, Object};
use crate::Kind;
use crate::defect::Defect;
use crate::entry::Inflater;

/// The longest header of a loose object: kind, space, size, NUL.
const MAX_HEADER_BYTES: usize = 32;

/// Bytes inflated at a time.
const PIECE_BYTES: usize = 64 << 10;

/// A directory of loose objects: one zlib-compressed file each, in 256
/// subdirectories by the first byte of the name.
#[derive(Clone, Debug)]
pub(crate) struct LooseObjects {
    directory: PathBuf,
}

impl LooseObjects {
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    fn path(&self, id: &ObjectId) -> PathBuf {
        let hex = id.to_string();
        self.directory.join(&hex[..2]).join(&hex[2..])
    }

    pub(crate) fn contains(&self, id: &ObjectId) -> bool {
        self.path(id).is_file()
    }

    /// The names of all objects in here, in no order.
    pub(crate) fn list(&self, hash: HashKind) -> io::Result<Vec<ObjectId>> {
        let mut ids = Vec::new();
        for first in 0..=u8::MAX {
            let prefix = format!("{first:02x}");
            let entries = match fs::read_dir(self.directory.join(&prefix)) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let name = format!("{prefix}{}", entry?.file_name().to_string_lossy());
                let id = name.parse().ok().filter(|id: &ObjectId| id.kind() == hash);
                ids.extend(id);
            }
        }
        Ok(ids)
    }

    /// Deletes an object's file, which may be gone already.
    pub(crate) fn remove(&self, id: &ObjectId) -> io::Result<()> {
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Kind and size; `None` if it is not here.
    pub(crate) fn header(
        &self,
        id: &ObjectId,
        inflater: &mut Inflater,
    ) -> Result<Option<Header>, ReadError> {
        Ok(self.open(id, inflater)?.map(|stream| stream.header))
    }

    /// The object; `None` if it is not here.
    pub(crate) fn read(
        &self,
        id: &ObjectId,
        inflater: &mut Inflater,
    ) -> Result<Option<Object>, ReadError> {
        let Some(mut stream) = self.open(id, inflater)? else {
            return Ok(None);
        };
        let size = stream.header.size;
        if size > MAX_READ_BYTES {
            return Err(stream.corrupt(Defect::TooLarge {
                size,
                limit: MAX_READ_BYTES,
            }));
        }
        let mut data = std::mem::take(&mut stream.start);
        let mut piece = vec![0; PIECE_BYTES];
        while !stream.ended {
            let put = stream.step(inflater, &mut piece)?;
            data.extend_from_slice(&piece[..put]);
            if data.len() as u64 > size {
                break;
            }
        }
        if data.len() as u64 != size {
            return Err(stream.corrupt(Defect::SizeMismatch));
        }
        Ok(Some(Object {
            kind: stream.header.kind,
            data,
        }))
    }

    fn open(
        &self,
        id: &ObjectId,
        inflater: &mut Inflater,
    ) -> Result<Option<LooseStream>, ReadError> {
        let path = self.path(id);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ReadError::Io { path, source }),
        };
        inflater.begin();
        let mut stream = LooseStream {
            path,
            file,
            input: vec![0; PIECE_BYTES],
            pending: 0..0,
            ended: false,
            header: Header {
                kind: Kind::Blob,
                size: 0,
            },
            start: Vec::new(),
        };
        let mut piece = [0; MAX_HEADER_BYTES];
        while stream.start.len() < MAX_HEADER_BYTES && !stream.ended {
            let room = MAX_HEADER_BYTES - stream.start.len();
            let put = stream.step(inflater, &mut piece[..room])?;
            stream.start.extend_from_slice(&piece[..put]);
        }
        let (header, length) =
            parse(&stream.start).ok_or_else(|| stream.corrupt(Defect::BadHeader))?;
        stream.start.drain(..length);
        stream.header = header;
        Ok(Some(stream))
    }
}

/// A loose object being read: the header is known, `start` is what was inflated
/// behind it.
struct LooseStream {
    path: PathBuf,
    file: File,
    input: Vec<u8>,
    pending: std::ops::Range<usize>,
    ended: bool,
    header: Header,
    start: Vec<u8>,
}

impl LooseStream {
    fn step(&mut self, inflater: &mut Inflater, out: &mut [u8]) -> Result<usize, ReadError> {
        if self.pending.is_empty() {
            let read = self.file.read(&mut self.input);
            let read = read.map_err(|source| ReadError::Io {
                path: self.path.clone(),
                source,
            })?;
            self.pending = 0..read;
        }
        let input = &self.input[self.pending.clone()];
        let at_end = input.is_empty();
        let (taken, put, ended) = inflater
            .step(input, out)
            .map_err(|defect| self.corrupt(defect))?;
        self.pending.start += taken;
        self.ended = ended;
        if at_end && put == 0 && !ended {
            return Err(self.corrupt(Defect::Truncated));
        }
        Ok(put)
    }

    fn corrupt(&self, defect: Defect) -> ReadError {
        ReadError::CorruptLoose {
            path: self.path.clone(),
            defect,
        }
    }
}

fn parse(start: &[u8]) -> Option<(Header, usize)> {
    let end = start.iter().position(|byte| *byte == 0)?;
    let space = start[..end].iter().position(|byte| *byte == b' ')?;
    let kind = Kind::from_name(&start[..space])?;
    let digits = &start[space + 1..end];
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((Header { kind, size }, end + 1))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::Kind;

    #[test]
    fn the_header_is_kind_space_size_nul() {
        let (header, length) = parse(b"blob 12\0hello").unwrap();
        assert_eq!((header.kind, header.size, length), (Kind::Blob, 12, 8));
        for broken in [
            &b"blob 12"[..],
            b"blob\0",
            b"blob \0",
            b"blob +1\0",
            b"glob 1\0",
            b" 1\0",
        ] {
            assert!(parse(broken).is_none(), "{broken:?}");
        }
    }
}
