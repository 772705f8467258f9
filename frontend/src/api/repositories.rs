use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Extension, Json};
use domain::permissions::authorize_namespace;
use domain::repositories::{Edit, Filter, NewRepository};
use domain::tokens::{Category, Level};
use domain::{Action, Viewer};
use git_id::HashKind;
use http::StatusCode;
use serde::Deserialize;

use crate::api::json::Body;
use crate::api::model::{Repository, describe, describe_all};
use crate::api::paging::Paging;
use crate::api::users::signed_in;
use crate::api::{ApiError, lookup};
use crate::request::BaseUrl;
use crate::site::Site;

/// What a repository is to be. `auto_init` and the templates that come with it
/// are not offered.
#[derive(Debug, Deserialize)]
pub(super) struct CreateRepository {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    default_branch: String,
    #[serde(default)]
    object_format_name: String,
    #[serde(default)]
    auto_init: bool,
}

/// Which settings are to change.
#[derive(Debug, Deserialize)]
pub(super) struct EditRepository {
    name: Option<String>,
    description: Option<String>,
    private: Option<bool>,
    default_branch: Option<String>,
}

/// `GET /user/repos`: the viewer's own.
pub(super) async fn list_own(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    paging: Paging,
) -> Result<Response, ApiError> {
    let user = signed_in(&viewer, Level::Read, Category::Repository)?;
    let filter = Filter {
        owner: Some(user.id),
        ..Filter::default()
    };
    list(&site, &viewer, &base, &filter, &paging).await
}

/// `GET /users/{name}/repos`.
pub(super) async fn list_of_user(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path(name): Path<String>,
    paging: Paging,
) -> Result<Response, ApiError> {
    let user = lookup::user(&site, &name).await?;
    let filter = Filter {
        owner: Some(user.id),
        ..Filter::default()
    };
    list(&site, &viewer, &base, &filter, &paging).await
}

/// A page of those that the viewer may know of.
pub(super) async fn list(
    site: &Site,
    viewer: &Viewer,
    base: &BaseUrl,
    filter: &Filter<'_>,
    paging: &Paging,
) -> Result<Response, ApiError> {
    let page = site
        .forge
        .repositories
        .list(viewer, filter, paging.slice())
        .await?;
    let items = describe_all(site, &page.items, viewer, base).await?;
    Ok(paging.answer(&items, page.total))
}

/// `POST /user/repos`.
pub(super) async fn create(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Body(asked): Body<CreateRepository>,
) -> Result<(StatusCode, Json<Repository>), ApiError> {
    let user = signed_in(&viewer, Level::Write, Category::Repository)?;
    ApiError::require(authorize_namespace(&viewer, user.id))?;
    if asked.auto_init {
        let message = "auto_init is not offered: create the repository empty and push to it";
        return Err(ApiError::invalid(message));
    }
    let hash = match asked.object_format_name.as_str() {
        "" => HashKind::default(),
        name => HashKind::from_name(name)
            .ok_or_else(|| ApiError::invalid("object_format_name is \"sha1\" or \"sha256\""))?,
    };
    let new = NewRepository {
        name: &asked.name,
        description: &asked.description,
        is_private: asked.private,
        default_branch: Some(asked.default_branch.as_str()).filter(|name| !name.is_empty()),
        hash,
    };
    let row = site.forge.repositories.create(user.into(), new).await?;
    Ok((
        StatusCode::CREATED,
        Json(describe(&site, &row, &viewer, &base).await?),
    ))
}

/// `GET /repos/{owner}/{name}`.
pub(super) async fn get(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Json<Repository>, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    Ok(Json(describe(&site, &row, &viewer, &base).await?))
}

/// `PATCH /repos/{owner}/{name}`.
pub(super) async fn edit(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name)): Path<(String, String)>,
    Body(asked): Body<EditRepository>,
) -> Result<Json<Repository>, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Administer, &owner, &name).await?;
    let edit = Edit {
        name: asked.name.as_deref(),
        description: asked.description.as_deref(),
        is_private: asked.private,
        default_branch: asked.default_branch.as_deref(),
    };
    let row = site.forge.repositories.edit(&row, edit).await?;
    Ok(Json(describe(&site, &row, &viewer, &base).await?))
}

/// `DELETE /repos/{owner}/{name}`: it can be restored for a while
/// ([`deleted`](super::deleted)).
pub(super) async fn delete(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Path((owner, name)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let row = lookup::repository(&site, &viewer, Action::Administer, &owner, &name).await?;
    let window = site.config.undelete_window();
    site.forge.repositories.remove(&row, window).await?;
    Ok(StatusCode::NO_CONTENT)
}
