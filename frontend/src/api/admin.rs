use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use domain::Viewer;
use domain::accounts::NewUser;
use domain::permissions::authorize_administration;
use http::StatusCode;
use serde::Deserialize;

use crate::api::ApiError;
use crate::api::json::Body;
use crate::api::model::User;
use crate::request::BaseUrl;
use crate::site::Site;

/// What an account is to be.
#[derive(Debug, Deserialize)]
pub(super) struct CreateUser {
    username: String,
    email: String,
    #[serde(default)]
    full_name: String,
    #[serde(default)]
    password: String,
}

/// `POST /admin/users`.
pub(super) async fn create_user(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Extension(base): Extension<BaseUrl>,
    Body(asked): Body<CreateUser>,
) -> Result<(StatusCode, Json<User>), ApiError> {
    ApiError::require(authorize_administration(&viewer))?;
    let new = NewUser {
        name: &asked.username,
        email: &asked.email,
        full_name: &asked.full_name,
        password: &asked.password,
        is_admin: false,
    };
    let user = site.forge.accounts.create(new).await?;
    Ok((StatusCode::CREATED, Json(User::of(&user, &viewer, &base))))
}
