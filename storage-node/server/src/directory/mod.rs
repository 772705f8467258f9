//! The directory that holds everything a process keeps.
//!
//! ```text
//! format      the first machine version whose releases can use it; see [`raise_format`]
//! lock        held while a process uses the directory
//! node        who this node is
//! distrusted  which of its replicas were found wrong and are not rebuilt yet
//! raft/       the log of all groups (RocksDB)
//! state/      the replicated state and the chunk index (RocksDB)
//! metadata/   the facts (SQLite)
//! volumes/    the chunks
//! identity/   certificates, if the node is part of a cluster
//! cache/      what a frontend can fetch again
//! ```
//!
//! One process at a time: the lock is the kernel's, so it goes with the process
//! however that ends. A directory of a later format is refused untouched, so that
//! an upgrade cannot be taken back once the cluster has risen to what an earlier
//! release does not know.

mod distrusted;
mod format;
mod record;
mod refused;
mod sealed;
mod set_aside;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

pub use distrusted::{Distrusted, DistrustedError};
pub use format::raise_format;
pub use record::{NodeRecord, RecordError};
pub use refused::{RefusedForever, had_log, has_log};
pub use set_aside::SetAside;

use format::{FORMAT_FILE, KNOWN, NEW};

const LOCK_FILE: &str = "lock";

/// An open and locked data directory.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

/// Why a data directory could not be opened. It is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process has it open.
    #[error(
        "the data directory {} is in use by another process: stop that one, or use another directory with --data",
        path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// A later release wrote it.
    #[error(
        "the data directory {} has format {found}, this program knows {KNOWN}: use the release that wrote it, or a newer one",
        path.display()
    )]
    Newer {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It holds files, but no format file.
    #[error(
        "{} is not empty and not a data directory: choose an empty or new directory with --data",
        path.display()
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// The format file is damaged.
    #[error("the format file of the data directory {} cannot be read as a number", path.display())]
    BadFormat {
        /// The directory.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("open the data directory {}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl DataDirectory {
    /// Opens a data directory, making it if it does not exist or is empty.
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        let io = |source| DirectoryError::Io {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(path).map_err(io)?;
        let path = path.canonicalize().map_err(io)?;
        check_format(&path)?;
        let lock = lock(&path)?;
        // Written under the lock, so that two first starts cannot both believe to be alone.
        if !path.join(FORMAT_FILE).exists() {
            write_synced(&path, FORMAT_FILE, format!("{NEW}\n").as_bytes()).map_err(io)?;
        }
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A directory below it, made if it is not there.
    pub fn below(&self, name: &str) -> Result<PathBuf, DirectoryError> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).map_err(|source| DirectoryError::Io {
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }
}

fn check_format(path: &Path) -> Result<(), DirectoryError> {
    let io = |source| DirectoryError::Io {
        path: path.to_owned(),
        source,
    };
    match fs::read_to_string(path.join(FORMAT_FILE)) {
        Ok(text) => {
            let bad = |_| DirectoryError::BadFormat {
                path: path.to_owned(),
            };
            let found: u32 = text.trim().parse().map_err(bad)?;
            if found > KNOWN {
                return Err(DirectoryError::Newer {
                    path: path.to_owned(),
                    found,
                });
            }
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let foreign = fs::read_dir(path).map_err(io)?.flatten().any(|entry| {
                // A first start that was killed early leaves the lock; `cluster join` leaves
                // the identity.
                let name = entry.file_name();
                name != LOCK_FILE && name != "identity" && name != "lost+found"
            });
            if foreign {
                return Err(DirectoryError::Foreign {
                    path: path.to_owned(),
                });
            }
            Ok(())
        }
        Err(error) => Err(io(error)),
    }
}

fn lock(path: &Path) -> Result<File, DirectoryError> {
    let io = |source| DirectoryError::Io {
        path: path.to_owned(),
        source,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.join(LOCK_FILE))
        .map_err(io)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(DirectoryError::InUse {
            path: path.to_owned(),
        }),
        Err(error) => Err(io(error.into())),
    }
}

/// Replaces a small file so that a crash leaves the old content or the new.
fn write_synced(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let aside = directory.join(format!("{name}.new"));
    let mut file = File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, directory.join(name))?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{DataDirectory, DirectoryError};

    #[test]
    fn a_second_opener_is_refused_until_the_first_is_gone() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        let first = DataDirectory::open(&data).unwrap();
        assert!(matches!(
            DataDirectory::open(&data),
            Err(DirectoryError::InUse { .. })
        ));
        drop(first);
        DataDirectory::open(&data).unwrap();
    }

    #[test]
    fn a_newer_or_foreign_directory_is_refused_untouched() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("format"), "99\n").unwrap();
        let error = DataDirectory::open(place.path()).unwrap_err();
        assert!(
            matches!(error, DirectoryError::Newer { found: 99, .. }),
            "{error}"
        );
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);

        fs::write(place.path().join("format"), "two").unwrap();
        let error = DataDirectory::open(place.path()).unwrap_err();
        assert!(matches!(error, DirectoryError::BadFormat { .. }), "{error}");

        fs::remove_file(place.path().join("format")).unwrap();
        fs::write(place.path().join("thesis.txt"), "precious").unwrap();
        let error = DataDirectory::open(place.path()).unwrap_err();
        assert!(matches!(error, DirectoryError::Foreign { .. }), "{error}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
