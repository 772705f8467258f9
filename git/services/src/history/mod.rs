//! Questions about commits: which came last, which are on one side only, which both sides share.

mod bases;
mod compare;
mod last;
mod log;
mod painted;
mod queue;

pub use bases::merge_bases;
pub use compare::{Comparison, compare};
pub use last::{LastChange, last_changes};
pub use log::{LogOptions, LogPage, count, log};
pub(crate) use queue::ByTime;
