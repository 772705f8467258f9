//! The bounds of the domain, each with a name.

use std::time::Duration;

/// The longest account name, in characters.
pub const USER_NAME: usize = 40;

/// The longest repository name, in characters.
pub const REPOSITORY_NAME: usize = 100;

/// The longest name of an access token, in bytes.
pub const TOKEN_NAME: usize = 255;

/// The longest mail address, in bytes.
pub const EMAIL: usize = 254;

/// The longest full name of a person, in bytes.
pub const FULL_NAME: usize = 100;

/// The longest description of a repository, in bytes.
pub const DESCRIPTION: usize = 2048;

/// The shortest password, in characters.
pub const PASSWORD_MIN: usize = 8;

/// The longest password, in bytes.
pub const PASSWORD_MAX: usize = 256;

/// Passwords hashed at the same time; each needs some 19 MiB while it lasts.
pub const PASSWORDS_HASHED: usize = 2;

/// Passwords that wait for their turn; more are turned away.
pub const PASSWORDS_WAITING: usize = 64;

/// Proofs of a right password that are remembered.
pub const PASSWORD_PROOFS: usize = 1024;

/// How long a proof of a right password spares hashing it again. A changed
/// password is effective at once nevertheless.
pub const PASSWORD_PROOF_LIFE: Duration = Duration::from_secs(60);

/// Access tokens of one account.
pub const TOKENS_PER_ACCOUNT: u64 = 1000;

/// The longest title of a key, in bytes.
pub const KEY_TITLE: usize = 255;

/// The longest text in which a public key is given, in bytes.
pub const KEY_TEXT: usize = 16 << 10;

/// The smallest RSA key, in bits.
pub const RSA_BITS_MIN: usize = 2048;

/// The largest RSA key, in bits.
pub const RSA_BITS_MAX: usize = 8192;

/// Keys of one account, and of one repository.
pub const KEYS_PER_OWNER: u64 = 200;

/// Large files that are looked for at once.
pub const LFS_BATCH: usize = 1000;

/// How often a large file is named before its sender is told to send it again.
pub const LFS_ATTEMPTS: u32 = 4;

/// How long the owner of a large file may be on its way to an object.
pub const LFS_GIVEN_UP_AFTER: Duration = Duration::from_secs(3600);

/// Locks of one repository.
pub const LFS_LOCKS: i64 = 10_000;

/// The longest path that can be locked, in bytes.
pub const LFS_PATH: usize = 4096;

/// Last-used times that wait to be written; further ones are forgotten.
pub const LAST_USED: usize = 10_000;

/// A last-used time is written only if it is later than the written one by
/// this much.
pub const LAST_USED_STEP: Duration = Duration::from_secs(60);

/// How long a session of the web pages lives.
pub const SESSION_LIFE: Duration = Duration::from_secs(14 * 24 * 3600);

/// The longest text that a search looks for, in bytes.
pub const SEARCH: usize = 200;

/// Unfinished repositories are left to whoever began them for this long.
pub const RECONCILE_AFTER: Duration = Duration::from_secs(30);

/// How long a write is retried before its caller is told.
pub const WRITE_PATIENCE: Duration = Duration::from_secs(15);

/// Unfinished repositories that one run of the reconciler takes up.
pub const RECONCILED: u32 = 256;
