//! The bounds of a frontend that no operator needs to change, each with a name.
//! Those that one may want to change are in [`Config`](crate::Config).

use std::time::Duration;

/// The most bytes of a REST request's body.
pub const JSON_BYTES: usize = 1 << 20;

/// How long what git-lfs-authenticate gives stands for a key, and how long clients are told that
/// links of LFS last.
pub const LFS_GRANT_LIFE: Duration = Duration::from_secs(3600);

/// Lines of a request of LFS over SSH, before what follows it.
pub const LFS_ARGUMENTS: usize = 32;

/// Locks on one page.
pub const LFS_LOCK_PAGE: u32 = 100;

/// The most bytes of a form that a page sends.
pub const FORM_BYTES: usize = 16 << 10;

/// So much of a refused request's body is read away, so that the client gets
/// to reading the answer.
pub const DRAINED_BYTES: usize = 1 << 20;

/// So much of a refused push is read away over SSH, so that the client gets to
/// reading the report.
pub const DRAINED_PACK_BYTES: u64 = 256 << 20;

/// The most bytes of the head of a request, and of what is read ahead of its
/// body.
pub const HTTP_BUFFER_BYTES: usize = 128 << 10;

/// The most header fields of a request.
pub const HTTP_HEADERS: usize = 100;

/// How long a client may take to send a request's head; also how long an idle
/// connection is kept.
pub const HEADER_PATIENCE: Duration = Duration::from_secs(60);

/// Over this long a client must send at least [`PACE_BYTES`] of a body.
pub const PACE_WINDOW: Duration = Duration::from_secs(60);

/// Within this long a client must take something of an answer that waits for it.
pub const STALL_WINDOW: Duration = Duration::from_secs(120);

/// What a client must send of a body in a [`PACE_WINDOW`] in which the server
/// waits for it.
pub const PACE_BYTES: u64 = 4 << 10;

/// How long a shutdown waits for requests to end.
pub const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(20);

/// How long a request waits for its turn before it is turned away.
pub const TURN_PATIENCE: Duration = Duration::from_secs(20);

/// Requests of a kind that may wait for their turn.
pub const WAITING: usize = 256;

/// Those of one tenant.
pub const WAITING_OF_TENANT: usize = 128;

/// What a turned-away client is told to wait, in seconds.
pub const RETRY_AFTER_SECONDS: u64 = 5;

/// Wrong passwords for one account from one address in a [`THROTTLE_WINDOW`].
pub const FAILED_SIGN_INS: u32 = 10;

/// Wrong passwords from one address in a [`THROTTLE_WINDOW`].
pub const FAILED_SIGN_INS_OF_ADDRESS: u32 = 100;

/// How long wrong passwords count.
pub const THROTTLE_WINDOW: Duration = Duration::from_secs(300);

/// Addresses and accounts whose wrong passwords are remembered.
pub const THROTTLED: usize = 20_000;

/// Repositories whose refs and open packs are kept in memory.
pub const OPEN_REPOSITORIES: usize = 256;

/// Names of repositories of which it is remembered what they stand for.
pub const KNOWN_NAMES: usize = 4096;

/// Refs of all repositories that are kept in memory together.
pub const CACHED_REFS: usize = 1_000_000;

/// Packs of one repository that are fetched at the same time.
pub const PACKS_FETCHED: usize = 4;

/// How often a push is stored again because the storage's collector or map
/// moved on meanwhile.
pub const PUSH_ATTEMPTS: u32 = 4;

/// How long to wait before a push is stored again: until most nodes have heard
/// what made its session too old.
pub const PUSH_PAUSE: Duration = Duration::from_millis(150);

/// A push whose rights were read no longer ago than this, as new as everything
/// acknowledged before, has them read again from the nearest replica; a longer
/// one as new as that again.
pub const RIGHTS_AGE: Duration = Duration::from_secs(1);

/// The most bytes of ref commands in one entry; more are staged in parts.
pub const COMMAND_PART_BYTES: usize = 24 << 10;

/// The most bytes of the push options of one push.
pub const PUSH_OPTION_BYTES: usize = 8 << 10;

/// How many items a page of a listing has unless told otherwise.
pub const PAGE_DEFAULT: u32 = 30;

/// How many items a page of a listing has at most.
pub const PAGE_MAX: u32 = 50;

/// Records of repositories that one answer reads from the storage at a time.
pub const RECORDS_READ: usize = 8;

/// The largest file that a page shows, in bytes.
pub const SHOWN_FILE_BYTES: u64 = 1 << 20;

/// The largest file that is sent raw, in bytes.
pub const RAW_FILE_BYTES: u64 = 32 << 20;

/// The largest README that is rendered, in bytes.
pub const README_BYTES: u64 = 512 << 10;

/// Entries of a directory that a page shows.
pub const SHOWN_ENTRIES: usize = 2_000;

/// How long `/readyz` waits for the storage.
pub const READY_PATIENCE: Duration = Duration::from_secs(2);

/// How often last-used times are written, sessions swept and unfinished
/// repositories taken up.
pub const CHORES_EVERY: Duration = Duration::from_secs(60);

/// Words of `git archive --remote`.
pub const ARCHIVE_ARGUMENTS: usize = 256;

/// Their bytes.
pub const ARCHIVE_ARGUMENT_BYTES: usize = 64 << 10;

/// Pieces of an archive that may wait for a slow client, 64 KiB each at most.
pub const ARCHIVE_PIECES: usize = 8;

/// How hard archives are compressed, 0 to 9: git's own level.
pub const ARCHIVE_LEVEL: u32 = 6;

/// The largest file that is put into JSON, in bytes.
pub const JSON_FILE_BYTES: u64 = 10 << 20;

/// The most entries of a tree that are listed with all that is below it.
pub const TREE_ENTRIES: usize = 100_000;

/// How many entries a page of such a listing has at most, and unless told otherwise.
pub const TREE_PAGE: usize = 1_000;

/// Files of a commit or comparison whose lines are compared.
pub const CHANGED_FILES: usize = 300;

/// Lines of one comparison that a page shows.
pub const SHOWN_LINES: usize = 10_000;

/// The largest patch that is sent, in bytes.
pub const PATCH_BYTES: usize = 32 << 20;

/// Commits of a comparison that are described.
pub const COMPARED_COMMITS: usize = 250;
/// Repositories that wait for maintenance by one frontend; further ones are asked for again when
/// they are next opened.
pub const MAINTENANCE_WAITING: usize = 1024;

/// How often maintenance of one repository begins again because it changed meanwhile.
pub const MAINTENANCE_ATTEMPTS: u32 = 4;

/// How long a frontend has a repository's maintenance to itself. One that takes longer may be done
/// twice, and of the two one counts.
pub const MAINTENANCE_LEASE: Duration = Duration::from_secs(600);

/// The most packs that one entry replaces.
pub const REPLACED_PACKS: usize = 512;

/// After maintenance each pack has so many times the objects of all smaller ones.
pub const GEOMETRIC_FACTOR: u32 = 2;

/// How often a pack list is read again because its packs were replaced while they were fetched.
pub const LIST_ATTEMPTS: u32 = 3;
