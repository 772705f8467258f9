use std::sync::atomic::{AtomicBool, Ordering};

use git_pack::ReadError;

/// Ends the work if nobody wants its result any more.
pub(crate) fn check(cancel: &AtomicBool) -> Result<(), ReadError> {
    match cancel.load(Ordering::Relaxed) {
        true => Err(ReadError::Cancelled),
        false => Ok(()),
    }
}
