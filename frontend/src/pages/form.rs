use axum::Form;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use http::StatusCode;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;

use crate::limits::FORM_BYTES;
use crate::pages::PageError;
use crate::request::read_body;
use crate::site::Site;

/// Reads what a form sent.
pub(super) async fn read_form<T: DeserializeOwned>(
    site: &Site,
    request: Request,
) -> Result<T, PageError> {
    let (parts, body) = request.into_parts();
    let body = read_body(body, &site.runtime, FORM_BYTES)
        .await
        .map_err(PageError::body)?;
    let request = Request::from_parts(parts, Body::from(body));
    let form = Form::<T>::from_request(request, &()).await;
    let malformed = |_| PageError::new(StatusCode::BAD_REQUEST, "The form is incomplete.");
    form.map(|Form(form)| form).map_err(malformed)
}

/// Refuses a form that no page of this session made.
pub(super) fn check_own(expected: Option<&str>, given: &str) -> Result<(), PageError> {
    match expected.is_some_and(|expected| equal(expected, given)) {
        true => Ok(()),
        false => Err(PageError::new(
            StatusCode::FORBIDDEN,
            "The form was not this page's own.",
        )),
    }
}

/// Compares without telling by its time how much is equal.
pub(super) fn equal(expected: &str, given: &str) -> bool {
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}
