use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Extension, Json};
use domain::permissions::authorize_namespace;
use domain::repositories::Filter;
use domain::tokens::{Category, Level};
use domain::{Action, Viewer};
use http::StatusCode;
use serde::Deserialize;

use crate::api::json::Body;
use crate::api::model::{Repository, describe};
use crate::api::paging::Paging;
use crate::api::users::signed_in;
use crate::api::{ApiError, lookup, repositories};
use crate::request::BaseUrl;
use crate::site::Site;

/// What a fork is to be.
#[derive(Debug, Deserialize)]
pub(super) struct CreateFork {
    name: Option<String>,
    organization: Option<String>,
}

/// `POST /repos/{owner}/{name}/forks`.
pub(super) async fn create(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name)): Path<(String, String)>,
    Body(asked): Body<CreateFork>,
) -> Result<(StatusCode, Json<Repository>), ApiError> {
    let from = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    let user = signed_in(&viewer, Level::Write, Category::Repository)?;
    ApiError::require(authorize_namespace(&viewer, user.id))?;
    if asked
        .organization
        .is_some_and(|name| !name.eq_ignore_ascii_case(&user.name))
    {
        return Err(ApiError::invalid(
            "there are no organizations yet: fork to your own account",
        ));
    }
    let row = site
        .forge
        .repositories
        .fork(&from, user.into(), asked.name.as_deref())
        .await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(describe(&site, &row, &viewer, &base).await?),
    ))
}

/// `GET /repos/{owner}/{name}/forks`.
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path((owner, name)): Path<(String, String)>,
    paging: Paging,
) -> Result<Response, ApiError> {
    let from = lookup::repository(&site, &viewer, Action::Read, &owner, &name).await?;
    let filter = Filter {
        fork_of: Some(from.key),
        ..Filter::default()
    };
    repositories::list(&site, &viewer, &base, &filter, &paging).await
}
