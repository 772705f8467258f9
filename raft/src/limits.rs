//! Every limit of this crate.

use std::time::Duration;

/// Largest command of one entry, in bytes. What exceeds it is staged in parts by the caller.
pub const MAX_COMMAND_BYTES: usize = 1 << 20;

/// Most bytes of proposals of one group that wait for their answers.
pub const MAX_PROPOSED_BYTES: usize = 16 << 20;

/// Longest address of a peer, in bytes.
pub const MAX_ADDRESS_BYTES: usize = 256;

/// Operations of all groups that wait for the log writer; beyond it groups wait to append.
pub const LOG_QUEUE_OPERATIONS: usize = 4096;

/// Most operations in one batch of the log writer, and so under one sync.
pub const LOG_BATCH_OPERATIONS: usize = 1024;

/// Bytes in one batch of the log writer after which it takes no further operation.
pub const LOG_BATCH_BYTES: usize = 4 << 20;

/// Bytes of written entries that each group keeps in memory, so that applying and replicating
/// them does not read them back from disk.
pub const RECENT_LOG_BYTES: usize = 64 << 10;

/// Entries that a purge or truncation deletes one by one; more are deleted as a range.
pub const MAX_POINT_DELETES: u64 = 4096;

/// Most entries given to a machine at once.
pub const MAX_APPLY_ENTRIES: usize = 256;

/// Bytes of commands after which a machine is given no further entry at once.
pub const MAX_APPLY_BYTES: usize = 4 << 20;

/// Bytes of entries read from the log at once.
pub const LOG_READ_BYTES: usize = 1 << 20;

/// Most entries sent to a follower in one message.
pub const MAX_APPEND_ENTRIES: u64 = 300;

/// Bytes of entries in one message to a follower, unless a single entry is larger.
pub const MAX_APPEND_BYTES: usize = 1 << 20;

/// Largest part of a snapshot in one message, in bytes.
pub const MAX_SNAPSHOT_PART_BYTES: usize = 256 << 10;

/// Messages that wait for one lane to one peer; beyond it they fail as unreachable.
pub const PEER_QUEUE_MESSAGES: usize = 2048;

/// Most messages in one request to a peer.
pub const MAX_FLIGHT_MESSAGES: usize = 256;

/// Bytes of messages after which a request to a peer takes no further message.
pub const MAX_FLIGHT_BYTES: usize = 2 << 20;

/// Requests in flight on one lane to one peer.
pub const FLIGHTS_PER_LANE: usize = 4;

/// Largest request or response between peers on the wire, in bytes: a full flight and one
/// largest message on top.
pub const MAX_WIRE_BYTES: usize = 8 << 20;

/// Calls that wait in one group's queue inside openraft.
pub const GROUP_QUEUE_CALLS: u64 = 4096;

/// Groups that are put to sleep at a time.
pub const DOZING_GROUPS: usize = 256;

/// Entries by which a new member may be behind when it becomes a voter.
pub const CAUGHT_UP_ENTRIES: u64 = 64;

/// First wait of a connection that failed before it is tried again; it doubles.
pub const RECONNECT_FIRST: Duration = Duration::from_millis(50);

/// Longest wait of a connection that failed before it is tried again.
pub const RECONNECT_MOST: Duration = Duration::from_secs(2);

const _: () = assert!(MAX_COMMAND_BYTES <= MAX_APPEND_BYTES);
const _: () = assert!(MAX_FLIGHT_BYTES + MAX_APPEND_BYTES + MAX_COMMAND_BYTES < MAX_WIRE_BYTES);
