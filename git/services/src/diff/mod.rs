//! What changed between two trees: paths, lines, words; what `git diff` says.
//!
//! Not here: attributes that call a file binary or text, drivers, copies.

mod hunks;
mod lines;
mod patch;
mod renames;
mod similar;
mod trees;

use std::sync::atomic::AtomicBool;

use git_id::ObjectId;
use git_pack::{Objects, ReadError};

pub use hunks::{Hunk, HunkLine, LineKind};
pub use lines::{Change, Whitespace, word_changes};
pub(crate) use lines::{line_changes, split_lines};
pub use patch::{PatchError, write_patch};

use crate::limits::DIFF_BYTES;
use crate::mode::Mode;

/// How two trees are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DiffOptions {
    /// Whether files that moved are told from others that are gone or new.
    pub renames: bool,
    /// How much two files must share to be taken for one that was renamed, in hundredths.
    pub similarity: u8,
    /// With more files gone and new than the square of this, multiplied, only those that did not change are
    /// taken for renamed.
    pub rename_limit: usize,
    /// How files are compared.
    pub lines: LineOptions,
}

/// How two files are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LineOptions {
    /// When lines are the same.
    pub whitespace: Whitespace,
    /// Whether changes of nothing but empty lines are left out.
    pub ignore_blank_lines: bool,
    /// How many lines around a change are shown.
    pub context: u32,
}

impl Default for DiffOptions {
    /// Git's.
    fn default() -> Self {
        Self {
            renames: true,
            similarity: 50,
            rename_limit: 1000,
            lines: LineOptions::default(),
        }
    }
}

impl Default for LineOptions {
    fn default() -> Self {
        Self {
            whitespace: Whitespace::Exact,
            ignore_blank_lines: false,
            context: 3,
        }
    }
}

/// A file on one side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Where it is.
    pub path: Vec<u8>,
    /// What it is; never a directory.
    pub mode: Mode,
    /// Its content, or a submodule's commit.
    pub id: ObjectId,
}

/// A file that differs: new if there is nothing before, gone if there is nothing after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// As it was.
    pub before: Option<Side>,
    /// As it is.
    pub after: Option<Side>,
    /// If it was renamed, how much of it stayed, in hundredths.
    pub similarity: Option<u8>,
}

impl FileChange {
    /// Where it is, or was if it is gone.
    pub fn path(&self) -> &[u8] {
        let side = self.after.as_ref().or(self.before.as_ref());
        side.map_or(&[], |side| &side.path)
    }

    /// The two contents are the same, as in a file that only moved or changed its mode.
    pub fn is_same_content(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => before.id == after.id,
            _ => false,
        }
    }
}

/// How a file's content changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileDiff {
    /// It is no text, or too large; there are no lines then.
    pub is_binary: bool,
    /// How many lines are new.
    pub added: u32,
    /// How many lines are gone.
    pub removed: u32,
    /// What to show.
    pub hunks: Vec<Hunk>,
}

/// Which files differ between two trees, either of which may be absent, in the order of trees.
///
/// # Errors
///
/// An object is missing or damaged, or nobody waits any more.
pub fn diff_trees(
    objects: &Objects,
    before: Option<&ObjectId>,
    after: Option<&ObjectId>,
    options: &DiffOptions,
    cancel: &AtomicBool,
) -> Result<Vec<FileChange>, ReadError> {
    let changes = trees::compare_trees(objects, before, after, cancel)?;
    match options.renames {
        true => renames::detect_renames(objects, changes, options, cancel),
        false => Ok(changes),
    }
}

/// The file that is gone and became the one at a path, whatever else is new.
pub(crate) fn rename_source(
    objects: &Objects,
    before: &ObjectId,
    after: &ObjectId,
    path: &[u8],
    cancel: &AtomicBool,
) -> Result<Option<Side>, ReadError> {
    let mut changes = trees::compare_trees(objects, Some(before), Some(after), cancel)?;
    changes.retain(|change| change.after.is_none() || change.path() == path);
    let options = DiffOptions::default();
    let changes = renames::detect_renames(objects, changes, &options, cancel)?;
    let renamed = |change: &FileChange| change.similarity.is_some() && change.path() == path;
    let renamed = changes.into_iter().find(renamed);
    Ok(renamed.and_then(|change| change.before))
}

/// How the content of one file changed.
///
/// # Errors
///
/// An object is missing or damaged.
pub fn diff_file(
    objects: &Objects,
    change: &FileChange,
    options: &LineOptions,
) -> Result<FileDiff, ReadError> {
    if change.is_same_content() {
        return Ok(FileDiff::default());
    }
    let before = content(objects, change.before.as_ref())?;
    let after = content(objects, change.after.as_ref())?;
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(FileDiff {
            is_binary: true,
            ..FileDiff::default()
        });
    };
    Ok(hunks::compare(&before, &after, options))
}

/// The text of one side; `None` if it is no text. For a submodule, the line that git shows.
fn content(objects: &Objects, side: Option<&Side>) -> Result<Option<Vec<u8>>, ReadError> {
    let Some(side) = side else {
        return Ok(Some(Vec::new()));
    };
    if side.mode == Mode::Submodule {
        return Ok(Some(
            format!("Subproject commit {}\n", side.id).into_bytes(),
        ));
    }
    let missing = || ReadError::Missing {
        id: side.id,
        referrer: None,
    };
    let header = objects.header(&side.id)?.ok_or_else(missing)?;
    if header.size > DIFF_BYTES {
        return Ok(None);
    }
    let data = objects.read(&side.id)?.ok_or_else(missing)?.data;
    Ok(is_text(&data).then_some(data))
}

/// Bytes that are looked at to tell text from other content, as in git.
const SNIFFED_BYTES: usize = 8000;

/// Whether content is text as git tells it: no NUL near its beginning.
pub(crate) fn is_text(content: &[u8]) -> bool {
    !content[..content.len().min(SNIFFED_BYTES)].contains(&0)
}
