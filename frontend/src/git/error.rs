use axum::response::{IntoResponse, Response};
use domain::permissions::Reason;
use http::{HeaderValue, StatusCode, header};

use crate::auth::AuthError;
use crate::failing::{Failing, public_message, retry_after, status};
use crate::request::BodyError;

const NOT_FOUND: &str = "repository not found";

/// What a git client is told instead of an answer. The client shows the text
/// to its user, but for the 401 with which it asks for credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GitError {
    status: StatusCode,
    message: String,
}

impl GitError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// What a person reads.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The same, for someone who is signed in: there, what asks a stranger to
    /// sign in does not exist.
    pub(crate) fn message_when_signed_in(&self) -> &str {
        match self.status {
            StatusCode::UNAUTHORIZED => NOT_FOUND,
            _ => &self.message,
        }
    }

    /// For what does not exist, or does not as far as the viewer may know.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, NOT_FOUND)
    }

    /// For nobody in particular, where someone with an account is needed.
    pub(crate) fn sign_in() -> Self {
        let message = "authentication required: use your user name and password or access token";
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    pub(crate) fn forbidden(reason: Reason) -> Self {
        Self::new(StatusCode::FORBIDDEN, reason.to_string())
    }

    pub(crate) fn auth(error: &AuthError) -> Self {
        Self {
            status: error.status(),
            message: public_message(error),
        }
    }

    pub(crate) fn body(error: BodyError) -> Self {
        Self::new(error.status(), error.to_string())
    }
}

impl<E: Failing> From<E> for GitError {
    fn from(error: E) -> Self {
        Self {
            status: status(error.failure()),
            message: public_message(&error),
        }
    }
}

impl IntoResponse for GitError {
    fn into_response(self) -> Response {
        let mut response = (self.status, format!("{}\n", self.message)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge =
                HeaderValue::from_static("Basic realm=\"DevFlow Code\", charset=\"UTF-8\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = retry_after(self.status) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
