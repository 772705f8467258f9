use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use maud::html;

use crate::failing::{Failing, public_message, retry_after, status};
use crate::pages::layout::Page;
use crate::pages::visitor::Visitor;
use crate::request::BodyError;

/// What a person sees instead of the page.
#[derive(Clone, Debug)]
pub(crate) struct PageError {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl PageError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// For what does not exist, or does not as far as the viewer may know.
    pub(crate) fn not_found() -> Self {
        let message = "There is nothing here, or nothing that you may see.";
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub(crate) fn body(error: BodyError) -> Self {
        Self::new(error.status(), error.to_string())
    }

    /// The page itself.
    pub(super) fn page(&self, visitor: &Visitor) -> Response {
        let title = match self.status {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::INTERNAL_SERVER_ERROR => "The server failed",
            StatusCode::SERVICE_UNAVAILABLE => "Not available at the moment",
            _ => "This did not work",
        };
        let content = html! {
            h1 { (title) }
            p.lead { (self.message) }
            p { a href="/" { "Go to the front page" } }
        };
        let mut response = Page { title, content }.render(visitor);
        *response.status_mut() = self.status;
        if let Some(seconds) = retry_after(self.status) {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl<E: Failing> From<E> for PageError {
    fn from(error: E) -> Self {
        Self {
            status: status(error.failure()),
            message: public_message(&error),
        }
    }
}

/// Without a visitor there is no frame to put the page in: `routes` replaces
/// this response by [`PageError::page`].
impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
