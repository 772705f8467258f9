use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::auth::authenticate;
use crate::git::GitError;
use crate::git::advertisement::info_refs;
use crate::git::dumb::file;
use crate::git::service::{fetch, push};
use crate::request::{Area, Peer, observe, refuse_body};
use crate::site::Site;

/// The routes below a repository that git uses, with or without `.git`.
pub(crate) fn routes(site: &Arc<Site>) -> Router<Arc<Site>> {
    Router::new()
        .route("/{owner}/{name}/info/refs", get(info_refs))
        .route("/{owner}/{name}/git-upload-pack", post(fetch))
        .route("/{owner}/{name}/git-receive-pack", post(push))
        .route_layer(from_fn_with_state(Arc::clone(site), identify))
        .route("/{owner}/{name}/HEAD", get(file))
        .route("/{owner}/{name}/objects/{*path}", get(file))
        .route_layer(from_fn_with_state((Arc::clone(site), Area("git")), observe))
}

/// Finds out who asks, before anything else.
async fn identify(State(site): State<Arc<Site>>, mut request: Request, next: Next) -> Response {
    let peer = Peer::of(request.extensions());
    match authenticate(&site, request.headers(), peer).await {
        Ok(viewer) => {
            request.extensions_mut().insert(viewer);
            next.run(request).await
        }
        Err(error) => {
            let (parts, body) = request.into_parts();
            refuse_body(&parts.headers, body, &site.runtime).await;
            GitError::auth(&error).into_response()
        }
    }
}
