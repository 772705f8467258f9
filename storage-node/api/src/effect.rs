use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Whether a failed write may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// It did not and will not happen.
    None,
    /// It may have happened, or may yet: only a retry with the same id, or a
    /// linearizable read, tells.
    Unknown,
}

/// How to go on after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Retry {
    /// The same request would fail again.
    Never,
    /// The same request, with the same id, may succeed after this long.
    After(Duration),
}
