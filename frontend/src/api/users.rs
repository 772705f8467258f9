use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use domain::permissions::authorize_account;
use domain::tokens::{Category, Level};
use domain::{User as Account, Viewer};

use crate::api::model::User;
use crate::api::{ApiError, lookup};
use crate::request::BaseUrl;
use crate::site::Site;

/// The viewer's account, if its proof may be used so.
pub(super) fn signed_in(
    viewer: &Viewer,
    level: Level,
    category: Category,
) -> Result<&Account, ApiError> {
    ApiError::require(authorize_account(viewer, level, category))?;
    viewer.user().ok_or_else(ApiError::not_found)
}

/// `GET /user`.
pub(super) async fn current(
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
) -> Result<Json<User>, ApiError> {
    let user = signed_in(&viewer, Level::Read, Category::User)?;
    Ok(Json(User::of(user, &viewer, &base)))
}

/// `GET /users/{name}`.
pub(super) async fn get(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Path(name): Path<String>,
) -> Result<Json<User>, ApiError> {
    let user = lookup::user(&site, &name).await?;
    Ok(Json(User::of(&user, &viewer, &base)))
}
