use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::limits::RAW_FILE_BYTES;
use crate::pages::PageError;
use crate::pages::browse::{Found, look};
use crate::pages::file::is_text;
use crate::pages::lookup::{Place, RefKind, repository};
use crate::pages::policy::{RAW_POLICY, content_policy};
use crate::pages::visitor::Visitor;
use crate::repository::View;
use crate::site::Site;

/// Images that browsers show and that can do nothing else, by extension.
const IMAGES: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
];

/// `GET /{owner}/{name}/raw/{kind}/{ref}/{path}`: a file's bytes. Nothing of it
/// runs in a browser, whatever it is.
pub(super) async fn raw(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    Path((owner, name, kind, rest)): Path<(String, String, String, String)>,
) -> Result<Response, PageError> {
    let row = repository(&site, &visitor, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let kind = RefKind::parse(&kind).ok_or_else(PageError::not_found)?;
    let place = Place::find(&view, kind, &rest).ok_or_else(PageError::not_found)?;
    let (tip, path) = (place.tip, place.path.clone());
    let found = view
        .read(&site, move |objects| {
            look(objects, tip, &path, RAW_FILE_BYTES)
        })
        .await?;
    let Some(Found::File(file)) = found else {
        return Err(PageError::not_found());
    };
    let Some(content) = file.content else {
        let message = "This file is too large to be sent; clone the repository instead.";
        return Err(PageError::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    };
    let extension = place
        .path
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    let image = extension
        .and_then(|extension| IMAGES.iter().find(|(known, _)| *known == extension))
        .map(|(_, content_type)| *content_type);
    let content_type = match image {
        Some(content_type) => content_type,
        None if is_text(&content) => "text/plain; charset=utf-8",
        None => "application/octet-stream",
    };
    let mut response = content.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    let (name, value) = content_policy(RAW_POLICY);
    headers.insert(name, value);
    Ok(response)
}
