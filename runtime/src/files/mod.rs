//! Files under one directory, on disk or in memory.

mod hooked;
mod memory;
mod path;
mod real;

use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;

pub use hooked::{FileHooks, HookedFiles};
pub use memory::MemoryFiles;
pub use path::{PathError, check_path};
pub use real::RealFiles;

/// The files below one root directory.
///
/// Paths are relative, use `/`, and pass [`check_path`]; the empty path names the root
/// directory. Any other path fails with [`io::ErrorKind::InvalidInput`].
///
/// Durability is POSIX's: [`File::sync_data`] makes the bytes of a file durable and
/// [`Files::sync_dir`] the names in a directory. A crash may undo anything else, in whole or in
/// part. A rename within one directory is atomic; one between directories is durable when both
/// were synced.
pub trait Files: Send + Sync + fmt::Debug {
    /// Creates a file for reading and writing. Fails with `AlreadyExists` if the name is taken.
    fn create(&self, path: &str) -> io::Result<Arc<dyn File>>;

    /// Opens an existing file for reading and writing.
    fn open(&self, path: &str) -> io::Result<Arc<dyn File>>;

    /// The names in a directory (files and directories), sorted.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;

    /// Gives a file or directory another name, replacing a file of that name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file, or a directory that is empty. Open files stay usable.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Creates a directory; its parent must exist. One that exists already is a success.
    fn create_dir(&self, path: &str) -> io::Result<()>;

    /// Makes the present names in a directory durable.
    fn sync_dir(&self, path: &str) -> io::Result<()>;

    /// Bytes that can still be written here.
    fn available_bytes(&self) -> io::Result<u64>;
}

/// An open file. All positions are absolute, so that one file serves many threads.
pub trait File: Send + Sync + fmt::Debug {
    /// Reads from `offset` on until `buf` is full or the file ends; returns how much it read.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`, extending the file with zeros if that is past its end.
    /// After an error any part of them may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Writes all of `parts`, one after the other, at `offset`.
    fn write_vectored_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()>;

    /// Makes all earlier writes and lengths durable. After an error it is unknown which are, and
    /// a later success does not say that they are: write them again.
    fn sync_data(&self) -> io::Result<()>;

    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts the file or extends it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Extends the file with zeros to at least `up_to` bytes and reserves the space where the
    /// file system can. Never shortens it. Fails with `StorageFull` if there is no room.
    fn allocate(&self, up_to: u64) -> io::Result<()>;
}
