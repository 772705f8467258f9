use axum::Json;
use serde::Serialize;

/// The release of Gitea whose interface this follows, which its SDKs look at
/// to know what a server can do, and after the plus sign this program's own.
const VERSION: &str = concat!("1.24.0+devflow-", env!("CARGO_PKG_VERSION"));

#[derive(Debug, Serialize)]
pub(super) struct ServerVersion {
    version: &'static str,
}

/// `GET /version`.
pub(super) async fn get() -> Json<ServerVersion> {
    Json(ServerVersion { version: VERSION })
}
