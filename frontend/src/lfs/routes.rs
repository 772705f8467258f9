use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};

use super::{batch, content, locks};
use crate::request::{Area, observe};
use crate::site::Site;

/// The routes below a repository that git-lfs uses, with or without `.git`.
pub(crate) fn routes(site: &Arc<Site>) -> Router<Arc<Site>> {
    let at = |path: &str| format!("/{{owner}}/{{name}}/info/lfs/{path}");
    Router::new()
        .route(&at("objects/batch"), post(batch::batch))
        .route(&at("objects/{oid}"), get(content::download))
        .route(&at("objects/{oid}/{size}"), put(content::upload))
        .route(&at("verify"), post(content::verify))
        .route(&at("locks"), get(locks::list).post(locks::create))
        .route(&at("locks/verify"), post(locks::verify))
        .route(&at("locks/{id}/unlock"), post(locks::unlock))
        .route_layer(from_fn_with_state((Arc::clone(site), Area("lfs")), observe))
}
