use axum::Json;
use axum::response::{IntoResponse, Response};
use domain::permissions::{Access, Reason};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::auth::AuthError;
use crate::failing::{Failing, public_message, retry_after, status};
use crate::request::BodyError;

/// What a REST client is told instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
}

/// The body, as Gitea has it.
#[derive(Debug, Serialize)]
struct ErrorBody<'a> {
    message: &'a str,
    url: &'static str,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not found")
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
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

    /// Passes on what may be done, and refuses the rest.
    pub(crate) fn require(access: Access) -> Result<(), Self> {
        match access {
            Access::Granted => Ok(()),
            Access::Hidden => Err(Self::not_found()),
            Access::SignIn => Err(Self::new(
                StatusCode::UNAUTHORIZED,
                "sign in with a password or access token",
            )),
            Access::Forbidden(reason) => Err(Self::forbidden(reason)),
        }
    }
}

impl<E: Failing> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self {
            status: status(error.failure()),
            message: public_message(&error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            message: &self.message,
            url: "https://docs.gitea.com/api/",
        };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = retry_after(self.status) {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
