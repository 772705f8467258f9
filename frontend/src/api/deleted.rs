//! Deleted repositories: listed, restored, purged. Routes of ours: Gitea has
//! none. Owner and administrators see them; to all others they do not exist.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Extension, Json};
use domain::permissions::authorize_administration;
use domain::repositories::RemovedRepository;
use domain::tokens::{Category, Level};
use domain::{AccountId, Action, RepositoryKey, Viewer, authorize};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::api::ApiError;
use crate::api::json::Body;
use crate::api::model::{Repository, describe};
use crate::api::paging::Paging;
use crate::api::users::signed_in;
use crate::moment::rfc3339;
use crate::request::BaseUrl;
use crate::site::Site;

/// A deleted repository.
#[derive(Debug, Serialize)]
struct Deleted {
    id: i64,
    owner: String,
    name: String,
    full_name: String,
    private: bool,
    deleted_at: String,
    purged_after: String,
}

impl Deleted {
    fn of(removed: &RemovedRepository) -> Self {
        let repository = &removed.repository;
        Self {
            id: repository.key.0,
            owner: repository.owner.name.clone(),
            name: repository.name.clone(),
            full_name: repository.full_name(),
            private: repository.is_private,
            deleted_at: rfc3339(removed.removed),
            purged_after: rfc3339(removed.until),
        }
    }
}

/// Under which name it comes back; its old one by default.
#[derive(Debug, Deserialize)]
pub(super) struct Restore {
    name: Option<String>,
}

/// `GET /user/deleted/repos`: the viewer's own.
pub(super) async fn list_own(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    paging: Paging,
) -> Result<Response, ApiError> {
    let user = signed_in(&viewer, Level::Read, Category::Repository)?;
    list(&site, &viewer, Some(user.id), &paging).await
}

/// `GET /admin/deleted/repos`: everybody's.
pub(super) async fn list_all(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    paging: Paging,
) -> Result<Response, ApiError> {
    ApiError::require(authorize_administration(&viewer))?;
    list(&site, &viewer, None, &paging).await
}

async fn list(
    site: &Site,
    viewer: &Viewer,
    owner: Option<AccountId>,
    paging: &Paging,
) -> Result<Response, ApiError> {
    let repositories = &site.forge.repositories;
    let page = repositories
        .list_removed(viewer, owner, paging.slice())
        .await?;
    let items: Vec<Deleted> = page.items.iter().map(Deleted::of).collect();
    Ok(paging.answer(&items, page.total))
}

/// `POST /deleted/repos/{id}/restore`.
pub(super) async fn restore(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path(id): Path<i64>,
    Body(asked): Body<Restore>,
) -> Result<Json<Repository>, ApiError> {
    let removed = find(&site, &viewer, id).await?;
    let repositories = &site.forge.repositories;
    let row = repositories
        .restore(&removed, asked.name.as_deref())
        .await?;
    Ok(Json(describe(&site, &row, &viewer, &base).await?))
}

/// `DELETE /deleted/repos/{id}`: for good, at once.
pub(super) async fn purge(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    let removed = find(&site, &viewer, id).await?;
    site.forge.repositories.purge(&removed).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The deleted repository of that id, if the viewer may administer it. A
/// public one that was deleted is hidden from strangers like a private one.
async fn find(site: &Site, viewer: &Viewer, id: i64) -> Result<RemovedRepository, ApiError> {
    let found = site.forge.repositories.removed(RepositoryKey(id)).await?;
    let found = found.ok_or_else(ApiError::not_found)?;
    let mut hidden = found.repository.clone();
    hidden.is_private = true;
    let seen = if is_trusted(viewer, &found) {
        &found.repository
    } else {
        &hidden
    };
    ApiError::require(authorize(viewer, Action::Administer, Some(seen)))?;
    Ok(found)
}

fn is_trusted(viewer: &Viewer, found: &RemovedRepository) -> bool {
    let user = viewer.user();
    user.is_some_and(|user| user.is_admin || user.id == found.repository.owner.id)
}
