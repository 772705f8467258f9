//! The bounds of what a service does for one request.

/// The largest `.gitattributes` that counts, in bytes.
pub const ATTRIBUTES_BYTES: u64 = 1 << 20;

/// The deepest that directories are followed.
pub const TREE_DEPTH: usize = 2048;

/// The most entries of an archive. A zip's directory is kept in memory until its end.
pub const ARCHIVE_ENTRIES: usize = 4 << 20;

/// The largest file that is looked at to tell whether it was renamed and changed, in bytes.
pub const SIMILARITY_BYTES: u64 = 8 << 20;

/// The largest file that is compared line by line, in bytes; a larger one counts as binary.
pub const DIFF_BYTES: u64 = 16 << 20;

/// The deepest that directories are compared.
pub const DIFF_DEPTH: usize = 512;

/// About how many bytes of results are remembered.
pub const CACHE_BYTES: usize = 64 << 20;

/// Commits that are looked at to find those that changed a directory's entries last.
pub const LAST_CHANGE_COMMITS: usize = 200_000;

/// Files and directories of a tree that are looked at to tell its languages.
pub const LANGUAGE_FILES: usize = 500_000;

/// The largest file that is searched, in bytes.
pub const SEARCHED_BYTES: u64 = 4 << 20;

/// Bytes of all files together that one search reads.
pub const SEARCHED_TOTAL_BYTES: u64 = 2 << 30;

/// The most bytes that a compiled pattern may take.
pub const PATTERN_BYTES: usize = 1 << 20;

/// The longest part of a line that a search gives, in bytes.
pub const FOUND_LINE_BYTES: usize = 1000;

/// Files and directories that one search looks at.
pub const SEARCHED_FILES: usize = 500_000;

/// The largest file that is traced back line by line, in bytes.
pub const BLAMED_BYTES: u64 = 4 << 20;

/// Commits that are looked at to trace a file's lines back.
pub const BLAMED_COMMITS: usize = 100_000;
