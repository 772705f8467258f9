use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often and how long apart a held lock is tried again: about as long as git
/// waits for a ref (100 ms).
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(10);

/// A file's lock in git's manner: `<file>.lock`, which holds the file's new
/// content and is renamed over it. Dropped, it is removed.
///
/// After a crash the lock file stays, as git's does, and somebody removes it by
/// hand.
#[derive(Debug)]
pub(super) struct LockFile {
    target: PathBuf,
    lock: PathBuf,
    file: Option<File>,
    committed: bool,
}

impl LockFile {
    /// Takes the lock, making the directories above it; waits a little for
    /// another holder. `Ok(None)` if that one does not let go.
    pub(super) fn acquire(target: PathBuf) -> io::Result<Option<Self>> {
        let mut lock = target.clone().into_os_string();
        lock.push(".lock");
        let lock = PathBuf::from(lock);
        for attempt in 0..ATTEMPTS {
            match OpenOptions::new().write(true).create_new(true).open(&lock) {
                Ok(file) => {
                    return Ok(Some(Self {
                        target,
                        lock,
                        file: Some(file),
                        committed: false,
                    }));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // Another process may be removing empty directories just now.
                    let made = lock.parent().map_or(Ok(()), std::fs::create_dir_all);
                    if attempt + 1 == ATTEMPTS {
                        made?;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    std::thread::sleep(PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// When the lock was taken, by the file system's clock.
    pub(super) fn taken_at(&self) -> io::Result<SystemTime> {
        self.lock.metadata()?.modified()
    }

    /// The file that is locked.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Replaces the file. After a crash it has its old or its new content.
    pub(super) fn commit(mut self, content: &[u8]) -> io::Result<()> {
        if let Some(mut file) = self.file.take() {
            file.write_all(content)?;
            file.sync_all()?;
        }
        match std::fs::rename(&self.lock, &self.target) {
            // Deleted refs leave empty directories, which give way to a ref.
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                remove_empty_directories(&self.target);
                std::fs::rename(&self.lock, &self.target)?;
            }
            renamed => renamed?,
        }
        self.committed = true;
        self.target.parent().map_or(Ok(()), sync_directory)
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        if !self.committed {
            // Nothing can be done about a failure; the next holder reports it.
            let _left_behind = std::fs::remove_file(&self.lock);
        }
    }
}

/// Makes renames in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Removes a directory with nothing but directories in it; leaves what is not
/// empty.
pub(super) fn remove_empty_directories(top: &Path) {
    let mut found = vec![top.to_path_buf()];
    let mut next = 0;
    while let Some(directory) = found.get(next).cloned() {
        next += 1;
        let Ok(entries) = std::fs::read_dir(directory) else {
            continue;
        };
        let directories = entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        found.extend(directories.map(|entry| entry.path()));
    }
    for directory in found.iter().rev() {
        let _not_empty = std::fs::remove_dir(directory);
    }
}

#[cfg(test)]
mod tests {
    use super::LockFile;

    #[test]
    fn one_holds_the_lock_and_a_drop_releases_it() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("refs/heads/a");
        let held = LockFile::acquire(target.clone()).unwrap().unwrap();
        assert!(LockFile::acquire(target.clone()).unwrap().is_none());
        drop(held);
        assert!(!target.exists());
        LockFile::acquire(target.clone())
            .unwrap()
            .unwrap()
            .commit(b"new\n")
            .unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"new\n");
        assert!(!target.with_extension("lock").exists());
    }

    #[test]
    fn empty_directories_give_way() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("a");
        std::fs::create_dir_all(target.join("b/c")).unwrap();
        LockFile::acquire(target.clone())
            .unwrap()
            .unwrap()
            .commit(b"x")
            .unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"x");
        let full = directory.path().join("d");
        std::fs::create_dir_all(&full).unwrap();
        std::fs::write(full.join("e"), b"").unwrap();
        assert!(
            LockFile::acquire(full)
                .unwrap()
                .unwrap()
                .commit(b"x")
                .is_err()
        );
    }
}
