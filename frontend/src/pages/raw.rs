use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use crate::content::RawFile;
use crate::pages::PageError;
use crate::pages::lookup::{Place, RefKind, repository};
use crate::pages::visitor::Visitor;
use crate::repository::View;
use crate::site::Site;

/// `GET /{owner}/{name}/raw/{kind}/{ref}/{path}`: a file's bytes.
pub(super) async fn raw(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    Path((owner, name, kind, rest)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let row = repository(&site, &visitor, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let kind = RefKind::parse(&kind).ok_or_else(PageError::not_found)?;
    let place = Place::find(&view, kind, &rest).ok_or_else(PageError::not_found)?;
    let file = RawFile::read(&site, &view, place.tip, &place.path).await?;
    let file = file.ok_or_else(PageError::not_found)?;
    file.answer(&place.path, &headers).ok_or_else(|| {
        let message = "This file is too large to be sent; clone the repository instead.";
        PageError::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    })
}
