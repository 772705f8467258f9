//! Git's own strict checks of single objects, as `receive.fsckObjects` applies
//! them: what git calls an error or a warning is refused, what it calls info is
//! not looked at. Message names are those of git-fsck(1).
//!
//! Whether referenced objects exist is not judged here but by
//! [`crate::check_connected`].

mod commit;
mod config;
mod dot_names;
mod gitmodules;
mod headers;
mod tag;
mod tree;
mod url;

use git_id::{HashKind, ObjectId};

pub use problem::FsckProblem;

use crate::Kind;

mod problem;

/// The longest line of a `.gitattributes` file, git's limit.
const MAX_ATTRIBUTES_LINE: usize = 2048;

/// The largest `.gitattributes` file in bytes, git's limit.
const MAX_ATTRIBUTES_BYTES: u64 = 100 << 20;

/// The largest `.gitmodules` file in bytes that is looked into.
const MAX_MODULES_BYTES: u64 = 100 << 20;

/// What a blob is, by the name that some tree gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SpecialFile {
    Modules,
    Attributes,
}

impl SpecialFile {
    /// What to report if the blob is not there.
    pub(crate) const fn missing(self) -> FsckProblem {
        match self {
            Self::Modules => FsckProblem::GitmodulesMissing,
            Self::Attributes => FsckProblem::GitattributesMissing,
        }
    }

    /// What to report if it is something else than a blob.
    pub(crate) const fn not_a_blob(self) -> FsckProblem {
        match self {
            Self::Modules => FsckProblem::GitmodulesBlob,
            Self::Attributes => FsckProblem::GitattributesBlob,
        }
    }

    /// What to report if it is larger than [`SpecialFile::limit`].
    pub(crate) const fn too_large(self) -> FsckProblem {
        match self {
            Self::Modules => FsckProblem::GitmodulesLarge,
            Self::Attributes => FsckProblem::GitattributesLarge,
        }
    }

    /// The most bytes such a file may have.
    pub(crate) const fn limit(self) -> u64 {
        match self {
            Self::Modules => MAX_MODULES_BYTES,
            Self::Attributes => MAX_ATTRIBUTES_BYTES,
        }
    }
}

/// Checks an object other than a blob. Blobs that trees name `.gitmodules` or
/// `.gitattributes` are handed to `special`, to be checked by [`check_special`].
pub(crate) fn check_object(
    kind: Kind,
    data: &[u8],
    hash: HashKind,
    special: &mut dyn FnMut(SpecialFile, ObjectId),
) -> Result<(), FsckProblem> {
    match kind {
        Kind::Blob => Ok(()),
        Kind::Tree => tree::check_tree(data, hash, special),
        Kind::Commit => commit::check_commit(data, hash),
        Kind::Tag => tag::check_tag(data, hash),
    }
}

/// Checks the content of a blob that has a special name.
pub(crate) fn check_special(file: SpecialFile, data: &[u8]) -> Result<(), FsckProblem> {
    match file {
        SpecialFile::Modules => gitmodules::check_gitmodules(data),
        SpecialFile::Attributes => {
            let text = data.split(|byte| *byte == 0).next().unwrap_or_default();
            let longest = text.split(|byte| *byte == b'\n').map(<[u8]>::len).max();
            if longest.is_some_and(|length| length >= MAX_ATTRIBUTES_LINE) {
                return Err(FsckProblem::GitattributesLineLength);
            }
            Ok(())
        }
    }
}
