//! The bounds of the tier's interface, each with a name.

/// The most bytes of one proposed command. What is larger is staged in parts.
pub const MAX_COMMAND_BYTES: usize = 64 << 10;

/// The most chunks that a manifest may carry inside a command; longer ones are
/// staged in parts of this many.
pub const MANIFEST_PART_CHUNKS: usize = 512;

/// The most ref commands inside a push command; more are staged in parts of
/// this many.
pub const PUSH_PART_COMMANDS: usize = 128;

/// The most ref commands of one push.
pub const MAX_PUSH_COMMANDS: usize = 100_000;

/// The most bytes of names in one staged part of ref commands, so that a part
/// of long names stays within [`MAX_COMMAND_BYTES`].
pub const PUSH_PART_NAME_BYTES: usize = 16 << 10;

/// The most staged parts that one upload may hold: a blob of 64 GiB at the
/// smallest chunk average. More are refused.
pub const MAX_STAGED_PARTS: u32 = 2048;

/// The most uploads with staged parts in one group. Beyond it, the parts of the
/// oldest go, and the entry that would complete it is refused.
pub const MAX_STAGED_UPLOADS: u64 = 1024;

/// The most ref changes in one event; a push of more is several events with one
/// push id.
pub const EVENT_CHANGES: usize = 128;

/// How many request ids a group remembers. A retry that comes later than this
/// many requests is refused by its expected old values, not by its id.
pub const REMEMBERED_REQUESTS: u64 = 16_384;

/// The most packs in one repository's pack list.
pub const MAX_PACKS: u32 = 50_000;

/// The most events that a slot keeps for consumers that lag; older ones go, and
/// the consumer is told of the gap.
pub const MAX_SLOT_EVENTS: u64 = 100_000;

/// The most events in one answer.
pub const EVENT_PAGE: u32 = 1024;

/// The most bytes of events in one answer, unless it is one event.
pub const EVENT_PAGE_BYTES: usize = 2 << 20;

/// The most dumps of facts that a node keeps open.
pub const MAX_DUMPS: usize = 2;

/// The most copies of replicas that a node gives at a time.
pub const MAX_REPLICA_COPIES: usize = 4;

/// The most bytes of one part of such a copy.
pub const REPLICA_PART_BYTES: usize = 1 << 20;

/// How many entries one page of a listing of repositories or owners has at most.
pub const LISTING_PAGE: usize = 1024;

/// The longest that a hold lasts without being renewed.
pub const MAX_HOLD: std::time::Duration = std::time::Duration::from_secs(600);

/// The most nodes in a cluster map, which travels as one entry.
pub const MAX_NODES: usize = 256;

/// The most bytes of chunks in one put to one node.
pub const PUT_BATCH_BYTES: usize = 4 << 20;

/// Chunks after which a page of live chunks ends, at the end of a manifest part.
pub const LIVE_PAGE_CHUNKS: usize = 4096;

/// The most removed manifests whose chunks one barrier forgets; more follow with
/// the next entry.
pub const FORGOTTEN_BLOBS: usize = 64;

/// The most chunks asked after or fetched in one request to one node.
pub const CHUNK_BATCH: usize = 1024;

/// The most statements in one metadata batch.
pub const MAX_STATEMENTS: usize = 256;

/// The most rows that one metadata read returns.
pub const MAX_ROWS: usize = 10_000;

/// The most policies in a map besides the default.
pub const MAX_POLICIES: usize = 16;

/// The most regions that one policy names.
pub const MAX_POLICY_REGIONS: usize = 16;

/// The most domains in a map that have a policy of their own.
pub const MAX_POLICY_DOMAINS: usize = 256;

/// The most copies of a chunk in one region.
pub const MAX_COPIES: u8 = 16;

/// The most bytes of the name of a policy, region or zone.
pub const MAX_NAME_BYTES: usize = 64;

/// How many bytes of pairs a page of a slot's content has, unless it is one pair: it travels as one
/// entry.
pub const SLOT_PAGE_BYTES: usize = 40 << 10;

/// How many remembered answers go with slots that move. A retry that comes later than this many requests
/// of the giving group is refused by its expected old values, not by its id.
pub const CARRIED_REPLIES: u64 = 4096;

/// The most keys that one entry forgets of slots that have gone to another group.
pub const FORGOTTEN_KEYS: usize = 2048;
