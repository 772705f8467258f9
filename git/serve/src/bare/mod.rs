//! A plain repository directory, as git itself keeps it: `HEAD`, `refs/`,
//! `packed-refs`, `objects/` and `config`.
//!
//! It keeps git's own locking (`.lock` files, renames), so that git and this
//! program may work on the same directory at the same time. Not here: hooks,
//! alternates offered to pushers, worktrees, reftable, dropping what nothing reaches.

mod caller;
mod config;
mod locate;
mod lock;
mod maintain;
mod namespace;
mod packed;
mod reflog;
mod refs;
mod session;
mod settings;
mod transaction;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use git_id::HashKind;
use git_pack::Objects;

pub use caller::Caller;
pub use config::{Config, ConfigError};
pub use locate::{OpenError, find};
pub use maintain::MaintainDirectoryError;
pub use settings::{HttpSettings, Settings};

use crate::bare::namespace::Namespace;
use crate::bare::reflog::Reflog;
use crate::bare::refs::RefFiles;
use crate::bare::session::BareSession;
use crate::{Policy, ProtocolVersion, PushSession, RefSnapshot, Repository, RepositoryError};

/// A repository directory.
#[derive(Debug)]
pub struct BareRepository {
    directory: PathBuf,
    settings: Settings,
    namespace: Option<Namespace>,
    session_id: Option<String>,
    reflog: Reflog,
    /// The objects that the last snapshot was read with.
    objects: Mutex<Option<Objects>>,
}

impl BareRepository {
    /// Opens a directory that [`find`] found. Reads its configuration once.
    pub fn open(directory: &Path, caller: &Caller) -> Result<Self, OpenError> {
        let settings = Settings::read(directory)?;
        let namespace = match &caller.namespace {
            Some(path) => Some(Namespace::new(path).ok_or_else(|| OpenError::Namespace {
                namespace: path.clone(),
            })?),
            None => None,
        };
        let reflog = settings.reflog(directory, caller);
        Ok(Self {
            directory: directory.to_path_buf(),
            settings,
            namespace,
            session_id: caller.session_id.clone(),
            reflog,
            objects: Mutex::new(None),
        })
    }

    /// The directory with `HEAD` in it.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What the configuration says.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The policy for a client of that protocol version.
    pub fn policy(&self, version: ProtocolVersion) -> Policy {
        self.settings.policy(version, self.session_id.as_deref())
    }

    /// Reads refs and opens objects; blocks.
    fn read_refs(
        directory: &Path,
        hash: HashKind,
        namespace: Option<&Namespace>,
    ) -> Result<(RefSnapshot, Objects), ReadRefsError> {
        let files = RefFiles::new(directory, hash);
        // Refs first: objects that they name are then there.
        let mut raw = files.read()?;
        if let Some(namespace) = namespace {
            raw = namespace.view(&raw);
        }
        let objects = Objects::open_directory(hash, &directory.join("objects"))?;
        let snapshot = raw.resolve(&objects)?;
        Ok((snapshot, objects))
    }
}

#[derive(Debug, thiserror::Error)]
enum ReadRefsError {
    #[error("read ref files")]
    Files(#[from] io::Error),
    #[error("open objects")]
    Open(#[from] git_pack::OpenError),
    #[error("peel tags")]
    Peel(#[from] git_pack::ReadError),
}

#[async_trait]
impl Repository for BareRepository {
    fn hash(&self) -> HashKind {
        self.settings.hash
    }

    async fn refs(&self) -> Result<Arc<RefSnapshot>, RepositoryError> {
        let (directory, hash) = (self.directory.clone(), self.settings.hash);
        let namespace = self.namespace.clone();
        let read = move || Self::read_refs(&directory, hash, namespace.as_ref());
        let (snapshot, objects) = blocking("read refs", read).await?;
        *self.objects.lock().unwrap_or_else(PoisonError::into_inner) = Some(objects);
        Ok(Arc::new(snapshot))
    }

    async fn objects(&self) -> Result<Objects, RepositoryError> {
        let known = self
            .objects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(objects) = known {
            return Ok(objects);
        }
        let (directory, hash) = (self.directory.join("objects"), self.settings.hash);
        blocking("open objects", move || {
            Objects::open_directory(hash, &directory)
        })
        .await
    }

    async fn begin_push(&self) -> Result<Box<dyn PushSession>, RepositoryError> {
        let (directory, hash) = (self.directory.clone(), self.settings.hash);
        let (namespace, reflog) = (self.namespace.clone(), self.reflog.clone());
        let begin = move || BareSession::begin(&directory, hash, namespace, reflog);
        let session = blocking("begin a push", begin).await?;
        Ok(Box::new(session))
    }
}

/// Runs a call that reads files, away from asynchronous tasks.
async fn blocking<T, E>(
    action: &'static str,
    call: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, RepositoryError>
where
    T: Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let done = tokio::task::spawn_blocking(call).await;
    let result = done.map_err(|error| RepositoryError::Broken {
        action,
        source: error.into(),
    })?;
    result.map_err(|error| RepositoryError::Broken {
        action,
        source: error.into(),
    })
}
