//! The bounds of what a service does for one request.

/// The largest `.gitattributes` that counts, in bytes.
pub const ATTRIBUTES_BYTES: u64 = 1 << 20;

/// The deepest that directories are followed.
pub const TREE_DEPTH: usize = 2048;

/// The most entries of an archive. A zip's directory is kept in memory until its end.
pub const ARCHIVE_ENTRIES: usize = 4 << 20;
