use std::fs;
use std::path::{Path, PathBuf};

use git_id::{HashKind, ObjectId};
use storage_node_api::RepositoryId;
use tempfile::TempDir;

use super::CacheError;

/// Where things are in the cache directory.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// A directory for one push; removed when dropped.
#[derive(Debug)]
pub(crate) struct Quarantine(TempDir);

impl Quarantine {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Layout {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Makes the directories, and removes what pushes and downloads of an
    /// earlier process left.
    pub(crate) fn prepare(&self) -> Result<(), CacheError> {
        for stale in [
            self.answers(),
            self.incoming(),
            self.quarantines(),
            self.evicted(),
        ] {
            if stale.exists() {
                fs::remove_dir_all(&stale).map_err(CacheError::io(&stale))?;
            }
            fs::create_dir_all(&stale).map_err(CacheError::io(&stale))?;
        }
        let repositories = self.repositories();
        fs::create_dir_all(&repositories).map_err(CacheError::io(&repositories))
    }

    pub(crate) fn lock_file(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn repositories(&self) -> PathBuf {
        self.root.join("repositories")
    }

    fn quarantines(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// Where downloads are until they are checked.
    pub(crate) fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }

    /// Where answers are made that several clients are sent, in files without names.
    pub(crate) fn answers(&self) -> PathBuf {
        self.root.join("answers")
    }

    /// Where directories are on their way to deletion.
    pub(crate) fn evicted(&self) -> PathBuf {
        self.root.join("evicted")
    }

    pub(crate) fn repository(&self, id: RepositoryId) -> PathBuf {
        self.repositories().join(id.to_string())
    }

    fn packs(&self, id: RepositoryId) -> PathBuf {
        self.repository(id).join("objects").join("pack")
    }

    /// The path of a pack's file with that extension.
    pub(crate) fn file(&self, id: RepositoryId, checksum: &ObjectId, extension: &str) -> PathBuf {
        self.packs(id).join(format!("pack-{checksum}.{extension}"))
    }

    /// Makes what git looks for in a repository.
    pub(crate) fn make_repository(
        &self,
        id: RepositoryId,
        hash: HashKind,
    ) -> Result<(), CacheError> {
        let root = self.repository(id);
        for directory in [self.packs(id), root.join("refs")] {
            fs::create_dir_all(&directory).map_err(CacheError::io(&directory))?;
        }
        let config = match hash {
            HashKind::Sha1 => "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
            HashKind::Sha256 => {
                "[core]\n\trepositoryformatversion = 1\n\tbare = true\n\
                 [extensions]\n\tobjectformat = sha256\n"
            }
        };
        for (name, content) in [("HEAD", "ref: refs/heads/main\n"), ("config", config)] {
            let path = root.join(name);
            if !path.exists() {
                fs::write(&path, content).map_err(CacheError::io(&path))?;
            }
        }
        Ok(())
    }

    /// A new directory for a push.
    pub(crate) fn quarantine(&self) -> Result<Quarantine, CacheError> {
        let parent = self.quarantines();
        let directory = tempfile::Builder::new().prefix("push-").tempdir_in(&parent);
        directory.map(Quarantine).map_err(CacheError::io(parent))
    }
}
