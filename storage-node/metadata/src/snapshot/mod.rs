//! Copies of the state, from replica to replica.
//!
//! A snapshot is the image of a SQLite database, page by page: what SQLite keeps
//! beyond the logical state, such as implicit row ids, goes along, and the copy
//! behaves like the original. `stream` frames it with a version, a length and a
//! checksum.

mod install;
mod read;
mod stream;

pub use install::SnapshotWriter;
pub use read::SnapshotReader;

#[cfg(test)]
mod tests;
