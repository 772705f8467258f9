use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue, header};
use tracing::Instrument;

use crate::request::{BaseUrl, Peer};
use crate::site::Site;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What joins a request's log lines, and the answer that a person reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The part of the frontend that answers a request, as metrics name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area(pub(crate) &'static str);

/// Gives every request an id, a span and a place in the metrics.
pub(crate) async fn observe(
    State((site, area)): State<(Arc<Site>, Area)>,
    mut request: Request,
    next: Next,
) -> Response {
    let clock = Arc::clone(&site.runtime.clock);
    let started = clock.monotonic();
    let id = RequestId(site.runtime.random.u64());
    let base = BaseUrl::of(
        site.config.public_url.as_deref(),
        request.uri(),
        request.headers(),
    );
    let peer = Peer::of(request.extensions());
    request.extensions_mut().insert(id);
    request.extensions_mut().insert(base);
    // The query may hold secrets, and is not needed to tell requests apart.
    let span = tracing::info_span!(
        "request",
        req.id = %id,
        method = %request.method(),
        path = request.uri().path(),
        peer = %peer.0,
        status = tracing::field::Empty,
    );
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = clock.monotonic().saturating_sub(started);
    let status = response.status().as_u16();
    span.record("status", status);
    span.in_scope(|| {
        tracing::debug!(
            status,
            ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
    });
    site.metrics.request(area.0, status, took);
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

/// Headers that keep browsers from guessing.
pub(crate) async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    response
}
