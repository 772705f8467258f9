use domain::{Action, Repository, User, Viewer, authorize};

use crate::api::ApiError;
use crate::site::Site;

/// The repository that a path names, if the viewer may do that with it.
pub(super) async fn repository(
    site: &Site,
    viewer: &Viewer,
    action: Action,
    owner: &str,
    name: &str,
) -> Result<Repository, ApiError> {
    let found = site.forge.repositories.find(owner, name).await?;
    ApiError::require(authorize(viewer, action, found.as_ref()))?;
    found.ok_or_else(ApiError::not_found)
}

/// The account that a path names.
pub(super) async fn user(site: &Site, name: &str) -> Result<User, ApiError> {
    site.forge
        .accounts
        .by_name(name)
        .await?
        .ok_or_else(ApiError::not_found)
}
