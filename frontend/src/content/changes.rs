use std::io::{self, Write};

use git_id::ObjectId;
use git_pack::{Commit, ReadError};
use git_services::{DiffOptions, FileChange, FileDiff, PatchError, Services, write_patch};

use crate::limits::{CHANGED_FILES, PATCH_BYTES};

/// What changed between two trees.
#[derive(Debug)]
pub(crate) struct Changes {
    /// At most [`CHANGED_FILES`].
    pub(crate) files: Vec<(FileChange, FileDiff)>,
    /// How many files there are beyond those.
    pub(crate) more: usize,
}

impl Changes {
    /// Compares two trees, or a tree with nothing.
    pub(crate) fn read(
        services: &dyn Services,
        before: Option<&ObjectId>,
        after: &ObjectId,
    ) -> Result<Self, ReadError> {
        let options = DiffOptions::default();
        let changes = services.diff_trees(before, Some(after), &options)?;
        let more = changes.len().saturating_sub(CHANGED_FILES);
        let mut files = Vec::new();
        for change in changes.into_iter().take(CHANGED_FILES) {
            let diff = services.diff_file(&change, &options.lines)?;
            files.push((change, diff));
        }
        Ok(Self { files, more })
    }

    /// What a commit changed of its first parent.
    pub(crate) fn of(services: &dyn Services, commit: &Commit) -> Result<Self, ReadError> {
        let before = tree_before(services, commit)?;
        Self::read(services, before.as_ref(), &commit.tree)
    }

    pub(crate) fn added(&self) -> u64 {
        let lines = self.files.iter().map(|(_, diff)| u64::from(diff.added));
        lines.sum()
    }

    pub(crate) fn removed(&self) -> u64 {
        let lines = self.files.iter().map(|(_, diff)| u64::from(diff.removed));
        lines.sum()
    }
}

/// The tree of a commit's first parent, if it has one.
pub(crate) fn tree_before(
    services: &dyn Services,
    commit: &Commit,
) -> Result<Option<ObjectId>, ReadError> {
    let Some(parent) = commit.parents.first() else {
        return Ok(None);
    };
    let parent = services.objects().commit(parent)?;
    Ok(parent.map(|parent| parent.tree))
}

/// The patch from one tree to another; `None` if it is over [`PATCH_BYTES`].
pub(crate) fn patch(
    services: &dyn Services,
    before: Option<&ObjectId>,
    after: &ObjectId,
) -> Result<Option<Vec<u8>>, ReadError> {
    let options = DiffOptions::default();
    let changes = services.diff_trees(before, Some(after), &options)?;
    let mut out = Bounded(Vec::new());
    match write_patch(services.objects(), &changes, &options.lines, &mut out) {
        Ok(()) => Ok(Some(out.0)),
        Err(PatchError::Read(error)) => Err(error),
        Err(PatchError::Write(_)) => Ok(None),
    }
}

struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > PATCH_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
