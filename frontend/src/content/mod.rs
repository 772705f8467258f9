//! What is in a repository, for REST and pages alike: revisions, files, changes, archives.

mod archive;
mod changes;
mod encode;
mod patch;
mod raw;
mod revision;

pub(crate) use archive::{ArchiveFailure, Asked, NEVER, Pipe, archive};
pub(crate) use changes::{Changes, patch, tree_before};
pub(crate) use encode::encode;
pub(crate) use patch::{CommitPatch, PatchForm};
pub(crate) use raw::{RawFile, is_text};
pub(crate) use revision::{Revision, resolve, resolve_text};
