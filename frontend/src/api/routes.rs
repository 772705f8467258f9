use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post};
use http::StatusCode;

use crate::api::identify::identify;
use crate::api::{
    ApiError, admin, archive, branches, commits, contents, deleted, deploy_keys, forks, keys,
    languages, maintenance, objects, repositories, search, tags, tokens, users, version,
};
use crate::request::{Area, observe, security_headers};
use crate::site::Site;

/// Everything below `/api/v1`.
pub(crate) fn routes(site: &Arc<Site>) -> Router<Arc<Site>> {
    Router::new()
        .route("/version", get(version::get))
        .route("/user", get(users::current))
        .route(
            "/user/repos",
            get(repositories::list_own).post(repositories::create),
        )
        .route("/user/deleted/repos", get(deleted::list_own))
        .route("/admin/deleted/repos", get(deleted::list_all))
        .route("/deleted/repos/{id}", delete(deleted::purge))
        .route("/deleted/repos/{id}/restore", post(deleted::restore))
        .route("/users/{name}", get(users::get))
        .route("/users/{name}/repos", get(repositories::list_of_user))
        .route(
            "/users/{name}/tokens",
            get(tokens::list).post(tokens::create),
        )
        .route("/users/{name}/tokens/{token}", delete(tokens::revoke))
        .route("/user/keys", get(keys::list_own).post(keys::add_own))
        .route(
            "/user/keys/{id}",
            get(keys::get_own).delete(keys::remove_own),
        )
        .route("/users/{name}/keys", get(keys::list_of_user))
        .route("/admin/users", post(admin::create_user))
        .route("/admin/users/{name}/keys", post(keys::add_for))
        .route("/admin/users/{name}/keys/{id}", delete(keys::remove_for))
        .route("/repos/search", get(search::repositories))
        .route(
            "/repos/{owner}/{name}",
            get(repositories::get)
                .patch(repositories::edit)
                .delete(repositories::delete),
        )
        .route(
            "/repos/{owner}/{name}/forks",
            get(forks::list).post(forks::create),
        )
        .route(
            "/repos/{owner}/{name}/keys",
            get(deploy_keys::list).post(deploy_keys::add),
        )
        .route(
            "/repos/{owner}/{name}/keys/{id}",
            get(deploy_keys::get).delete(deploy_keys::remove),
        )
        .route("/repos/{owner}/{name}/maintenance", post(maintenance::ask))
        .route("/repos/{owner}/{name}/branches", get(branches::list))
        .route(
            "/repos/{owner}/{name}/branches/{*branch}",
            get(branches::get),
        )
        .route("/repos/{owner}/{name}/tags", get(tags::list))
        .merge(content())
        .fallback(|| async { ApiError::not_found() })
        .method_not_allowed_fallback(|| async {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this route does not take this method",
            )
        })
        .layer(from_fn_with_state(Arc::clone(site), identify))
        .layer(from_fn(security_headers))
        .layer(from_fn_with_state((Arc::clone(site), Area("api")), observe))
}

/// What is in a repository.
fn content() -> Router<Arc<Site>> {
    let of = |path: &str| format!("/repos/{{owner}}/{{name}}/{path}");
    Router::new()
        .route(&of("archive/{*archive}"), get(archive::get))
        .route(&of("commits"), get(commits::list))
        .route(&of("compare/{*basehead}"), get(commits::compare))
        .route(&of("contents"), get(contents::root))
        .route(&of("contents/{*path}"), get(contents::get))
        .route(&of("languages"), get(languages::get))
        .route(&of("raw/{*path}"), get(contents::raw))
        .route(&of("media/{*path}"), get(contents::raw))
        .route(&of("git/blobs/{sha}"), get(objects::blob))
        .route(&of("git/commits/{sha}"), get(commits::get))
        .route(&of("git/refs"), get(objects::refs))
        .route(&of("git/refs/{*prefix}"), get(objects::refs_below))
        .route(&of("git/tags/{sha}"), get(objects::tag))
        .route(&of("git/trees/{sha}"), get(objects::tree))
}
