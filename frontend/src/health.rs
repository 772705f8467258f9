//! What machines ask about the process: whether it lives, whether it can
//! serve, and its metrics.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use prometheus_client::encoding::text;
use storage_node_api::metadata::Statement;
use storage_node_api::{Metadata, Order, ReadPoint};

use crate::limits::READY_PATIENCE;
use crate::site::Site;

/// `/healthz`, `/readyz` and `/metrics`.
pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// Ready is who can read a fact and the cluster map.
async fn ready(State(site): State<Arc<Site>>) -> Response {
    let statement = Statement::new("SELECT 1", []);
    let probe = async {
        let facts = Metadata::query(&*site.storage, ReadPoint::Linearizable, statement).await;
        facts.is_ok() && Order::map(&*site.storage).await.is_ok()
    };
    let is_ready = tokio::select! {
        answered = probe => answered,
        () = site.runtime.clock.sleep(READY_PATIENCE) => false,
    };
    if is_ready {
        "ready\n".into_response()
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the storage does not answer\n",
        )
            .into_response()
    }
}

async fn metrics(State(site): State<Arc<Site>>) -> Response {
    let mut encoded = String::new();
    match text::encode(&mut encoded, &site.registry) {
        Ok(()) => {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, content_type)], encoded).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
