use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use http::Extensions;

use crate::content::{Asked, archive};
use crate::pages::PageError;
use crate::pages::lookup::repository;
use crate::pages::visitor::Visitor;
use crate::repository::View;
use crate::request::Peer;
use crate::site::Site;

/// `GET /{owner}/{name}/archive/{ref}.{format}`.
pub(super) async fn download(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    Path((owner, name, asked)): Path<(String, String, String)>,
    extensions: Extensions,
) -> Result<Response, PageError> {
    let row = repository(&site, &visitor, &owner, &name).await?;
    let view = View::open(&site, &row).await?;
    let asked = Asked::parse(&view, &asked, Vec::new()).ok_or_else(PageError::not_found)?;
    let peer = Peer::of(&extensions);
    Ok(archive(&site, &view, &row, &visitor.viewer, peer, asked).await?)
}
