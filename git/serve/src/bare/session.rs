use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use git_id::HashKind;
use git_pack::{Objects, ReceivedPack};
use tempfile::TempDir;

use super::lock::sync_directory;
use super::namespace::Namespace;
use super::reflog::Reflog;
use super::transaction::{Transaction, TransactionError};
use crate::{CommitError, Push, PushSession, RefCommand, RefOutcome};

/// git's own name for such directories: what a crash leaves behind, `git gc`
/// removes.
const QUARANTINE_PREFIX: &str = "tmp_objdir-incoming-";

/// A push into a directory: the pack waits in `objects/tmp_objdir-incoming-*`, where no
/// reader looks, and moves to `objects/pack` when its refs are locked and agree.
#[derive(Debug)]
pub(super) struct BareSession {
    directory: PathBuf,
    hash: HashKind,
    namespace: Option<Namespace>,
    reflog: Reflog,
    quarantine: TempDir,
}

impl BareSession {
    pub(super) fn begin(
        directory: &Path,
        hash: HashKind,
        namespace: Option<Namespace>,
        reflog: Reflog,
    ) -> io::Result<Self> {
        let objects = directory.join("objects");
        let quarantine = tempfile::Builder::new()
            .prefix(QUARANTINE_PREFIX)
            .tempdir_in(objects)?;
        Ok(Self {
            directory: directory.to_path_buf(),
            hash,
            namespace,
            reflog,
            quarantine,
        })
    }

    fn commit_blocking(self, push: &Push) -> Result<Vec<RefOutcome>, TransactionError> {
        let objects = self.directory.join("objects");
        let publish = || {
            if let Some(pack) = &push.pack {
                move_pack(pack, &objects.join("pack"))?;
            }
            Ok(Objects::open_directory(self.hash, &objects)?)
        };
        let commands = self.commands(&push.commands)?;
        Transaction::new(&self.directory, self.hash, Some(self.reflog.clone())).run(
            &commands,
            push.atomic,
            publish,
        )
    }

    /// The commands with the names that their refs have in the repository.
    fn commands<'a>(
        &self,
        commands: &'a [RefCommand],
    ) -> Result<Cow<'a, [RefCommand]>, TransactionError> {
        let Some(namespace) = &self.namespace else {
            return Ok(Cow::Borrowed(commands));
        };
        let outside = |command: &RefCommand| {
            let name = namespace.outside(&command.name)?;
            Ok(RefCommand {
                name,
                ..command.clone()
            })
        };
        let commands: Result<_, _> = commands.iter().map(outside).collect();
        commands.map(Cow::Owned).map_err(TransactionError::Name)
    }
}

#[async_trait]
impl PushSession for BareSession {
    fn quarantine(&self) -> &Path {
        self.quarantine.path()
    }

    async fn commit(self: Box<Self>, push: Push) -> Result<Vec<RefOutcome>, CommitError> {
        let done = tokio::task::spawn_blocking(move || self.commit_blocking(&push)).await;
        match done {
            Ok(Ok(outcomes)) => Ok(outcomes),
            Ok(Err(error @ TransactionError::Write(_))) => Err(CommitError::Unknown {
                source: error.into(),
            }),
            Ok(Err(error)) => Err(CommitError::NotStored {
                source: error.into(),
            }),
            Err(error) => Err(CommitError::Unknown {
                source: error.into(),
            }),
        }
    }
}

/// Moves the pack, its index last: without one no reader sees a pack.
fn move_pack(received: &ReceivedPack, directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let files = [
        Some(&received.pack),
        received.edges.as_ref(),
        Some(&received.index),
    ];
    for file in files.into_iter().flatten() {
        if let Some(name) = file.file_name() {
            let mut permissions = file.metadata()?.permissions();
            permissions.set_readonly(true);
            std::fs::set_permissions(file, permissions)?;
            std::fs::rename(file, directory.join(name))?;
        }
    }
    sync_directory(directory)
}
