//! What the layers above ask of a repository's objects: its services.
//!
//! Everything is computed from immutable objects, which [`git_pack::Objects`] reads. Nothing here knows
//! refs, accounts, a protocol or a frontend. Blocking throughout; what may take long takes a flag that
//! cancels it. Every bound has a name in [`limits`].
//!
//! * [`archive`] writes tar, tar.gz and zip, as `git archive` does.
//! * [`last_changes`] lists a directory with the commit that changed each entry last; [`log`], [`compare`] and
//!   [`merge_bases`] answer what else is asked of history.

mod archive;
mod attributes;
mod cancel;
mod history;
pub mod limits;
mod mode;

pub use archive::{ArchiveError, ArchiveOptions, Format, archive};
pub use history::{
    Comparison, LastChange, LogOptions, LogPage, compare, count, last_changes, log, merge_bases,
};
pub use mode::Mode;
