//! Bounds of what a call takes.

use std::time::Duration;

/// The least bytes that a part of an upload has, but for the last: what S3 asks for.
pub const MIN_PART_BYTES: usize = 5 << 20;

/// How long a connection may take to come about.
pub const CONNECT: Duration = Duration::from_secs(5);

/// How long one request may take, answer included.
pub const REQUEST: Duration = Duration::from_secs(30);

/// How often a request that may be repeated is, at most.
pub const RETRIES: usize = 3;

/// When no further try of a request is begun.
pub const RETRY: Duration = Duration::from_secs(10);
