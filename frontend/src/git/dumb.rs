use http::StatusCode;

use crate::git::GitError;

/// What a client of the dumb protocol is told, whatever it asks for: nothing
/// about the repository, not even whether there is one.
pub(super) fn refusal() -> GitError {
    GitError::new(
        StatusCode::FORBIDDEN,
        "this server speaks only git's smart HTTP protocol: use git 1.6.6 or newer",
    )
}

/// The files of a repository as the dumb protocol asks for them.
pub(super) async fn file() -> GitError {
    refusal()
}
