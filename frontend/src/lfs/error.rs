use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::failing::{Failing, public_message, retry_after, status};
use crate::git::GitError;
use crate::request::BodyError;

/// The type of all bodies but the objects' own.
pub(super) const MEDIA_TYPE: &str = "application/vnd.git-lfs+json";

const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"DevFlow Code\", charset=\"UTF-8\"");

/// What a client of LFS is told instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LfsError {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl LfsError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// For what breaks a rule of the protocol, or is not what it says it is.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    pub(super) fn body(error: BodyError) -> Self {
        Self::new(error.status(), error.to_string())
    }
}

impl From<GitError> for LfsError {
    fn from(error: GitError) -> Self {
        Self::new(error.status(), error.message())
    }
}

impl<E: Failing> From<E> for LfsError {
    fn from(error: E) -> Self {
        Self::new(status(error.failure()), public_message(&error))
    }
}

impl IntoResponse for LfsError {
    fn into_response(self) -> Response {
        let mut response = answer(self.status, &json!({ "message": self.message }));
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert("lfs-authenticate", CHALLENGE);
            headers.insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        if let Some(seconds) = retry_after(self.status) {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A body in the form of LFS.
pub(super) fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    let control = HeaderValue::from_static("private, no-store");
    headers.insert(header::CACHE_CONTROL, control);
    response
}
