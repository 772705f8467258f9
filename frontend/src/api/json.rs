use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use crate::api::ApiError;
use crate::limits::JSON_BYTES;
use crate::request::read_body;
use crate::site::Site;

/// A request's body in JSON. An empty one is taken as `{}`.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Site>> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, ApiError> {
        let body = read_body(request.into_body(), &site.runtime, JSON_BYTES).await;
        let bytes = body.map_err(ApiError::body)?;
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        let parsed = serde_json::from_slice(bytes);
        parsed
            .map(Self)
            .map_err(|error| ApiError::invalid(format!("the body is no such JSON: {error}")))
    }
}
