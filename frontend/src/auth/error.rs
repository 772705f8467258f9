use domain::FactsError;
use domain::Failure;
use domain::accounts::PasswordError;
use domain::tokens::AuthenticateError;
use http::StatusCode;

use crate::failing;

/// Why a request's credentials were not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthError {
    /// The header is not of a form that is understood.
    #[error(
        "the Authorization header is malformed: use Basic with user name and password or token, or \"token\" or \"Bearer\" with an access token"
    )]
    Malformed,
    /// The name or password is wrong: which is not told.
    #[error("the user name or password is wrong")]
    Wrong,
    /// The token is unknown or has expired.
    #[error(transparent)]
    Token(AuthenticateError),
    /// Too many wrong passwords before.
    #[error("too many failed sign-ins; wait a few minutes")]
    Throttled,
    /// The password could not be checked now.
    #[error(transparent)]
    Password(PasswordError),
    /// The account could not be read.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

impl AuthError {
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Malformed | Self::Wrong => Failure::Unauthenticated,
            Self::Token(error) => error.failure(),
            Self::Throttled => Failure::Throttled,
            Self::Password(error) => error.failure(),
            Self::Facts(error) => error.failure(),
        }
    }

    /// The status to answer with.
    pub(crate) fn status(&self) -> StatusCode {
        failing::status(self.failure())
    }
}
