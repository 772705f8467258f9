use std::io::{self, IoSlice};
use std::sync::Arc;

use runtime::{File, Files, MemoryFiles};

/// How far ahead of what is written space is reserved: volumes ask for much
/// more, and every node of every seed would pay for it.
const RESERVED_BYTES: u64 = 256 << 10;

/// Files in memory, whose syncs may be told to do nothing.
#[derive(Debug)]
pub(super) struct SimulatedFiles {
    pub(super) files: MemoryFiles,
    pub(super) syncs: bool,
}

#[derive(Debug)]
struct SimulatedFile {
    file: Arc<dyn File>,
    syncs: bool,
}

impl SimulatedFiles {
    fn wrap(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(SimulatedFile {
            file,
            syncs: self.syncs,
        })
    }
}

impl Files for SimulatedFiles {
    fn create(&self, path: &str) -> io::Result<Arc<dyn File>> {
        self.files.create(path).map(|file| self.wrap(file))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn File>> {
        self.files.open(path).map(|file| self.wrap(file))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        self.files.list(dir)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.files.remove(path)
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.files.create_dir(path)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.files.sync_dir(path)
    }

    fn available_bytes(&self) -> io::Result<u64> {
        self.files.available_bytes()
    }
}

impl File for SimulatedFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn write_vectored_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        self.file.write_vectored_at(parts, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.syncs {
            self.file.sync_data()
        } else {
            Ok(())
        }
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, up_to: u64) -> io::Result<()> {
        let reserved = self.file.len()?.saturating_add(RESERVED_BYTES);
        self.file.allocate(up_to.min(reserved))
    }
}
