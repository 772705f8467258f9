use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use domain::Viewer;
use http::{StatusCode, header};

use crate::admission::{Cost, Tenant};
use crate::auth::Session;
use crate::failing::public_message;
use crate::pages::asset::{STYLE_PATH, style};
use crate::pages::error::PageError;
use crate::pages::keys::KEYS_PATH;
use crate::pages::visitor::Visitor;
use crate::pages::{
    archive, blame, commit, commits, home, keys, owner, raw, refs, repository, sign_in,
};
use crate::request::{Area, Peer, observe, security_headers};
use crate::site::Site;

/// The pages that people look at.
pub(crate) fn routes(site: &Arc<Site>) -> Router<Arc<Site>> {
    Router::new()
        .route("/", get(home::home))
        .route("/login", get(sign_in::form).post(sign_in::submit))
        .route("/logout", post(sign_in::sign_out))
        .route(KEYS_PATH, get(keys::show).post(keys::add))
        .route("/user/settings/keys/remove", post(keys::remove))
        .route("/{owner}", get(owner::owner))
        .route("/{owner}/{name}", get(repository::overview))
        .route(
            "/{owner}/{name}/src/{kind}/{*rest}",
            get(repository::source),
        )
        .route("/{owner}/{name}/raw/{kind}/{*rest}", get(raw::raw))
        .route("/{owner}/{name}/archive/{*archive}", get(archive::download))
        .route("/{owner}/{name}/blame/{kind}/{*rest}", get(blame::show))
        .route("/{owner}/{name}/commit/{id}", get(commit::show))
        .route("/{owner}/{name}/commits/{kind}/{*rest}", get(commits::list))
        .route("/{owner}/{name}/branches", get(refs::branches))
        .route("/{owner}/{name}/tags", get(refs::tags))
        .route(STYLE_PATH, get(style))
        .layer(from_fn_with_state(Arc::clone(site), visit))
        .layer(from_fn(security_headers))
        .layer(from_fn_with_state(
            (Arc::clone(site), Area("pages")),
            observe,
        ))
}

/// What is at no route at all.
pub(crate) async fn error_page(request: Request) -> Response {
    let path = request.uri().path();
    // People and programs put a slash at the end of what has none.
    let trimmed = path.trim_end_matches('/');
    if trimmed.len() < path.len() && !trimmed.is_empty() && !trimmed.starts_with("//") {
        return Redirect::permanent(trimmed).into_response();
    }
    let visitor = Visitor {
        viewer: Viewer::Anonymous,
        form_token: None,
    };
    PageError::not_found().page(&visitor)
}

/// Finds out who looks, and puts errors into the frame of a page.
async fn visit(State(site): State<Arc<Site>>, mut request: Request, next: Next) -> Response {
    let session = match Session::of(&site, request.headers()).await {
        Ok(session) => session,
        Err(error) => {
            let visitor = Visitor {
                viewer: Viewer::Anonymous,
                form_token: None,
            };
            let message = public_message(&error);
            return PageError::new(StatusCode::SERVICE_UNAVAILABLE, message).page(&visitor);
        }
    };
    let tenant = Tenant::of(&session.viewer, Peer::of(request.extensions()));
    let form_token = session.form_token();
    let visitor = Visitor {
        viewer: session.viewer,
        form_token,
    };
    let _turn = match site.requests.enter(tenant, Cost::ONE).await {
        Ok(turn) => turn,
        Err(refused) => return PageError::from(refused).page(&visitor),
    };
    request.extensions_mut().insert(visitor.clone());
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<PageError>() {
        Some(error) => error.page(&visitor),
        // What the router itself refuses, such as a path that is no text.
        None if response.status().is_client_error()
            && response
                .headers()
                .get(header::CONTENT_SECURITY_POLICY)
                .is_none() =>
        {
            let message = "This is not an address of this site.";
            PageError::new(response.status(), message).page(&visitor)
        }
        None => response,
    }
}
