//! Every limit of this crate.

/// Longest call that shares a stream, in bytes. What is longer would hold up the others, and
/// gains nothing.
pub const MAX_SHARED_BYTES: usize = 64 << 10;

/// Bytes of calls or answers after which a frame takes no further one.
pub const FRAME_BYTES: usize = 256 << 10;

/// Calls of one line that wait to be sent; beyond it calls are refused.
pub const MAX_WAITING: usize = 4096;

/// Calls of one line that are being answered; beyond it none is read.
pub const MAX_ANSWERING: usize = 4096;
