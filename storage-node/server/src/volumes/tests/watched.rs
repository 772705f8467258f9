//! Files that are watched, slow, or lie about syncing.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use runtime::{File, Files};

/// What to do with calls on their way to the files.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// How often a file was synced.
    pub(super) syncs: AtomicU64,
    /// Whether a sync is answered and not done.
    pub(super) lies: bool,
    /// How long a sync takes.
    pub(super) sync_takes: Duration,
}

/// Files under watch.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) files: Arc<dyn Files>,
    pub(super) watch: Arc<Watch>,
}

#[derive(Debug)]
struct WatchedFile {
    file: Arc<dyn File>,
    watch: Arc<Watch>,
}

impl Watched {
    fn wrap(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        let watch = Arc::clone(&self.watch);
        Arc::new(WatchedFile { file, watch })
    }
}

impl Files for Watched {
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

impl File for WatchedFile {
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
        self.watch.syncs.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(self.watch.sync_takes);
        if self.watch.lies {
            Ok(())
        } else {
            self.file.sync_data()
        }
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, up_to: u64) -> io::Result<()> {
        self.file.allocate(up_to)
    }
}
