use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use crate::admission::{Cost, Tenant};
use crate::api::ApiError;
use crate::auth::authenticate;
use crate::request::{Peer, refuse_body};
use crate::site::Site;

/// Finds out who asks, before anything else.
pub(super) async fn identify(
    State(site): State<Arc<Site>>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = Peer::of(request.extensions());
    let mut response = match authenticate(&site, request.headers(), peer).await {
        Ok(viewer) => {
            let tenant = Tenant::of(&viewer, peer);
            match site.requests.enter(tenant, Cost::ONE).await {
                Ok(_turn) => {
                    request.extensions_mut().insert(viewer);
                    next.run(request).await
                }
                Err(refused) => {
                    let (parts, body) = request.into_parts();
                    refuse_body(&parts.headers, body, &site.runtime).await;
                    ApiError::from(refused).into_response()
                }
            }
        }
        Err(error) => {
            let (parts, body) = request.into_parts();
            refuse_body(&parts.headers, body, &site.runtime).await;
            ApiError::auth(&error).into_response()
        }
    };
    // Answers depend on who asks.
    let control = HeaderValue::from_static("private, no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, control);
    response
}
