use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;

use super::{File, Files};

/// What is done instead of some calls to a file. The rest goes through untouched.
pub trait FileHooks: Send + Sync + fmt::Debug {
    /// In place of [`File::sync_data`].
    fn sync_data(&self, file: &dyn File) -> io::Result<()> {
        file.sync_data()
    }

    /// In place of [`File::allocate`].
    fn allocate(&self, file: &dyn File, up_to: u64) -> io::Result<()> {
        file.allocate(up_to)
    }
}

/// Files whose calls go through hooks: for tests that watch them, or make a
/// disk that lies.
#[derive(Debug)]
pub struct HookedFiles {
    files: Arc<dyn Files>,
    hooks: Arc<dyn FileHooks>,
}

#[derive(Debug)]
struct HookedFile {
    file: Arc<dyn File>,
    hooks: Arc<dyn FileHooks>,
}

impl HookedFiles {
    /// These files, with every file that is opened from now on under the hooks.
    pub fn new(files: Arc<dyn Files>, hooks: Arc<dyn FileHooks>) -> Self {
        Self { files, hooks }
    }

    fn hook(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        let hooks = Arc::clone(&self.hooks);
        Arc::new(HookedFile { file, hooks })
    }
}

impl Files for HookedFiles {
    fn create(&self, path: &str) -> io::Result<Arc<dyn File>> {
        self.files.create(path).map(|file| self.hook(file))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn File>> {
        self.files.open(path).map(|file| self.hook(file))
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

impl File for HookedFile {
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
        self.hooks.sync_data(&*self.file)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, up_to: u64) -> io::Result<()> {
        self.hooks.allocate(&*self.file, up_to)
    }
}
