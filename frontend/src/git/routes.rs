use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::git::advertisement::info_refs;
use crate::git::dumb::file;
use crate::git::service::{fetch, push};
use crate::request::{Area, observe};
use crate::site::Site;

/// The routes below a repository that git uses, with or without `.git`.
pub(crate) fn routes(site: &Arc<Site>) -> Router<Arc<Site>> {
    Router::new()
        .route("/{owner}/{name}/info/refs", get(info_refs))
        .route("/{owner}/{name}/git-upload-pack", post(fetch))
        .route("/{owner}/{name}/git-receive-pack", post(push))
        .route("/{owner}/{name}/HEAD", get(file))
        .route("/{owner}/{name}/objects/{*path}", get(file))
        .route_layer(from_fn_with_state((Arc::clone(site), Area("git")), observe))
}
