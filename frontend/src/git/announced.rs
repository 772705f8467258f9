//! What a push says of its length before it is read.

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};

use crate::git::GitError;
use crate::limits::DRAINED_BYTES;
use crate::site::Site;

/// The length that a request announces. Long pushes of git's come in chunks of unsaid number.
pub(crate) fn length(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

/// Refuses at once a push that can only fail, so that nobody sends gigabytes for nothing: one
/// that is longer than a push may be, or than the cache's disk has room for. One that is so
/// little over the limit that it would be read anyway is left to git-serve, whose words git shows.
pub(super) fn check(site: &Site, announced: Option<u64>) -> Result<(), GitError> {
    let Some(bytes) = announced else {
        return Ok(());
    };
    let most = site.config.config.max_push_bytes;
    if bytes > most.saturating_add(DRAINED_BYTES as u64) {
        let message = format!(
            "this push has {bytes} bytes, and one may have {most}: push fewer commits at a time"
        );
        return Err(GitError::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    // A disk that cannot be asked tells of it when it is written to.
    let free = site.cache.available_bytes().unwrap_or(u64::MAX);
    if bytes > free {
        let message = format!(
            "this push has {bytes} bytes, and the server's disk has {free} left: try again later, or tell the administrator"
        );
        return Err(GitError::new(StatusCode::INSUFFICIENT_STORAGE, message));
    }
    Ok(())
}
