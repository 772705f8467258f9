use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Extension, Json};
use domain::permissions::Means;
use domain::tokens::{NewToken, Scopes};
use domain::{User, Viewer};
use http::StatusCode;
use serde::Deserialize;

use crate::api::json::Body;
use crate::api::model::AccessToken;
use crate::api::paging::Paging;
use crate::api::{ApiError, lookup};
use crate::site::Site;

/// What a token is to be.
#[derive(Debug, Deserialize)]
pub(super) struct CreateAccessToken {
    name: String,
    #[serde(default)]
    scopes: Vec<String>,
}

/// The account whose tokens these are. Only who gives the password may touch
/// them: a token must not make further tokens.
async fn owner(site: &Site, viewer: &Viewer, name: &str) -> Result<User, ApiError> {
    let someone = viewer
        .signed_in()
        .filter(|someone| someone.means == Means::Password);
    let Some(someone) = someone else {
        let message = "access tokens are managed with user name and password, not with a token";
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, message));
    };
    if someone.user.name.eq_ignore_ascii_case(name) {
        return Ok(someone.user.clone());
    }
    if someone.user.is_admin {
        return lookup::user(site, name).await;
    }
    Err(ApiError::forbidden(
        domain::permissions::Reason::NotPermitted,
    ))
}

/// `GET /users/{name}/tokens`.
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Path(name): Path<String>,
    paging: Paging,
) -> Result<Response, ApiError> {
    let owner = owner(&site, &viewer, &name).await?;
    let page = site.forge.tokens.list(owner.id, paging.slice()).await?;
    let items: Vec<_> = page
        .items
        .iter()
        .map(|token| AccessToken::of(token, None))
        .collect();
    Ok(paging.answer(&items, page.total))
}

/// `POST /users/{name}/tokens`.
pub(super) async fn create(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Path(name): Path<String>,
    Body(asked): Body<CreateAccessToken>,
) -> Result<(StatusCode, Json<AccessToken>), ApiError> {
    let owner = owner(&site, &viewer, &name).await?;
    let scopes = Scopes::parse(asked.scopes.iter().map(String::as_str));
    let scopes = scopes.map_err(|error| ApiError::invalid(error.to_string()))?;
    let new = NewToken {
        name: &asked.name,
        scopes,
        expires: None,
    };
    let (token, secret) = site.forge.tokens.create(owner.id, new).await?;
    Ok((
        StatusCode::CREATED,
        Json(AccessToken::of(&token, Some(&secret))),
    ))
}

/// `DELETE /users/{name}/tokens/{token}`, by id or name.
pub(super) async fn revoke(
    State(site): State<Arc<Site>>,
    Extension(viewer): Extension<Viewer>,
    Path((name, token)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let owner = owner(&site, &viewer, &name).await?;
    site.forge.tokens.revoke(owner.id, &token).await?;
    Ok(StatusCode::NO_CONTENT)
}
