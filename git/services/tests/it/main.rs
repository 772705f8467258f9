//! The services compared with git itself.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod archive;
mod blame;
mod diff;
mod fixture;
mod histories;
mod history;
mod languages;
mod merge;
mod search;
