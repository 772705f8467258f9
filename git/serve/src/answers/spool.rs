use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// How much of a pack is kept in memory before a file is made for it. Most fetches are shorter.
const IN_MEMORY_BYTES: usize = 256 * 1024;

/// The bytes of a pack that grows: short ones in memory, long ones in a file without a name,
/// which is gone with the process.
#[derive(Debug, Default)]
pub(super) struct Spool {
    memory: Vec<u8>,
    file: Option<Arc<File>>,
    len: u64,
}

/// Where a piece can be read without holding anybody up.
pub(super) enum Piece {
    /// Here it is.
    Bytes(Vec<u8>),
    /// In that file, so many bytes.
    InFile(Arc<File>, usize),
}

impl Spool {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn append(&mut self, bytes: &[u8], directory: &Path) -> io::Result<()> {
        if self.file.is_none() && self.memory.len() + bytes.len() > IN_MEMORY_BYTES {
            let mut file = tempfile::tempfile_in(directory)?;
            file.write_all(&self.memory)?;
            self.memory = Vec::new();
            self.file = Some(Arc::new(file));
        }
        match &self.file {
            Some(file) => file.write_all_at(bytes, self.len)?,
            None => self.memory.extend_from_slice(bytes),
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// What there is from a position on, `most` bytes at most.
    pub(super) fn piece(&self, from: u64, most: usize) -> Piece {
        let left = usize::try_from(self.len.saturating_sub(from)).unwrap_or(usize::MAX);
        let count = left.min(most);
        match &self.file {
            Some(file) => Piece::InFile(Arc::clone(file), count),
            None => {
                let rest = usize::try_from(from)
                    .ok()
                    .and_then(|from| self.memory.get(from..))
                    .unwrap_or_default();
                Piece::Bytes(rest[..count.min(rest.len())].to_vec())
            }
        }
    }
}

impl Piece {
    /// Its bytes, which begin at `from`; `buffer` may be used for them.
    pub(super) fn read<'a>(&'a self, from: u64, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::InFile(file, count) => {
                buffer.resize(*count, 0);
                file.read_exact_at(buffer, from)?;
                Ok(buffer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{IN_MEMORY_BYTES, Spool};

    #[test]
    fn what_is_appended_is_read_from_memory_and_from_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::default();
        let mut expected = Vec::new();
        let mut buffer = Vec::new();
        for round in 0_u8..8 {
            let bytes = vec![round; IN_MEMORY_BYTES / 3];
            spool.append(&bytes, directory.path()).unwrap();
            expected.extend_from_slice(&bytes);
            assert_eq!(spool.file.is_some(), expected.len() > IN_MEMORY_BYTES);
            let mut read = Vec::new();
            while (read.len() as u64) < spool.len() {
                let from = read.len() as u64;
                let piece = spool.piece(from, 10_000);
                read.extend_from_slice(piece.read(from, &mut buffer).unwrap());
            }
            assert_eq!(read, expected);
        }
        // A file without a name leaves nothing behind.
        assert_eq!(directory.path().read_dir().unwrap().count(), 0);
    }
}
