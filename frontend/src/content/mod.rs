//! What is in a repository, for REST and pages alike: revisions, files, archives.

mod archive;
mod encode;
mod raw;
mod revision;

pub(crate) use archive::{ArchiveFailure, Asked, NEVER, Pipe, archive};
pub(crate) use encode::encode;
pub(crate) use raw::{RawFile, is_text};
pub(crate) use revision::{Revision, resolve, resolve_text};
