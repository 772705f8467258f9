//! The bounds of backups, each with a name.

use std::time::Duration;

/// Bytes of chunks after which a pack is written.
pub const PACK_BYTES: usize = 32 << 20;

/// The most bytes of a pack that is read back: one chunk may be over
/// [`PACK_BYTES`].
pub const MAX_PACK_BYTES: u64 = PACK_BYTES as u64 + chunking::MAX_CHUNK_BYTES as u64;

/// The most bytes of any other object.
pub const MAX_OBJECT_BYTES: u64 = 1 << 30;

/// How many packs are kept in memory while blobs are put together.
pub const PACKS_IN_MEMORY: usize = 4;

/// The most bytes of one record: the manifest of a very large blob.
pub const MAX_RECORD_BYTES: usize = 256 << 20;

/// The most blobs that a report of what is lost names.
pub const MAX_LOST_BLOBS: usize = 100_000;

/// How many blobs a restore puts at a time.
pub const BLOBS_AT_A_TIME: usize = 8;

/// How many small objects are read at a time.
pub const READS_AT_A_TIME: usize = 16;

/// The most rows in one batch of a restore.
pub const BATCH_ROWS: usize = 200;

/// Bytes of values after which a batch of a restore ends.
pub const BATCH_BYTES: usize = 24 << 10;

/// Bytes of events after which a part of a restore ends.
pub const PART_BYTES: usize = 24 << 10;

/// The most references, packs or events in one part of a restore.
pub const PART_ENTRIES: usize = 128;

/// How long a hold lasts beyond the moment when it is asked for.
pub const HOLD: Duration = Duration::from_secs(120);

/// After how long it is asked for again.
pub const RENEW_HOLD: Duration = Duration::from_secs(30);

/// For how long a write to a group is tried while it has no leader.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often a dump of the facts, or a blob whose session has become too old, is
/// begun again.
pub const ATTEMPTS: u32 = 5;
