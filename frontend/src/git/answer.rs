use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use git_serve::{Output, RepositoryError, ServeError};
use http::{HeaderValue, StatusCode, header};
use tokio::sync::oneshot;
use tracing::Instrument;

use crate::failing::chain;
use crate::git::GitError;
use crate::metrics::Metrics;
use crate::request::{Fault, body_of};
use crate::site::Site;

/// Runs a service in a task of its own and streams what it says. The status is
/// decided by what comes first: bytes, the end, or an error.
pub(super) async fn answer(
    site: &Site,
    service: &'static str,
    content_type: &'static str,
    fault: Option<Fault>,
    run: impl FnOnce(Output) -> BoxFuture<'static, Result<(), ServeError>>,
) -> Response {
    let (output, mut pieces) = Output::channel();
    let (done, end) = oneshot::channel();
    let running = run(output);
    let metrics = site.metrics.clone();
    let task = async move {
        let result = running.await;
        note(&metrics, service, &result);
        // Nobody waits if the client is gone.
        let _gone = done.send(result);
    };
    site.runtime
        .tasks
        .spawn(service, Box::pin(task.in_current_span()));
    let Some(first) = pieces.recv().await else {
        return match end.await {
            Ok(Ok(())) => stream_response(content_type, Body::empty()),
            Ok(Err(error)) => unsaid(error, fault).into_response(),
            Err(_) => unavailable().into_response(),
        };
    };
    let whole = async move {
        let result = end.await;
        result.is_ok_and(|result| result.as_ref().err().is_none_or(was_told))
    };
    stream_response(content_type, body_of(first, pieces, whole))
}

fn stream_response(content_type: &'static str, body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    no_cache(headers);
    response
}

/// The headers that git's own server sends.
pub(super) fn no_cache(headers: &mut http::HeaderMap) {
    let expires = HeaderValue::from_static("Fri, 01 Jan 1980 00:00:00 GMT");
    headers.insert(header::EXPIRES, expires);
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    let control = HeaderValue::from_static("no-cache, max-age=0, must-revalidate");
    headers.insert(header::CACHE_CONTROL, control);
}

/// Whether the client knows of the error from what it was sent.
fn was_told(error: &ServeError) -> bool {
    matches!(
        error,
        ServeError::Refused(_)
            | ServeError::Repository(_)
            | ServeError::Receive(_)
            | ServeError::Commit(_)
            // Its pack was cut off, as the report says.
            | ServeError::Input(_)
    )
}

/// What a client gets if the service ended without a word.
fn unsaid(error: ServeError, fault: Option<Fault>) -> GitError {
    if let Some(fault) = fault.and_then(|fault| fault.get()) {
        return GitError::body(fault);
    }
    match error {
        ServeError::Refused(refusal) => GitError::new(StatusCode::BAD_REQUEST, refusal.to_string()),
        ServeError::Input(_) | ServeError::ClientGone => {
            GitError::new(StatusCode::BAD_REQUEST, "the request broke off")
        }
        ServeError::Repository(error @ RepositoryError::Unavailable { .. }) => {
            GitError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
        }
        _ => GitError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed to answer",
        ),
    }
}

fn unavailable() -> GitError {
    GitError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "the server is shutting down; try again",
    )
}

/// Counts and logs how a service ended.
pub(crate) fn note(metrics: &Metrics, service: &'static str, result: &Result<(), ServeError>) {
    metrics.service(service, outcome(result));
    log(service, result);
}

fn outcome(result: &Result<(), ServeError>) -> &'static str {
    match result {
        Ok(()) => "served",
        Err(ServeError::Refused(_) | ServeError::Receive(_)) => "refused",
        Err(ServeError::Input(_) | ServeError::ClientGone) => "client_gone",
        Err(ServeError::Commit(_)) => "not_committed",
        Err(_) => "failed",
    }
}

fn log(service: &'static str, result: &Result<(), ServeError>) {
    let Err(error) = result else { return };
    match outcome(result) {
        "refused" | "client_gone" => tracing::info!(service, error = %chain(error), "not served"),
        _ => tracing::warn!(service, error = %chain(error), "not served"),
    }
}
