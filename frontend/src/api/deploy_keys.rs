use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::{Extension, Json};
use domain::keys::{Key, KeyOwner};
use domain::{Action, KeyId, Repository as Row, Viewer};
use http::StatusCode;

use crate::api::json::Body;
use crate::api::keys::{CreateKey, Wanted, listed};
use crate::api::model::{DeployKey, Repository, describe};
use crate::api::paging::Paging;
use crate::api::{ApiError, lookup};
use crate::request::BaseUrl;
use crate::site::Site;

/// The repository of a path, whose keys only its administrators see and change.
async fn administered(
    site: &Site,
    viewer: &Viewer,
    owner: &str,
    name: &str,
) -> Result<(Row, KeyOwner), ApiError> {
    let row = lookup::repository(site, viewer, Action::Administer, owner, name).await?;
    let by = viewer.account().ok_or_else(ApiError::not_found)?;
    let owner = KeyOwner::Repository {
        repository: row.key,
        by,
    };
    Ok((row, owner))
}

fn shape(key: &Key, row: &Row, repository: Repository, base: &BaseUrl) -> DeployKey {
    DeployKey::of(key, &row.full_name(), repository, base)
}

/// `GET /repos/{owner}/{name}/keys`.
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
    paging: Paging,
) -> Result<Response, ApiError> {
    let (row, owner) = administered(&site, &viewer, &owner, &name).await?;
    let page = listed(&site, owner, &paging, &wanted).await?;
    let repository = describe(&site, &row, &viewer, &base).await?;
    let items: Vec<_> = page
        .items
        .iter()
        .map(|key| shape(key, &row, repository.clone(), &base))
        .collect();
    Ok(paging.answer(&items, page.total))
}

/// `GET /repos/{owner}/{name}/keys/{id}`.
pub(super) async fn get(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name, id)): Path<(String, String, i64)>,
) -> Result<Json<DeployKey>, ApiError> {
    let (row, owner) = administered(&site, &viewer, &owner, &name).await?;
    let found = site.forge.keys.get(owner, KeyId(id)).await?;
    let key = found.ok_or_else(ApiError::not_found)?;
    let repository = describe(&site, &row, &viewer, &base).await?;
    Ok(Json(shape(&key, &row, repository, &base)))
}

/// `POST /repos/{owner}/{name}/keys`.
pub(super) async fn add(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name)): Path<(String, String)>,
    Body(asked): Body<CreateKey>,
) -> Result<(StatusCode, Json<DeployKey>), ApiError> {
    let (row, owner) = administered(&site, &viewer, &owner, &name).await?;
    let key = site.forge.keys.add(owner, asked.new_key()).await?;
    let repository = describe(&site, &row, &viewer, &base).await?;
    Ok((
        StatusCode::CREATED,
        Json(shape(&key, &row, repository, &base)),
    ))
}

/// `DELETE /repos/{owner}/{name}/keys/{id}`.
pub(super) async fn remove(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Path((owner, name, id)): Path<(String, String, i64)>,
) -> Result<StatusCode, ApiError> {
    let (_, owner) = administered(&site, &viewer, &owner, &name).await?;
    site.forge.keys.remove(owner, KeyId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
