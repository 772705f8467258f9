use axum::body::Body;
use serde::de::DeserializeOwned;

use super::LfsError;
use crate::limits::JSON_BYTES;
use crate::request::read_body;
use crate::site::Site;

/// A request's body in JSON. An empty one is taken as `{}`.
pub(super) async fn read_json<T: DeserializeOwned>(site: &Site, body: Body) -> Result<T, LfsError> {
    let bytes = read_body(body, &site.runtime, JSON_BYTES).await;
    let bytes = bytes.map_err(LfsError::body)?;
    let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
    serde_json::from_slice(bytes)
        .map_err(|error| LfsError::invalid(format!("the body is no such JSON: {error}")))
}
