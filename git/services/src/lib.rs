//! What the layers above ask of a repository's objects: its services.
//!
//! Everything is computed from immutable objects, which [`git_pack::Objects`] reads. Nothing here knows
//! refs, accounts, a protocol or a frontend. Blocking throughout; what may take long takes a flag that
//! cancels it. Every bound has a name in [`limits`].
//!
//! [`Services`] is all of them; [`CachedServices`] remembers results that never change.
//!
//! * [`archive`] writes tar, tar.gz and zip, as `git archive` does.
//! * [`last_changes`] lists a directory with the commit that changed each entry last; [`log`], [`compare`] and
//!   [`merge_bases`] answer what else is asked of history.
//! * [`diff_trees`], [`diff_file`] and [`write_patch`] say what changed, as `git diff` does.
//! * [`blame`] says which commit each line of a file is from; [`search`] looks for text in files.
//! * [`merge_text`] merges two texts that come from a third, as `git merge-file` does.
//! * [`languages`] counts how much of a tree is in which.
//! * [`list_tree`] lists a tree with what is below it, [`signed`] takes a signature out of its object.

mod archive;
mod attributes;
mod blame;
mod cache;
mod cancel;
mod diff;
mod history;
mod languages;
pub mod limits;
mod merge;
mod mode;
mod search;
mod services;
mod signed;
mod tree;

pub use archive::{ArchiveError, ArchiveOptions, Format, archive};
pub use blame::{BlameError, BlamedLines, blame};
pub use cache::Cache;
pub use diff::{
    Change, DiffOptions, FileChange, FileDiff, Hunk, HunkLine, LineKind, LineOptions, PatchError,
    Side, Whitespace, diff_file, diff_trees, word_changes, write_patch,
};
pub use history::{
    Comparison, LastChange, LogOptions, LogPage, compare, count, last_changes, log, merge_bases,
};
pub use languages::{LanguageSize, languages};
pub use merge::{ConflictStyle, Labels, MergedText, merge_text};
pub use mode::Mode;
pub use search::{Found, FoundLine, SearchError, SearchOptions, search};
pub use services::{CachedServices, Services};
pub use signed::{Signed, signed};
pub use tree::{PathEntry, TreeListing, list_tree};
