//! The domain's and the cache's errors as every protocol sees them.

use domain::Failure;
use http::StatusCode;

use crate::limits::RETRY_AFTER_SECONDS;

/// An error of an operation, with its kind.
pub(crate) trait Failing: std::error::Error {
    /// What kind of failure it is.
    fn failure(&self) -> Failure;
}

macro_rules! failing {
    ($($error:ty),* $(,)?) => {
        $(impl Failing for $error {
            fn failure(&self) -> Failure {
                <$error>::failure(self)
            }
        })*
    };
}

failing! {
    domain::CommitError,
    domain::FactsError,
    domain::accounts::CreateUserError,
    domain::accounts::SignInError,
    domain::keys::AddKeyError,
    domain::keys::RemoveKeyError,
    domain::lfs::LockError,
    domain::lfs::StoreError,
    domain::lfs::UnlockError,
    domain::repositories::ContentError,
    domain::repositories::CreateRepositoryError,
    domain::repositories::DeleteRepositoryError,
    domain::repositories::EditRepositoryError,
    domain::repositories::ForkRepositoryError,
    domain::repositories::PurgeError,
    domain::repositories::RestoreError,
    domain::tokens::AuthenticateError,
    domain::tokens::CreateTokenError,
    domain::tokens::RevokeTokenError,
    crate::admission::Refused,
    crate::auth::AuthError,
    crate::content::ArchiveFailure,
    crate::repository::CacheError,
    crate::repository::ViewError,
    crate::request::BodyError,
}

/// The status that a kind of failure has in every protocol over HTTP.
pub(crate) fn status(failure: Failure) -> StatusCode {
    match failure {
        Failure::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Failure::Unauthenticated => StatusCode::UNAUTHORIZED,
        Failure::Forbidden => StatusCode::FORBIDDEN,
        Failure::NotFound => StatusCode::NOT_FOUND,
        Failure::Conflict => StatusCode::CONFLICT,
        Failure::Throttled => StatusCode::TOO_MANY_REQUESTS,
        Failure::Overloaded | Failure::Unavailable | Failure::Uncertain => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Failure::Full => StatusCode::INSUFFICIENT_STORAGE,
        Failure::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What a status tells its client to wait before it tries again, in seconds.
pub(crate) fn retry_after(status: StatusCode) -> Option<u64> {
    let waits = [
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    waits.contains(&status).then_some(RETRY_AFTER_SECONDS)
}

/// What a client may read of an error: the message itself unless it tells of
/// the inside. Those are logged here, where they end.
pub(crate) fn public_message(error: &dyn Failing) -> String {
    match error.failure() {
        Failure::Internal => {
            tracing::error!(error = %chain(error), "a request failed");
            "the server failed to answer this request; its log says why".to_owned()
        }
        Failure::Unavailable | Failure::Uncertain | Failure::Full => {
            tracing::warn!(error = %chain(error), "the storage did not answer a request");
            error.to_string()
        }
        _ => error.to_string(),
    }
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &(impl std::error::Error + ?Sized)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
