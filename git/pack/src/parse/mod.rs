//! What objects refer to and say, read straight from their bytes.
//!
//! These parsers take what is needed to walk history and accept whatever git
//! accepts while walking; judging whether an object is well-formed is the
//! business of [`crate::fsck`].

mod commit;
mod tag;
mod tree;

pub use commit::{Commit, Signature};
pub(crate) use commit::{CommitLinks, commit_links, parse_commit};
pub use tag::Tag;
pub(crate) use tag::{parse_tag, tag_target};
pub(crate) use tree::{EntryKind, entry_order};
pub use tree::{MalformedTree, RawEntries, RawEntry, TreeEntry};
